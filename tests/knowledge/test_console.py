"""Knowledge through the console's API: from an upload to a cited passage."""

from __future__ import annotations

import io

import pytest

from sparrow.jobs import tidy

TEXT = """# Pump A-40/2B manual

## Pressure

The working pressure of the pump is 2.2 bar. Above 3 bar the safety valve opens.

## 故障代码

错误代码 E1234 表示电源电压过低。请检查电源线和保险丝。

## Maintenance

Change the oil filter every 500 hours, and clean the housing with a dry cloth.
"""


@pytest.fixture
def dataset(admin) -> dict:
    """An empty base."""
    reply = admin.post("/datasets", json={"name": "Manuals"})
    assert reply.status_code == 201, reply.text
    return reply.json


def upload(admin, dataset: dict, name: str, data: bytes, **options) -> dict:
    """Upload a file, add it to the base and index it here and now; return the document."""
    from sparrow.knowledge import indexing

    file = admin.post("/files/upload", data={"file": (io.BytesIO(data), name)}).json
    reply = admin.post(f"/datasets/{dataset['id']}/documents", json={"file_ids": [file["id"]], **options})
    assert reply.status_code == 200, reply.text
    document = reply.json["documents"][0]
    assert document["display_status"] == "queuing"
    indexing.run(document["id"])
    return admin.get(f"/datasets/{dataset['id']}/documents/{document['id']}").json


