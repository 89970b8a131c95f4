"""Web sites as documents: the pages that links and site maps lead to from one address, each kept as a file to choose.

A page and the addresses on it are stored in one transaction: a crawl whose process was killed goes on behind its last
page. It runs in turns of some seconds, so that a document that is added meanwhile need not wait for its end. It keeps
to the site's robots.txt and waits between two requests.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Callable
from html import unescape
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sparrow import clock, ids
from sparrow.errors import BadRequest, NotFound, SparrowError
from sparrow.storage import db, files, queue
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.files import files as file_table

from . import datasets, parse, web
from .page import Page, join
from .parse.charset import decode
from .robots import MAX_TEXT, Robots, fits, plain
from .web import FetchError, Got

KIND = "crawl_site"
MAX_PAGES = 500
AGENT = "sparrow"  # as robots.txt calls it, and as every request does
PAUSE = 0.5  # seconds between two requests, if the site asks for no more
TURN = 15.0  # seconds after which others are let before
KEPT = 86_400.0  # seconds that pages can be chosen
SECONDS = 60.0  # for one page
_LIVE = ("waiting", "running")
_MAX_PAUSE = 20.0
_MAX_KNOWN = 5000  # addresses of a crawl
_MAX_LOST = 5  # pages one after the other to which nobody answers
_HOPS = 6
_TRIES = 3  # of a page whose server is busy
_MAPS = 10  # site maps of a site
_SHOWN = 200  # reasons
_MAX_TEXT = 200_000  # characters of a page that is looked at
# What is not asked for at all.
_MORE = ("svg bmp ico tif tiff psd mp3 mp4 m4a m4v avi mov mkv wav flac ogg webm wmv flv zip gz tgz bz2 xz zst rar 7z "
         "tar iso img exe msi dmg apk deb rpm bin jar woff woff2 ttf otf eot css js mjs map wasm")
_MEDIA = frozenset((*parse.PICTURES, *_MORE.split()))


class CrawlOptions(msgspec.Struct, kw_only=True):
    """What to crawl: from `url` on, up to `limit` pages that are at most `max_depth` links away.

    Paths are begins of paths, or patterns with `*`. Without `whole_site` only what is below the first address is read;
    `only_main_content` leaves menus, banners and the like out of each page.
    """

    url: str
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGES)] = 10
    max_depth: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3
    include_paths: Annotated[list[Annotated[str, msgspec.Meta(max_length=500)]], msgspec.Meta(max_length=50)] = []
    exclude_paths: Annotated[list[Annotated[str, msgspec.Meta(max_length=500)]], msgspec.Meta(max_length=50)] = []
    only_main_content: bool = True
    whole_site: bool = False


def begin(dataset_id: str, options: CrawlOptions) -> str:
    """Queue a crawl for a base and return its id; raise BadRequest for what is no address."""
    url = options.url.strip().partition("#")[0]
    try:
        host = urlsplit(url).hostname if url.startswith(("http://", "https://")) else None
    except ValueError:
        host = None
    if not host or len(url) > 2000:
        raise BadRequest("The address must begin with http:// or https://.", params="url")
    if datasets.get(dataset_id)["provider"] == "external":
        raise BadRequest("An external knowledge base takes no documents.")
    now, crawl_id = clock.now(), ids.new_id()
    with db.write() as tx:
        tx.execute(t.crawls.insert(), {
            "id": crawl_id, "dataset_id": dataset_id, "state": "waiting", "created_at": now, "updated_at": now,
            "options": {**msgspec.structs.asdict(options), "url": url}})
        tx.execute(t.crawl_pages.insert(), _row(crawl_id, 1, 0, url))
        queue.ring(queue.add(tx, KIND, {"crawl_id": crawl_id}, key=_job(crawl_id)))
    return crawl_id


def state(dataset_id: str, crawl_id: str) -> dict[str, Any]:
    """Return how far a crawl is: {id, state, error, options, pages, skipped, skipped_total, waiting}.

    `pages` are those found, as {id, url, title, description, size, file_id, file_name}; `skipped` are the first reasons
    for what was none; `waiting` counts the addresses that are known and not read.
    """
    row = _get(dataset_id, crawl_id)
    p = t.crawl_pages.c
    mine = p.crawl_id == crawl_id
    with db.read() as tx:
        found = tx.execute(
            sa.select(p.id, p.url, p.title, p.description, p.size, p.file_id, file_table.c.name.label("file_name"))
            .join(file_table, file_table.c.id == p.file_id)
            .where(mine, p.state == "found").order_by(p.depth, p.position)).mappings().all()
        skipped = list(tx.execute(sa.select(p.reason).where(mine, p.state == "skipped")
                                  .order_by(p.depth, p.position).limit(_SHOWN)).scalars())
        counts = {row.state: row.number for row in tx.execute(
            sa.select(p.state, sa.func.count().label("number")).where(mine).group_by(p.state))}
    return {"id": crawl_id, "state": row["state"], "error": row["error"], "options": row["options"],
            "pages": [{str(name): value for name, value in page.items()} for page in found], "skipped": skipped,
            "skipped_total": counts.get("skipped", 0), "waiting": counts.get("waiting", 0)}


def stop(dataset_id: str, crawl_id: str) -> None:
    """Stop a crawl; the pages that it has found can be chosen."""
    _get(dataset_id, crawl_id)
    _end(crawl_id, "stopped")
    queue.cancel(_job(crawl_id))


def text(dataset_id: str, crawl_id: str, page_id: str) -> str:
    """Return the text of a page that was found, as it is indexed; long ones are cut."""
    _get(dataset_id, crawl_id)
    p = t.crawl_pages.c
    with db.read() as tx:
        file_id = tx.execute(sa.select(p.file_id).where(p.id == page_id, p.crawl_id == crawl_id)).scalar()
    if file_id is None:
        raise NotFound("The page is not there any more.")
    file = files.get(file_id)
    return parse.text(file["name"], files.path(file_id).read_bytes())[:_MAX_TEXT]


def origin(file_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return what documents keep of the crawls their files come from: {file id: {mode, job_id, only_main_content}}."""
    p = t.crawl_pages.c
    with db.read() as tx:
        rows = tx.execute(sa.select(p.file_id, t.crawls.c.id, t.crawls.c.options).join(
            t.crawls, t.crawls.c.id == p.crawl_id).where(p.file_id.in_(file_ids))).all()
    return {row.file_id: {"mode": "crawl", "job_id": row.id, "only_main_content": row.options["only_main_content"]}
            for row in rows}


