"""What surrounds an app's answers: fixed answers, texts like a text, files by address, a moderator, a rerank model."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.fake_llm import FakeLLM
from tests.web import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def console(browser, box):
    """A box with a language model and a rerank model: (its console's API, a page of the console, address)."""
    address, code = box
    with FakeLLM() as fake:
        page = visit.open_page(browser, "en-US", 1440)
        page.request.post(f"{address}/console/api/setup", data={"setup_code": code, "password": visit.PASSWORD})
        api = visit.Console(page, address)
        api.provider(fake.base_url, {"fake-llm": "llm", "fake-rerank": "rerank"})
        yield api, page, address
        page.context.close()


@pytest.fixture
def visitor(browser):
    """A visitor's page."""
    page = visit.open_page(browser, "en-US", 1440)
    yield page
    assert page.problems == []
    page.context.close()


def test_annotations_are_kept_and_answer(console, visitor, tmp_path):
    api, page, address = console
    app = api.app("chat", "Front desk")
    page.goto(f"{address}/apps/{app}/annotations")
    page.get_by_text("No annotations yet").wait_for()
    page.get_by_role("button", name="Add annotation").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Question").fill("When are you open?")
    dialog.get_by_label("Answer").fill("Every day.")
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="When are you open?", exact=True).click()
    dialog.get_by_label("Answer").fill("Monday to Friday.")
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("cell", name="Monday to Friday.", exact=True).wait_for()

    rows = tmp_path / "rows.csv"
    rows.write_text("question,answer\n停车在哪里？,地下一层\n")
    page.locator("input[type=file]").set_input_files(rows)
    page.get_by_role("row", name=re.compile("停车在哪里")).wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    text = download.value.path().read_text("utf-8-sig")
    assert "When are you open?,Monday to Friday." in text
    assert "停车在哪里？,地下一层" in text

    page.get_by_role("switch", name="Answer by annotations").click(force=True)
    page.get_by_role("slider", name="Likeness wanted").wait_for()  # the questions are embedded now
    visit.assert_sound(page)
    visit.shot(page, "annotations-en-1440")
    visitor.goto(f"{address}/chat/{app}")
    visitor.get_by_role("textbox", name="Ask something…").fill("When are you open?")
    visitor.keyboard.press("Enter")
    visitor.get_by_role("log").get_by_text("Monday to Friday.").wait_for()
    visitor.get_by_role("textbox", name="Ask something…").fill("the weather")
    visitor.keyboard.press("Enter")
    visitor.get_by_role("log").get_by_text("echo: the weather").wait_for()

    page.goto(f"{address}/apps/{app}/logs")  # an answer of the log becomes one
    page.get_by_role("row").last.get_by_role("button").click()
    dialog.get_by_role("button", name="Make an annotation").last.click()
    editor = page.get_by_role("dialog", name="Add annotation")
    editor.get_by_label("Answer").fill("Look outside.")
    editor.get_by_role("button", name="Save").click()
    editor.wait_for(state="hidden")
    page.goto(f"{address}/apps/{app}/annotations")
    row = page.get_by_role("row", name=re.compile("Look outside"))
    row.get_by_role("button", name=re.compile("^Delete")).click()
    dialog.get_by_role("button", name="Delete").click()
    row.wait_for(state="detached")
    assert page.get_by_role("row").count() == 3  # the head, and two that stay
    assert page.problems == []


def test_more_like_a_text(console, visitor):
    api, page, address = console
    app = api.app("completion", "Writer", pre_prompt="Say {{text}}", user_input_form=[
        {"paragraph": {"label": "Text", "variable": "text", "required": True}}])
    page.goto(f"{address}/apps/{app}/prompt")
    page.get_by_role("switch", name="More like this").click(force=True)
    page.get_by_text("Saved", exact=True).wait_for()
    visitor.goto(f"{address}/completion/{app}")
    visitor.get_by_label("Text").fill("tick")
    visitor.get_by_role("button", name="Generate").click()
    more = visitor.get_by_role("button", name="Write another like this")
    more.click()
    more.nth(1).wait_for()
    assert visitor.get_by_text("echo: Say tick").count() == 2
    visitor.get_by_role("button", name="Generate").click()  # begins anew
    more.nth(1).wait_for(state="detached")
    assert page.problems == []


