"""Web sites as documents, against a small web server: what is found, what is left out and why, and what is kept."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from sparrow.errors import SparrowError
from sparrow.knowledge import crawl, datasets, documents, indexing, web
from sparrow.knowledge.page import Page
from sparrow.knowledge.robots import Robots
from sparrow.storage import db, files, queue
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.files import files as file_table
from sparrow.storage.tables.jobs import jobs
from sparrow.tools.outbound import Client
from tests.knowledge.site import WORDS, page, served, sitemap


@pytest.fixture
def site(monkeypatch):
    """An empty site, which the list of outbound calls lets be asked."""
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1,localhost")
    with served() as made:
        yield made


@pytest.fixture
def base(sqlite_database):
    """The id of a base."""
    return datasets.create("Site")["id"]


def go(base: str, url: str, *, waits: list[float] | None = None, **options):
    """Crawl to the end and return the state."""
    crawl_id = crawl.begin(base, crawl.CrawlOptions(url=url, **options))
    crawl.run(crawl_id, Client(), wait=(waits if waits is not None else []).append)
    return crawl.state(base, crawl_id)


def paths(site, state) -> list[str]:
    return [found["url"].removeprefix(site.url) for found in state["pages"]]


def reason(state, part: str) -> str:
    return next(said for said in state["skipped"] if part in said)


def test_links_are_followed_and_no_page_comes_twice(base, site):
    site.add("/", "Home", "/a", "/a/", "/a#part", "/a?utm_source=mail", "b/", "/", "mailto:x@y", "javascript:void(0)")
    site.add("/a", "Page A", "/", "/b/", "/c")
    site.add("/b/", "Page B", "../a", "/print")
    site.add("/c", "Page C", "/a")
    site.add("/print", "Page B printed", head='<link rel=canonical href="/b/">')
    site.pages["/index.html"] = site.pages["/"]
    site.pages["/a"] = page("Page A", "About Page A.", "/", "/b/", "/c", "/index.html")
    waits: list[float] = []
    state = go(base, f"{site.url}/", waits=waits)
    assert (state["state"], state["error"], state["waiting"]) == ("completed", None, 0)
    assert paths(site, state) == ["/", "/a", "/b/", "/c"]
    assert [found["title"] for found in state["pages"]] == ["Home", "Page A", "Page B", "Page C"]
    assert "says the same as" in reason(state, "/index.html")
    assert "is the same page as" in reason(state, "/print")
    assert len(site.asked) == len(set(site.asked)), site.asked  # nothing was asked for twice
    assert site.agents == {"sparrow"}
    assert len(waits) == len(site.asked) - 1  # before each but the first; robots.txt and it are one look
    assert set(waits) == {crawl.PAUSE}


def test_it_stays_on_the_site_and_below_the_first_address(base, site):
    site.add("/docs/", "Docs", "/docs/a", "/other", f"{site.url.replace('127.0.0.1', 'localhost')}/docs/b",
             "https://example.com/docs/", "/docsets", "/docs/out", "/docs/up")
    site.add("/docs/a", "Page A")
    site.add("/other", "Other")
    site.add("/docsets", "Sets")
    site.answer("/docs/out", 302, Location="http://169.254.169.254/latest")
    site.answer("/docs/up", 301, Location="/other")
    state = go(base, f"{site.url}/docs/")
    assert paths(site, state) == ["/docs/", "/docs/a"]
    assert "leads out of what is read, to http://169.254.169.254/latest" in reason(state, "/docs/out")
    assert "leads out of what is read" in reason(state, "/docs/up")
    assert "/other" not in site.asked
    assert set(paths(site, go(base, f"{site.url}/docs/", whole_site=True))) == {
        "/docs/", "/docs/a", "/other", "/docsets"}


def test_the_first_address_may_lead_elsewhere_and_the_rest_follows_from_there(base, site):
    there = site.url.replace("127.0.0.1", "localhost")
    site.answer("/", 301, Location=f"{there}/en/")
    site.add("/en/", "English", "/en/a", f"{site.url}/b")
    site.add("/en/a", "Page A")
    state = go(base, f"{site.url}/", whole_site=True)
    assert [found["url"] for found in state["pages"]] == [f"{there}/en/", f"{there}/en/a"]


def test_an_old_address_inside_leads_to_the_new_one_once(base, site):
    site.add("/", "Home", "/old", "/new", "/loop")
    site.answer("/old", 301, Location="/new")
    site.answer("/loop", 302, Location="/loop2")
    site.answer("/loop2", 302, Location="/loop")
    site.add("/new", "New")
    state = go(base, f"{site.url}/")
    assert sorted(paths(site, state)) == ["/", "/new"]
    assert "without end" in reason(state, "/loop")


@pytest.mark.parametrize("target", ["http://[", "ftp://a/b", "javascript:x", "http://127.0.0.1:99999/"])
def test_what_leads_nowhere_is_left_out(base, site, target):
    site.answer("/robots.txt", kind="text/plain", data=f"Sitemap: {target}\nSitemap: /maps.xml".encode())
    site.answer("/maps.xml", kind="application/xml", data=sitemap(target, "/b"))
    site.pages["/"] = page("Home", "Home.", "/a", target, head=f'<link rel=canonical href="{target}">')
    site.answer("/a", 302, Location=target)
    site.add("/b", "Page B")
    state = go(base, f"{site.url}/")
    assert sorted(paths(site, state)) == ["/", "/b"]
    assert "leads " in reason(state, f"{site.url}/a")


def test_a_page_that_comes_after_the_crawl_was_stopped_is_not_kept(base, site):
    site.add("/", "Home", "/a", "/gone")
    site.add("/a", "Page A")

    class Late(Client):
        def open(self, request, cancel):
            reply = super().open(request, cancel)
            if request.url.endswith(self.last):
                crawl.stop(base, crawl_id)
            return reply

    for last, count in (("/a", 1), ("/gone", 2)):
        crawl_id = crawl.begin(base, crawl.CrawlOptions(url=f"{site.url}/"))
        Late.last = last
        crawl.run(crawl_id, Late(), wait=lambda seconds: None)
        state = crawl.state(base, crawl_id)
        assert (state["state"], len(state["pages"]), state["skipped_total"]) == ("stopped", count, 0)
    assert _files() == 3


def test_a_fault_of_the_program_ends_the_crawl(base, site, monkeypatch):
    site.add("/", "Home")
    monkeypatch.setattr(Page, "links", lambda self: 1 / 0)
    crawl_id = crawl.begin(base, crawl.CrawlOptions(url=site.url))
    with pytest.raises(ZeroDivisionError):
        crawl.run(crawl_id, Client(), wait=lambda seconds: None)
    assert crawl.state(base, crawl_id)["error"] == "The crawl broke off: division by zero"


def test_limit_and_depth(base, site):
    for number in range(30):
        site.add(f"/{number or ''}", f"Page {number}", f"/{number + 1}", f"/side{number}")
        site.add(f"/side{number}", f"Side {number}")
    state = go(base, f"{site.url}/", limit=4)
    assert (len(state["pages"]), state["state"]) == (4, "completed")
    assert state["waiting"] > 0
    assert paths(site, go(base, f"{site.url}/", max_depth=0)) == ["/"]
    assert paths(site, go(base, f"{site.url}/", max_depth=1)) == ["/", "/1", "/side0"]


def test_paths_are_chosen(base, site):
    site.add("/", "Home", "/docs/a", "/docs/b/print", "/news/1", "/about")
    for path in ("/docs/a", "/docs/b/print", "/news/1", "/about"):
        site.add(path, f"Page {path}", "/docs/b")
    site.add("/docs/b", "Page b")
    state = go(base, f"{site.url}/", include_paths=["docs/*", "/about"], exclude_paths=["*/print", ""])
    assert sorted(paths(site, state)) == ["/about", "/docs/a", "/docs/b"]
    assert "is not among the paths" in reason(state, f"{site.url}/ ")
    assert "/news/1" not in site.asked


def test_robots_are_obeyed(base, site):
    site.answer("/robots.txt", kind="text/plain", data=(
        b"User-agent: *\nDisallow: /\n\nUser-agent: Sparrow\nUser-agent: other\nDisallow: /private\n"
        b"Disallow: /*?print=\nAllow: /private/open$\nCrawl-delay: 2\n"))
    site.add("/", "Home", "/private/a", "/private/open", "/a?print=1", "/a")
    for path in ("/private/a", "/private/open", "/a?print=1", "/a"):
        site.add(path, f"Page {path}")
    waits: list[float] = []
    state = go(base, f"{site.url}/", waits=waits)
    assert sorted(paths(site, state)) == ["/", "/a", "/private/open"]
    assert "robots.txt" in reason(state, "/private/a")
    assert "robots.txt" in reason(state, "print=1")
    assert "/private/a" not in site.asked
    assert set(waits) == {2.0}
    site.answer("/robots.txt", kind="text/plain", data=b"User-agent: *\nDisallow: /")
    assert "closed to programs" in go(base, f"{site.url}/")["error"]
    site.answer("/robots.txt", 500)
    assert "robots.txt answered 500" in go(base, f"{site.url}/")["error"]


@pytest.mark.parametrize(("rules", "path", "allowed"), [
    ("", "/x", True), ("User-agent: *\nDisallow:", "/x", True), ("User-agent: *\nDisallow: /", "/", False),
    ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True), ("User-agent: *\nDisallow: /*.pdf$", "/x.pdf", False),
    ("User-agent: *\nDisallow: /*.pdf$", "/x.pdf?a", True), ("user-AGENT: sparrow # me\ndisallow: /", "/x", False),
    ("User-agent: sparrowhawk\nDisallow: /", "/x", True), ("User-agent: *\nDisallow: /泵", "/%E6%B3%B5/1", False),
    ("User-agent: *\nDisallow: /a*c*e", "/abcde", False), ("User-agent: *\nDisallow: /a*c*e$", "/abcdef", True),
    ("Disallow: /\nUser-agent: *\nAllow: /", "/x", True)])
def test_rules_of_robots(rules, path, allowed):
    assert Robots(rules, "sparrow").allows(f"https://a.b{path}") is allowed


def test_rules_full_of_stars_take_no_time():
    begun = time.process_time()
    assert Robots("User-agent: *\nDisallow: /" + "*a" * 5000 + "b$", "sparrow").allows("https://a.b/" + "a" * 5000)
    assert time.process_time() - begun < 1


def test_site_maps_lead_to_pages_without_links(base, site):
    site.answer("/robots.txt", kind="text/plain", data=f"Sitemap: {site.url}/maps.xml\n".encode())
    site.answer("/maps.xml", kind="application/xml", data=(
        f"<sitemapindex><sitemap><loc>{site.url}/one.xml.gz</loc></sitemap>"
        f"<sitemap><loc>{site.url}/maps.xml</loc></sitemap></sitemapindex>").encode())
    site.answer("/one.xml.gz", kind="application/gzip", data=sitemap(
        f"{site.url}/lone?a=1&amp;b=2", f"{site.url}/", "https://example.com/", packed=True))
    site.add("/", "Home")
    site.add("/lone?a=1&b=2", "Lone")
    assert paths(site, go(base, f"{site.url}/")) == ["/", "/lone?a=1&b=2"]


def test_what_is_no_document_is_left_out_with_the_reason(base, site, monkeypatch):
    monkeypatch.setattr(web, "MAX_PAGE", 1 << 20)
    monkeypatch.setattr(crawl, "SECONDS", 1.0)
    site.add("/", "Home", "/gone", "/photo.JPG", "/bin", "/blob", "/endless", "/slow", "/login", "/app", "/blank",
             "/secret", "/closed", "/manual.pdf", "/notes.txt")
    site.answer("/blob", kind="application/octet-stream", data=b"\0\1")
    site.answer("/bin", kind="image/png", data=b"\x89PNG")
    site.answer("/secret", 401)
    site.answer("/closed", 403)
    site.pages["/login"] = "<title>Sign in</title><form>Name <input name=n> <input type=password></form>"
    site.pages["/app"] = "<div id=root></div><noscript>Enable JavaScript</noscript><script src=a.js></script>"
    site.pages["/blank"] = "<html><body> <img src=a.png> </body></html>"
    site.answer("/manual.pdf", kind="application/pdf", data=b"%PDF-1.7 a manual")
    site.answer("/notes.txt", kind="text/plain; charset=utf-8", data=b"Notes on pumps.")
    state = go(base, f"{site.url}/", limit=50)
    assert sorted(paths(site, state)) == ["/", "/manual.pdf", "/notes.txt"]
    for path, said in (
            ("/gone", "answered 404"), ("/photo.JPG", "is of type jpg"), ("/bin ", "is of type image/png"),
            ("/blob", "octet-stream"), ("/endless", "has more than 1 MB"), ("/slow", "takes longer than 1 seconds"),
            ("/login", "is a page to sign in on"), ("/app", "scripts make it in a browser"),
            ("/blank", "has no text"), ("/secret", "asks for a password"), ("/closed", "does not let the box in")):
        assert said in reason(state, f"{site.url}{path}"), path
    assert "/photo.JPG" not in site.asked
    assert state["skipped_total"] == 11


def test_pages_in_older_character_sets(base, site):
    text = page("水泵手册", "水泵的工作压力是二点二巴。").replace("charset=utf-8", "charset=gb2312")
    site.answer("/", kind="text/html; charset=gb2312", data=text.encode("gb18030"))
    state = go(base, f"{site.url}/")
    assert state["pages"][0]["title"] == "水泵手册"
    assert "工作压力" in crawl.text(base, state["id"], state["pages"][0]["id"])


def test_only_the_main_text_is_kept(base, site):
    rest = ("<div class=side><ul>" + "".join(f"<li><a href=/{n}>Other page {n}</a>" for n in range(9))
            + "</ul></div><form>Search <input></form><script>var x</script>")
    body = f"<body><header>Banner</header>{rest}<div><h1>Pumps</h1><p>{WORDS * 3}</p></div><footer>Imprint</footer>"
    site.pages["/"] = f"<title>Pumps &amp; more</title>{body}"
    kept, whole = (go(base, f"{site.url}/", max_depth=0, only_main_content=only) for only in (True, False))
    texts = [crawl.text(base, state["id"], state["pages"][0]["id"]) for state in (kept, whole)]
    assert WORDS.strip() in texts[0]
    for other in ("Banner", "Other page", "Search", "Imprint"):
        assert other not in texts[0]
        assert other in texts[1]
    assert kept["pages"][0]["title"] == "Pumps & more"
    data = files.path(whole["pages"][0]["file_id"]).read_bytes()
    assert data.decode() == site.pages["/"]


def test_a_page_that_is_all_links_stays_one():
    links = "".join(f"<li><a href=/{n}>Chapter {n} of the manual</a></li>" for n in range(20))
    kept = Page(f"<title>Contents</title><body><h1>Contents</h1><ul>{links}</ul>".encode(), "http://a/").main()
    assert "Chapter 19 of the manual" in kept.decode()


def test_what_only_looks_like_a_menu_stays():
    rows = "".join(f'<tr><td><a href=/{n}>part {n}</a></td><td><a href=/s>S-{n}</a> <a href=/t>T-{n}</a></td></tr>'
                   for n in range(5))
    markup = f"<body><div><a id=here/><h2>Parts</h2><p>All parts {WORDS}</p><table>{rows}</table></div>"
    kept = Page(markup.encode(), "http://a/").main().decode()
    for words in ("All parts", "part 4", "S-4", "T-4"):
        assert words in kept


def test_frames_and_pages_that_send_on_are_read(base, site):
    site.pages["/"] = '<title>F</title><frameset><frame src="menu.htm"><frame src=main.htm></frameset>'
    site.pages["/menu.htm"] = '<meta http-equiv=Refresh content="0; URL=sent.htm"><base href="/"><a href="far.htm"></a>'
    for name in ("main", "sent", "far"):
        site.add(f"/{name}.htm", name)
    assert sorted(paths(site, go(base, f"{site.url}/"))) == ["/far.htm", "/main.htm", "/sent.htm"]


@pytest.mark.parametrize(("path", "says"), [
    ("/none", "answered 404"), ("/login", "sign in"), ("/app", "scripts"), ("/empty", "has no text")])
def test_a_first_page_that_gives_nothing_fails_the_crawl_and_says_why(base, site, path, says):
    site.pages["/login"] = "<input type=password>"
    site.pages["/app"] = "<div id=app></div><script src=x.js></script>"
    site.pages["/empty"] = "<p> </p>"
    state = go(base, f"{site.url}{path}")
    assert (state["state"], state["pages"]) == ("failed", [])
    assert says in state["error"]


def test_no_network_and_what_the_list_forbids(base, site, monkeypatch):
    assert "cannot be fetched: Connection refused. Check" in go(base, "http://127.0.0.1:1/")["error"]
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "")
    site.add("/", "Home")
    assert "is not allowed" in go(base, f"{site.url}/")["error"]
    assert site.asked == []
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
    monkeypatch.setenv("SPARROW_OUTBOUND_DENY", "127.0.0.1")
    assert "deny list" in go(base, f"{site.url}/")["error"]
    assert site.asked == []


def test_a_network_that_breaks_off_ends_it_and_keeps_what_is_found(base, site):
    site.add("/", "Home", *[f"/{n}" for n in range(20)])

    class Broken(Client):
        def open(self, request, cancel):
            if request.url.rpartition("/")[2].isdigit():
                request.url = "http://127.0.0.1:1/"
            return super().open(request, cancel)

    crawl_id = crawl.begin(base, crawl.CrawlOptions(url=f"{site.url}/"))
    crawl.run(crawl_id, Broken(), wait=lambda seconds: None)
    state = crawl.state(base, crawl_id)
    assert (state["state"], len(state["pages"])) == ("failed", 1)
    assert "Connection refused" in state["error"]


def test_a_busy_server_is_asked_slower(base, site):
    site.add("/", "Home", "/busy")
    site.answer("/busy", 503, Retry_After="3")
    waits: list[float] = []
    state = go(base, f"{site.url}/", waits=waits)
    assert "answered 503" in reason(state, "/busy")
    assert site.asked.count("/busy") == 3
    assert max(waits) > 3


@pytest.mark.parametrize("url", [
    "", "x", "ftp://a/b", "http://", "file:///etc/passwd", "http://[", "http://a" + "b" * 2000])
def test_no_address(base, url):
    with pytest.raises(SparrowError) as error:
        crawl.begin(base, crawl.CrawlOptions(url=url))
    assert (error.value.status, error.value.params) == (400, "url")


def test_a_killed_crawl_goes_on_behind_its_last_page(base, site):
    site.add("/", "Home", *[f"/{n}" for n in range(6)])
    for number in range(6):
        site.add(f"/{number}", f"Page {number}")
    crawl_id = crawl.begin(base, crawl.CrawlOptions(url=f"{site.url}/"))
    stored: list[int] = []

    def die(tx):
        stored.append(1)
        if len(stored) == 3:
            raise KeyboardInterrupt  # in the middle of the transaction

    with pytest.raises(KeyboardInterrupt):
        crawl.run(crawl_id, Client(), progressed=die, wait=lambda seconds: None)
    assert len(crawl.state(base, crawl_id)["pages"]) == 2
    before = len(site.asked)
    crawl.run(crawl_id, Client(), wait=lambda seconds: None)
    state = crawl.state(base, crawl_id)
    assert (state["state"], len(state["pages"])) == ("completed", 7)
    assert len(site.asked) == before + 5  # the five pages that were not stored, and robots.txt not again


def test_others_are_let_before_after_a_turn(base, site, monkeypatch):
    monkeypatch.setattr(crawl, "TURN", -1.0)
    site.add("/", "Home", "/a")
    site.add("/a", "Page A")
    other = queue.submit("tidy", {}, key="another's")
    crawl_id = crawl.begin(base, crawl.CrawlOptions(url=f"{site.url}/"))
    crawl.run(crawl_id, Client(), wait=lambda seconds: None)
    assert crawl.state(base, crawl_id)["state"] == "running"
    with db.write() as tx:
        tx.execute(jobs.update().where(jobs.c.id == other).values(state="succeeded"))
    crawl.run(crawl_id, Client(), wait=lambda seconds: None)
    assert crawl.state(base, crawl_id)["state"] == "completed"


def test_a_stopped_crawl_asks_for_nothing_more_and_keeps_what_it_has(base, site):
    site.add("/", "Home", *[f"/{n}" for n in range(6)])
    for number in range(6):
        site.add(f"/{number}", f"Page {number}")
    crawl_id = crawl.begin(base, crawl.CrawlOptions(url=f"{site.url}/"))
    crawl.run(crawl_id, Client(), wait=lambda seconds: len(site.asked) > 3 and crawl.stop(base, crawl_id))
    state = crawl.state(base, crawl_id)
    assert (state["state"], len(state["pages"]), len(site.asked)) == ("stopped", 2, 4)


def test_a_job_that_was_given_up_says_so(base, site):
    crawl_id = crawl.begin(base, crawl.CrawlOptions(url=site.url))
    crawl.given_up({"crawl_id": crawl_id})
    assert crawl.state(base, crawl_id)["state"] == "failed"


def test_what_nobody_chose_is_forgotten(base, site):
    site.add("/", "Home", "/a")
    site.add("/a", "Page A")
    state = go(base, f"{site.url}/")
    chosen, other = (found["file_id"] for found in state["pages"])
    documents.add_files(base, [chosen])
    assert crawl.sweep() == 0
    assert crawl.sweep(older_than=-1) == 1
    assert files.get(chosen)["id"] == chosen
    with pytest.raises(SparrowError):
        files.get(other)
    assert not files.path(other).exists()
    with pytest.raises(SparrowError) as gone:
        crawl.state(base, state["id"])
    assert gone.value.status == 404


def test_chosen_pages_become_documents_with_their_address_and_are_synced_when_they_change(admin, site):
    site.add("/", "Home", "/a")
    site.add("/a", "Page A", body="The spare part is named KX-19.")
    base = admin.post("/datasets", json={"name": "Site"}).json["id"]
    begun = admin.post(f"/datasets/{base}/crawls", json={"url": f"{site.url}/", "limit": 5})
    assert (begun.status_code, begun.json["state"]) == (201, "waiting")
    path = f"/datasets/{base}/crawls/{begun.json['id']}"
    crawl.run(begun.json["id"], Client(), wait=lambda seconds: None)
    state = admin.get(path).json
    chosen = next(found for found in state["pages"] if found["title"] == "Page A")
    assert "KX-19" in admin.get(f"{path}/pages/{chosen['id']}").json["text"]
    added = admin.post(f"/datasets/{base}/documents", json={
        "file_ids": [chosen["file_id"]], "urls": {chosen["file_id"]: chosen["url"]}}).json["documents"][0]
    assert added["data_source_type"] == "website_crawl"
    assert added["data_source_info"]["url"] == f"{site.url}/a"
    assert added["data_source_info"]["only_main_content"] is True
    indexing.run(added["id"])
    document = f"/datasets/{base}/documents/{added['id']}"
    # Only what is around the text changes: nothing is indexed anew, no file is left behind.
    site.add("/a", "Page A", "/more", body="The spare part is named KX-19.", head="<meta name=time content=now>")
    assert admin.post(f"{document}/sync").json["indexing_status"] == "completed"
    assert _files() == 2
    site.add("/a", "Page A", body="The spare part is named QZ-88.")
    assert admin.post(f"{document}/sync").json["indexing_status"] == "waiting"
    indexing.run(added["id"])
    assert _files() == 2
    found = admin.post(f"/datasets/{base}/hit-testing", json={"query": "QZ-88"}).json["records"]
    assert "QZ-88" in found[0]["segment"]["content"]
    assert "Imprint" not in found[0]["segment"]["content"]
    site.answer("/a", 404)
    gone = admin.post(f"{document}/sync")
    assert (gone.status_code, gone.json["code"]) == (400, "fetch_failed")
    assert admin.get(document).json["indexing_status"] == "completed"
    assert _files() == 2


def test_a_crawl_is_stopped_and_looked_at_by_its_own_base_only(admin, site):
    one, two = (admin.post("/datasets", json={"name": name}).json["id"] for name in ("One", "Two"))
    begun = admin.post(f"/datasets/{one}/crawls", json={"url": site.url}).json["id"]
    assert admin.get(f"/datasets/{two}/crawls/{begun}").status_code == 404
    assert admin.delete(f"/datasets/{two}/crawls/{begun}").status_code == 404
    assert admin.delete(f"/datasets/{one}/crawls/{begun}").status_code == 200
    assert admin.get(f"/datasets/{one}/crawls/{begun}").json["state"] == "stopped"
    assert admin.get(f"/datasets/{one}/crawls/{begun}/pages/x").status_code == 404
    with db.read() as tx:
        assert tx.execute(sa.select(jobs.c.state).where(jobs.c.kind == crawl.KIND)).scalar() == "cancelled"
    crawl.run(begun, Client())
    assert site.asked == []


@pytest.mark.parametrize(("wrong", "field"), [
    ({"limit": 0}, "limit"), ({"limit": 501}, "limit"), ({"limit": "many"}, "limit"), ({"max_depth": -1}, "max_depth"),
    ({"include_paths": "a"}, "include_paths"), ({"only_main_content": 1}, "only_main_content"), ({"url": 5}, "url")])
def test_wrong_fields_are_named(admin, wrong, field):
    base = admin.post("/datasets", json={"name": "Site"}).json["id"]
    reply = admin.post(f"/datasets/{base}/crawls", json={"url": "http://a/", **wrong})
    assert (reply.status_code, reply.json["params"]) == (400, field)


def test_a_page_and_its_addresses_on_both_databases(database, site):
    base = datasets.create("Site")["id"]
    site.add("/", "Home", "/a", "/gone")
    site.add("/a", "Page A")
    state = go(base, f"{site.url}/")
    assert (paths(site, state), state["skipped_total"]) == (["/", "/a"], 1)
    assert crawl.file_of(base, f"{site.url}/a")["title"] == "Page A"
    assert crawl.sweep(older_than=-1) == 1
    with db.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(t.crawl_pages)).scalar() == 0


def _files() -> int:
    with db.read() as tx:
        return tx.execute(sa.select(sa.func.count()).select_from(file_table)).scalar()
