"""Passages in a real browser: what their places are called, several at once, the children they are found by."""

from __future__ import annotations

import io
import re

import pytest

from tests.knowledge.test_documents import EPUB, PPTX, zipped
from tests.web import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

TEXT = "# Pump\n\n" + "\n\n".join(
    f"## Part {n}\n\nPart {n} of the pump is a seal ring, changed every {n} weeks. " + "Close the valve first. " * 12
    for n in range(1, 8))
FILES = {"deck.pptx": zipped(PPTX), "book.epub": zipped(EPUB), "prices.csv": b"part,price\nseal ring,12\n",
         "talk.vtt": b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello there\n", "pump.py": b"\n\ndef pump():\n    return 1\n"}
PLACES = {"deck.pptx": ("Slide 1", "第 1 张幻灯片"), "book.epub": ("Part 1", "第 1 部分"),
          "prices.csv": ("Line 1", "第 1 行"), "talk.vtt": ("At 00:01", "时间 00:01"),
          "pump.py": ("Line 3", "第 3 行")}


# In how many lines the text of an element stands.
LINES = """element => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return new Set([...range.getClientRects()].map(box => box.top)).size;
}"""


def filled(api, name: str, files: dict[str, bytes], **options) -> str:
    """Make a base of some files; return its id."""
    made = api("POST", "/datasets", {"name": name})["id"]
    ids = [api.request.post(f"{api.base}/files/upload", headers={"X-CSRF-Token": api.token}, multipart={
        "file": {"name": name, "mimeType": "application/octet-stream", "buffer": data}}).json()["id"]
        for name, data in files.items()]
    api("POST", f"/datasets/{made}/documents", {"file_ids": ids, **options})
    return made


def opened(page, api, base: str, name: str) -> None:
    """Open a document's passages once it is indexed."""
    page.goto(f"{page.address}/knowledge/{base}")
    page.locator("[data-status=available]").first.wait_for(timeout=240_000)
    page.get_by_role("link", name=name).click()
    page.get_by_role("searchbox", name="Search in the text").wait_for()


@pytest.fixture(scope="module")
def kinds(desk, api):
    """A base of files that count by slides, parts, lines and time, and of pairs that stand in rows of a sheet."""
    base = filled(api, "Kinds", FILES)
    api("PATCH", f"/datasets/{base}", {"retrieval_model": {
        "search_method": "hybrid_search", "reranking_enable": False, "top_k": 10, "score_threshold_enabled": False}})
    desk.goto(f"{desk.address}/knowledge/{base}")
    desk.locator("[data-status=available]").nth(len(FILES) - 1).wait_for(timeout=240_000)
    return base


def test_every_kind_of_place_has_its_name(desk, api, phone, kinds):
    app = api.app("chat", "Librarian of kinds", retriever_resource={"enabled": True}, dataset_configs={
        "retrieval_model": "multiple", "top_k": 10, "datasets": {"datasets": [
            {"dataset": {"enabled": True, "id": kinds}}]}})
    for page, at, ask, size in ((desk, 0, "Ask something…", "en-1440"), (phone, 1, None, "zh-390")):
        page.goto(f"{page.address}/chat/{app}")
        box = page.get_by_role("textbox", name=ask) if ask else page.get_by_role("textbox").last
        box.fill("hello seal ring title words pump")
        page.keyboard.press("Enter")
        page.get_by_test_id("citation").nth(len(FILES) - 1).wait_for()
        cited = page.get_by_test_id("citation").all_inner_texts()
        visit.shot(page, f"places-chat-{size}")
        page.goto(f"{page.address}/knowledge/{kinds}/test")
        page.get_by_role("textbox").first.fill("hello seal ring title words pump")
        page.keyboard.press("Enter")
        page.get_by_test_id("hit").nth(len(FILES) - 1).wait_for()
        hits = page.get_by_test_id("hit").all_inner_texts()
        visit.shot(page, f"places-test-{size}")
        visit.assert_sound(page)
        for name, places in PLACES.items():
            assert any(f"{name} · {places[at]}" in text for text in cited), (name, cited)
            assert any(name in text and places[at] in text for text in hits), (name, hits)
        page.get_by_test_id("hit").filter(has_text="deck.pptx").get_by_role("button", name="deck.pptx").click()
        page.get_by_test_id("source").get_by_text(PLACES["deck.pptx"][at]).first.wait_for()
    assert desk.problems == []


def test_a_row_of_a_sheet_is_named(desk, api):
    from openpyxl import Workbook

    book, out = Workbook(), io.BytesIO()
    book.active.title = "FAQ"
    for row in (("Question", "Answer"), ("How is it cleaned?", "By a dry cloth."), ("How heavy is it?", "Nine kilos.")):
        book.active.append(row)
    book.save(out)
    opened(desk, api, filled(api, "Rows", {"faq.xlsx": out.getvalue()}, doc_form="qa_model"), "faq.xlsx")
    desk.get_by_text("Sheet FAQ, row 3").wait_for()
    assert desk.problems == []


def test_a_wide_table_scrolls_on_a_phone(desk, api, phone):
    from openpyxl import Workbook

    book, out = Workbook(), io.BytesIO()
    head = ("Part no.", "Name", "名称", "Location", "Stock", "Price (EUR)", "Supplier", "Remark")
    for row in (head, ("S-077", "Seal ring", "密封圈", "Shelf 3-1", 12, 3.37, "Krüger GmbH", "replace in time")):
        book.active.append(row)
    book.save(out)
    base = filled(api, "Wide", {"parts.xlsx": out.getvalue()})
    opened(desk, api, base, "parts.xlsx")
    phone.goto(f"{phone.address}/knowledge/{base}/test?q=S-077")
    for page in (desk, phone):
        page.get_by_role("columnheader", name="Part no.").wait_for()
        assert page.get_by_role("cell", name="S-077").evaluate(LINES) == 1
        visit.assert_sound(page)
    frame = phone.locator("[data-table]").first
    assert frame.evaluate("e => e.scrollWidth > e.clientWidth")
    visit.shot(phone, "passages-table-zh-390")
    assert desk.problems == []


def test_a_cited_passage_is_opened_where_it_stands_now(desk, api):
    """Positions have holes where passages were deleted; and what is switched on the page leaves it where it is."""
    from playwright.sync_api import expect

    text = "\n\n".join(f"## Part {n}\n\nPart {n} of the pump. " + "Close the valve first. " * 12 for n in range(1, 61))
    base = filled(api, "Holes", {"parts.md": text.encode()})
    opened(desk, api, base, "parts.md")
    document = desk.url.split("?")[0].rsplit("/", 1)[1]
    path = f"/datasets/{base}/documents/{document}/segments"
    rows = [row for page in (1, 2) for row in api("GET", f"{path}?limit=20&page={page}")["data"]]
    assert len(rows) > 30
    api("POST", f"{path}/delete", {"segment_ids": [row["id"] for row in rows[:15]]})
    wanted = rows[25]  # position 26 stood on the second page; now it is the eleventh
    desk.goto(f"{desk.address}/knowledge/{base}/documents/{document}?segment={wanted['id']}")
    here = desk.locator("[data-here]")
    expect(here).to_be_in_viewport(timeout=180_000)
    first = desk.get_by_role("switch").first
    first.scroll_into_view_if_needed()
    first.press("Space")
    expect(first).not_to_be_checked(timeout=180_000)
    expect(first).to_be_in_viewport()
    assert desk.problems == []


def test_the_passages_of_an_unready_document_say_why(desk, api):
    """A document that failed says so; one that is being read fills by itself."""
    base = filled(api, "Unready", {"torn.pdf": b"%PDF-1.7 torn", "pump.md": TEXT.encode()})
    desk.goto(f"{desk.address}/knowledge/{base}")
    desk.locator("[data-status=available]").wait_for(timeout=240_000)
    desk.get_by_role("link", name="torn.pdf").click()
    desk.get_by_text("The PDF is damaged").wait_for()
    desk.get_by_role("link", name="Documents").last.click()
    done = []

    def reading(route):
        answer = route.fetch().json()
        if not done:
            if "data" in answer:
                answer.update(data=[], total=0)
            else:
                answer.update(indexing_status="indexing", display_status="indexing")
        route.fulfill(json=answer)

    desk.route(re.compile(r"/documents/[^/]+(/segments\?.*)?$"), reading)
    desk.get_by_role("link", name="pump.md").click()
    desk.get_by_text("The document is still being read.").wait_for()
    desk.get_by_role("progressbar").wait_for()
    done.append(True)
    desk.get_by_text("Part 1 of the pump").wait_for()
    desk.unroute_all(behavior="wait")
    assert desk.problems == []


def test_the_test_says_what_each_method_found(desk, kinds):
    desk.goto(f"{desk.address}/knowledge/{kinds}/test")
    desk.get_by_role("textbox", name="Question").fill("seal ring")
    desk.keyboard.press("Enter")
    hit = desk.get_by_test_id("hit").first
    hit.get_by_text(re.compile(r"^By meaning 0\.\d{3}$")).wait_for()
    hit.get_by_text(re.compile(r"^By words [\d.]+$")).wait_for()
    assert desk.problems == []


def test_several_passages_are_switched_off_and_deleted_at_once(desk, api, phone):
    base = filled(api, "Many", {"pump.md": TEXT.encode()})
    opened(desk, api, base, "pump.md")
    choices = desk.get_by_role("checkbox", name=re.compile(r"^Choose chunk \d"))
    choices.first.wait_for()
    number = choices.count()
    assert number > 2
    desk.get_by_role("checkbox", name="Choose chunk 1", exact=True).check()
    desk.get_by_role("checkbox", name="Choose chunk 2", exact=True).check()
    tools = desk.get_by_role("toolbar", name="Chosen chunks")
    visit.shot(desk, "passages-chosen-en-1440")
    tools.get_by_role("button", name="Switch off").click()
    tools.wait_for(state="hidden")
    off = desk.get_by_role("switch", name=re.compile("is searched"), checked=False)
    off.nth(1).wait_for(state="attached")
    assert off.count() == 2
    desk.get_by_role("checkbox", name="Choose all").check()
    tools.get_by_text(f"{number} chosen").wait_for()
    tools.get_by_role("button", name="Switch on").click()
    tools.wait_for(state="hidden")
    off.first.wait_for(state="detached")
    desk.get_by_role("checkbox", name="Choose chunk 1", exact=True).check()
    desk.get_by_role("checkbox", name="Choose chunk 2", exact=True).check()
    tools.get_by_role("button", name="Delete").click()
    desk.get_by_role("dialog").get_by_text("Delete 2 chunks?").wait_for()
    desk.get_by_role("dialog").get_by_role("button", name="Delete").click()
    choices.nth(number - 2).wait_for(state="detached")
    assert choices.count() == number - 2
    visit.assert_sound(desk)
    assert desk.problems == []
    phone.goto(desk.url)
    phone.get_by_role("checkbox", name="全选").check()
    phone.get_by_role("toolbar").wait_for()
    visit.shot(phone, "passages-chosen-zh-390")
    visit.assert_sound(phone)


def test_children_are_edited_under_their_passage(desk, api, phone):
    base = filled(api, "Family", {"pump.md": TEXT.encode()}, doc_form="hierarchical_model",
                  process_rule={"mode": "hierarchical", "rules": {}})
    opened(desk, api, base, "pump.md")
    family = desk.locator("details").first
    family.locator("summary").click()
    family.get_by_role("listitem").first.wait_for()  # they are drawn after the family says it is open
    before = family.get_by_role("listitem").count()
    family.get_by_role("button", name="Add a child chunk").click()
    family.get_by_role("textbox", name="Text of the new child chunk").fill("The zebra valve hisses.")
    family.get_by_role("button", name="Save").click()
    family.get_by_role("listitem").filter(has_text="zebra valve").wait_for()
    family.get_by_role("button", name=f"Edit child chunk {before + 1}").click()
    text = family.get_by_role("textbox", name=f"Text of child chunk {before + 1}")
    visit.shot(desk, "children-en-1440")
    text.fill("The walrus pump hums.")
    family.get_by_role("button", name="Save").click()
    family.get_by_role("listitem").filter(has_text="walrus").wait_for()
    visit.assert_sound(desk)
    phone.goto(desk.url)
    phone.locator("details summary").first.tap()
    phone.get_by_role("button", name="添加子段").first.tap()
    phone.get_by_role("textbox", name="新子段的文本").scroll_into_view_if_needed()
    visit.shot(phone, "children-zh-390")
    visit.assert_sound(phone)
    family.get_by_role("button", name=f"Delete child chunk {before + 1}").click()
    desk.get_by_role("dialog").get_by_role("button", name="Delete").click()
    family.get_by_role("listitem").filter(has_text="walrus").wait_for(state="detached")
    assert family.get_by_role("listitem").count() == before
    assert desk.problems == []
