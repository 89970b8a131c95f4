"""Images of passages: those that stand in the text, those bound by hand, what becomes of them; questions by image."""

from __future__ import annotations

import base64
import io
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from sparrow import clock, settings
from sparrow.engine.files import File
from sparrow.engine.ports import PortError, RetrievalRequest
from sparrow.jobs import tidy
from sparrow.knowledge import attachments, datasets, documents, ocr, segments, transfer
from sparrow.knowledge.retrieve import retrieve, usage
from sparrow.storage import db, files
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.files import files as file_table
from tests.fake_llm import FakeLLM
from tests.knowledge.test_documents import PPTX, zipped
from tests.knowledge.test_photo import photo
from tests.knowledge.test_transfer import add, packed, picture_docx

PROVIDER = "openai_api_compatible"
MODEL = {"provider": PROVIDER, "name": "fake-vision", "mode": "chat", "completion_params": {}}
FIELDS = ["extension", "id", "mime_type", "name", "size", "source_url"]


@pytest.fixture
def base(sqlite_database) -> str:
    return datasets.create("Pictures")["id"]


@pytest.fixture
def fake(admin):
    """A provider with a model that can see, which is not chosen for anything."""
    with FakeLLM(answers={"searches documents": "<think>a plate</think>QX-7\nThe type plate of a pump."}) as server:
        made = admin.post(f"/model-providers/{PROVIDER}/credentials",
                          json={"name": "fake", "base_url": server.base_url, "api_key": "k"})
        assert made.status_code == 201, made.text
        added = admin.post(f"/model-providers/{PROVIDER}/models", json={"model": "fake-vision", "features": ["vision"]})
        assert added.status_code == 201, added.text
        yield server


def upload(name: str = "plate.png", data: bytes | None = None, **options) -> str:
    return files.save(io.BytesIO(data or photo()), name, **options)["id"]


def there(*ids: str) -> list[bool]:
    """Tell of each file whether its row and its bytes are there."""
    with db.read() as tx:
        known = set(tx.execute(sa.select(file_table.c.id).where(file_table.c.id.in_(ids))).scalars())
    for file_id in ids:
        assert (file_id in known) == files.path(file_id).exists(), file_id
    return [file_id in known for file_id in ids]


def opens(app, address: str) -> bytes:
    """Return what an address shows to somebody without a login."""
    parts = urlsplit(address)
    reply = app.test_client().get(f"{parts.path}?{parts.query}")
    assert (reply.status_code, reply.headers.get("Content-Disposition", "inline").partition(";")[0]) == (200, "inline")
    return reply.data


def test_images_in_the_text_are_its_attachments(base, call, app, admin):
    picture = photo()
    uri = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    shown = PPTX["ppt/slides/slide1.xml"].replace('xmlns:a="a"', 'xmlns:a="a" xmlns:r="r"')
    slide = PPTX | {
        "ppt/slides/slide1.xml": shown.replace("</p:sld>", '<p:pic><a:blip r:embed="rId9"/></p:pic></p:sld>'),
        "ppt/slides/_rels/slide1.xml.rels": '<Relationships><Relationship Id="rId9" Target="../media/image1.png"/>'
                                            "</Relationships>",
        "ppt/media/image1.png": picture}
    given = {"valve.docx": picture_docx(), "deck.pptx": zipped(slide),
             "page.html": f"<p>See <img src='{uri}'> here.</p>".encode(), "notes.md": f"See ![pump]({uri}).".encode()}
    for name, data in given.items():
        row = add(base, name, data)
        assert row["indexing_status"] == "completed", row["error"]
        path = f"/datasets/{base}/documents/{row['id']}/segments"
        shown = call("GET", path).json["data"][0]["attachments"]
        assert [sorted(image) for image in shown] == [FIELDS], name
        image = shown[0]
        assert f"/files/{image['id']}/image-preview" in call("GET", path).json["data"][0]["content"]
        assert (image["extension"], image["mime_type"]) == ("png", "image/png")
        data = opens(app, image["source_url"])
        assert len(data) == image["size"]
        assert name == "valve.docx" or data == picture
        # The console shows the same.
        assert [one["id"] for one in admin.get(path).json["data"][0]["attachments"]] == [image["id"]]
    record = call("POST", f"/datasets/{base}/retrieve", json={"query": "drawing of the valve"}).json["records"][0]
    assert [sorted(file) for file in record["files"]] == [FIELDS]
    assert record["files"][0]["extension"] == ".png"
    assert opens(app, record["files"][0]["source_url"]).startswith(b"\x89PNG")


