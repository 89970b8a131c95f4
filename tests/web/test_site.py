"""A web site becomes documents in a browser: looked for, looked at, chosen, indexed, and fetched anew."""

from __future__ import annotations

import re

import pytest

from tests.knowledge.site import served
from tests.web import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def site(api):
    """A site of five pages and what is none, on an address that the admin has allowed."""
    before = api("GET", "/outbound-rules")
    api("PUT", "/outbound-rules", {**before, "allow": ["127.0.0.1"]})
    with served() as made:
        made.add("/docs/", "Pump handbook", "filter", "seal", "水泵", "gone", "film.mp4")
        made.add("/docs/filter", "The filter", "/docs/last", body="The filter is replaced every six weeks.")
        made.add("/docs/seal", "The seal ring", body="The seal ring has the number S-077.")
        made.add("/docs/%E6%B0%B4%E6%B3%B5", "水泵", body="水泵的工作压力是 2.2 bar。")
        made.add("/docs/last", "A page with a long title that a phone has no room for, so that its end cannot be seen")
        yield made
    api("PUT", "/outbound-rules", before)


def test_pages_of_a_site_are_found_chosen_and_fetched_again(desk, api, site):
    page, base = desk, api("POST", "/datasets", {"name": "Site"})["id"]
    url = f"{desk.address}/knowledge/{base}"
    page.goto(f"{url}/add")
    page.get_by_text("Web pages", exact=True).click()
    page.get_by_text("A whole site", exact=True).click()
    page.get_by_role("textbox", name="Address").fill(f"{site.url}/docs/")
    visit.assert_sound(page)
    visit.shot(page, "site-form-en-1440")
    page.get_by_role("button", name="Look for pages").click()
    found = page.get_by_role("list", name="Pages that were found")
    found.get_by_text("Pump handbook").wait_for()  # as they come
    page.get_by_text(re.compile(r"Done · 5 pages found")).wait_for()
    page.reload()  # what was found is there again
    page.get_by_text("2 addresses left out").click()
    page.get_by_text(f"{site.url}/docs/gone answered 404.").wait_for()
    found.get_by_role("checkbox", name="Take The seal ring").uncheck()
    page.get_by_role("checkbox", name="All pages (4 of 5 chosen)").wait_for()
    visit.assert_sound(page)
    visit.shot(page, "site-found-en-1440")
    found.get_by_role("button", name="Show the text of The filter").click()
    page.get_by_role("dialog").get_by_text("The filter is replaced every six weeks.").wait_for()
    visit.shot(page, "site-text-en-1440")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Take 4 pages").click()
    page.get_by_role("button", name="Index 4 documents").click()
    page.locator("[data-status=available]").nth(3).wait_for(timeout=240_000)
    assert page.get_by_role("link", name="The seal ring.html").count() == 0
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="The filter.html"))
    assert row.get_by_role("link", name=f"{site.url}/docs/filter").get_attribute("href") == f"{site.url}/docs/filter"
    visit.shot(page, "site-documents-en-1440")
    row.get_by_role("button", name="Fetch the page again").click()
    page.get_by_text("The page says the same as before").wait_for()
    site.add("/docs/filter", "The filter", "/docs/last", body="The filter is replaced every nine weeks.")
    page.get_by_role("checkbox", name="Choose all").check()
    page.get_by_role("button", name="Fetch again").click()
    page.get_by_text("1 page had changed and is indexed anew.").wait_for()
    while api("GET", f"/datasets/{base}/indexing-status")["total"]:
        page.wait_for_timeout(200)
    row.get_by_role("link", name="The filter.html").click()
    page.get_by_text("The filter is replaced every nine weeks.").wait_for()
    assert page.get_by_role("link", name="Open the page").get_attribute("href") == f"{site.url}/docs/filter"
    assert page.problems == []


def test_a_site_on_a_phone_in_chinese(phone, api, site):
    page, base = phone, api("POST", "/datasets", {"name": "手机"})["id"]
    page.goto(f"{phone.address}/knowledge/{base}/add")
    page.get_by_text("网页", exact=True).tap()
    page.get_by_text("整个网站", exact=True).tap()
    visit.assert_sound(page)
    visit.shot(page, "site-form-zh-390-dark")
    page.get_by_role("textbox", name="网址", exact=True).fill(f"{site.url}/docs/")
    page.get_by_role("button", name="查找网页").tap()
    page.get_by_text(re.compile("已完成 · 找到 5 页")).wait_for()
    page.get_by_text("略过 2 个网址").tap()
    page.get_by_text(f"{site.url}/docs/gone 返回了 404。").wait_for()
    visit.assert_sound(page)
    visit.shot(page, "site-found-zh-390-dark")
    page.get_by_role("button", name="重新查找").tap()
    assert page.get_by_role("textbox", name="网址", exact=True).input_value() == f"{site.url}/docs/"
    page.get_by_role("textbox", name="网址", exact=True).fill(f"{site.url}/nothing")
    page.get_by_role("button", name="查找网页").tap()
    page.get_by_role("alert").get_by_text("/nothing 返回了 404。").wait_for()
    visit.shot(page, "site-failed-zh-390-dark")


def test_a_crawl_is_stopped(desk, api, site):
    page, base = desk, api("POST", "/datasets", {"name": "Stopped"})["id"]
    site.answer("/robots.txt", kind="text/plain", data=b"User-agent: *\nCrawl-delay: 5\n")
    page.goto(f"{desk.address}/knowledge/{base}/add")
    page.get_by_text("Web pages", exact=True).click()
    page.get_by_text("A whole site", exact=True).click()
    page.get_by_role("textbox", name="Address").fill(f"{site.url}/docs/")
    page.get_by_role("button", name="Look for pages").click()
    page.get_by_text("Pump handbook").wait_for()
    visit.shot(page, "site-running-en-1440")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text(re.compile("Stopped · [12] pages? found")).wait_for()
    page.get_by_role("button", name=re.compile("Take [12] page")).wait_for()
    assert page.problems == []


def test_a_long_address_leaves_the_list_in_sight_on_a_phone(phone, api, site):
    page, base = phone, api("POST", "/datasets", {"name": "长网址"})["id"]
    path = f"/docs/{'a-path-that-goes-on-' * 8}.html"
    site.add(path, "Long address")
    found = api("POST", "/files/from-url", {"url": site.url + path})
    api("POST", f"/datasets/{base}/documents", {
        "file_ids": [found["file"]["id"]], "urls": {found["file"]["id"]: found["url"]}})
    page.goto(f"{phone.address}/knowledge/{base}")
    page.get_by_role("link", name=site.url).wait_for()
    visit.assert_sound(page)
    assert page.evaluate("(t => t.scrollWidth - t.parentElement.clientWidth)(document.querySelector('table'))") <= 1
