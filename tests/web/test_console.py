"""The console in a real browser, from the setup code to a citation, in both languages, on a desk and a phone."""

from __future__ import annotations

import re
import urllib.request

import pytest

from tests.web import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

MANUAL = """# Pump A-40

The filter of the pump must be replaced every six weeks. Close valve B2 first.

# 水泵 A-40

水泵的滤芯应每六周更换一次。更换前请先关闭 B2 阀门。
"""


@pytest.fixture(scope="module")
def journey(desk, tmp_path_factory):
    """The first hour with a box; what it leaves behind is what the other tests look at."""
    manual = tmp_path_factory.mktemp("files") / "manual 手册.md"
    manual.write_text(MANUAL)
    visit.add_documents(desk, desk.address, "Manuals", [manual])
    visit.create_assistant(desk, desk.address, "Pump helper", "fake-reader", "Manuals")
    return desk, desk.address


def test_answer_with_a_citation_that_opens_the_passage(journey):
    page, _ = journey
    visit.ask(page, "How often must the filter be replaced?", "six weeks")
    visit.shot(page, "prompt-en-1440")
    visit.assert_sound(page)
    page.get_by_test_id("citation").first.click()
    source = page.get_by_test_id("source")
    source.get_by_text("manual 手册.md").wait_for()
    source.locator("mark").first.wait_for()
    visit.shot(page, "citation-en-1440")
    page.keyboard.press("Escape")
    assert page.problems == []


def test_key_is_shown_once_and_answers_over_the_api(journey):
    page, address = journey
    token = visit.new_key(page)
    assert token.startswith("app-")
    assert token not in page.content()
    request = urllib.request.Request(f"{address}/v1/info", headers={"Authorization": f"Bearer {token}"})
    assert b"Pump helper" in urllib.request.urlopen(request, timeout=20).read()
    visit.shot(page, "access-en-1440")
    assert page.problems == []


def test_chinese_on_a_phone(journey, phone):
    desk, address = journey
    app, page = re.search(r"/apps/([^/]+)", desk.url)[1], phone
    for path in ("apps", "knowledge", "models", "box", f"apps/{app}/access", f"apps/{app}/logs"):
        page.goto(f"{address}/{path}")
        visit.settled(page)
        visit.assert_sound(page)
        visit.shot(page, f"{path.replace('/', '-').replace(app, 'app')}-zh-390-dark")
    page.goto(f"{address}/apps/{app}/prompt")
    page.get_by_text("试一试", exact=True).click()
    visit.ask(page, "水泵的滤芯多久更换一次？", "六周", placeholder="输入问题…")
    visit.shot(page, "prompt-zh-390-dark")
    page.get_by_test_id("citation").first.click()
    page.get_by_test_id("source").get_by_text("六周").first.wait_for()
    visit.shot(page, "citation-zh-390-dark")
    assert page.locator("html").get_attribute("lang") == "zh-CN"


def test_palette_logs_and_login_back_off(browser, journey):
    from playwright.sync_api import expect

    desk, address = journey
    desk.goto(f"{address}/apps")
    desk.get_by_role("link", name="Pump helper").wait_for()
    desk.keyboard.press("Control+k")
    desk.get_by_role("combobox").fill("pump helper")
    desk.get_by_role("option", name=re.compile("Pump helper")).wait_for()
    desk.keyboard.press("Enter")
    desk.wait_for_url("**/prompt")
    desk.get_by_role("link", name="Logs").click()
    expect(desk).to_have_title("Logs · Pump helper · Sparrow", timeout=180_000)
    desk.get_by_role("row").last.get_by_role("button").click()  # the newest is first
    desk.get_by_role("dialog").get_by_text("six weeks").first.wait_for()
    assert desk.problems == []

    page = visit.open_page(browser, "en-US", 1440)
    page.goto(f"{address}/login")
    for status in (401, 401, 401, 429):
        page.get_by_role("textbox", name="Password").fill("wrong-password-1")
        with page.expect_response("**/console/api/login") as answer:
            page.get_by_role("button", name="Log in").click()
        assert answer.value.status == status
        if status == 401:
            page.get_by_text("The password is not right").wait_for()
    page.get_by_role("timer").wait_for()
    expect(page.get_by_role("button", name="Log in")).to_be_disabled()
    page.context.close()


def test_keys_lead_through_the_console(desk):
    from playwright.sync_api import expect

    desk.goto(f"{desk.address}/models")
    desk.get_by_role("heading", name="Models", exact=True).wait_for()
    desk.keyboard.press("?")
    dialog = desk.get_by_role("dialog", name="Keyboard shortcuts")
    dialog.get_by_text("Open Knowledge").wait_for()
    visit.shot(desk, "keys-en-1440")
    desk.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    desk.keyboard.type("gs")
    desk.wait_for_url("**/apps")
    search = desk.get_by_role("searchbox", name="Search apps")
    search.wait_for()
    desk.keyboard.press("/")
    desk.keyboard.type("g?")  # a field with the focus keeps its keys
    expect(search).to_have_value("g?")
    assert desk.problems == []
