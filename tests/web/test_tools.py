"""The tools page: an OpenAPI document is added, changed and removed, an account is set up, connections are guarded."""

from __future__ import annotations

import json

import pytest

from tests.web import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

DOCUMENT = json.dumps({
    "openapi": "3.0.0", "info": {"title": "Weather", "version": "1"}, "servers": [{"url": "http://weather.example"}],
    "paths": {"/now": {"get": {"operationId": "now", "summary": "Weather now", "responses": {}}}}})


def test_document_is_added_changed_and_removed(desk):
    page = desk
    page.goto(f"{desk.address}/tools")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("menuitem", name="OpenAPI document").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Document", exact=True).fill(DOCUMENT)
    dialog.get_by_label("Name", exact=True).click()
    dialog.get_by_text("at http://weather.example").wait_for()
    dialog.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Settings of Weather").click()
    dialog.get_by_label("Name", exact=True).fill("Forecast")
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("article", name="Forecast").wait_for()
    visit.assert_sound(page)
    visit.shot(page, "tools-en-1440")
    page.get_by_role("button", name="More about Forecast").click()
    page.get_by_role("menuitem", name="Remove").click()
    dialog.get_by_role("button", name="Remove").click()
    page.get_by_role("article", name="Forecast").wait_for(state="detached")
    assert page.problems == []


def test_account_and_connections(desk, api):
    page = desk
    api("PUT", "/outbound-rules", {"allow": [], "deny": []})
    page.goto(f"{desk.address}/tools")
    page.get_by_role("article", name="Mail").get_by_text("Needs settings").wait_for()
    page.get_by_role("button", name="Settings of Mail").click()
    page.get_by_label("Account, the sender's address").fill("box@example.com")
    page.get_by_label("Mail server").fill("mail.example.com")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_role("article", name="Mail").get_by_text("Needs settings").wait_for(state="detached")
    page.get_by_role("combobox", name="Allowed although guarded").fill("10.1.0.0/16")
    page.keyboard.press("Enter")
    with page.expect_response(lambda reply: reply.url.endswith("/outbound-rules") and reply.request.method == "PUT"):
        page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved").wait_for()
    rules = page.request.get(f"{desk.address}/console/api/outbound-rules").json()
    assert rules == {"allow": ["10.1.0.0/16"], "deny": []}
    assert page.problems == []
