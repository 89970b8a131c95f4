"""What surrounds an app's answers: fixed answers, texts like a text, files by address, a moderator, a rerank model."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.web import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]


def test_annotations_are_kept_and_answer(desk, api, visitor, tmp_path):
    page, address = desk, desk.address
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

    page.get_by_role("switch", name="Answer by annotations").press("Space")
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


def test_more_like_a_text(desk, api, visitor):
    page, address = desk, desk.address
    app = api.app("completion", "Writer", pre_prompt="Say {{text}}", user_input_form=[
        {"paragraph": {"label": "Text", "variable": "text", "required": True}}])
    page.goto(f"{address}/apps/{app}/prompt")
    page.get_by_role("switch", name="More like this").press("Space")
    visit.publish(page)
    trial = page.get_by_role("region", name="Try it")
    trial.get_by_label("Text").fill("tack")
    trial.get_by_role("button", name="Generate").click()
    trial.get_by_role("button", name="Write another like this").click()
    trial.get_by_text("echo: Say tack").nth(1).wait_for()
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


def test_changes_are_live_when_they_are_published(desk, api, visitor, phone):
    page, address = desk, desk.address
    app = api.app("chat", "Porter", opening_statement="Old greeting")

    def greet(text):
        page.get_by_role("textbox", name="Greeting").fill(text)
        page.get_by_text("Saved", exact=True).wait_for()

    page.goto(f"{address}/apps/{app}/prompt")
    bar = page.get_by_role("region", name="Changes that are not published")
    greet("New greeting")
    bar.get_by_text("once you publish").wait_for()
    visit.shot(page, "prompt-unpublished-en-1440")
    visit.assert_sound(page)
    phone.goto(f"{address}/apps/{app}/prompt")
    phone.get_by_role("region", name="尚未发布的更改").wait_for()
    visit.shot(phone, "prompt-unpublished-zh-390-dark")
    visit.assert_sound(phone)
    visitor.goto(f"{address}/chat/{app}")
    visitor.get_by_text("Old greeting").wait_for()
    page.goto(f"{address}/apps/{app}/access")
    page.get_by_text("The latest changes are not published yet").wait_for()
    page.goto(f"{address}/apps/{app}/prompt")
    page.get_by_role("textbox", name="Greeting").and_(page.get_by_text("New greeting")).wait_for()  # the draft is kept
    visit.publish(page)
    visitor.reload()
    visitor.get_by_text("New greeting").wait_for()

    greet("Third greeting")
    bar.get_by_role("button", name="Discard changes").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard changes").click()
    page.get_by_role("textbox", name="Greeting").and_(page.get_by_text("New greeting")).wait_for()
    bar.wait_for(state="hidden")

    # Somebody saves another state meanwhile.
    config = api("GET", f"/apps/{app}/model-config")
    for mine, choice, left in (("My greeting", "Keep mine", "My greeting"),
                               ("Mine again", "Load that state", "Their greeting")):
        api("POST", f"/apps/{app}/model-config/draft", {"config": {**config, "opening_statement": "Their greeting"}})
        page.get_by_role("textbox", name="Greeting").fill(mine)
        alert = page.get_by_role("alert").filter(has_text="changed somewhere else")
        alert.wait_for()
        visit.shot(page, "prompt-conflict-en-1440")
        alert.get_by_role("button", name=choice).click()
        alert.wait_for(state="hidden")
        page.get_by_role("textbox", name="Greeting").and_(page.get_by_text(left)).wait_for()
        page.get_by_text("Saved", exact=True).wait_for()
        assert api("GET", f"/apps/{app}/model-config")["opening_statement"] == left
    page.problems = [text for text in page.problems if "409" not in text]  # the refused saves, in the browser's own log
    assert page.problems == []


def test_a_flow_whose_draft_is_not_live_says_so_where_it_is_opened(desk, api):
    page, address = desk, desk.address
    nodes = [{"id": "start", "type": "start", "variables": []}, {"id": "answer", "type": "answer", "answer": "Yes."}]
    app = api.graph("Oracle", nodes, [("start", "source", "answer")])
    said = page.get_by_text("The latest changes are not published yet")
    with page.expect_response("**/workflows/draft"):
        page.goto(f"{address}/apps/{app}/access")
    page.get_by_label("Open the page").first.wait_for()
    visit.settled(page)
    assert said.count() == 0
    draft = api("GET", f"/apps/{app}/workflows/draft")
    draft["graph"]["nodes"][1]["data"]["answer"] = "No."
    api("POST", f"/apps/{app}/workflows/draft", {"graph": draft["graph"], "hash": draft["hash"]})
    page.reload()
    said.wait_for()
    api("POST", f"/apps/{app}/workflows/publish", {})
    with page.expect_response("**/workflows/draft"):
        page.reload()
    page.get_by_label("Open the page").first.wait_for()
    visit.settled(page)
    assert said.count() == 0


def test_pictures_of_an_answer(desk, api, visitor):
    address = desk.address
    kept = desk.request.post(f"{address}/console/api/files/upload", multipart={"file": visit.PICTURE},
                             headers={"X-CSRF-Token": api.token}).json()["id"]
    own = f"http://sparrow.invalid/files/{kept}/image-preview"  # the box by a name that other clients use
    visitor.goto(f"{address}/chat/{api.app('chat', 'Painter')}")
    visitor.get_by_role("textbox", name="Ask something…").fill(
        f"<<say:![a pump]({own}) {own} ![a valve](http://pictures.invalid/v.png)>>")
    visitor.keyboard.press("Enter")
    answer = visitor.get_by_role("log")
    away = answer.get_by_role("link", name="Picture from pictures.invalid: a valve")
    assert away.get_attribute("href") == "http://pictures.invalid/v.png"
    answer.get_by_role("img", name="a pump").scroll_into_view_if_needed()
    visitor.wait_for_function("""() => {
        const shown = [...document.querySelectorAll('[role=log] a[data-picture=shown] img')];
        return shown.length === 2 && shown.every(image => image.naturalWidth > 0);
    }""")
    visit.assert_sound(visitor)
    visit.shot(visitor, "pictures-en-1440")


def test_versions_are_compared_in_words(desk, api):
    nodes = [{"id": "in", "type": "start", "title": "Form", "variables": []},
             {"id": "say", "type": "template-transform", "title": "Greeting", "variables": [],
              "template": "Good morning\nand welcome\n{{#in.who#}}"},
             {"id": "out", "type": "end", "title": "Result", "outputs": []}]
    app = api.graph("Greeter", nodes, [("in", "source", "say"), ("say", "source", "out")])
    draft = api("GET", f"/apps/{app}/workflows/draft")
    say = next(node["data"] for node in draft["graph"]["nodes"] if node["id"] == "say")
    say["template"] = say["template"].replace("morning", "evening")
    say["retry_config"] = {"max_retries": 3}
    draft["graph"]["edges"] = draft["graph"]["edges"][:1]
    api("POST", f"/apps/{app}/workflows/draft", {
        "graph": draft["graph"], "features": {"opening_statement": "Hello"}, "hash": draft["hash"],
        "environment_variables": [], "conversation_variables": []})
    desk.goto(f"{desk.address}/apps/{app}/versions")
    desk.get_by_role("button", name="Compare Version 1 with the editor").click()
    drawer = desk.get_by_role("dialog")
    drawer.get_by_text("Greeting → Result").wait_for()
    assert drawer.locator("del").all_inner_texts() == ["not set", "Good morning", "not set"]
    assert drawer.locator("ins").all_inner_texts() == ["Max retries: 3", "Good evening", "Hello"]
    assert drawer.get_by_text("Features › Greeting").count() == 1
    visit.assert_sound(desk)
    visit.shot(desk, "diff-en-1440")
    assert desk.problems == []


def test_file_by_its_address(desk, api, visitor):
    address = desk.address
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


def test_moderation_by_an_extension(desk, api, visitor):
    page, address = desk, desk.address
    api("PUT", "/outbound-rules", {"allow": ["127.0.0.1"], "deny": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Moderator)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        app = api.app("chat", "Careful")
        page.goto(f"{address}/apps/{app}/prompt")
        page.get_by_role("switch", name="Moderation").press("Space")
        page.get_by_role("combobox", name="Judged by").click()
        page.get_by_role("option", name="API extension").click()
        page.get_by_role("button", name="Manage").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name").fill("House rules")
        dialog.get_by_label("API address").fill(f"http://127.0.0.1:{server.server_port}/")
        dialog.get_by_label("API key", exact=True).fill("12345")
        dialog.get_by_role("button", name="Add").click()
        dialog.wait_for(state="hidden")
        visit.publish(page)
        visit.assert_sound(page)
        visitor.goto(f"{address}/chat/{app}")
        for question, answer in (("hello", "echo: hello"), ("the secret", "Not that, please.")):
            visitor.get_by_role("textbox", name="Ask something…").fill(question)
            visitor.keyboard.press("Enter")
            visitor.get_by_role("log").get_by_text(answer).wait_for()
    finally:
        server.shutdown()
    assert page.problems == []


def test_rerank_model_of_an_app_and_of_a_base(desk, api):
    page, address = desk, desk.address
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
    dialog.get_by_role("switch", name="Set the balance yourself").press("Space")
    dialog.get_by_role("combobox", name="Rerank model").click()
    page.get_by_role("option", name=re.compile("fake-rerank")).click()
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_text("Saved", exact=True).wait_for()
    found = api("GET", f"/apps/{app}/model-config")["dataset_configs"]
    assert found["reranking_mode"] == "reranking_model"  # it takes the place of the weights
    assert found["weights"] is None
    assert page.problems == []


def test_server_speaks_the_readers_language(api, phone):
    api("POST", "/datasets", {"name": "Twice"})
    phone.goto(f"{phone.address}/knowledge?create=1")
    phone.get_by_role("dialog").get_by_label("名称").fill("Twice")
    phone.get_by_role("dialog").get_by_role("button", name="创建").click()
    phone.get_by_text("已存在同名知识库，请更换名称。").wait_for()
    phone.problems.clear()  # the refused name is a 409 in the browser's own log


def test_tags_find_apps(desk, api):
    page, address = desk, desk.address
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