def file_of(dataset_id: str, url: str) -> dict[str, Any] | None:
    """Return {file_id, url, title} of an address that a crawl for this base found, the last one; None without any."""
    p = t.crawl_pages.c
    with db.read() as tx:
        row = tx.execute(
            sa.select(p.file_id, p.url, p.title).join(t.crawls, t.crawls.c.id == p.crawl_id)
            .where(t.crawls.c.dataset_id == dataset_id, p.state == "found", p.url == url)
            .order_by(t.crawls.c.created_at.desc()).limit(1)).mappings().first()
    return dict(row) if row is not None else None


def sweep(older_than: float = KEPT) -> int:
    """Forget crawls that nobody chooses from any more, and the files of pages that nobody chose; return how many."""
    c, d, f = t.crawls.c, t.documents.c, file_table.c
    with db.read() as tx:
        old = list(tx.execute(sa.select(c.id).where(c.updated_at < clock.now() - older_than)).scalars())
    for crawl_id in old:
        _end(crawl_id, "stopped")
        queue.cancel(_job(crawl_id))
        with db.read() as tx:
            unused = list(tx.execute(sa.select(f.id).where(
                f.created_by == crawl_id, f.id.not_in(sa.select(d.file_id).where(d.file_id.is_not(None))))).scalars())
        for file_id in unused:
            files.delete(file_id)
        with db.write() as tx:
            tx.execute(t.crawl_pages.delete().where(t.crawl_pages.c.crawl_id == crawl_id))
            tx.execute(t.crawls.delete().where(c.id == crawl_id))
    return len(old)


def given_up(payload: dict[str, Any]) -> None:
    """Say in the crawl's row that its job ended its process again and again (sparrow.jobs.kinds)."""
    _end(payload["crawl_id"], "failed", "A page of the site ended the crawl's process several times.")


