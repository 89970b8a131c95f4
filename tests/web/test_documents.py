"""The list of a base's documents, and what leads to one and back, in a browser."""

from __future__ import annotations

import re

import pytest

from tests.web import visit

PARTS = "# Spare parts\n\n| Part | Stock |\n| --- | --- |\n| S-077 | 12 |\n| S-078 | 0 |\n"


@pytest.fixture(scope="module")
def notes(desk, api):
    """A base of 60 notes, of which one is switched off and one cannot be read; (page, address)."""
    made = api("POST", "/datasets", {"name": "Notes"})["id"]
    files = [("torn.pdf", b"%PDF-1.7 torn"), ("long.md", b"Many words. " * 40)]
    files += [(f"note {n:02}.md", f"The note number {n} speaks of machine M-{n}.".encode()) for n in range(57)]
    ids = [api.request.post(f"{api.base}/files/upload", headers={"X-CSRF-Token": api.token}, multipart={
        "file": {"name": name, "mimeType": "text/plain", "buffer": data}}).json()["id"]
        for name, data in [*files, ("parts.md", PARTS.encode())]]
    api("POST", f"/datasets/{made}/documents", {"file_ids": ids})
    page, url = desk, f"{desk.address}/knowledge/{made}"
    page.goto(url)
    page.get_by_text(re.compile(r"documents? (is|are) still to be read")).wait_for()
    page.get_by_text(re.compile(r"documents? (is|are) still to be read")).wait_for(state="hidden", timeout=240_000)
    listed = api("GET", f"/datasets/{made}/documents?limit=100")["data"]
    off = next(doc["id"] for doc in listed if doc["name"] == "note 07.md")
    api("POST", f"/datasets/{made}/documents/status/disable", {"document_ids": [off]})
    return page, url


def names(page) -> list[str]:
    return page.locator("tbody a").all_inner_texts()


def test_what_is_looked_for_is_there_again_after_going_back(notes):
    page, url = notes
    page.goto(url)
    page.get_by_role("button", name="Page 2").click()
    page.get_by_role("link", name="note 05.md").click()
    page.get_by_text("The note number 5").wait_for()
    page.go_back()
    page.get_by_role("link", name="note 05.md").wait_for()
    assert page.url.endswith("?page=2")
    visit.assert_sound(page)  # the arrows beside the pages have names
    for state, name in (("failed", "torn.pdf"), ("switched off", "note 07.md")):
        page.get_by_role("combobox", name="State").click()
        page.get_by_role("option", name=state).click()
        page.get_by_role("row").nth(2).wait_for(state="detached")
        page.get_by_role("link", name=name).wait_for()  # for a moment nothing is shown, or what was
        assert names(page) == [name]
    page.reload()
    page.get_by_role("link", name="note 07.md").wait_for()
    assert names(page) == ["note 07.md"]
    page.goto(url)
    page.get_by_role("combobox", name="Order").click()
    page.get_by_role("option", name="Longest first").click()
    page.locator("tbody tr").first.get_by_text("long.md").wait_for()
    page.goto(f"{url}?page=9")  # as after many were deleted: the last page there is
    page.get_by_role("link", name="note 00.md").wait_for()
    assert page.problems == []


def test_the_keyboard_goes_on_where_it_was_after_a_dialog(notes):
    from playwright.sync_api import expect

    page, url = notes
    page.goto(url)
    for item in ("Delete", "Rename", "Edit metadata"):
        more = page.get_by_role("button", name="More for parts.md")
        more.focus()
        page.keyboard.press("Enter")
        page.get_by_role("menuitem", name=item).press("Enter")
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="hidden")
        expect(more).to_be_focused(timeout=180_000)
    assert page.problems == []


def test_choosing_documents_moves_none_of_them(notes):
    page, url = notes
    page.goto(url)
    second = page.get_by_role("checkbox", name="Choose note 55.md")
    second.wait_for()
    before = visit.still(second)
    page.get_by_role("checkbox", name="Choose parts.md").check()
    toolbar = page.get_by_role("toolbar", name="Chosen documents")
    toolbar.wait_for()
    assert visit.still(second) == before
    assert visit.still(toolbar)["y"] < 900  # in sight, though the list is longer
    visit.shot(page, "documents-chosen-en-1440")
    assert page.problems == []


