"""Knowledge in a real browser: from the upload's errors to a filtered search and a passage read in its document."""

from __future__ import annotations

import re

import pytest

from tests.web import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

MANUAL = """# Pump A-40

The filter of the pump must be replaced every six weeks. Close valve B2 first.

| Part | Number |
|---|---|
| Seal ring | S-077 |
"""


@pytest.fixture(scope="module")
def base(desk, tmp_path_factory):
    """A base made in the browser from one good file; two bad ones are refused before they are sent."""
    page, address = desk, desk.address
    folder = tmp_path_factory.mktemp("files")
    good, empty, old = folder / "manual.md", folder / "empty.txt", folder / "old.doc"
    good.write_text(MANUAL)
    empty.write_text("")
    old.write_bytes(b"\xd0\xcf\x11\xe0" + b"0" * 600)
    page.goto(f"{address}/knowledge?create=1")
    page.get_by_label("Name").fill("Pumps")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.wait_for_url("**/add")
    sent = []
    page.on("request", lambda r: sent.append(r.url) if r.url.endswith("/files/upload") else None)
    locked = good.with_name("locked.pdf")
    locked.write_bytes(b"%PDF-1.7 torn")
    page.locator("input[type=file]").first.set_input_files([good, empty, old, locked])
    page.get_by_text("The file is empty.").wait_for()
    page.get_by_text("The PDF is damaged").wait_for()
    page.get_by_text("This old format cannot be read.").wait_for()
    page.get_by_text(re.compile(r"1 chunk\. The index takes .* afterwards")).wait_for()
    page.get_by_role("button", name="Index 1 document").click()
    page.locator("[data-status=available]").wait_for(timeout=240_000)
    assert len(sent) == 2  # the good file and the one that only the box can judge, each once
    listed = page.url
    page.get_by_role("link", name=good.name).click()
    page.get_by_role("button", name="Read the document").wait_for()
    chunk = page.get_by_role("checkbox", name="Choose chunk 1")
    chunk.wait_for()
    field = page.get_by_role("searchbox", name="Search in the text")
    assert visit.still(chunk)["y"] - visit.still(field)["y"] < 120  # the chunk is right below
    page.goto(listed)
    return page, page.url


def test_metadata_from_the_field_to_the_filter(base):
    page, url = base
    page.goto(url)
    page.get_by_role("button", name="Metadata").click()
    fields = page.get_by_role("dialog")
    fields.get_by_label("New field").fill("team")
    fields.get_by_role("button", name="Add", exact=True).click()
    fields.get_by_role("listitem").filter(has_text="team").wait_for()
    visit.shot(page, "knowledge-fields-en-1440")
    page.keyboard.press("Escape")
    fields.wait_for(state="hidden")
    page.get_by_role("button", name="More for manual.md").click()
    page.get_by_role("menuitem", name="Edit metadata").click()
    values = page.get_by_role("dialog")
    values.get_by_label("team").fill("blue")
    values.get_by_role("button", name="Save").click()
    page.get_by_text("team: blue").wait_for()
    page.goto(f"{url}/test")
    page.get_by_role("textbox", name="Question").fill("How often is the filter replaced?")
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_role("button", name="Add a condition").click()
    for team, found in (("red", False), ("blue", True)):
        page.get_by_role("combobox", name="Value").fill(team)
        page.get_by_role("button", name="Search", exact=True).click()
        (page.get_by_test_id("hit").first if found else page.get_by_text("Nothing found")).wait_for()
    visit.shot(page, "knowledge-test-en-1440")
    visit.assert_sound(page)


def test_a_hit_is_read_in_its_document(base):
    page, url = base
    page.goto(f"{url}/test")
    page.get_by_role("textbox", name="Question").fill("How often is the filter replaced?")
    page.get_by_role("button", name="Search", exact=True).click()
    hit = page.get_by_test_id("hit").first
    hit.get_by_role("cell", name="S-077").wait_for()  # a table is a table
    hit.locator("mark", has_text="filter").first.wait_for()
    hit.get_by_role("button", name="manual.md").click()
    passage = page.get_by_test_id("passage")
    passage.get_by_text("six weeks").wait_for()
    passage.locator("mark", has_text="filter").first.wait_for()
    visit.shot(page, "knowledge-reader-en-1440")
    page.get_by_role("dialog").get_by_role("link", name="Open in the knowledge base").wait_for()
    page.keyboard.press("Escape")
    assert page.problems == []


