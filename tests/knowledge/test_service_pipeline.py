"""Dify's knowledge pipelines in the service API: files and web sites become documents of a base."""

from __future__ import annotations

import io
import json
import threading
import time

import pytest

from sparrow.api.service import datasets_pipeline as pipeline
from sparrow.api.service import knowledge
from sparrow.knowledge import crawl, indexing
from sparrow.storage import db
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.files import files as file_table
from sparrow.tools.outbound import Client
from tests.knowledge.site import served

NOBODY = "01a22e93-9d00-7f24-a42a-3df59b6d2777"


@pytest.fixture
def base(call) -> str:
    """The path of a base."""
    return f"/datasets/{call('POST', '/datasets', json={'name': 'Pipeline'}).json['id']}"


@pytest.fixture
def site(monkeypatch):
    """A small site, and a worker that crawls what is queued."""
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
    over = threading.Event()

    def work():
        while not over.wait(0.05):
            with db.read() as tx:
                waiting = list(tx.execute(t.crawls.select().where(t.crawls.c.state == "waiting")).scalars())
            for crawl_id in waiting:
                crawl.run(crawl_id, Client(), wait=lambda seconds: time.sleep(0.02))

    with served() as made:
        made.add("/", "Home", "/a", "/b", head='<meta name=description content="All pumps">')
        made.add("/a", "Page A", body="The spare part is named KX-19.")
        made.add("/b", "Page B", body="水泵的工作压力是 2.2 bar。")
        worker = threading.Thread(target=work)
        worker.start()
        yield made
        over.set()
        worker.join()


def events(reply) -> list[dict]:
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    return [json.loads(part[6:]) for part in reply.text.split("\n\n") if part.startswith("data: ")]


def asked(url: str, **inputs) -> dict:
    return {"inputs": {"url": url, **inputs}, "datasource_type": "website_crawl", "is_published": True}


def run(infos: list, kind: str = "local_file", **changes) -> dict:
    return {"inputs": {}, "datasource_type": kind, "datasource_info_list": infos, "start_node_id": kind,
            "is_published": True, "response_mode": "blocking", **changes}


def upload(call, name: str = "泵.md", data: bytes = b"# Pump\n\nThe pump runs at 2.2 bar."):
    return call("POST", "/datasets/pipeline/file-upload", data={"file": (io.BytesIO(data), name)})


def index(call, base: str, batch: str) -> list[dict]:
    status = f"{base}/documents/{batch}/indexing-status"
    for document in call("GET", status).json["data"]:
        indexing.run(document["id"])
    return call("GET", status).json["data"]


def test_a_file_is_uploaded_and_becomes_a_document(call, base):
    file = upload(call)
    assert file.status_code == 201, file.text
    assert set(file.json) == {"id", "name", "size", "extension", "mime_type", "created_by", "created_at"}
    assert (file.json["name"], file.json["extension"]) == ("泵.md", "md")
    assert file.json["created_at"].startswith("20")
    assert "T" in file.json["created_at"]
    made = call("POST", f"{base}/pipeline/run", json=run([{"reference": file.json["id"], "name": "Pump.md"}]))
    assert made.status_code == 200, made.text
    assert set(made.json) == {"batch", "dataset", "documents"}
    assert set(made.json["dataset"]) == {"id", "name", "description", "chunk_structure"}
    assert (made.json["dataset"]["name"], made.json["dataset"]["chunk_structure"]) == ("Pipeline", "text_model")
    (document,) = made.json["documents"]
    assert set(document) == {"id", "position", "data_source_type", "data_source_info", "name", "indexing_status",
                             "error", "enabled"}
    assert (document["data_source_type"], document["name"], document["indexing_status"]) == (
        "local_file", "Pump.md", "waiting")
    assert index(call, base, made.json["batch"])[0]["indexing_status"] == "completed"
    found = call("POST", f"{base}/retrieve", json={"query": "2.2 bar"}).json["records"]
    assert "2.2 bar" in found[0]["segment"]["content"]