def ask(admin, dataset: dict, query: str, **model) -> list[dict]:
    """Return the records of a hit test."""
    body = {"query": query, **({"retrieval_model": model} if model else {})}
    reply = admin.post(f"/datasets/{dataset['id']}/hit-testing", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json["records"]


def test_upload_to_cited_passage(admin, dataset):
    document = upload(admin, dataset, "pump.md", TEXT.encode())
    assert document["indexing_status"] == "completed", document["error"]
    assert document["done"] == document["total"] == document["segment_count"] > 0
    for query, wanted in (("What is the working pressure?", "2.2 bar"), ("E1234 是什么故障", "电源电压过低"),
                          ("A-40/2B", "A-40/2B"), ("保险丝", "保险丝"), ("how often must the oil filter be changed",
                                                                     "500 hours")):
        records = ask(admin, dataset, query)
        assert wanted in records[0]["segment"]["content"] + str(records[0]["segment"]["heading"]), (query, records)
        assert 0 < records[0]["score"] <= 1
        assert records[0]["segment"]["document"]["name"] == "pump.md"
    around = admin.get(f"/datasets/{dataset['id']}/segments/{records[0]['segment']['id']}").json
    assert around["document"]["id"] == document["id"]
    assert around["before"] or around["after"]
    assert admin.get(f"/datasets/{dataset['id']}/indexing-status").json["data"] == []


def test_estimate_shows_chunks_before_indexing(admin):
    file = admin.post("/files/upload", data={"file": (io.BytesIO(TEXT.encode()), "pump.md")}).json
    reply = admin.post("/datasets/indexing-estimate", json={
        "file_id": file["id"], "process_rule": {"mode": "custom", "rules": {
            "segmentation": {"separator": "\\n\\n", "max_tokens": 100}}}})
    assert reply.status_code == 200, reply.text
    assert reply.json["total_segments"] == len(reply.json["preview"]) == 3
    bad = admin.post("/datasets/indexing-estimate", json={
        "file_id": file["id"], "process_rule": {"mode": "custom", "rules": {"segmentation": {"max_tokens": 5}}}})
    assert bad.status_code == 400
    assert "max_tokens" in bad.json["message"]


def test_a_file_that_cannot_be_read_ends_in_its_documents_state(admin, dataset):
    document = upload(admin, dataset, "broken.pdf", b"%PDF-1.4 nothing")
    assert document["display_status"] == "error"
    assert document["error_code"] == "corrupt_file"
    assert admin.post(f"/datasets/{dataset['id']}/documents/{document['id']}/retry").status_code == 200
    assert admin.delete(f"/datasets/{dataset['id']}/documents/{document['id']}").status_code == 200


def test_deleted_text_is_in_no_file(admin, dataset, sqlite_database):
    document = upload(admin, dataset, "Rumpelstilzchen.txt", b"The launch word is Rumpelstilzchen-77.")
    assert ask(admin, dataset, "launch word")
    for name in ("Rumpelstilzchen, a name that needs room.txt" * 4, "r.txt"):  # forms that its row had before
        upload(admin, dataset, "beside.txt", b"Another text.")
        admin.patch(f"/datasets/{dataset['id']}/documents/{document['id']}", json={"name": name})
    admin.delete(f"/datasets/{dataset['id']}/documents/{document['id']}")
    assert "Rumpelstilzchen" not in str(ask(admin, dataset, "launch word"))
    found = [path for path in sqlite_database.rglob("*") if path.is_file()
             and b"rumpelstil" in path.read_bytes().lower()]
    assert found == []


def test_text_of_changed_passages_is_tidied_away(admin, dataset, sqlite_database):
    document = upload(admin, dataset, "pump.md", TEXT.encode())
    path = f"/datasets/{dataset['id']}/documents/{document['id']}/segments"
    first = admin.post(path, json={"segments": [{"content": "The launch word is Rumpelstilzchen-77."}]}).json[0]
    second = admin.post(path, json={"segments": [{"content": "The other word is Kasperl-99."}]}).json[0]
    assert admin.delete(f"{path}/{first['id']}").status_code == 200
    assert admin.patch(f"{path}/{second['id']}", json={"content": "There is no other word."}).status_code == 200
    tidy.run_job({}, None)
    found = [path for path in sqlite_database.rglob("*") if path.is_file()
             and (b"rumpelstil" in path.read_bytes().lower() or b"kasperl" in path.read_bytes().lower())]
    assert found == []


def test_disabled_documents_and_passages_are_not_found(admin, dataset):
    document = upload(admin, dataset, "pump.md", TEXT.encode())
    path = f"/datasets/{dataset['id']}/documents"
    assert admin.post(f"{path}/status/disable", json={"document_ids": [document["id"]]}).status_code == 200
    assert ask(admin, dataset, "working pressure") == []
    admin.post(f"{path}/status/enable", json={"document_ids": [document["id"]]})
    best = ask(admin, dataset, "working pressure")[0]["segment"]["id"]
    admin.patch(f"{path}/{document['id']}/segments/{best}", json={"enabled": False})
    assert best not in [record["segment"]["id"] for record in ask(admin, dataset, "working pressure")]


def test_passages_can_be_added_changed_and_deleted(admin, dataset):
    document = upload(admin, dataset, "pump.md", TEXT.encode())
    path = f"/datasets/{dataset['id']}/documents/{document['id']}/segments"
    added = admin.post(path, json={"segments": [{"content": "The warranty lasts 36 months.", "keywords": ["w"]}]})
    assert added.status_code == 200, added.text
    segment = added.json[0]
    assert ask(admin, dataset, "how long is the warranty")[0]["segment"]["id"] == segment["id"]
    changed = admin.patch(f"{path}/{segment['id']}", json={"content": "The guarantee is sixty weeks long."})
    assert changed.json["id"] == segment["id"]
    assert "sixty" in ask(admin, dataset, "guarantee weeks")[0]["segment"]["content"]
    assert admin.delete(f"{path}/{segment['id']}").status_code == 200
    assert admin.get(f"/datasets/{dataset['id']}/segments/{segment['id']}").status_code == 404


def test_parent_child(admin, dataset):
    document = upload(admin, dataset, "pump.md", TEXT.encode(), doc_form="hierarchical_model",
                      process_rule={"mode": "hierarchical", "rules": {"parent_mode": "full-doc", "segmentation": {
                          "separator": "\\n\\n", "max_tokens": 500}, "subchunk_segmentation": {
                          "separator": "\\n", "max_tokens": 60}}})
    assert document["segment_count"] == 1
    record = ask(admin, dataset, "safety valve")[0]
    assert "Change the oil filter" in record["segment"]["content"]
    assert "safety valve" in max(record["child_chunks"], key=lambda child: child["score"])["content"]


def test_children_are_added_changed_and_deleted(admin, dataset):
    document = upload(admin, dataset, "pump.md", TEXT.encode(), doc_form="hierarchical_model",
                      process_rule={"mode": "hierarchical", "rules": {}})
    documents = f"/datasets/{dataset['id']}/documents"
    path = f"{documents}/{document['id']}/segments"
    segment = admin.get(path).json["data"][0]
    children = f"{path}/{segment['id']}/child_chunks"
    added = admin.post(children, json={"content": "The zebra valve hisses."})
    assert added.status_code == 200, added.text
    assert ask(admin, dataset, "zebra valve hisses")[0]["child_chunks"][0]["content"] == "The zebra valve hisses."
    child = f"{children}/{added.json['id']}"
    changed = admin.patch(child, json={"content": "The walrus pump hums."})
    assert (changed.json["id"], changed.json["content"]) == (added.json["id"], "The walrus pump hums.")
    assert admin.patch(child, json={"content": " "}).status_code == 400
    # A changed passage keeps the children that were made by hand, where that is asked for.
    text = f"{segment['content']} And more."
    kept = admin.patch(f"{path}/{segment['id']}", json={"content": text, "regenerate_child_chunks": False}).json
    assert "The walrus pump hums." in [one["content"] for one in kept["child_chunks"]]
    child = f"{children}/{kept['child_chunks'][-1]['id']}"
    archive = {"document_ids": [document["id"]]}
    admin.post(f"{documents}/status/archive", json=archive)
    for reply in (admin.post(children, json={"content": "x"}), admin.patch(child, json={"content": "x"}),
                  admin.delete(child), admin.delete(f"{path}/{segment['id']}")):
        assert (reply.status_code, reply.json["code"]) == (403, "archived_document_immutable")
    admin.post(f"{documents}/status/un_archive", json=archive)
    assert admin.delete(child).status_code == 200
    assert admin.delete(child).status_code == 404
    assert "walrus" not in str(ask(admin, dataset, "walrus pump hums"))


def test_several_passages_at_once(admin, dataset):
    document = upload(admin, dataset, "pump.md", TEXT.encode())
    other = upload(admin, dataset, "other.md", b"The warranty lasts 36 months.")
    path = f"/datasets/{dataset['id']}/documents/{document['id']}/segments"
    added = admin.post(path, json={"segments": [{"content": f"Spare part {n} is a seal."} for n in range(3)]}).json
    chosen = [one["id"] for one in added[:2]]
    elsewhere = ask(admin, dataset, "warranty months")[0]["segment"]["id"]

    def act(action: str, ids: list[str]):
        return admin.post(f"{path}/{action}", json={"segment_ids": ids})

    def found() -> set[str]:
        return {record["segment"]["id"] for record in ask(admin, dataset, "spare part seal", top_k=10,
                                                          search_method="hybrid_search")}
    assert act("status/disable", [*chosen, elsewhere]).status_code == 200
    assert not found() & set(chosen)
    assert added[2]["id"] in found()
    assert ask(admin, dataset, "warranty months")[0]["segment"]["id"] == elsewhere  # of another document
    assert act("status/enable", chosen).status_code == 200
    assert set(chosen) <= found()
    assert act("delete", [*chosen, elsewhere]).status_code == 200
    last = admin.get(f"/datasets/{dataset['id']}/segments/{added[2]['id']}").json
    listed = [one["id"] for one in admin.get(path).json["data"]]
    assert last["index"] == listed.index(added[2]["id"]) < last["segment"]["position"] - 1  # the two before are gone
    assert not found() & set(chosen)
    assert elsewhere in found() | {ask(admin, dataset, "warranty months")[0]["segment"]["id"]}
    assert (act("delete", []).status_code, act("status/paint", chosen).status_code) == (400, 400)
    assert other["segment_count"] == 1


def test_a_record_says_what_each_method_found(admin, dataset):
    upload(admin, dataset, "pump.md", TEXT.encode())
    for method, names in (("hybrid_search", {"semantic_search", "full_text_search"}),
                          ("semantic_search", {"semantic_search"}), ("full_text_search", {"full_text_search"})):
        scores = ask(admin, dataset, "pressure of the pump", search_method=method, top_k=3)[0]["scores"]
        assert set(scores) == names
        assert all(0 < score < 3 for score in scores.values())
    assert set(ask(admin, dataset, "xylophone", search_method="hybrid_search", top_k=1)[0]["scores"]) == {
        "semantic_search"}  # no passage has the word


def test_names_and_unknown_ids_are_clear_errors(admin, dataset):
    assert admin.post("/datasets", json={"name": "Manuals"}).status_code == 409
    assert admin.post("/datasets", json={"name": " "}).status_code == 400
    assert admin.get("/datasets/nothing").status_code == 404
    assert admin.post(f"/datasets/{dataset['id']}/hit-testing", json={"query": "x", "retrieval_model": {
        "search_method": "magic"}}).status_code == 400


def test_passages_from_csv(admin, dataset):
    document = upload(admin, dataset, "pump.md", TEXT.encode())
    path = f"/datasets/{dataset['id']}/documents/{document['id']}/segments/import"
    rows = "内容,关键词\n\"The crate weighs 40 kg, packed.\",\"box, weight；freight\"\n\n交货期为六周。,\n"
    for data, number in ((rows.encode("gb18030"), 2), (b"plain one\nplain two\n", 2)):
        reply = admin.post(path, data={"file": (io.BytesIO(data), "more.csv")})
        assert (reply.status_code, reply.json) == (200, {"added": number}), reply.text
    assert "40 kg" in ask(admin, dataset, "how heavy is the crate")[0]["segment"]["content"]
    assert ask(admin, dataset, "交货期")[0]["segment"]["content"] == "交货期为六周。"
    assert ["box", "weight", "freight"] in [one["keywords"] for one in admin.get(
        path.removesuffix("/import"), query_string={"limit": 50}).json["data"]]
    before = admin.get(path.removesuffix("/import")).json["total"]
    for bad in (b"", b"content\n\n", b'content\nfine\n"never closed', b"content,keywords\n,only words\n",
                bytes(range(0x80, 0x100)) * 3):
        reply = admin.post(path, data={"file": (io.BytesIO(bad), "bad.csv")})
        assert (reply.status_code, reply.json["params"]) == (400, "file"), reply.text
    assert admin.get(path.removesuffix("/import")).json["total"] == before


def test_metadata_and_tags(admin, dataset):
    document = upload(admin, dataset, "pump.md", TEXT.encode())
    path = f"/datasets/{dataset['id']}"
    field = admin.post(f"{path}/metadata", json={"name": "maker", "type": "string"}).json
    assert admin.post(f"{path}/metadata", json={"name": "maker", "type": "string"}).status_code == 400
    assert admin.post(f"{path}/metadata", json={"name": "x", "type": "colour"}).json["params"] == "type"
    values = [{"document_id": document["id"], "metadata_list": [{"id": field["id"], "name": "maker", "value": "KSB"}]}]
    assert admin.post(f"{path}/documents/metadata", json={"operation_data": values}).status_code == 200
    assert admin.patch(f"{path}/metadata/{field['id']}", json={"name": "brand"}).json["name"] == "brand"
    shown = admin.get(f"{path}/documents/{document['id']}").json["doc_metadata"]
    assert [(entry["name"], entry["value"]) for entry in shown] == [("brand", "KSB")]
    assert admin.get(f"{path}/metadata").json["doc_metadata"][0]["count"] == 1
    assert admin.post(f"{path}/metadata/built-in/enable").status_code == 200
    assert admin.get(f"{path}/metadata").json["built_in_field_enabled"] is True
    assert admin.delete(f"{path}/metadata/{field['id']}").status_code == 200
    assert admin.get(f"{path}/documents/{document['id']}").json["doc_metadata"] is None
    for names in (["a", "b"], ["b"], []):
        assert [tag["name"] for tag in admin.put(f"{path}/tags", json={"names": names}).json["tags"]] == names


def test_an_upload_that_was_added_twice_stays_for_the_other(admin, dataset):
    from sparrow.knowledge import documents, indexing

    other = admin.post("/datasets", json={"name": "Other"}).json
    file = admin.post("/files/upload", data={"file": (io.BytesIO(TEXT.encode()), "pump.md")}).json
    first, second = admin.post(f"/datasets/{dataset['id']}/documents", json={"file_ids": [file["id"]] * 2}
                               ).json["documents"]
    third = admin.post(f"/datasets/{other['id']}/documents", json={"file_ids": [file["id"]]}).json["documents"][0]
    for document in (first, second, third):
        indexing.run(document["id"])
    admin.delete(f"/datasets/{dataset['id']}/documents/{first['id']}")
    documents.reindex(dataset["id"], second["id"], file_id=documents.save_text("new", "New text.")["id"])
    download = f"/datasets/{other['id']}/documents/{third['id']}/download"
    assert admin.get(download).data == TEXT.encode()
    assert admin.delete(f"/datasets/{other['id']}").status_code in (200, 204)
    assert admin.get(f"/files/{file['id']}").status_code == 404