def test_a_document_is_cut_anew_after_a_preview(base):
    page, url = base
    page.goto(url)
    page.get_by_role("button", name="More for manual.md").click()
    page.get_by_role("menuitem", name="Cut anew").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Own settings").click()
    dialog.get_by_role("button", name="Preview").click()
    dialog.get_by_text(re.compile(r"chunks? in this file")).wait_for()
    dialog.get_by_role("button", name="Cut anew").click()
    dialog.wait_for(state="hidden")
    page.locator("[data-status=available]").wait_for(timeout=240_000)
    assert page.problems == []


def test_the_end_of_indexing_is_shown_whichever_answer_comes_first(base):
    """The list and the states of the unfinished are asked for apart: the older of the two never wins."""
    page, url = base
    answers, documents, ended = [], [], []

    def late(route):
        answer = route.fetch().json()
        kind = "states" if "indexing-status" in route.request.url else "list"
        if kind not in answers or not ended:  # the first answer of each kind is from before the end
            document = {**(answer["data"] or documents)[0], "indexing_status": "indexing"}
            documents.append(document)
            answer["data"] = [document]
        answers.append(kind)
        route.fulfill(json=answer)

    page.route(re.compile(r"/documents\?|/indexing-status"), late)
    page.goto(url)
    page.get_by_role("progressbar").wait_for()
    ended.append(True)
    page.locator("[data-status=available]").wait_for()
    page.unroute_all(behavior="wait")
    assert "states" in answers
    assert page.problems == []


def test_a_large_file_goes_on_where_it_broke_off(base, tmp_path):
    page, url = base
    large = tmp_path / "large.txt"
    large.write_text("The pump turns left.\n" * 900_000)  # three pieces
    sent = []

    def breaking(route):
        sent.append(int(re.search(r"offset=(\d+)", route.request.url)[1]))
        if len(sent) == 2:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/uploads/*?offset=*", breaking)
    page.goto(f"{url}/add")
    page.locator("input[type=file]").first.set_input_files(large)
    page.get_by_text("18.0 MB · uploaded").wait_for()
    page.unroute_all(behavior="wait")
    assert sent == [0, 8 << 20, 8 << 20, 16 << 20]  # the piece that was lost is sent again, and no other
    page.problems.clear()  # the broken line is in the browser's own log


def test_a_base_leaves_as_a_file_and_comes_back(base, tmp_path):
    page, url = base
    page.goto(f"{url}/settings")
    page.get_by_text(re.compile(r"About .* \(files: 1, chunks: \d+\)")).wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export this knowledge base").click()
    assert download.value.suggested_filename.endswith(".sparrow-knowledge")
    download.value.save_as(tmp_path / "pumps.sparrow-knowledge")
    page.goto(url.rsplit("/", 1)[0])
    page.get_by_role("button", name="More").first.click()
    page.get_by_role("menuitem", name="Import").click()
    page.get_by_role("dialog").locator("input[type=file]").set_input_files(tmp_path / "pumps.sparrow-knowledge")
    page.wait_for_url(lambda address: "/knowledge/" in address and address != url)
    page.get_by_role("link", name="manual.md").wait_for()
    page.locator("[data-status=available]").wait_for()
    assert page.problems == []


def test_every_page_is_sound_on_a_phone_in_chinese(base, phone):
    url, page, address = base[1], phone, phone.address
    for name, path in (("list", f"{address}/knowledge"), ("api", f"{address}/knowledge/api"), ("documents", url),
                       ("add", f"{url}/add"), ("test", f"{url}/test"), ("statistics", f"{url}/statistics"),
                       ("settings", f"{url}/settings")):
        page.goto(path)
        visit.settled(page)
        visit.assert_sound(page)
        visit.shot(page, f"knowledge-{name}-zh-390-dark")


def test_every_way_to_cut_is_in_sight_on_a_phone(browser, owner):
    address, session = owner
    page = visit.open_page(browser, "en-US", 390, storage_state=session, is_mobile=True, has_touch=True)
    made = visit.Console(page, address)("POST", "/datasets", {"name": "Empty"})["id"]
    page.goto(f"{address}/knowledge/{made}/add")
    for name in ("Questions and answers", "Parent and child", "Own settings", "Automatic"):
        way = page.get_by_text(name, exact=True)
        way.wait_for()
        box = visit.still(way)  # before anything is scrolled sideways
        assert 0 <= box["x"] <= 390 - box["width"], name
        way.tap()
        page.get_by_role("radio", name=name, checked=True).wait_for(state="attached")
    visit.shot(page, "knowledge-cut-en-390")
    page.context.close()


def test_who_reads_scanned_pages_is_chosen_once_for_all_bases(base, api):
    page, url = base
    page.goto(f"{url}/settings")
    page.get_by_role("combobox", name="Read scanned pages and pictures with").click()
    page.get_by_role("option", name="OpenAI · fake-llm").click()
    page.get_by_text("Saved").first.wait_for()
    assert api("GET", "/datasets/settings")["ocr_model"] == {"provider": "openai", "model": "fake-llm"}
    page.goto(url.rsplit("/", 1)[0])
    page.get_by_role("button", name="More").first.click()
    page.get_by_role("menuitem", name="Scanned pages and pictures").click()
    field = page.get_by_role("dialog").get_by_role("combobox", name="Read scanned pages and pictures with")
    field.click()
    page.get_by_role("option", name="Do not read them").click()
    page.get_by_text("Saved").first.wait_for()
    assert api("GET", "/datasets/settings")["ocr_model"] is None
    assert page.problems == []


def test_an_import_that_does_not_fit_is_not_begun(base, tmp_path):
    from playwright.sync_api import expect

    page, url = base
    small = tmp_path / "small.txt"
    small.write_text("The pump turns right.")

    def full(route):
        answer = route.fetch().json()
        answer["memory"].update(fits=False, bytes_after=answer["memory"]["bytes_limit"] * 2)
        route.fulfill(json={**answer, "message": "Too little memory for this."})

    page.route("**/datasets/import-estimate", full)
    page.goto(f"{url}/add")
    page.locator("input[type=file]").first.set_input_files(small)
    page.get_by_role("alert").get_by_text("Too little memory for this.").wait_for()
    expect(page.get_by_role("button", name="Index 1 document")).to_be_disabled()
    visit.shot(page, "knowledge-full-en-1440")
    page.unroute_all(behavior="wait")
    assert page.problems == []