def test_the_errors_of_an_upload(call, monkeypatch):
    path = "/datasets/pipeline/file-upload"
    for data, status, code in (
            ({}, 400, "no_file_uploaded"), ({"file": (io.BytesIO(b"x"), "")}, 400, "filename_not_exists_error"),
            ({"file": [(io.BytesIO(b"x"), "a.md"), (io.BytesIO(b"x"), "b.md")]}, 400, "too_many_files"),
            ({"file": (io.BytesIO(b"x"), "a.exe")}, 415, "unsupported_file_type")):
        reply = call("POST", path, data=data, content_type="multipart/form-data")
        assert (reply.status_code, reply.json["code"]) == (status, code), reply.text
    monkeypatch.setattr(knowledge, "MAX_FILE", 10)
    assert (upload(call).status_code, upload(call).json["code"]) == (413, "file_too_large")


def test_what_a_pipeline_begins_at_is_listed(call, base):
    for query in ("", "?is_published=true", "?is_published=false"):
        listed = call("GET", f"{base}/pipeline/datasource-plugins{query}").json
        assert [(node["node_id"], node["datasource_type"]) for node in listed] == [
            ("local_file", "local_file"), ("website_crawl", "website_crawl")]
    assert set(listed[0]) == {"node_id", "plugin_id", "provider_name", "datasource_type", "title",
                              "user_input_variables", "credentials"}
    variables = {variable["variable"]: variable for variable in listed[1]["user_input_variables"]}
    assert set(variables) == set(crawl.CrawlOptions.__struct_fields__)
    assert [name for name, variable in variables.items() if variable["required"]] == ["url"]
    refused = call("GET", f"{base}/pipeline/datasource-plugins?is_published=x")
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_param")


def test_a_site_is_looked_through_and_its_pages_become_documents(call, base, site):
    told = events(call("POST", f"{base}/pipeline/datasource/nodes/website_crawl/run",
                       json=asked(f"{site.url}/", limit="5", exclude_paths="/x, /y")))
    assert [event["event"] for event in told[:-1]] == ["datasource_processing"] * (len(told) - 1)
    assert all(set(event) == {"event", "total", "completed"} for event in told[:-1])
    assert set(told[-1]) == {"event", "data", "total", "completed", "time_consuming"}
    assert (told[-1]["event"], told[-1]["total"], told[-1]["completed"]) == ("datasource_completed", 3, 3)
    pages = told[-1]["data"]
    assert all(set(page) == {"source_url", "content", "title", "description"} for page in pages)
    assert [(page["source_url"], page["title"]) for page in pages] == [
        (f"{site.url}/", "Home"), (f"{site.url}/a", "Page A"), (f"{site.url}/b", "Page B")]
    assert pages[0]["description"] == "All pumps"
    assert "KX-19" in pages[1]["content"]
    before = len(site.asked)
    made = call("POST", f"{base}/pipeline/run", json=run(
        [{"url": page["source_url"], "title": page["title"]} for page in pages[1:]], "website_crawl",
        response_mode="streaming")).json
    assert len(site.asked) == before  # what was found is taken as it was found
    assert [document["name"] for document in made["documents"]] == ["Page A", "Page B"]
    assert made["documents"][0]["data_source_info"]["url"] == f"{site.url}/a"
    assert {row["indexing_status"] for row in index(call, base, made["batch"])} == {"completed"}
    found = call("POST", f"{base}/retrieve", json={"query": "KX-19"}).json["records"]
    assert "KX-19" in found[0]["segment"]["content"]


def test_a_page_that_no_crawl_found_is_fetched(call, base, site):
    made = call("POST", f"{base}/pipeline/run", json=run([{"url": f"{site.url}/a"}], "website_crawl"))
    assert [document["name"] for document in made.json["documents"]] == ["Page A"]
    count = _files()
    gone = call("POST", f"{base}/pipeline/run", json=run(
        [{"url": f"{site.url}/b"}, {"url": f"{site.url}/gone"}], "website_crawl"))
    assert (gone.status_code, gone.json["code"]) == (400, "fetch_failed")
    assert "answered 404" in gone.json["message"]
    assert _files() == count  # the first one is not kept either


def test_a_site_that_cannot_be_read_is_an_error_event(call, base, site):
    path = f"{base}/pipeline/datasource/nodes/website_crawl/run"
    (error,) = events(call("POST", path, json=asked(f"{site.url}/none")))[-1:]
    assert set(error) == {"event", "error"}
    assert error["event"] == "datasource_error"
    assert "answered 404" in error["error"]