def chat_app(admin, base: str, *, vision: bool = False) -> str:
    """Make a chat app over a base; return its id."""
    made = admin.post("/apps", json={"name": "Chat", "mode": "chat"}).json["id"]
    saved = admin.post(f"/apps/{made}/model-config", json={
        "model": MODEL, "retriever_resource": {"enabled": True}, "file_upload": {"image": {"enabled": vision}},
        "dataset_configs": {"retrieval_model": "multiple", "top_k": 4, "datasets": {"datasets": [
            {"dataset": {"enabled": True, "id": base}}]}}})
    assert saved.status_code == 200, saved.text
    return made


def flow_app(admin, base: str, *, vision: bool = False) -> str:
    """Make and publish a chatflow over a base; return its id."""
    made = admin.post("/apps", json={"name": "Flow", "mode": "advanced-chat"}).json["id"]
    nodes = [
        {"id": "s", "type": "start", "variables": []},
        {"id": "k", "type": "knowledge-retrieval", "dataset_ids": [base], "query_variable_selector": ["sys", "query"],
         "retrieval_mode": "multiple", "multiple_retrieval_config": {"top_k": 4}},
        {"id": "m", "type": "llm", "model": MODEL, "vision": {"enabled": vision},
         "context": {"enabled": True, "variable_selector": ["k", "result"]},
         "prompt_template": [{"role": "user", "text": "{{#context#}} {{#sys.query#}}"}]},
        {"id": "a", "type": "answer", "answer": "{{#m.text#}}"}]
    saved = admin.post(f"/apps/{made}/workflows/draft", json={
        "hash": admin.get(f"/apps/{made}/workflows/draft").json.get("hash"), "environment_variables": [],
        "conversation_variables": [], "features": {"retriever_resource": {"enabled": True}}, "graph": {
            "nodes": [{"id": node["id"], "type": "custom", "position": {"x": 0, "y": 0},
                       "data": {"title": node["id"], **node}} for node in nodes],
            "edges": [{"id": one + other, "source": one, "sourceHandle": "source", "target": other,
                       "targetHandle": "target", "type": "custom", "data": {}} for one, other in ("sk", "km", "ma")],
            "viewport": {"x": 0, "y": 0, "zoom": 1}}})
    assert saved.status_code == 200, saved.text
    published = admin.post(f"/apps/{made}/workflows/publish", json={})
    assert published.status_code == 200, published.text
    return made


@pytest.mark.parametrize("make", [chat_app, flow_app])
def test_a_chat_gets_the_images_of_what_it_cites(base, app, admin, fake, make):
    add(base, "valve.docx", picture_docx())
    add(base, "plain.md", b"# Plain\n\nNo picture of the valve here.")
    token = admin.post(f"/apps/{make(admin, base)}/api-keys", json={}).json["token"]
    client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    reply = client.post("/v1/chat-messages", headers=headers, json={
        "query": "drawing of the valve", "inputs": {}, "user": "u", "response_mode": "blocking"})
    assert reply.status_code == 200, reply.text
    cited = {one["document_name"]: one["files"] for one in reply.json["metadata"]["retriever_resources"]}
    assert cited["plain.md"] == []
    file = cited["valve.docx"][0]
    assert sorted(file) == FIELDS
    assert file["source_url"].startswith("http://localhost/v1/files/")
    assert opens(app, file["source_url"]).startswith(b"\x89PNG")
    # What is kept of the answer has addresses that open whenever it is read.
    kept = client.get("/v1/messages", headers=headers, query_string={
        "user": "u", "conversation_id": reply.json["conversation_id"]}).json["data"][0]["retriever_resources"]
    later = next(one for one in kept if one["document_name"] == "valve.docx")["files"][0]
    assert later["source_url"] != file["source_url"]
    assert opens(app, later["source_url"]).startswith(b"\x89PNG")