def test_a_document_that_is_being_read_can_be_stopped(notes, api):
    page, url = notes
    base = f"/datasets/{url.rsplit('/', 1)[1]}/documents"
    parts = next(doc["id"] for doc in api("GET", f"{base}?keyword=parts")["data"])
    asked = []

    def working(route):
        answer = route.fetch().json()
        for document in answer["data"]:
            if document["id"] == parts:
                state = "error" if asked else "indexing"
                document.update(indexing_status=state, display_status=state, error_code="cancelled" if asked else None)
        route.fulfill(json=answer)

    page.route(re.compile(r"/documents\?"), working)
    page.route("**/indexing-status", lambda route: route.abort())
    page.route("**/cancel", lambda route: (asked.append(route.request.url), route.fulfill(json={"result": "success"})))
    page.goto(url)
    page.get_by_role("button", name="More for parts.md").click()
    page.get_by_role("menuitem", name="Stop").click()
    page.locator("[data-status=stopped]").get_by_text("stopped").wait_for()
    assert page.get_by_role("button", name="Retry all failed").count() == 0  # who stops something is told of no failure
    page.unroute_all(behavior="wait")
    assert [address.rsplit("/", 2)[1:] for address in asked] == [[parts, "cancel"]]
    page.problems.clear()  # the browser's own log has what was aborted


def test_a_passage_is_laid_out_and_what_was_asked_stays(notes):
    page, url = notes
    page.goto(f"{url}/test")
    page.get_by_role("textbox", name="Question").fill("S-077")
    page.keyboard.press("Enter")
    page.get_by_test_id("hit").first.get_by_role("button", name="parts.md").click()
    page.get_by_role("dialog").get_by_role("link", name="Open in the knowledge base").click()
    page.locator("[data-here]").get_by_role("cell", name="S-077").wait_for()  # a table, no bars and dashes
    page.get_by_role("searchbox", name="Search in the text").fill("S-078")
    page.locator("mark", has_text="S-078").wait_for()
    page.go_back()
    page.get_by_test_id("hit").first.locator("mark", has_text="S-077").wait_for()
    assert page.get_by_role("textbox", name="Question").input_value() == "S-077"
    assert page.problems == []


def test_any_of_the_files_can_be_looked_at_before(notes, tmp_path):
    page, url = notes
    files = [tmp_path / f"{name}.md" for name in ("one", "two")]
    for file in files:
        file.write_text(f"This is file {file.stem}.")
    page.goto(f"{url}/add")
    page.locator("input[type=file]").first.set_input_files(files)
    page.get_by_role("button", name="Index 2 documents").wait_for()
    page.get_by_role("combobox", name="Document to preview").click()
    page.get_by_role("option", name="two.md").click()
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("This is file two.").wait_for()
    assert page.problems == []


def test_a_page_that_cannot_be_reached_says_what_to_do(notes):
    page, url = notes
    page.goto(f"{url}/add")
    page.get_by_text("Web pages").click()
    page.get_by_role("textbox", name="Addresses").fill("http://no-such-host.invalid/manual")
    page.get_by_role("button", name="Fetch").click()
    alert = page.get_by_role("listitem").get_by_role("alert")
    alert.get_by_text("Check the address, and whether the box has a network.").wait_for()
    assert "Errno" not in alert.inner_text()
    page.problems.clear()  # the refusal is a 400 in the browser's own log


def test_a_line_that_is_cut_is_not_taken_for_an_update(notes):
    page, url = notes
    page.goto(url)
    page.get_by_role("link", name="note 00.md").or_(page.get_by_role("link", name="parts.md")).first.wait_for()
    page.context.set_offline(True)
    page.get_by_role("link", name="Statistics").click()
    page.get_by_text("The box does not answer", exact=True).wait_for()
    page.context.set_offline(False)
    page.get_by_role("button", name="Reload the page").click()
    page.get_by_text("Found most often").wait_for()
    page.problems.clear()  # what could not be loaded is in the browser's own log


def test_what_was_deleted_in_another_window_leads_back(notes, api):
    page, url = notes
    made = api("POST", "/datasets", {"name": "Short-lived"})["id"]
    page.goto(f"{page.address}/knowledge/{made}/settings")
    page.get_by_role("textbox", name="Name").wait_for()
    api("DELETE", f"/datasets/{made}")
    page.reload()
    page.get_by_text("There is no such page").wait_for()
    page.get_by_role("main").get_by_role("link", name="Knowledge").click()
    page.get_by_role("link", name="Notes").wait_for()
    page.goto(f"{url}/documents/{made}")
    page.get_by_role("main").get_by_role("link", name="Documents").last.click()
    page.get_by_role("link", name="parts.md").wait_for()
    page.problems.clear()  # the 404 is in the browser's own log
