"""Files that are hostile, huge or many: each ends in a clear state of its own document, the rest goes on."""

from __future__ import annotations

import io
import os

import pytest
import sqlalchemy as sa

from sparrow.knowledge import datasets, documents, indexing
from sparrow.knowledge.retrieve import retrieve
from sparrow.storage import db, files
from sparrow.storage.tables import knowledge as t
from tests.knowledge.test_documents import OLE, docx, paragraph, zipped


def put(base: str, *given: tuple[str, bytes]) -> list[str]:
    """Add files to a base without indexing them; return the documents' ids."""
    stored = [files.save(io.BytesIO(data), name)["id"] for name, data in given]
    return [row["id"] for row in documents.add_files(base, stored)[0]]


def pdf(pages: list[str]) -> bytes:
    """Return a PDF with a line of text a page; an empty string makes a page that is a picture."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for line in pages:
        stream = f"BT /F1 12 Tf 50 700 Td ({line}) Tj ET".encode() if line else \
            b"q 500 0 0 700 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID A EI Q"
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream))
        kids.append(len(objects) + 1)
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /Font "
                       b"<< /F1 3 0 R >> >> >>" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%b] >>" % (
        len(kids), b" ".join(b"%d 0 R" % number for number in kids))
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(out)


@pytest.fixture
def base(sqlite_database) -> str:
    """An empty base."""
    return datasets.create("Bad")["id"]


def test_bad_files_among_good_ones(base):
    given = {
        "good.txt": (b"The good word is kumquat.", None),
        "empty.txt": (b"", "empty_file"),
        "blank.md": (b" \n\n \n", "no_text"),
        "torn.pdf": (pdf(["words"] * 3)[:200], "corrupt_file"),
        "locked.docx": (OLE + "EncryptedPackage".encode("utf-16-le"), "encrypted_file"),
        "bomb.docx": (zipped({"word/document.xml": bytes(200 << 20)}), "compression_bomb"),
        "lies.pdf": (b"just text", "mislabelled_file"),
        "picture.txt": (b"\x89PNG\r\n\x1a\n" + bytes(300), "mislabelled_file"),
        "old.doc": (OLE + bytes(600), "convert_first"),
        "archive.zip": (zipped({"a": "b"}), "unsupported_type"),
        "last.docx": (docx(paragraph("The last word is quince.")), None)}
    ids = put(base, *((name, data) for name, (data, _) in given.items()))
    for document_id in ids:
        indexing.run(document_id)
    for document_id, (name, (_, code)) in zip(ids, given.items(), strict=True):
        row = documents.get(base, document_id)
        assert (row["error_code"], row["indexing_status"]) == (code, "error" if code else "completed"), name
        assert bool(row["error"]) == bool(code)
    assert "kumquat" in retrieve("kumquat", [base], None)[0].content
    assert "quince" in retrieve("quince", [base], None)[0].content
    documents.delete(base, [row["id"] for row in documents.search(base, limit=100)[0]])
    assert documents.search(base)[1] == 0


@pytest.mark.parametrize("name", ["a.txt", "a.html", "a.md"])
def test_a_pdf_by_another_name_is_read_as_one(base, name):
    indexing.run(put(base, (name, pdf(["The good word is kumquat."])))[0])
    assert retrieve("kumquat", [base], None)[0].page == 1


def test_right_to_left_text_keeps_its_logical_order(base):
    text = "# דוח שנתי\n\nהמשאבה פועלת בלחץ של 2.2 בר.\n\nتعمل المضخة بضغط ٢٫٢ بار. رقم القطعة KX-19.\n"
    indexing.run(put(base, ("rtl.md", text.encode()))[0])
    assert "המשאבה פועלת" in retrieve("המשאבה", [base], None)[0].content
    assert "تعمل المضخة" in retrieve("المضخة", [base], None)[0].content
    assert "KX-19" in retrieve("KX-19", [base], None)[0].content


@pytest.mark.parametrize(("given", "shown"), [
    ("../../etc/passwd.txt", "passwd.txt"), ("..\\..\\boot.txt", "boot.txt"), ("a'\"`;--<b>.txt", "a'\"`;--<b>.txt"),
    ("🐦 麻雀.txt", "🐦 麻雀.txt"), ("line\nbreak\x00.txt", "linebreak.txt"), ("长" * 200 + ".txt", None),
    ("x" * 251 + ".txt", "x" * 251 + ".txt"), (".txt", "txt"), ("CON.txt", "CON.txt"), ("-rf.txt", "-rf.txt")])
def test_hostile_names(admin, sqlite_database, given, shown):
    base = admin.post("/datasets", json={"name": "Names"}).json["id"]
    upload = admin.post("/uploads", json={"name": given, "size": 17}).json
    file = admin.put(f"/uploads/{upload['id']}?offset=0", data=b"Some plain words.").json["file"]
    document = admin.post(f"/datasets/{base}/documents", json={"file_ids": [file["id"]]}).json["documents"][0]
    indexing.run(document["id"])
    row = admin.get(f"/datasets/{base}/documents/{document['id']}").json
    assert row["indexing_status"] == "completed", row["error"]
    assert len(row["name"].encode()) <= 255
    assert shown is None or row["name"] == shown
    reply = admin.get(f"/datasets/{base}/documents/{document['id']}/download")
    assert (reply.status_code, reply.data) == (200, b"Some plain words.")
    assert {path.name for path in sqlite_database.parent.iterdir()} <= {"data", "run"}


@pytest.mark.slow
@pytest.mark.timeout(3000)  # a loaded machine may take its time
def test_two_hundred_files_at_once(base):
    ids = put(base, *((f"{number}.txt", f"Item {number} costs {number * 7} euros.".encode()) for number in range(200)))
    assert len(ids) == 200
    for document_id in ids:
        indexing.run(document_id)
    with db.read() as tx:
        states = dict(tx.execute(sa.select(t.documents.c.indexing_status, sa.func.count()).group_by(
            t.documents.c.indexing_status)).all())
    assert states == {"completed": 200}
    assert "Item 137" in retrieve("137", [base], None)[0].content


@pytest.mark.slow
def test_a_gigabyte(base, sqlite_database):
    folder = sqlite_database / "sparse"
    with open(folder, "wb") as out:
        out.truncate(1 << 30)
    file = files.adopt(folder, "huge.txt")
    document_id = documents.add_files(base, [file["id"]])[0][0]["id"]
    indexing.run(document_id)
    row = documents.get(base, document_id)
    assert (row["indexing_status"], row["error_code"]) == ("error", "mislabelled_file")


@pytest.mark.slow
@pytest.mark.timeout(3000)  # a loaded machine may take its time
def test_ten_thousand_pages(base):
    import resource

    lines = [f"Page {number} speaks of part QX-{number}." for number in range(1, 10_001)]
    document_id = put(base, ("long.pdf", pdf(lines)))[0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    indexing.run(document_id)
    row = documents.get(base, document_id)
    assert row["indexing_status"] == "completed", row["error"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KB
    found = retrieve("QX-7777", [base], None)[0]
    assert "QX-7777" in found.content


def test_pages_that_all_have_one_like_line_are_read(base):
    document_id = put(base, ("slips.pdf", pdf([f"Slip {number} is for part QX-{number}." for number in range(30)])))[0]
    indexing.run(document_id)
    assert documents.get(base, document_id)["indexing_status"] == "completed"
    assert "QX-17" in retrieve("QX-17", [base], None)[0].content


def test_scanned_pages_are_told_one_by_one(base):
    some, all_ = put(base, ("some.pdf", pdf(["Words here.", "", "More words.", "", ""])), ("all.pdf", pdf(["", ""])))
    indexing.run(some)
    indexing.run(all_)
    row = documents.get(base, some)
    assert row["indexing_status"] == "completed"
    assert [(notice["code"], notice["pages"], notice["total"]) for notice in row["notices"]] == [
        ("pages_without_text", [2, 4, 5], 5)]
    row = documents.get(base, all_)
    assert (row["indexing_status"], row["error_code"]) == ("error", "no_text")


def test_a_disk_that_fills_while_indexing(base, monkeypatch):
    document_id, other = put(base, ("a.txt", b"The first word is okra."), ("b.txt", b"The other word is celery."))
    real = os.fsync

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sparrow.knowledge.indexing.os.fsync", full)
    indexing.run(document_id)
    row = documents.get(base, document_id)
    assert (row["indexing_status"], row["error_code"]) == ("error", "disk_full")
    assert "disk is full" in row["error"]
    monkeypatch.setattr("sparrow.knowledge.indexing.os.fsync", real)
    indexing.run(other)
    documents.retry(base, document_id)
    indexing.run(document_id)
    assert [documents.get(base, name)["indexing_status"] for name in (document_id, other)] == ["completed"] * 2


def test_an_upload_that_would_fill_the_disk_is_refused(admin, sqlite_database, monkeypatch):
    monkeypatch.setattr(files, "_free", lambda folder: 1 << 20)
    for reply in (admin.post("/files/upload", data={"file": (io.BytesIO(b"x" * 100), "a.txt")}),
                  admin.post("/uploads", json={"name": "a.txt", "size": 100})):
        assert (reply.status_code, reply.json["code"]) == (507, "disk_full")
    assert [path for path in (sqlite_database / "files").rglob("*") if path.is_file()] == []


def test_embeddings_of_a_busy_provider_are_waited_for(sqlite_database, monkeypatch):
    from sparrow.knowledge import patience
    from sparrow.messages import ModelAuthorizationError, ModelRateLimitError, ModelServerUnavailableError
    from sparrow.providers import vectors

    tries, rested, replies = [], [], []

    def answer(hub, ref, texts):
        tries.append(len(texts))
        if replies:
            raise replies.pop(0)
        return [[1.0, 0, 0, 0] for _ in texts]

    monkeypatch.setattr(vectors, "embed", answer)
    monkeypatch.setattr(indexing._Work, "_rest", lambda self, seconds: rested.append(seconds))
    base = datasets.create("Remote", embedding_model="m", embedding_model_provider="p")["id"]
    replies += [ModelRateLimitError("429", retry_after=20), ModelServerUnavailableError("503"),
                ModelRateLimitError("429", retry_after=3600)]
    first, second, third = put(base, *((f"{name}.md", name.encode()) for name in ("one", "two", "three")))
    indexing.run(first)
    assert documents.get(base, first)["indexing_status"] == "completed"
    assert (tries, rested) == ([1] * 4, [20, 3, patience.LONGEST])
    replies += [ModelRateLimitError("429")] * 9
    indexing.run(second)
    assert "429" in documents.get(base, second)["error"]
    assert rested[3:] == list(patience.PAUSES)
    replies[:] = [ModelAuthorizationError("wrong key")]
    indexing.run(third)
    assert "failed: wrong key. Check the provider on the Models page." in documents.get(base, third)["error"]
    assert len(rested) == 7


@pytest.mark.parametrize(("vectors", "code", "says"), [
    (lambda texts: [[float("nan")] * 4 for _ in texts], "embedding_failed", "not finite"),
    (lambda texts: [[1.0] * (4 + number) for number, _ in enumerate(texts)], "embedding_failed", "different lengths"),
    (lambda texts: [[1.0] * 4], "embedding_failed", "1 vectors"),
    (lambda texts: (_ for _ in ()).throw(TimeoutError("timed out")), None, "timed out")])
def test_embeddings_that_fail(sqlite_database, monkeypatch, vectors, code, says):
    from sparrow.knowledge import embed

    monkeypatch.setattr(embed.Embedder, "_remote", lambda self, texts, kind: vectors(texts))
    base = datasets.create("Remote", embedding_model="m", embedding_model_provider="p")["id"]
    text = " ".join(f"Sentence {number} says something." for number in range(600))
    document_id = put(base, ("a.txt", text.encode()))[0]
    indexing.run(document_id)
    row = documents.get(base, document_id)
    assert row["indexing_status"] == "error"
    assert says in row["error"]
    assert code is None or row["error_code"] == code
    monkeypatch.setattr(embed.Embedder, "_remote", lambda self, texts, kind: [[1.0, 0, 0, 0] for _ in texts])
    documents.retry(base, document_id)
    indexing.run(document_id)
    assert documents.get(base, document_id)["indexing_status"] == "completed"
    monkeypatch.setattr(embed.Embedder, "_remote", lambda self, texts, kind: [[1.0] * 6 for _ in texts])
    other = put(base, ("b.md", b"# C\n\nThree."))[0]
    indexing.run(other)
    assert documents.get(base, other)["error_code"] == "embedding_dimension"
    assert documents.get(base, document_id)["indexing_status"] == "completed"
