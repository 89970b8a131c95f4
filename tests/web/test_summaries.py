"""Summaries in a real browser: switched on, written, shown, changed, found by."""

from __future__ import annotations

import pytest

from tests.web import visit
from tests.web.test_passages import filled, opened

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

PARTS = ("Seal ring", "Impeller", "Gauge")
TEXT = "\n\n".join(f"# {name}\n\nThe {name.lower()} is changed every year. " + "Close the valve first. " * 12
                   for name in PARTS)
RULE = {"mode": "custom", "rules": {"segmentation": {"separator": "\n\n", "max_tokens": 120, "chunk_overlap": 0}}}


@pytest.fixture
def answers(fake):
    """What the scripted model answers, by a part of what it is asked."""
    own = {"The seal ring": "When to replace the walrus gasket.", "The impeller": "<<error:bad_request>>",
           "The gauge": "<<slow:40>><<say:How the okapi needle is read, year after year, by whoever is there.>>"}
    fake.answers.update(own)
    yield fake.answers
    for name in own:
        del fake.answers[name]


def test_summaries_are_written_shown_changed_and_found_by(desk, api, phone, answers):
    desk.goto(f"{desk.address}/knowledge?create=1")
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Summed")
    dialog.get_by_role("switch", name="Write summaries of new chunks").check(force=True)
    dialog.get_by_label("Model", exact=True).first.wait_for()
    visit.shot(desk, "summaries-create-en-1440")
    visit.assert_sound(desk)
    dialog.get_by_role("button", name="Create").click()
    desk.wait_for_url("**/add")
    base = desk.url.split("/")[-2]
    made = api("POST", f"/datasets/{base}/documents/text", {"name": "parts.md", "text": TEXT, "process_rule": RULE})
    assert made["documents"][0]["need_summary"]
    desk.goto(f"{desk.address}/knowledge/{base}")
    state = desk.get_by_test_id("summaries")
    state.get_by_text("Summaries 2/3", exact=True).wait_for(timeout=90_000)
    state.get_by_text("Summaries that could not be written: 1.").wait_for()
    desk.locator("[data-status=available]").wait_for()
    visit.shot(desk, "summaries-failed-en-1440")
    visit.assert_sound(desk)
    phone.goto(desk.url)
    phone.get_by_text("有 1 条摘要未能写出").wait_for()
    visit.shot(phone, "summaries-failed-zh-390")
    visit.assert_sound(phone)
    answers["The impeller"] = "What the narwhal wheel does."
    desk.get_by_role("button", name="Try the summaries again").click()
    state.wait_for(state="detached", timeout=120_000)

    desk.get_by_role("link", name="parts.md").click()
    summaries = desk.get_by_test_id("summary")
    summaries.nth(2).wait_for()
    assert ["walrus" in text for text in summaries.all_inner_texts()] == [True, False, False]
    desk.get_by_role("button", name="Edit the summary of chunk 1").click()
    box = desk.get_by_role("textbox", name="Summary of chunk 1")
    box.fill("The pangolin ring keeps the water in.")
    visit.shot(desk, "summaries-edit-en-1440")
    desk.get_by_role("button", name="Save").click()
    summaries.filter(has_text="pangolin").wait_for()
    desk.get_by_role("button", name="Edit the summary of chunk 2").click()
    desk.get_by_role("textbox", name="Summary of chunk 2").fill("")
    desk.get_by_role("button", name="Save").click()
    desk.get_by_role("button", name="Add a summary").wait_for()
    assert summaries.count() == 2
    visit.shot(desk, "summaries-passages-en-1440")
    visit.assert_sound(desk)
    phone.goto(desk.url)
    phone.get_by_test_id("summary").first.wait_for()
    phone.get_by_role("button", name="编辑第 1 段的摘要").tap()
    phone.get_by_role("textbox", name="第 1 段的摘要").scroll_into_view_if_needed()
    visit.shot(phone, "summaries-passages-zh-390")
    visit.assert_sound(phone)

    for page, said, size in ((desk, "Found by its summary", "en-1440"), (phone, "由摘要命中", "zh-390")):
        page.goto(f"{page.address}/knowledge/{base}/test?q=pangolin")
        first = page.get_by_test_id("hit").first
        first.get_by_text(said).wait_for()
        assert "seal ring is changed" in first.inner_text()
        visit.shot(page, f"summaries-found-{size}")
        visit.assert_sound(page)
    for page, label, size in ((desk, "Write summaries of new chunks", "en-1440"),
                              (phone, "为新分段撰写摘要", "zh-390")):
        page.goto(f"{page.address}/knowledge/{base}/settings")
        page.get_by_text(label).scroll_into_view_if_needed()
        visit.shot(page, f"summaries-settings-{size}")
        visit.assert_sound(page)
    desk.get_by_label("What the model is told").fill("In one line:")
    desk.locator("form").get_by_role("button", name="Save").click()
    desk.get_by_text("Saved").first.wait_for()
    assert api("GET", f"/datasets/{base}")["summary_index_setting"] == {
        "enable": True, "model_name": None, "model_provider_name": None, "summary_prompt": "In one line:"}
    assert desk.problems == []


def test_summaries_of_documents_that_are_there(desk, api, phone, answers):
    answers["The impeller"] = "What the narwhal wheel does."
    base = filled(api, "Older", {"parts.md": TEXT.encode()}, process_rule=RULE)
    opened(desk, api, base, "parts.md")
    assert desk.get_by_test_id("summary").count() == 0
    for page, more, action, concerns, size in (
            (phone, "parts.md 的更多操作", "撰写摘要", "3 个分段", "zh-390"),
            (desk, "More for parts.md", "Write summaries", "3 chunks (", "en-1440")):
        page.goto(f"{page.address}/knowledge/{base}")
        page.get_by_role("button", name=more).click()
        page.get_by_role("menuitem", name=action).click()
        page.get_by_role("dialog").get_by_text(concerns).wait_for()
        visit.shot(page, f"summaries-write-{size}")
        visit.assert_sound(page)
    desk.get_by_role("dialog").get_by_role("button", name="Write them").click()
    desk.get_by_role("dialog").wait_for(state="hidden")
    desk.get_by_test_id("summaries").wait_for(state="detached", timeout=120_000)
    desk.get_by_role("link", name="parts.md").click()
    desk.get_by_test_id("summary").nth(2).wait_for()
    assert desk.problems == []