def test_file_by_its_address(console, visitor):
    api, _, address = console
    app = api.app("chat", "Looker", file_upload={
        "image": {"enabled": True, "number_limits": 1, "transfer_methods": ["remote_url"]}})
    visitor.goto(f"{address}/chat/{app}")
    add = visitor.get_by_role("button", name="By address")
    add.click()
    field = visitor.get_by_label("Address of the file")
    field.fill("pump.png")
    visitor.keyboard.press("Enter")
    visitor.get_by_text("must begin with http://").wait_for()
    field.fill("http://pictures.invalid/a%20pump.png")
    visitor.keyboard.press("Enter")
    visitor.get_by_role("button", name="Remove a pump.png").wait_for()
    assert visitor.get_by_role("button", name="Add files").count() == 0  # files of this device are not taken
    visitor.get_by_role("textbox", name="Ask something…").fill("What?")
    with visitor.expect_request("**/api/chat-messages") as sent:
        visitor.get_by_role("button", name="Send").click()
    assert sent.value.post_data_json["files"] == [
        {"type": "image", "transfer_method": "remote_url", "url": "http://pictures.invalid/a%20pump.png"}]
    visitor.get_by_role("link", name="a pump.png").wait_for()
    visitor.get_by_role("log").get_by_text("echo: [image]").wait_for()


class Moderator(BaseHTTPRequestHandler):
    """An API extension that finds fault with whatever holds "secret"."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = json.loads(body)
        reply = {"result": "pong"} if asked["point"] == "ping" else {
            "flagged": "secret" in body, "action": "direct_output", "preset_response": "Not that, please."}
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def test_moderation_by_an_extension(console, visitor):
    api, page, address = console
    api("PUT", "/outbound-rules", {"allow": ["127.0.0.1"], "deny": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Moderator)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        app = api.app("chat", "Careful")
        page.goto(f"{address}/apps/{app}/prompt")
        page.get_by_role("switch", name="Moderation").click(force=True)
        page.get_by_role("combobox", name="Judged by").click()
        page.get_by_role("option", name="API extension").click()
        page.get_by_role("button", name="Manage").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name").fill("House rules")
        dialog.get_by_label("API address").fill(f"http://127.0.0.1:{server.server_port}/")
        dialog.get_by_label("API key", exact=True).fill("12345")
        dialog.get_by_role("button", name="Add").click()
        dialog.wait_for(state="hidden")
        page.get_by_text("Saved", exact=True).wait_for()
        visit.assert_sound(page)
        visitor.goto(f"{address}/chat/{app}")
        for question, answer in (("hello", "echo: hello"), ("the secret", "Not that, please.")):
            visitor.get_by_role("textbox", name="Ask something…").fill(question)
            visitor.keyboard.press("Enter")
            visitor.get_by_role("log").get_by_text(answer).wait_for()
    finally:
        server.shutdown()
    assert page.problems == []


def test_rerank_model_of_an_app_and_of_a_base(console):
    api, page, address = console
    base = api("POST", "/datasets", {"name": "Shelf"})["id"]
    page.goto(f"{address}/knowledge/{base}/settings")
    page.get_by_role("combobox", name="Rerank model").click()
    page.get_by_role("option", name=re.compile("fake-rerank")).click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved").first.wait_for()
    stored = api("GET", f"/datasets/{base}")["retrieval_model_dict"]
    assert stored["reranking_enable"] is True
    assert stored["reranking_model"]["reranking_model_name"] == "fake-rerank"

    app = api.app("chat", "Librarian", dataset_configs={"datasets": {"datasets": [
        {"dataset": {"enabled": True, "id": base}}]}})
    page.goto(f"{address}/apps/{app}/prompt")
    page.get_by_role("button", name="How passages are found").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("switch", name="Set the balance yourself").click(force=True)
    dialog.get_by_role("combobox", name="Rerank model").click()
    page.get_by_role("option", name=re.compile("fake-rerank")).click()
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_text("Saved", exact=True).wait_for()
    found = api("GET", f"/apps/{app}/model-config")["dataset_configs"]
    assert found["reranking_mode"] == "reranking_model"  # it takes the place of the weights
    assert found["weights"] is None
    assert page.problems == []


def test_server_speaks_the_readers_language(browser, console):
    _, desk, address = console
    page = visit.open_page(browser, "zh-CN", 390, storage_state=desk.context.storage_state())
    for name in ("Twice", "Twice"):
        page.goto(f"{address}/knowledge?create=1")
        page.get_by_role("dialog").get_by_label("名称").fill(name)
        page.get_by_role("dialog").get_by_role("button", name="创建").click()
        page.wait_for_timeout(800)
    page.get_by_text("已存在同名知识库，请更换名称。").wait_for()
    page.context.close()


def test_tags_find_apps(console):
    api, page, address = console
    for name in ("Tagged", "Plain"):
        api.app("chat", name)
    page.goto(f"{address}/apps")
    page.get_by_role("button", name="Actions for Tagged").click()
    page.get_by_role("menuitem", name="Edit details").click()
    field = page.get_by_role("dialog").get_by_role("combobox", name="Tags")
    field.fill("hall 2")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_role("combobox", name="Filter by tag").click()
    page.get_by_role("option", name="hall 2").click()
    page.get_by_role("link", name="Plain").wait_for(state="detached")
    page.get_by_role("link", name="Tagged").wait_for()
    page.get_by_label("All tags").click()
    page.get_by_role("link", name="Plain").wait_for()
    visit.assert_sound(page)
    assert page.problems == []
