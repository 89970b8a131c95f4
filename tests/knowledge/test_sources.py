"""Documents from the web, from folders of the box and sticks, from the watched folder; uploads in pieces."""

from __future__ import annotations

import http.server
import io
import os
import threading
import time

import pytest

from sparrow.knowledge import datasets, documents, indexing, sources

PAGE = ("<html><head><title>Valves &amp; 阀门</title></head><body><h1>Valves</h1><p>The spare part is named "
        "KX-19.</p></body></html>")


class Pages(http.server.BaseHTTPRequestHandler):
    """A small web."""

    page = PAGE

    def do_GET(self):
        """Answer by path."""
        kind, body, status = {
            "/valves": ("text/html; charset=utf-8", self.page.encode(), 200),
            "/empty": ("text/html", b" ", 200), "/blob": ("application/octet-stream", b"\0\1", 200),
            "/a.md": ("application/octet-stream", b"# Title\n\nwords", 200)}.get(self.path, ("text/plain", b"", 404))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def web(monkeypatch):
    """The address of the small web, which the list of outbound calls allows."""
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_page_becomes_a_document_and_is_fetched_again(admin, web, monkeypatch):
    base = admin.post("/datasets", json={"name": "Web"}).json["id"]
    found = admin.post("/files/from-url", json={"url": f"{web}/valves"})
    assert found.status_code == 201, found.text
    assert found.json["title"] == "Valves & 阀门"
    assert found.json["file"]["name"] == "Valves & 阀门.html"
    file_id = found.json["file"]["id"]
    document = admin.post(f"/datasets/{base}/documents", json={
        "file_ids": [file_id], "urls": {file_id: found.json["url"]}}).json["documents"][0]
    assert document["data_source_type"] == "website_crawl"
    indexing.run(document["id"])
    records = admin.post(f"/datasets/{base}/hit-testing", json={"query": "KX-19"}).json["records"]
    assert "KX-19" in records[0]["segment"]["content"]
    monkeypatch.setattr(Pages, "page", PAGE.replace("KX-19", "QZ-88"))
    assert admin.post(f"/datasets/{base}/documents/{document['id']}/sync").status_code == 200
    indexing.run(document["id"])
    records = admin.post(f"/datasets/{base}/hit-testing", json={"query": "QZ-88"}).json["records"]
    assert "QZ-88" in records[0]["segment"]["content"]


@pytest.mark.parametrize(("path", "says"), [
    ("/none", "answered 404"), ("/empty", "empty"), ("/blob", "octet-stream")])
def test_addresses_that_give_nothing(admin, web, path, says):
    reply = admin.post("/files/from-url", json={"url": web + path})
    assert (reply.status_code, reply.json["code"]) == (400, "fetch_failed")
    assert says in reply.json["message"]


def test_an_address_where_nobody_answers_says_what_to_do(admin, web):
    reply = admin.post("/files/from-url", json={"url": "http://127.0.0.1:1/"})  # `web` lets this machine be asked
    assert reply.json["message"].startswith("http://127.0.0.1:1/ cannot be fetched: Connection refused. Check the ")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "x", "http://"])
def test_only_the_web_is_fetched(admin, url):
    assert admin.post("/files/from-url", json={"url": url}).status_code == 400


def test_the_box_itself_is_not_fetched(admin, monkeypatch):
    monkeypatch.delenv("SPARROW_OUTBOUND_ALLOW", raising=False)
    reply = admin.post("/files/from-url", json={"url": "http://169.254.169.254/latest"})
    assert reply.json["code"] == "fetch_failed"
    assert "not allowed" in reply.json["message"]


@pytest.fixture
def stick(app, tmp_path, monkeypatch):
    """A plugged-in stick with a few files, one of them a link out of it."""
    from sparrow import settings

    monkeypatch.setenv("SPARROW_MEDIA_DIR", str(tmp_path / "media"))
    settings.reset()
    folder = tmp_path / "media" / "STICK"
    (folder / "手册").mkdir(parents=True)
    (tmp_path / "media" / "empty").mkdir()
    (folder / "手册" / "pump.md").write_text("# Pump\n\nruns at 2.2 bar")
    (folder / "photo.raw").write_bytes(b"\0" * 10)
    (folder / ".hidden").write_text("x")
    os.symlink("/etc/passwd", folder / "passwd.txt")
    os.symlink("/etc", folder / "etc")
    return folder


def test_a_stick_is_browsed_and_its_files_taken(admin, stick):
    places = admin.get("/places").json["data"]
    assert [place for place in places if place["kind"] == "usb"] == [
        {"id": "usb:STICK", "kind": "usb", "name": "STICK"}]
    top = admin.get("/places/usb:STICK").json["data"]
    assert [(entry["name"], entry["folder"], entry["supported"]) for entry in top] == [
        ("手册", True, True), ("photo.raw", False, False)]
    deep = admin.get("/places/usb:STICK?deep=true").json["data"]
    assert [entry["path"] for entry in deep] == ["photo.raw", "手册/pump.md"]
    file = admin.post("/places/usb:STICK/take", json={"path": "手册/pump.md"})
    assert (file.status_code, file.json["name"]) == (201, "pump.md")