@pytest.mark.parametrize("vision", [True, False])
@pytest.mark.parametrize("make", [chat_app, flow_app])
def test_a_model_looks_at_the_images_of_what_was_found_where_the_app_has_vision(base, app, admin, fake, make, vision):
    plate, other = upload(), upload()
    document = documents.get(base, add(base, "pumps.md", b"# QX-7\n\nThe pump is greased every 200 hours.")["id"])
    segments.add(datasets.get(base), document, [
        segments.NewSegment(content="The type plate of the pump", attachment_ids=[plate, other])])
    files.path(other).unlink()  # as if it were deleted between the search and the prompt
    token = admin.post(f"/apps/{make(admin, base, vision=vision)}/api-keys", json={}).json["token"]
    reply = app.test_client().post("/v1/chat-messages", headers={"Authorization": f"Bearer {token}"}, json={
        "query": "type plate of the pump", "inputs": {}, "user": "u", "response_mode": "blocking"})
    assert reply.status_code == 200, reply.text
    content = fake.requests[-1]["body"]["messages"][-1]["content"]
    seen = [part["image_url"]["url"] for part in content if part["type"] == "image_url"] if vision else []
    sent = f"data:image/png;base64,{base64.b64encode(files.path(plate).read_bytes()).decode()}"
    assert (seen, isinstance(content, str)) == ([sent] * vision, not vision)


def test_no_statement_more_where_no_hit_has_an_image(base):
    add(base, "plain.md", b"# Valve\n\nThe valve opens at 3 bar.")
    told = []
    sa.event.listen(db.engine(), "before_cursor_execute", lambda *given: told.append(given[2]))
    try:
        retrieve("valve", [base], count_hits=False)
        assert not [one for one in told if "FROM files" in one]
        document = documents.search(base)[0][0]
        row = segments.search(document["id"])[0][0]
        segments.update(datasets.get(base), document, row, attachment_ids=[upload()])
        told.clear()
        assert retrieve("valve", [base], count_hits=False)[0].images
        assert len([one for one in told if "FROM files" in one]) <= 1
    finally:
        db.reset()


def test_bound_images_replace_one_another_and_go_with_their_passage(base, call):
    document = add(base, "a.md", b"# A\n\nText.")
    path = f"/datasets/{base}/documents/{document['id']}/segments"
    one, two, three = upload("one.png"), upload("two.gif", b"GIF89a" + bytes(2000)), upload("three.png")
    made = call("POST", path, json={"segments": [{"content": "First", "attachment_ids": [one, two, one.upper()]},
                                                 {"content": "Second", "attachment_ids": [one]}]})
    assert made.status_code == 200, made.text
    first, second = made.json["data"]
    assert [image["name"] for image in first["attachments"]] == ["one.png", "two.gif"]
    changed = call("POST", f"{path}/{first['id']}", json={"segment": {"content": "First, changed"}}).json["data"]
    assert [image["id"] for image in changed["attachments"]] == [one, two], "a change of the text leaves the images"
    changed = call("POST", f"{path}/{first['id']}", json={"segment": {
        "content": "First, changed", "attachment_ids": [three]}}).json["data"]
    assert [image["id"] for image in changed["attachments"]] == [three]
    assert there(one, two, three) == [True, False, True], "another passage still uses the first"
    assert call("DELETE", f"{path}/{second['id']}").status_code == 204
    assert there(one) == [False]
    cleared = call("POST", f"{path}/{first['id']}", json={"segment": {"content": "First", "attachment_ids": []}})
    assert cleared.json["data"]["attachments"] == []
    assert there(three) == [False]