def test_who_leaves_stops_the_crawl(app, admin, base, site, monkeypatch):
    monkeypatch.setattr(pipeline, "LOOK_EVERY", 0.01)
    dataset_id = base.rpartition("/")[2]
    crawl_id = crawl.begin(dataset_id, crawl.CrawlOptions(url=f"{site.url}/"))
    stream = pipeline._events(dataset_id, crawl_id)
    next(stream)
    stream.close()
    assert crawl.state(dataset_id, crawl_id)["state"] in ("stopped", "completed")


def test_files_are_not_looked_for(call, base):
    (told,) = events(call("POST", f"{base}/pipeline/datasource/nodes/local_file/run", json={
        "inputs": {}, "datasource_type": "local_file", "is_published": True}))
    assert told["event"] == "datasource_error"


@pytest.mark.parametrize(("change", "status", "names"), [
    ({"datasource_type": "online_document"}, 400, "datasource_type"),
    ({"datasource_type": "online_drive"}, 400, "not available on this box"),
    ({"datasource_type": "local_file"}, 400, "datasource_type"), ({"datasource_type": "x"}, 400, "datasource_type"),
    ({"datasource_type": 5}, 400, "datasource_type"), ({"inputs": []}, 400, "inputs"),
    ({"inputs": {}}, 400, "inputs.url"),
    ({"inputs": {"url": 5}}, 400, "inputs.url"), ({"inputs": {"url": "x"}}, 400, "http://"),
    ({"inputs": {"url": "http://a", "limit": 501}}, 400, "inputs.limit"),
    ({"inputs": {"url": "http://a", "include_paths": [5]}}, 400, "inputs.include_paths"),
    ({"is_published": "perhaps"}, 400, "is_published"), ({"is_published": None}, 400, "is_published"),
    ({"credential_id": 5}, 400, "credential_id")])
def test_wrong_requests_of_a_node(call, base, change, status, names):
    reply = call("POST", f"{base}/pipeline/datasource/nodes/website_crawl/run", json={**asked("http://a/"), **change})
    assert (reply.status_code, reply.json["code"]) == (status, "invalid_param"), reply.text
    assert names in reply.json["message"]


@pytest.mark.parametrize(("change", "status", "names"), [
    ({"datasource_type": "online_document", "start_node_id": "x"}, 400, "datasource_type"),
    ({"datasource_type": "online_drive"}, 400, "datasource_type"), ({"start_node_id": "x"}, 404, "node"),
    ({"start_node_id": 5}, 400, "start_node_id"), ({"start_node_id": "website_crawl"}, 400, "datasource_type"),
    ({"datasource_info_list": []}, 400, "datasource_info_list"),
    ({"datasource_info_list": {}}, 400, "datasource_info_list"),
    ({"datasource_info_list": [5]}, 400, "datasource_info_list.0"),
    ({"datasource_info_list": [{}]}, 400, "datasource_info_list.0.reference"),
    ({"datasource_info_list": [{"reference": 5}]}, 400, "datasource_info_list.0.reference"),
    ({"datasource_info_list": [{"reference": "x"}]}, 404, "File not found"),
    ({"datasource_info_list": [{"reference": NOBODY}]}, 404, "File not found"),
    ({"inputs": None}, 400, "inputs"), ({"is_published": False}, 400, "is_published"),
    ({"response_mode": "later"}, 400, "response_mode")])
def test_wrong_requests_of_a_run(call, base, change, status, names):
    reply = call("POST", f"{base}/pipeline/run", json={**run([{"reference": NOBODY}]), **change})
    assert reply.status_code == status, reply.text
    assert names in reply.json["message"]
    assert call("GET", f"{base}/documents").json["total"] == 0


def test_bases_and_files_that_are_not_there_or_not_ones_own(call, base, admin):
    for method, path, body in (
            ("GET", "datasource-plugins", None), ("POST", "run", run([{"reference": NOBODY}])),
            ("POST", "datasource/nodes/website_crawl/run", asked("http://a/"))):
        reply = call(method, f"/datasets/{NOBODY}/pipeline/{path}", **({"json": body} if body else {}))
        assert (reply.status_code, reply.json["code"]) == (404, "not_found")
    assert call("POST", f"{base}/pipeline/datasource/nodes/x/run", json=asked("http://a/")).status_code == 404
    file = upload(call).json["id"]
    with db.write() as tx:
        tx.execute(file_table.update().values(app_id=NOBODY))
    assert call("POST", f"{base}/pipeline/run", json=run([{"reference": file}])).status_code == 404


def _files() -> int:
    with db.read() as tx:
        return len(tx.execute(file_table.select()).all())