@pytest.mark.parametrize("path", ["../../secret", "/etc/passwd", "passwd.txt", "etc/passwd", "手册", "none.md", "a\0b"])
def test_no_path_leads_out_of_the_stick(admin, stick, path):
    (stick.parent.parent / "secret").write_text("x")
    assert admin.post("/places/usb:STICK/take", json={"path": path}).status_code in (400, 404)
    assert admin.get("/places/usb:..").status_code == 404
    assert admin.get("/places/usb:STICK?path=etc").status_code in (400, 404)


def test_the_drop_folder_is_an_inbox(sqlite_database, monkeypatch):
    drop = sqlite_database / "drop"
    (drop / "泵 Pumps" / "sub").mkdir(parents=True)
    (drop / "泵 Pumps" / "sub" / "pump.md").write_text("# Pump\n\nThe colour is teal.")
    (drop / "loose.txt").write_text("Loose words.")
    (drop / "new.txt").write_text("still being copied")
    os.symlink("/etc/passwd", drop / "link.txt")
    monkeypatch.setattr(sources, "SETTLED", 60.0)
    assert not sources.waiting()  # changed less than a minute ago
    later = time.time() + 1000
    monkeypatch.setattr(sources.clock, "now", lambda: later)
    os.utime(drop / "new.txt", (later, later))
    sources.watch()
    sources.watch()
    assert _jobs("take_dropped") == 1
    assert sources.take_dropped() == 2
    rows = {row["name"]: row for row in datasets.search()[0]}
    assert set(rows) == {"泵 Pumps", "Drop"}
    document = documents.search(rows["泵 Pumps"]["id"])[0][0]
    assert (document["name"], document["created_from"], document["indexing_status"]) == ("pump.md", "drop", "waiting")
    assert not (drop / "泵 Pumps" / "sub" / "pump.md").exists()
    assert (drop / "new.txt").exists()
    # The power was cut after the document was added and before the file was taken out.
    (drop / "loose.txt").write_text("Loose words.")
    (drop / "new.txt").unlink()
    assert sources.take_dropped() == 1
    assert len(documents.search(rows["Drop"]["id"])[0]) == 1


def test_a_dropped_file_that_cannot_be_taken_says_why(sqlite_database, monkeypatch):
    monkeypatch.setattr(sources, "SETTLED", -1.0)
    drop = sqlite_database / "drop"
    drop.mkdir()
    (drop / "big.txt").write_text("x" * 100)
    monkeypatch.setattr(sources.files, "save", lambda *_, **__: (_ for _ in ()).throw(
        sources.BadRequest("The disk is full.")))
    assert sources.take_dropped() == 0
    assert (drop / "big.txt.refused.txt").read_text() == "The disk is full.\n"
    assert not sources.waiting()


def _jobs(kind: str) -> int:
    import sqlalchemy as sa

    from sparrow.storage import db
    from sparrow.storage.tables.jobs import jobs

    with db.read() as tx:
        return tx.execute(sa.select(sa.func.count()).select_from(jobs).where(jobs.c.kind == kind)).scalar()


def test_an_upload_goes_on_where_it_broke_off(admin, sqlite_database):
    data = os.urandom(300_000)
    state = admin.post("/uploads", json={"name": "../a/big 大.bin", "size": len(data)}).json
    assert (state["offset"], state["name"]) == (0, "big 大.bin")
    path = f"/uploads/{state['id']}"
    assert admin.put(f"{path}?offset=0", data=data[:100_000]).json["offset"] == 100_000
    again = admin.put(f"{path}?offset=0", data=data[:100_000])  # the answer got lost, the client sends it again
    assert (again.status_code, again.json["code"]) == (409, "upload_offset")
    assert admin.get(path).json["offset"] == 100_000
    done = admin.put(f"{path}?offset=100000", data=data[100_000:]).json
    assert admin.get(f"/files/{done['file']['id']}").data == data
    assert admin.get(path).status_code == 404
    assert list((sqlite_database / "files" / "incoming").iterdir()) == []


def test_uploads_that_do_not_fit(admin):
    assert admin.post("/uploads", json={"name": "a", "size": 0}).status_code == 400
    assert admin.post("/uploads", json={"name": "a", "size": 5 << 40}).status_code == 413
    state = admin.post("/uploads", json={"name": "a", "size": 3}).json
    reply = admin.put(f"/uploads/{state['id']}?offset=0", data=b"four")
    assert (reply.status_code, reply.json["params"]) == (400, "size")
    assert admin.get(f"/uploads/{state['id']}").json["offset"] == 0
    assert admin.put(f"/uploads/{state['id']}?offset=x", data=b"").status_code == 400
    assert admin.delete(f"/uploads/{state['id']}").status_code == 200
    for bad in ("x", "../../db", state["id"]):
        assert admin.get(f"/uploads/{bad}").status_code == 404


def test_pasted_text(admin):
    base = admin.post("/datasets", json={"name": "Notes"}).json["id"]
    reply = admin.post(f"/datasets/{base}/documents/text", json={"name": "note", "text": "The key is under the mat."})
    indexing.run(reply.json["documents"][0]["id"])
    document = admin.get(f"/datasets/{base}/documents/{reply.json['documents'][0]['id']}").json
    assert document["indexing_status"] == "completed"
    assert io.BytesIO(admin.get(f"/datasets/{base}/documents/{document['id']}/download").data).read() == \
        b"The key is under the mat."
