"""A knowledge base as one file: out of one box and into another, and every file that must be refused."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
import sqlalchemy as sa

from sparrow.knowledge import datasets, documents, fields, indexing, keyword, segments, transfer
from sparrow.knowledge.embed import builtin
from sparrow.knowledge.retrieve import retrieve
from sparrow.storage import db, files
from sparrow.storage.tables import knowledge as t
from tests.knowledge.test_documents import W, zipped

TEXT = ("# Pump A-40/2B\n\n## Pressure\n\nThe working pressure is 2.2 bar.\n\n"
        "## 故障\n\n错误代码 E1234 表示电源电压过低。\n")
PNG = (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
       b"\0\0\0\rIDATx\x9cc\xf8\x0f\x04\0\t\xfb\x03\xfd\xe3U\xf2\x9c\0\0\0\0IEND\xaeB`\x82")


def add(base: str, name: str, data: bytes, **options) -> dict:
    """Add a file and index it."""
    file = files.save(io.BytesIO(data), name)
    row = documents.add_files(base, [file["id"]], **options)[0][0]
    indexing.run(row["id"])
    return documents.get(base, row["id"])


def picture_docx() -> bytes:
    """Return a Word file with a picture."""
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    return zipped({
        "word/document.xml": f'<w:document xmlns:w="{W}" xmlns:a="a" xmlns:r="{rel}"><w:body><w:p><w:r><w:t>See the '
                             'drawing of the valve.</w:t></w:r><w:r><w:drawing><a:blip r:embed="rId1"/></w:drawing>'
                             "</w:r></w:p></w:body></w:document>",
        "word/_rels/document.xml.rels": '<Relationships><Relationship Id="rId1" Target="media/image1.png"/>'
                                        "</Relationships>",
        "word/media/image1.png": PNG + bytes(3000)})


def filled() -> str:
    """Make a base that uses every table."""
    base = datasets.create("Pumps 泵", description="All of them")["id"]
    first = add(base, "pump.md", TEXT.encode())
    add(base, "drawing.docx", picture_docx())
    broken = add(base, "broken.pdf", b"%PDF-1.4 nothing")
    assert broken["indexing_status"] == "error"
    waiting = files.save(io.BytesIO(b"Not yet indexed: the colour is teal."), "later.txt")
    documents.add_files(base, [waiting["id"]])
    field = fields.create_field(base, "maker", "string")
    fields.set_values(base, [fields.DocumentMetadata(first["id"], [fields.MetadataValue(field["id"], "maker", "KSB")])])
    fields.bind([fields.create_tag("machines")["id"]], base, on=True)
    row = segments.add(datasets.get(base), documents.get(base, first["id"]), [
        segments.NewSegment(content="The warranty lasts 36 months.", keywords=["guarantee"])])[0]
    segments.update(datasets.get(base), documents.get(base, first["id"]), row, enabled=False)
    return base


def packed(base: str, tmp_path, name: str = "base.zip"):
    """Export a base to a file."""
    target = tmp_path / name
    with open(target, "wb") as out:
        for piece in transfer.export(base)[1]:
            out.write(piece)
    return target


def content(base: str) -> list:
    """Return what the base holds, without ids that may change."""
    with db.read() as tx:
        return [tuple(row) for row in tx.execute(
            sa.select(t.documents.c.name, t.documents.c.doc_metadata, t.segments.c.position, t.segments.c.origin,
                      t.segments.c.heading, t.segments.c.enabled, t.segments.c.keywords, t.segments.c.tokens)
            .join(t.segments, t.segments.c.document_id == t.documents.c.id)
            .where(t.documents.c.dataset_id == base).order_by(t.documents.c.position, t.segments.c.position))]


def answers(base: str) -> list[tuple[str, float]]:
    """Return what three questions find."""
    keyword._frequency.clear()  # what is remembered for a moment is of another box
    keyword._rows = (0.0, 0)
    return [(passage.content.split("](")[0], round(passage.score, 4)) for query in (
        "What is the working pressure?", "E1234", "drawing of the valve")
        for passage in retrieve(query, [base], {"search_method": "hybrid_search", "top_k": 2})]


def fresh(monkeypatch, tmp_path, name: str, url: str = "") -> None:
    """Point Sparrow at another, empty box."""
    from sparrow import settings
    from sparrow.storage import migrate

    (tmp_path / name / "config").mkdir(parents=True)
    monkeypatch.setenv("SPARROW_DATA_DIR", str(tmp_path / name))
    if url:
        monkeypatch.setenv("SPARROW_DATABASE_URL", url)
    else:
        monkeypatch.delenv("SPARROW_DATABASE_URL", raising=False)
    settings.reset()
    db.reset()
    migrate.upgrade()


@pytest.mark.parametrize("there", ["sqlite", "postgresql"])
def test_a_base_moves_to_another_box(database, there, tmp_path, monkeypatch, request):
    base = filled()
    before, said = content(base), answers(base)
    embedded = datasets.get(base)["embedding_dimension"]
    file = packed(base, tmp_path)
    fresh(monkeypatch, tmp_path, "other",
          request.getfixturevalue("postgres_server").new_database() if there == "postgresql" else "")
    monkeypatch.setattr(builtin, "encode", _no_embedding(builtin.encode))
    assert transfer.load(file) == base  # its own id, so that apps that name it find it
    assert content(base) == before
    again = answers(base)
    assert [text for text, _ in again] == [text for text, _ in said]
    # A word's weight depends on what else the box holds, so scores may move a little; the order may not.
    assert [score for _, score in again] == pytest.approx([score for _, score in said], abs=0.03)
    row = datasets.get(base)
    assert (row["name"], row["embedding_dimension"]) == ("Pumps 泵", embedded)
    fact = datasets.facts([row])[base]
    assert fact["tags"][0]["name"] == "machines"
    assert [field["count"] for field in fields.list_fields(base)] == [1]
    found = {row["name"]: row for row in documents.search(base)[0]}
    assert files.path(found["pump.md"]["file_id"]).read_bytes() == TEXT.encode()
    picture = found["drawing.docx"]["data_source_info"]["images"][0]
    assert files.path(picture).read_bytes().startswith(PNG)
    assert picture in segments.search(found["drawing.docx"]["id"])[0][0]["content"]
    assert found["broken.pdf"]["error_code"] == "corrupt_file"
    monkeypatch.undo()
    fresh(monkeypatch, tmp_path, "unused")


def _no_embedding(encode):
    def only_questions(texts):
        assert len(texts) == 1, "an import must not embed what comes with vectors"
        return encode(texts)

    return only_questions


def test_what_was_not_finished_is_indexed_after_the_import(sqlite_database, tmp_path):
    base = filled()
    copy = transfer.load(packed(base, tmp_path))
    assert copy != base
    assert datasets.get(copy)["name"] == "Pumps 泵 (2)"
    later = next(row for row in documents.search(copy)[0] if row["name"] == "later.txt")
    assert later["indexing_status"] == "waiting"
    indexing.run(later["id"])
    assert "teal" in retrieve("colour teal", [copy], None)[0].content
    datasets.delete(base)  # the copy stands alone
    assert answers(copy)
    assert len(list((sqlite_database / "files").rglob("*-*"))) == 5


def test_parent_child_and_economy_bases(sqlite_database, tmp_path):
    rule = {"mode": "hierarchical", "rules": {"parent_mode": "full-doc", "segmentation": {
        "separator": "\\n\\n", "max_tokens": 500}, "subchunk_segmentation": {"separator": "\\n", "max_tokens": 60}}}
    parents = datasets.create("Parents")["id"]
    add(parents, "pump.md", TEXT.encode(), doc_form="hierarchical_model", process_rule=rule)
    plain = datasets.create("Plain", indexing_technique="economy")["id"]
    add(plain, "pump.md", TEXT.encode())
    for base in (parents, plain):
        file = packed(base, tmp_path, f"{base}.zip")
        copy = transfer.load(file)
        assert content(copy) == content(base)
        assert [(p.content, p.children and p.children[0]["content"]) for p in retrieve("E1234", [copy], None)] == \
            [(p.content, p.children and p.children[0]["content"]) for p in retrieve("E1234", [base], None)]


def _rewritten(data: bytes, change) -> bytes:
    """Return the zip with its members changed by `change(dict)`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    return zipped(members)