def run(crawl_id: str, client: web.Client, *, progressed: Callable[[Connection], None] = lambda tx: None,
        wait: Callable[[float], object] = time.sleep) -> None:
    """Crawl for a turn or to the end, from wherever an earlier run ended. Errors end in the crawl's row, not here.

    `progressed` is called in the transactions that store a page.
    """
    c = t.crawls.c
    with db.write() as tx:
        tx.execute(t.crawls.update().where(c.id == crawl_id, c.state == "waiting").values(
            state="running", updated_at=clock.now()))
        row = tx.execute(t.crawls.select().where(c.id == crawl_id)).mappings().first()
    if row is None or row["state"] != "running":
        return
    until = clock.monotonic() + TURN
    try:
        datasets.get(row["dataset_id"])
        work = _Crawl(dict(row), client, progressed, wait)
        while work.is_live():
            page = work.following()
            if page is None:
                _end(crawl_id, "completed")
            elif clock.monotonic() > until and queue.others_wait(_job(crawl_id)):
                queue.submit(KIND, {"crawl_id": crawl_id}, key=_job(crawl_id))
                return
            else:
                work.visit(page)
                work.pause()
    except _Stopped:
        pass
    except SparrowError as error:
        _end(crawl_id, "failed", error.message)
    except Exception as error:  # a fault of this program's own: nobody must wait for the crawl
        _end(crawl_id, "failed", f"The crawl broke off: {error}")
        raise


class _Stopped(Exception):
    """Somebody stopped the crawl while a page came."""


