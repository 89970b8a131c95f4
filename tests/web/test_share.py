"""An app's public page as a visitor uses it: files, speech, questions to ask next, forms that a run waits for."""

from __future__ import annotations

import re

import pytest

from tests.web import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]


def test_picture_speech_and_follow_ups(desk, api, visitor):
    from playwright.sync_api import expect

    address = desk.address
    app = api.app("chat", "Looker", suggested_questions_after_answer={"enabled": True},
                  speech_to_text={"enabled": True}, text_to_speech={"enabled": True, "voice": "alloy"},
                  file_upload={"image": {"enabled": True, "number_limits": 2, "transfer_methods": ["local_file"]}})
    visitor.goto(f"{address}/chat/{app}")
    ask = visitor.get_by_role("textbox", name="Ask something…")
    visitor.get_by_role("button", name="Speak").click()
    visitor.wait_for_timeout(600)
    visitor.get_by_role("button", name="Stop recording").click()
    expect(ask).to_have_value(re.compile("^transcribed"), timeout=180_000)
    with visitor.expect_file_chooser() as chooser:
        visitor.get_by_role("button", name="Add files").click()
    chooser.value.set_files([visit.PICTURE])
    visitor.get_by_role("button", name="Remove pump.png").wait_for()
    visitor.locator("input[type=file]").first.wait_for(state="attached")
    ask.fill('What? <<say:["Which pump?","How old?"]>>')
    visitor.get_by_role("button", name="Send").click()
    visitor.get_by_role("img", name="pump.png").wait_for()
    visitor.get_by_role("button", name="Read aloud").wait_for()
    visitor.get_by_role("group", name="Ask next").get_by_role("button", name="How old?").click()
    visitor.get_by_role("log").get_by_text("echo: How old?").wait_for()
    visit.shot(visitor, "share-en-1440")
    visit.assert_sound(visitor)
    visitor.get_by_role("button", name="Earlier conversations").click()
    visitor.get_by_role("dialog").get_by_role("button", name="What?").first.click()
    visitor.get_by_role("img", name="pump.png").wait_for()


def test_form_of_a_waiting_run_is_filled(desk, api, visitor):
    address = desk.address
    app = api.graph("Approval", [
        {"id": "start", "type": "start", "variables": [
            {"variable": "q", "label": "Request", "type": "text-input", "required": True, "max_length": 80}]},
        {"id": "ask", "type": "human-input", "form_content": "Approve {{#start.q#}}? {{#$output.note#}}",
         "delivery_methods": [{"id": "00000000-0000-4000-8000-000000000001", "type": "webapp", "enabled": True,
                               "config": {}}],
         "inputs": [{"type": "text_input", "output_variable_name": "note",
                     "default": {"type": "constant", "value": "no remark", "selector": []}}],
         "user_actions": [{"id": "ok", "title": "Approve", "button_style": "primary"},
                          {"id": "no", "title": "Refuse", "button_style": "default"}],
         "timeout": 1, "timeout_unit": "day"},
        {"id": "yes", "type": "end", "outputs": [{"variable": "remark", "value_selector": ["ask", "note"]}]},
        {"id": "nope", "type": "end", "outputs": []},
    ], [("start", "source", "ask"), ("ask", "ok", "yes"), ("ask", "no", "nope")])
    visitor.goto(f"{address}/workflow/{app}")
    visitor.get_by_label("Request").fill("two days off")
    visitor.get_by_role("button", name="Run").click()
    form = visitor.get_by_test_id("ask")
    form.get_by_text("Approve two days off?").wait_for()
    form.get_by_label("note").fill("enjoy")
    visit.shot(visitor, "share-form-en-1440")
    form.get_by_role("button", name="Approve").click()
    visitor.get_by_text("Answered: Approve").wait_for()
    visitor.locator("p", has_text="enjoy").wait_for()
    visit.assert_sound(visitor)


def test_files_of_a_form(desk, api, visitor):
    from playwright.sync_api import expect

    address = desk.address
    app = api.graph("Reader", [
        {"id": "start", "type": "start", "variables": [
            {"variable": "papers", "label": "Papers", "type": "file-list", "required": True, "max_length": 3,
             "allowed_file_types": ["document"], "allowed_file_upload_methods": ["local_file"]}]},
        {"id": "read", "type": "document-extractor", "variable_selector": ["start", "papers"], "is_array_file": True},
        {"id": "end", "type": "end", "outputs": [{"variable": "texts", "value_selector": ["read", "text"]}]},
    ], [("start", "source", "read"), ("read", "source", "end")])
    visitor.goto(f"{address}/workflow/{app}")
    visitor.get_by_role("button", name="Run").click()
    visitor.get_by_text("Fill in “Papers” first").wait_for()
    visitor.locator("input[type=file]").set_input_files([
        {"name": "one.txt", "mimeType": "text/plain", "buffer": b"first page"},
        {"name": "two.md", "mimeType": "text/markdown", "buffer": b"second page"}])
    visitor.get_by_role("button", name="Remove two.md").wait_for()
    expect(visitor.get_by_label(re.compile("% sent"))).to_have_count(0, timeout=180_000)
    visitor.get_by_role("button", name="Run").click()
    visitor.get_by_text("second page").wait_for()