def _newer(members):
    members["manifest.json"] = json.dumps(
        {**json.loads(members["manifest.json"]), "version": 99, "made_by": "9.9"}).encode()


def _signed(name, data):
    """Change a member and keep the manifest honest: only the content is at fault."""
    def change(members):
        import hashlib

        members[name] = data(members[name])
        manifest = json.loads(members["manifest.json"])
        manifest["members"][name] = {"size": len(members[name]),
                                     "sha256": hashlib.sha256(members[name]).hexdigest()}
        members["manifest.json"] = json.dumps(manifest).encode()

    return change


@pytest.mark.parametrize(("change", "code", "says"), [
    (_newer, "newer_knowledge_file", "Update this box"),
    (lambda m: m.update({"segments.jsonl": m["segments.jsonl"].replace(b"2.2", b"9.9")}), None,
     "not what was exported"),
    (lambda m: m.update({"evil": b"x"}), None, "does not name"),
    (lambda m: m.pop("vectors.bin"), None, "missing"),
    (lambda m: m.update({"manifest.json": b"{"}), None, "manifest"),
    (lambda m: m.pop("manifest.json"), None, "not an exported"),
    (_signed("vectors.bin", lambda data: data[:-4]), None, "fewer vectors"),
    (_signed("segments.jsonl", lambda data: data + data.splitlines(True)[0]), None, "fewer vectors"),
    (_signed("documents.jsonl", lambda data: data + data.splitlines(True)[0]), None, "twice"),
    (_signed("documents.jsonl", lambda data: b""), None, "no document"),
    (_signed("documents.jsonl", lambda data: b'{"id": 3}\n'), None, "line 1 of documents.jsonl"),
    (_signed("base.json", lambda data: data.replace(b'"id":"', b'"id":"../')), None, "id"),
])
def test_a_bad_file_is_refused_and_nothing_is_left(sqlite_database, tmp_path, change, code, says):
    base = filled()
    data = _rewritten(packed(base, tmp_path).read_bytes(), change)
    before = _counts(sqlite_database)
    target = tmp_path / "bad.zip"
    target.write_bytes(data)
    with pytest.raises(transfer.TransferError, match=says) as caught:
        transfer.load(target)
    assert caught.value.code == (code or "invalid_knowledge_file")
    assert _counts(sqlite_database) == before