class _Crawl:
    """A crawl while its job runs."""

    def __init__(self, row: dict[str, Any], client: web.Client, progressed: Callable[[Connection], None],
                 wait: Callable[[float], object]):
        self.id = row["id"]
        self.options = msgspec.convert(row["options"], CrawlOptions)
        self.client, self.progressed, self._wait = client, progressed, wait
        self.site = row["site"]
        self.robots = Robots(row["robots"] or "", AGENT)
        self.slower = 0.0  # seconds that a busy server is given beside the pause
        self.lost = 0  # pages one after the other to which nobody answered
        self.elsewhere: set[str] = set()  # pages that said to be another one
        with db.read() as tx:
            self.known = {_key(url) for url in tx.execute(
                sa.select(t.crawl_pages.c.url).where(t.crawl_pages.c.crawl_id == self.id)).scalars()}
        if self.site is None:
            self._settle_at(self.options.url)

    def is_live(self) -> bool:
        """Tell whether nobody stopped it."""
        with db.read() as tx:
            return tx.execute(sa.select(t.crawls.c.state).where(t.crawls.c.id == self.id)).scalar() == "running"

    def pause(self) -> None:
        """Wait as long as is polite, or as the site asks."""
        self._wait(min(max(PAUSE, self.robots.delay) + self.slower, _MAX_PAUSE))

    def following(self) -> dict[str, Any] | None:
        """Return the next address, the nearest first; None when enough is found or tried."""
        p = t.crawl_pages.c
        mine = p.crawl_id == self.id
        with db.read() as tx:
            found, tried = tx.execute(sa.select(
                sa.func.count().filter(p.state == "found"), sa.func.count().filter(p.state != "waiting"))
                .where(mine)).one()
            if found >= self.options.limit or tried >= 5 * self.options.limit + 200:
                return None
            row = tx.execute(t.crawl_pages.select().where(mine, p.state == "waiting")
                             .order_by(p.depth, p.position).limit(1)).mappings().first()
        return dict(row) if row is not None else None

    def visit(self, page: dict[str, Any]) -> None:
        """Fetch an address and store what came of it, with the addresses it leads to."""
        first = page["depth"] == 0
        try:
            got = self._get(page["url"], first)
        except FetchError as error:
            self.lost = self.lost + 1 if error.answered == 0 else 0
            if first or self.lost >= _MAX_LOST:
                raise
            self._store(page, page["url"], {"state": "skipped", "reason": error.message}, [])
            return
        self.lost = 0
        links: list[str] = []
        values: dict[str, Any]
        content = None
        try:
            html = Page(got.content, got.url) if got.ending == "html" else None
            if html is not None and page["depth"] < self.options.max_depth:
                links = html.links()
            values, content = self._judged(got, html, first)
        except _Elsewhere as error:
            values, links = {"state": "skipped", "reason": error.message}, [error.url]
            self.elsewhere.add(_key(got.url))
        except SparrowError as error:
            if first and not any(self._wants(link) for link in links):
                raise
            values = {"state": "skipped", "reason": error.message}
        if first and self.options.max_depth > 0:
            links += self._mapped()
        if content is not None:
            values["file_id"] = web.save(got, content, values["title"], created_by=self.id)["id"]
        try:
            self._store(page, got.url, values, links)
        except _Stopped:
            if content is not None:
                files.delete(values["file_id"])
            raise

    def _get(self, url: str, first: bool) -> Got:
        """Return what an address answers, followed as far as it stays on the site; the first one may lead elsewhere."""
        asked, tries = url, 0
        for _ in range(_HOPS):
            if not self.robots.allows(url):
                raise FetchError(f"{url} is closed to programs by the site's robots.txt.")
            try:
                got = web.get(self.client, url, follow=False, pictures=False, seconds=SECONDS)
            except FetchError as error:
                tries += 1
                if error.answered not in (429, 503) or tries >= _TRIES:
                    raise
                told = float(error.wait) if error.wait.isascii() and error.wait.isdigit() else 0.0
                self.slower = min(max(2 * self.slower, told, 1.0), _MAX_PAUSE)
                self.pause()
                continue
            if got.moved is None:
                return got
            target = got.moved
            if first:
                if _site(target) != _site(url):
                    self._settle_at(target)
                elif not self._is_inside(target):
                    self.site = target
            elif not self._is_inside(target):
                raise FetchError(f"{asked} leads out of what is read, to {target}.")
            elif _key(target) != _key(asked) and _key(target) in self.known:
                raise FetchError(f"{asked} is the same page as {target}.")
            url = target
        raise FetchError(f"{asked} leads from one address to the next without end.")

    def _judged(self, got: Got, html: Page | None, first: bool) -> tuple[dict[str, Any], bytes]:
        """Return what is stored of a page, and its bytes; raise FetchError where it is none of the site's documents."""
        if first and not self._is_chosen(got.url):
            raise FetchError(f"{got.url} is not among the paths that are read.")
        if html is not None:
            own = html.canonical()
            # That all pages are the home page, or two are each other, is a common mistake of templates.
            if (own and _key(own) != _key(got.url) and _key(own) not in self.elsewhere and self._is_inside(own)
                    and urlsplit(own).path.strip("/")):
                raise _Elsewhere(f"{got.url} is the same page as {own}.", own)
        content, title = web.document(got, only_main_content=self.options.only_main_content, page=html)
        name = hashlib.sha256(html.text().encode() if html is not None else content).hexdigest()
        p = t.crawl_pages.c
        with db.read() as tx:
            twin = tx.execute(sa.select(p.url).where(p.crawl_id == self.id, p.state == "found", p.hash == name)
                              .limit(1)).scalar()
        if twin is not None:
            raise FetchError(f"{got.url} says the same as {twin}.")
        return {"state": "found", "title": title, "description": html.description() if html is not None else "",
                "size": len(content), "hash": name}, content

    def _store(self, page: dict[str, Any], url: str, values: dict[str, Any], links: list[str]) -> None:
        """Store what came of an address and the new ones it leads to; raise _Stopped where nobody wants them any more.
        """
        self.known.add(_key(url))
        c, p = t.crawls.c, t.crawl_pages.c
        with db.write() as tx:
            if tx.execute(t.crawls.update().where(c.id == self.id, c.state == "running").values(
                    site=self.site, updated_at=clock.now())).rowcount == 0:
                raise _Stopped
            tx.execute(t.crawl_pages.update().where(p.id == page["id"]).values(url=url, **values))
            last = tx.execute(sa.select(sa.func.max(p.position)).where(p.crawl_id == self.id)).scalar() or 0
            rows = []
            for link in links:
                if len(self.known) >= _MAX_KNOWN:
                    break
                if self._wants(link):
                    self.known.add(_key(link))
                    ending = files.extension(urlsplit(link).path.rpartition("/")[2])
                    rows.append(_row(self.id, last + len(rows) + 1, page["depth"] + 1, link) | (
                        {"state": "skipped", "reason": _unread(link, ending).message} if ending in _MEDIA else {}))
            if rows:
                tx.execute(t.crawl_pages.insert(), rows)
            self.progressed(tx)

    def _wants(self, url: str) -> bool:
        return _key(url) not in self.known and self._is_inside(url) and self._is_chosen(url)

    def _is_inside(self, url: str) -> bool:
        """Tell whether an address is of the site, and below the first one if only that is read."""
        if _site(url) != _site(self.site):
            return False
        top = plain(urlsplit(self.site).path)
        # A path that ends in a file's name stands for the folder of the file.
        top = top.rpartition("/")[0] if "." in top.rpartition("/")[2] else top.rstrip("/")
        return self.options.whole_site or f"{plain(urlsplit(url).path).rstrip('/')}/".startswith(f"{top}/")

    def _is_chosen(self, url: str) -> bool:
        """Tell whether an address is among the paths that are to be read."""
        parts = urlsplit(url)
        path = plain(parts.path or "/")
        whole = f"{path}?{parts.query}" if parts.query else path

        def among(patterns: list[str]) -> bool:
            return any(_matches(pattern, whole if "?" in pattern else path) for pattern in patterns if pattern.strip())

        return not among(self.options.exclude_paths) and (
            not any(map(str.strip, self.options.include_paths)) or among(self.options.include_paths))

    def _settle_at(self, url: str) -> None:
        """Make this address the one whose site is crawled, and learn what its robots.txt allows."""
        self.site = url
        address = urljoin(url, "/robots.txt")
        try:
            rules = decode(web.get(self.client, address, any_type=True, seconds=SECONDS).content[:MAX_TEXT])
        except FetchError as error:
            if error.answered >= 500:
                raise FetchError(f"{address} answered {error.answered}: while a site cannot say what programs may "
                                 "read, it is not crawled. Try again later.") from error
            rules = ""  # there is none; where nobody answers, the page itself says so
        self.robots = Robots(rules, AGENT)
        with db.write() as tx:
            tx.execute(t.crawls.update().where(t.crawls.c.id == self.id).values(site=url, robots=rules))

    def _mapped(self) -> list[str]:
        """Return the addresses of the site's maps."""
        waiting = [join(self.site, given) for given in self.robots.sitemaps] or [join(self.site, "/sitemap.xml")]
        seen: list[str] = []
        found: list[str] = []
        while waiting and len(seen) < _MAPS and len(found) < _MAX_KNOWN:
            address = waiting.pop(0)
            if address is None or address in seen or _site(address) != _site(self.site):
                continue
            seen.append(address)
            self.pause()
            try:
                markup = _unpacked(web.get(self.client, address, any_type=True, seconds=SECONDS).content)
            except SparrowError:
                continue  # there is none
            inside = [join(address, unescape(part.partition("</loc")[0])) for part in markup.split("<loc>")[1:]]
            (waiting if "<sitemapindex" in markup else found).extend(filter(None, inside))
        return found