def test_what_is_no_image_is_refused_and_nothing_changes(base, call, monkeypatch):
    document = add(base, "a.md", b"# A\n\nText.")
    path = f"/datasets/{base}/documents/{document['id']}/segments"
    good, text, liar = upload("good.png"), upload("notes.txt", b"words"), upload("liar.png", b"<html>" + bytes(2000))
    large = upload("large.png", photo() + bytes(2 << 20))
    row = call("POST", path, json={"segments": [{"content": "Kept", "attachment_ids": [good]}]}).json["data"][0]
    missing = "0192f0aa-0000-7000-8000-000000000000"
    for ids, named in (([text], "notes.txt"), ([liar], "liar.png"), ([good, large], "large.png"), ([missing], missing),
                       (["x' OR \0"], "x' OR"), ([upload(f"{n}.png") for n in range(11)], "limit of 10")):
        for reply in (call("POST", path, json={"segments": [{"content": "New", "attachment_ids": ids}]}),
                      call("POST", f"{path}/{row['id']}", json={"segment": {"content": "New", "attachment_ids": ids}})):
            assert reply.status_code == 400, reply.text
            assert named in reply.json["message"]
            assert reply.json["params"] == "attachment_ids"
    found = call("GET", path).json["data"]
    assert [one["content"] for one in found] == ["A\n\nText.", "Kept"]
    assert [image["id"] for image in found[1]["attachments"]] == [good]
    monkeypatch.setenv("SPARROW_ATTACHMENT_IMAGE_FILE_SIZE_LIMIT", "3")
    settings.reset()
    assert call("POST", path, json={"segments": [{"content": "x", "attachment_ids": [large]}]}).status_code == 200


def test_images_of_the_text_are_not_bound_again(base, call):
    document = add(base, "valve.docx", picture_docx())
    path = f"/datasets/{base}/documents/{document['id']}/segments"
    row = call("GET", path).json["data"][0]
    own, more = row["attachments"][0]["id"], upload()
    told = call("POST", f"{path}/{row['id']}", json={"segment": {"attachment_ids": [own, more]}}).json["data"]
    assert [image["id"] for image in told["attachments"]] == [own, more]
    assert segments.get(base, row["id"])["attachments"] == [more]
    call("POST", f"{path}/{row['id']}", json={"segment": {"attachment_ids": []}})
    assert there(own, more) == [True, False]


def test_images_go_with_documents_and_bases_unless_others_use_them(database):
    base = datasets.create("Pictures")["id"]
    first, second = add(base, "valve.docx", picture_docx()), add(base, "b.md", b"# B\n\nText.")
    other = datasets.create("Other")["id"]
    third = add(other, "c.md", b"# C\n\nText.")
    drawing = documents.get(base, first["id"])["data_source_info"]["images"][0]
    own, shared, theirs = upload("own.png"), upload("shared.png"), upload("app.png", app_id="an-app")

    def bind(dataset_id: str, document: dict, *ids: str) -> None:
        segments.add(datasets.get(dataset_id), documents.get(dataset_id, document["id"]),
                     [segments.NewSegment(content="More", attachment_ids=list(ids))])

    bind(base, first, own, shared, theirs)
    bind(base, second, shared)
    bind(other, third, drawing)
    documents.delete(base, [first["id"]])
    assert there(own, shared, theirs, drawing) == [False, True, True, True]
    documents.reindex(base, second["id"])
    assert there(shared) == [False], "cut anew, a document has no passages of before"
    datasets.delete(other)
    assert there(drawing, theirs, third["file_id"]) == [False, True, False]
    datasets.delete(base)
    with db.read() as tx:
        assert list(tx.execute(sa.select(file_table.c.id)).scalars()) == [theirs]