def _counts(folder) -> tuple:
    with db.read() as tx:
        return (*(tx.execute(sa.select(sa.func.count()).select_from(table)).scalar() for table in (
            t.datasets, t.documents, t.segments, t.child_chunks, t.units, t.embeddings)),
            len(list((folder / "files").rglob("*-*"))))


def test_any_torn_or_flipped_file_is_refused(sqlite_database, tmp_path):
    base = filled()
    data = packed(base, tmp_path).read_bytes()
    before = _counts(sqlite_database)
    target = tmp_path / "bad.zip"
    for at in range(0, len(data), max(1, len(data) // 12)):
        for bad in (data[:at], data[:at] + bytes([data[at] ^ 255]) + data[at + 1:]):
            target.write_bytes(bad)
            try:
                copy = transfer.load(target)
            except transfer.TransferError:
                assert _counts(sqlite_database) == before
            else:  # the flipped byte meant nothing (a date of the zip): then all of it must be there
                assert content(copy) == content(base)
                datasets.delete(copy)


def test_a_killed_import_begins_again_and_ends_once(sqlite_database, tmp_path, monkeypatch):
    base = filled()
    file = files.save(io.BytesIO(packed(base, tmp_path).read_bytes()), "base.zip")
    datasets.delete(base)
    job = transfer.submit(file["id"])
    context = type("Context", (), {"job_id": job, "cancelled": lambda self: False})()

    class Killed(BaseException):
        """As by a signal: nothing is cleaned up."""

    from sparrow.knowledge.transfer import unpack
    with monkeypatch.context() as patch:
        patch.setattr(unpack._Loader, "_finish", lambda *_: (_ for _ in ()).throw(Killed))
        patch.setattr(unpack, "_clear", lambda *_: None)
        patch.setattr(files, "delete", lambda *_: None)
        with pytest.raises(Killed):
            transfer.run_job(unpack._job(job)["payload"], context)
    assert datasets.search()[1] == 0
    transfer.run_job(unpack._job(job)["payload"], context)
    state = transfer.state(job)
    assert (state["state"], state["dataset_id"]) == ("succeeded", base)
    transfer.run_job(unpack._job(job)["payload"], context)  # delivered twice
    assert datasets.search()[1] == 1
    assert len(list((sqlite_database / "files").rglob("*-*"))) == 5


def test_through_the_console(admin, tmp_path):
    from sparrow.knowledge.transfer import unpack

    base = filled()
    reply = admin.get(f"/datasets/{base}/export")
    assert reply.status_code == 200
    assert "Pumps%20%E6%B3%B5" in reply.headers["Content-Disposition"]
    file = admin.post("/files/upload", data={"file": (io.BytesIO(reply.data), "base.sparrow-knowledge")}).json
    state = admin.post("/datasets/import", json={"file_id": file["id"], "name": "Second"})
    assert state.status_code == 202, state.text
    job = state.json["id"]
    context = type("Context", (), {"job_id": job, "cancelled": lambda self: False})()
    transfer.run_job(unpack._job(job)["payload"], context)
    state = admin.get(f"/datasets/import/{job}").json
    assert state["stage"] == "done"
    assert admin.get(f"/datasets/{state['dataset_id']}").json["name"] == "Second"
    bad = admin.post("/files/upload", data={"file": (io.BytesIO(b"PK no"), "x.zip")}).json
    reply = admin.post("/datasets/import", json={"file_id": bad["id"]})
    assert (reply.status_code, reply.json["code"]) == (400, "invalid_knowledge_file")


def test_from_the_shell(sqlite_database, tmp_path, capsys):
    from sparrow.cli import main

    filled()
    target = str(tmp_path / "p.sparrow-knowledge")
    assert main(["dataset", "export", "Pumps 泵", target]) in (0, None)
    assert main(["dataset", "import", target, "--name", "Again"]) in (0, None)
    assert "Again: 4 documents" in capsys.readouterr().out
    (tmp_path / "junk").write_bytes(b"junk")
    assert main(["dataset", "import", str(tmp_path / "junk")]) == 1
    assert "not an exported knowledge base" in capsys.readouterr().err


@pytest.mark.parametrize("technique", ["high_quality", "economy"])
def test_the_size_of_a_file_is_told_before_it_is_made(admin, tmp_path, technique):
    base = datasets.create("sized", indexing_technique=technique)["id"]
    assert transfer.size(base)["bytes"] < 2000
    words = ["valve", "pump", "sensor", "压力", "温度", "screw", "motor", "阀门", "cover", "steel", "grey", "book"]
    text = "\n\n".join(" ".join(words[(i * i + k * 7 + k * k * i) % 12] + str((i * k) % 97) for k in range(60))
                       for i in range(300))
    picture = bytes(range(256)) * 2000
    for name, data in (("a.md", text.encode()), ("b.csv", b"no,name\n" + b"".join(
            b"%d,part %d\n" % (i, i * 7) for i in range(2000))), ("c.bin", picture)):
        file = files.save(io.BytesIO(data), name)
        indexing.run(documents.add_files(base, [file["id"]])[0][0]["id"])
    told = admin.get(f"/datasets/{base}/export-size").json
    made = packed(base, tmp_path).stat().st_size
    assert 0.75 < told["bytes"] / made < 1.33, (told, made)
    assert told["files"] == 3
    assert told["segments"] > 100