STEPS = """Question,Answer
How is the filter changed?,"1. Close valve B2.
2. Open the lid."
Which pressure?,2.2 bar
"""
ARABIC = """# دليل المضخة

يفتح صمام A-40 عند ضغط 3 بار.

- أغلق الصمام
- افتح الغطاء

| القطعة | الرقم |
|---|---|
| حلقة | S-077<br>S-078 |
"""
# Whether the first letter inside an element stands at its right edge.
FROM_RIGHT = """element => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let text = walker.nextNode();
    while (!text.data.trim()) text = walker.nextNode();
    const range = document.createRange(), at = text.data.search(/\\S/);
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    const letter = range.getBoundingClientRect(), all = element.getBoundingClientRect();
    return all.right - letter.right < letter.left - all.left;
}"""


def filled(api, address: str, name: str, file: str, text: str, **options: str) -> str:
    """Make a base of one document; return the address of its page."""
    made = api("POST", "/datasets", {"name": name})["id"]
    sent = api.request.post(f"{api.base}/files/upload", headers={"X-CSRF-Token": api.token}, multipart={
        "file": {"name": file, "mimeType": "text/plain", "buffer": text.encode()}}).json()
    api("POST", f"/datasets/{made}/documents", {"file_ids": [sent["id"]], **options})
    return f"{address}/knowledge/{made}"