def test_unused_uploads_are_tidied_away_and_used_ones_stay(base, admin, monkeypatch):
    document = add(base, "a.md", b"# A\n\nText.")
    bound, unused = (admin.post("/datasets/attachments", data={"file": (io.BytesIO(photo()), f"{name}.png")})
                     .json["id"] for name in ("bound", "unused"))
    foreign = upload("icon.png")
    refused = admin.post("/datasets/attachments", data={"file": (io.BytesIO(b"words"), "words.txt")})
    assert (refused.status_code, "words.txt" in refused.json["message"]) == (400, True)
    assert admin.post("/datasets/attachments", data={
        "file": (io.BytesIO(photo() + bytes(2 << 20)), "large.png")}).status_code == 413
    path = f"/datasets/{base}/documents/{document['id']}/segments"
    row = admin.get(path).json["data"][0]
    told = admin.open("PATCH", f"{path}/{row['id']}", json={"attachment_ids": [bound]})
    assert [image["id"] for image in told.json["attachments"]] == [bound]
    tidy.run_job({}, None)
    assert there(bound, unused, foreign) == [True, True, True]
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + attachments.KEPT + 60)
    tidy.run_job({}, None)
    assert there(bound, unused, foreign) == [True, False, True]
    with db.read() as tx:
        refused = file_table.c.name.in_(["words.txt", "large.png"])
        assert tx.execute(sa.select(sa.func.count()).where(refused)).scalar() == 0


def test_bound_images_go_along_to_another_box(base, tmp_path):
    document, bound = add(base, "valve.docx", picture_docx()), upload("bound.png")
    row = segments.add(datasets.get(base), documents.get(base, document["id"]),
                       [segments.NewSegment(content="The plate", attachment_ids=[bound])])[0]
    data = files.path(bound).read_bytes()
    file = packed(base, tmp_path)
    twin = transfer.load(file)
    found = retrieve("plate", [twin])[0]
    assert [image.name for image in found.images] == ["bound.png"]
    copy = found.images[0].id
    assert copy != bound
    datasets.delete(base)
    assert there(bound, copy) == [False, True]
    assert files.path(copy).read_bytes() == data
    again = transfer.load(file)
    assert again == base
    assert segments.get(again, row["id"])["attachments"] not in (None, [bound])
    for dataset_id in (twin, again):
        datasets.delete(dataset_id)
    with db.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(file_table)).scalar() == 0


def test_a_question_by_image_is_what_a_model_sees_on_it(base, call, admin, fake):
    add(base, "pumps.md", b"# QX-7\n\nThe pump is greased every 200 hours.\n\n# RX-8\n\nThe fan needs no grease.")
    plate = upload()
    path = f"/datasets/{base}/retrieve"
    refused = call("POST", path, json={"query": "", "attachment_ids": [plate]})
    assert (refused.status_code, refused.json["code"]) == (400, "provider_not_initialize")
    assert "vision" in refused.json["message"]
    assert call("POST", path, json={"query": " "}).json["params"] == "query"
    assert admin.post(f"/datasets/{base}/hit-testing", json={}).json["params"] == "query"
    assert call("POST", path, json={"query": "", "attachment_ids": ["none"]}).status_code == 400
    assert list(fake.requests) == []
    ocr.choose(PROVIDER, "fake-vision")
    found = call("POST", path, json={"query": "", "attachment_ids": [plate]})
    assert found.status_code == 200, found.text
    assert found.json["query"]["content"] == "QX-7\nThe type plate of a pump."
    assert "200 hours" in found.json["records"][0]["segment"]["content"]
    picture = fake.requests[0]["body"]["messages"][-1]["content"][1]
    assert picture["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(
        files.path(plate).read_bytes()).decode()
    both = admin.post(f"/datasets/{base}/hit-testing", json={"query": "How often?", "attachment_ids": [plate]})
    assert both.json["query"]["content"] == "How often?\nQX-7\nThe type plate of a pump."
    usage.flush()
    log = admin.get(f"/datasets/{base}/queries").json["data"]
    assert [(one["source"], one["content"]) for one in log] == [
        ("hit_testing", "How often?\nQX-7\nThe type plate of a pump."), ("api", "QX-7\nThe type plate of a pump.")]
    fake.answers["searches documents"] = "<<error:auth>>"
    failed = call("POST", path, json={"query": "x", "attachment_ids": [plate]})
    assert (failed.status_code, failed.json["code"]) == (400, "completion_request_error")