class _Elsewhere(FetchError):
    """A page says that it is another one, at `url`."""

    def __init__(self, message: str, url: str):
        super().__init__(message)
        self.url = url


def _get(dataset_id: str, crawl_id: str) -> dict[str, Any]:
    c = t.crawls.c
    with db.read() as tx:
        row = tx.execute(t.crawls.select().where(c.id == crawl_id, c.dataset_id == dataset_id)).mappings().first()
    if row is None:
        raise NotFound("The crawl does not exist, or is of more than a day ago.")
    return dict(row)


def _end(crawl_id: str, state: str, error: str | None = None) -> None:
    c = t.crawls.c
    with db.write() as tx:
        tx.execute(t.crawls.update().where(c.id == crawl_id, c.state.in_(_LIVE)).values(
            state=state, error=error, updated_at=clock.now()))


def _row(crawl_id: str, position: int, depth: int, url: str) -> dict[str, Any]:
    return {"id": ids.new_id(), "crawl_id": crawl_id, "position": position, "depth": depth, "url": url,
            "state": "waiting", "reason": None}


def _job(crawl_id: str) -> str:
    return f"crawl:{crawl_id}"


def _unread(url: str, ending: str) -> FetchError:
    return FetchError(f"{url} is of type {ending}, which cannot be read.")


def _site(url: str) -> tuple[str, int | None]:
    """Return what two addresses of one site have in common; with http or https, it is the same one."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), None if parts.port in (80, 443) else parts.port
    except ValueError:
        return "", None


def _key(url: str) -> str:
    """Return what two addresses of one page have in common: neither fragment nor slash at the end nor marks of a
    campaign tell pages apart."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host, port = _site(url)
    query = "&".join(part for part in parts.query.split("&") if part and not part.startswith("utm_"))
    return f"{host}:{port or ''}{plain(parts.path).rstrip('/')}?{query}"


def _matches(pattern: str, path: str) -> bool:
    pattern = plain(pattern.strip())
    if not pattern.startswith(("/", "*")):
        pattern = f"/{pattern}"
    if "*" in pattern:
        return fits(pattern, path, whole=True)
    return path.startswith(pattern) if "?" in pattern else f"{path.rstrip('/')}/".startswith(f"{pattern.rstrip('/')}/")


def _unpacked(data: bytes) -> str:
    """Return the text of a site map, which may be packed with gzip."""
    if data.startswith(b"\x1f\x8b"):
        try:
            data = zlib.decompressobj(31).decompress(data, web.MAX_PAGE)
        except zlib.error:
            return ""
    return data.decode("utf-8", "replace")