def test_passages_run_as_their_language_does(base, api, phone):
    """Arabic begins at the right: paragraphs, lists with their marks, tables with their columns; English goes on as
    it was. The lines of a table's cell are lines.
    """
    page, _ = base
    url = filled(api, page.address, "مضخات", "manual-ar.md", ARABIC)
    page.goto(url)
    page.locator("[data-status=available]").wait_for(timeout=240_000)
    page.get_by_role("link", name="manual-ar.md").click()
    assert page.locator("[class*=chunk]").first.evaluate("e => getComputedStyle(e).unicodeBidi") == "plaintext"
    for shown, name in ((page, "en-1440"), (phone, "zh-390")):
        shown.goto(f"{url}/test")
        shown.get_by_role("textbox").first.fill("صمام A-40")
        assert shown.get_by_role("textbox").first.evaluate("e => getComputedStyle(e).unicodeBidi") == "plaintext"
        shown.get_by_role("button", name=re.compile("^(Search|检索|搜索)$")).click()
        hit = shown.get_by_test_id("hit").first
        hit.get_by_role("cell", name="S-077").wait_for()
        for part in ("p", "li", "th"):
            assert hit.locator(part).first.evaluate(FROM_RIGHT), (part, name)
        mark, item = hit.locator("ul").first.bounding_box(), hit.locator("li").first.bounding_box()
        assert mark["x"] + mark["width"] - item["x"] - item["width"] > 10  # the marks have their room at the right
        first, second = (hit.get_by_role("columnheader").nth(at).bounding_box() for at in (0, 1))
        assert first["x"] > second["x"]
        assert "S-077\nS-078" in hit.get_by_role("cell").last.inner_text()
        visit.shot(shown, f"knowledge-arabic-{name}")
        visit.assert_sound(shown)
    assert page.problems == []


def test_an_answer_of_steps_keeps_its_lines(base, api):
    page, _ = base
    url = filled(api, page.address, "Steps", "faq.csv", STEPS, doc_form="qa_model")
    page.goto(url)
    page.locator("[data-status=available]").wait_for(timeout=240_000)
    page.get_by_role("link", name="faq.csv").click()
    page.get_by_role("listitem").filter(has_text="Open the lid.").wait_for()
    assert page.get_by_role("main").locator("ol > li").all_inner_texts() == ["Close valve B2.", "Open the lid."]
    visit.shot(page, "knowledge-steps-en-1440")
    page.goto(f"{url}/test")
    page.get_by_role("textbox", name="Question").fill("How is the filter changed?")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_test_id("hit").first.get_by_role("button", name="faq.csv").click()
    items = page.get_by_test_id("passage").get_by_role("listitem")
    items.first.wait_for()
    assert items.all_inner_texts() == ["Close valve B2.", "Open the lid."]
    visit.shot(page, "knowledge-steps-reader-en-1440")
    assert page.problems == []


def test_a_passage_of_another_server_is_laid_out(base, api):
    """This box asks itself, as it would another one; there is no document to open a passage in."""
    page, _ = base
    url = filled(api, page.address, "Here", "manual.md", MANUAL)
    page.goto(url)
    page.locator("[data-status=available]").wait_for(timeout=240_000)
    api("PUT", "/outbound-rules", {"allow": ["127.0.0.1"], "deny": []})
    key = api("POST", "/dataset-keys", {"name": "itself"})["token"]
    server = api("POST", "/datasets/external-knowledge-api",
                 {"name": "Other box", "endpoint": f"{page.address}/v1", "api_key": key})["id"]
    made = api("POST", "/datasets/external", {"name": "There", "external_knowledge_api_id": server,
                                              "external_knowledge_id": url.rsplit("/", 1)[1]})["id"]
    page.goto(f"{page.address}/knowledge/{made}/test")
    page.get_by_role("textbox", name="Question").fill("How often is the filter replaced?")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_test_id("hit").first.get_by_role("button", name="manual.md").click()
    passage = page.get_by_test_id("source").get_by_role("region", name="The passage")
    passage.get_by_role("cell", name="S-077").wait_for()
    passage.locator("mark", has_text="filter").first.wait_for()
    visit.shot(page, "knowledge-external-en-1440")
    app = api("POST", "/apps", {"name": "Far", "mode": "chat"})["id"]
    page.goto(f"{page.address}/apps/{app}/prompt")
    page.get_by_role("region", name="Knowledge").get_by_role("button", name="Add").click()
    page.get_by_role("checkbox", name="There from Other box").wait_for()  # it has no documents to count here
    api("PUT", "/outbound-rules", {"allow": [], "deny": []})
    assert page.problems == []