def test_the_default_model_reads_images_if_it_can_see(base, call, admin, fake):
    add(base, "pumps.md", b"# QX-7\n\nThe pump is greased every 200 hours.")
    chosen = admin.post("/default-models", json={"llm": {"provider": PROVIDER, "model": "fake-vision"}})
    assert chosen.status_code == 200, chosen.text
    found = call("POST", f"/datasets/{base}/retrieve", json={"attachment_ids": [upload()]})
    assert found.status_code == 200, found.text
    assert found.json["records"]


def test_a_retrieval_node_asks_by_the_images_of_its_variable(base, fake):
    from sparrow.knowledge.port import Port

    add(base, "pumps.md", b"# QX-7\n\nThe pump is greased every 200 hours.\n\n# RX-8\n\nThe fan needs no grease.")
    file = File("image", "local_file", related_id=upload())
    with pytest.raises(PortError, match="vision"):
        Port().retrieve(RetrievalRequest("", [base], attachments=[file]))
    assert "no grease" in Port().retrieve(RetrievalRequest("fan", [base], attachments=[file]))[0]["content"]
    ocr.choose(PROVIDER, "fake-vision")
    assert "200 hours" in Port().retrieve(RetrievalRequest("", [base], attachments=[file]))[0]["content"]


def test_ids_that_a_text_only_mentions_give_nothing_away(base, call):
    """A link to a file that is no picture, or is gone, is no attachment."""
    secret = upload("keys.pdf", b"%PDF-1.4")
    gone = f"{'0' * 8}-{'0' * 27}"
    document = add(base, "a.md", f"![x](/files/{secret}/image-preview) ![y](/files/{gone}/image-preview)".encode())
    row = call("GET", f"/datasets/{base}/documents/{document['id']}/segments").json["data"][0]
    assert (secret in row["content"], row["attachments"]) == (True, [])


def test_no_row_of_a_passage_names_an_image_of_before(base):
    """Passages without images say so by no value, so that a look for images finds only those that have some."""
    document = add(base, "a.md", b"# A\n\nText.")
    row = segments.search(document["id"])[0][0]
    segments.update(datasets.get(base), document, row, attachment_ids=[upload()])
    segments.update(datasets.get(base), document, row, attachment_ids=[])
    with db.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).where(t.segments.c.attachments.is_not(None))).scalar() == 0


def test_who_reads_a_document_sees_what_is_bound_to_its_passages(base, admin):
    document = add(base, "valve.docx", picture_docx())
    row = segments.search(document["id"])[0][0]
    segments.update(datasets.get(base), document, row, attachment_ids=[upload("bound.png")])
    piece = admin.get(f"/datasets/{base}/documents/{document['id']}/text").json["pieces"][0]
    assert [image["name"] for image in piece["images"]] == ["bound.png"], "the picture of the text stands in it"


def test_a_knowledge_key_is_enough_to_upload_and_bind_an_image(base, call):
    document = add(base, "a.md", b"# A\n\nText.")
    made = call("POST", "/datasets/pipeline/file-upload", data={"file": (io.BytesIO(photo()), "plate.webp.png")})
    assert made.status_code == 201, made.text
    row = call("POST", f"/datasets/{base}/documents/{document['id']}/segments", json={
        "segments": [{"content": "The plate", "attachment_ids": [made.json["id"]]}]}).json["data"][0]
    assert [image["name"] for image in row["attachments"]] == ["plate.webp.png"]
    refused = call("POST", f"/datasets/{base}/document/create-by-file", data={
        "data": '{"indexing_technique": "high_quality"}', "file": (io.BytesIO(photo()), "plate.png")})
    assert refused.status_code == 415, "a document's picture has to be read"
