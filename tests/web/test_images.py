"""Images of passages in a real browser: added, shown, cited and taken away again, and a question that is an image."""

from __future__ import annotations

import base64

import pytest

from tests.knowledge.test_photo import png_of
from tests.web import visit
from tests.web.test_passages import filled, opened

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

TEXT = b"# Pump QX-7\n\nThe pump is greased every 200 hours. Close the valve before you open the lid.\n"
PLATE = png_of(480, 320, 2)
# A file as a browser has it when one is dropped or pasted.
HAND = """(field, [kind, name, data]) => {
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    const hand = new DataTransfer();
    hand.items.add(new File([bytes], name, {type: 'image/png'}));
    field.dispatchEvent(kind === 'paste'
        ? new ClipboardEvent('paste', {clipboardData: hand, bubbles: true, cancelable: true})
        : new DragEvent('drop', {dataTransfer: hand, bubbles: true, cancelable: true}));
}"""


def give(field, kind: str, name: str) -> None:
    """Drop or paste an image."""
    field.evaluate(HAND, [kind, name, base64.b64encode(PLATE).decode()])


def drawn(images, count: int) -> None:
    """Wait until so many images are there and drawn."""
    images.nth(count - 1).wait_for()
    assert images.count() == count
    images.page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=images] img')].every(one => one.naturalWidth > 0)")


@pytest.fixture(scope="module")
def plated(desk, api) -> str:
    """A base whose one passage has three images: one chosen, one dropped, one pasted."""
    base = filled(api, "Plates", {"pump.md": TEXT})
    opened(desk, api, base, "pump.md")
    desk.get_by_role("button", name="Edit chunk 1").click()
    dialog = desk.get_by_role("dialog")
    dialog.locator("input[type=file]").set_input_files({"name": "plate.png", "mimeType": "image/png", "buffer": PLATE})
    give(dialog.get_by_test_id("image-field"), "drop", "dropped.png")
    give(dialog.get_by_label("Text", exact=True), "paste", "pasted.png")
    dialog.get_by_role("button", name="Remove pasted.png").wait_for()
    visit.shot(desk, "images-edit-en-1440")
    visit.assert_sound(desk)
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="hidden")
    drawn(desk.get_by_test_id("images").get_by_role("img"), 3)
    return base


def test_images_are_shown_under_their_passage_and_removed(desk, phone, plated):
    images = desk.get_by_test_id("images").get_by_role("img")
    visit.shot(desk, "images-passage-en-1440")
    desk.get_by_role("button", name="Edit chunk 1").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_role("button", name="Remove dropped.png").click()
    dialog.locator("input[type=file]").set_input_files(
        {"name": "notes.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"})
    dialog.get_by_role("alert").get_by_text("notes.svg is not an image of these types").wait_for()
    dialog.get_by_role("button", name="Remove notes.svg").click()
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="hidden")
    desk.get_by_role("img", name="dropped.png").wait_for(state="detached")
    drawn(images, 2)
    desk.problems.clear()  # the refused picture is a 400 in the browser's own log
    phone.goto(desk.url)
    drawn(phone.get_by_test_id("images").get_by_role("img"), 2)
    visit.shot(phone, "images-passage-zh-390")
    phone.get_by_role("button", name="编辑第 1 段").tap()
    phone.get_by_role("dialog").get_by_role("button", name="添加图片").scroll_into_view_if_needed()
    visit.shot(phone, "images-edit-zh-390")
    visit.assert_sound(phone)


def test_a_chat_shows_the_images_of_what_it_cites(desk, api, phone, plated):
    app = api.app("chat", "Reader of plates", retriever_resource={"enabled": True}, dataset_configs={
        "retrieval_model": "multiple", "top_k": 4, "datasets": {"datasets": [
            {"dataset": {"enabled": True, "id": plated}}]}})
    for page, ask, size in ((desk, "Ask something…", "en-1440"), (phone, None, "zh-390")):
        page.goto(f"{page.address}/chat/{app}")
        box = page.get_by_role("textbox", name=ask) if ask else page.get_by_role("textbox").last
        box.fill("When is the pump greased?")
        page.keyboard.press("Enter")
        images = page.get_by_test_id("images").get_by_role("img")
        images.first.wait_for()
        drawn(images, images.count())
        visit.shot(page, f"images-chat-{size}")
        page.get_by_test_id("citation").first.click()
        page.get_by_test_id("source").get_by_test_id("images").get_by_role("img").first.wait_for()
        visit.shot(page, f"images-source-{size}")
        visit.assert_sound(page)
    assert desk.problems == []


def test_a_question_is_an_image(desk, phone, plated, fake):
    """The default model of the box can see."""
    from playwright.sync_api import expect

    fake.answers["searches documents"] = "QX-7\nThe type plate of a pump."
    try:
        desk.goto(f"{desk.address}/knowledge/{plated}/test")
        desk.locator("input[type=file]").set_input_files({"name": "what.png", "mimeType": "image/png", "buffer": PLATE})
        desk.get_by_role("button", name="Search", exact=True).click()
        desk.get_by_test_id("seen").get_by_text("The type plate of a pump.").wait_for()
        desk.get_by_test_id("hit").get_by_text("200 hours").wait_for()
        drawn(desk.get_by_test_id("hit").get_by_test_id("images").get_by_role("img"), 2)
        visit.shot(desk, "images-test-en-1440")
        visit.assert_sound(desk)
        phone.goto(desk.url)
        held = []
        phone.route("**/datasets/attachments", lambda route: held.append(route))
        give(phone.get_by_role("textbox").first, "paste", "图.png")
        phone.get_by_role("button", name="移除 图.png").wait_for()
        phone.get_by_role("textbox").first.fill("多久润滑一次？")
        phone.keyboard.press("Enter")
        search = phone.get_by_role("button", name="检索", exact=True)
        expect(search).to_have_attribute("data-loading", "true")
        held[0].continue_()  # the question goes with its image
        phone.get_by_test_id("seen").get_by_text("多久润滑一次？").wait_for()
        visit.shot(phone, "images-test-zh-390")
        visit.assert_sound(phone)
    finally:
        del fake.answers["searches documents"]
    assert desk.problems == []
