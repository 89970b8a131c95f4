"""Documents from the web: one address fetched, judged and kept as a file."""

from __future__ import annotations

import contextlib
import io
import re
import threading
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from sparrow.engine.ports import Cancel, HttpRequest, PortError
from sparrow.errors import BadRequest, SparrowError
from sparrow.storage import files

from . import documents, ocr, parse
from .page import Page, join

MAX_BYTES = 64 << 20
MAX_PAGE = 16 << 20  # of what is no document but a page: more is made without end
SECONDS = 120.0  # for a whole reply
_TIMEOUT = 30.0  # without a sign of life
_TYPES = {
    "text/html": "html", "application/xhtml+xml": "html", "application/pdf": "pdf", "text/plain": "txt",
    "text/markdown": "md", "text/csv": "csv", "application/json": "json", "application/xml": "xml", "text/xml": "xml",
    "application/epub+zip": "epub",
    "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx"}
_NUMBER = re.compile(r"\[Errno -?\d+\] ")  # the system's number of an error


class FetchError(BadRequest):
    """An address gave no document; the message says why. `answered` is the status, 0 where nobody answered."""

    code = "fetch_failed"

    def __init__(self, message: str, *, answered: int = -1, wait: str = ""):
        super().__init__(message, params="url")
        self.answered = answered
        self.wait = wait  # the header Retry-After


class Client(Protocol):
    """What asks: HTTP behind the list of outbound calls (`sparrow.tools.outbound.Client`)."""

    def open(self, request: HttpRequest, cancel: Cancel) -> Any:
        """Return a reply with `status`, `headers`, `url`, `pieces()` and `close()`."""


@dataclass(slots=True)
class Got:
    """What an address answered: the bytes of a document and the ending they are kept under (html, pdf…), or, where
    redirects are not followed, the address it leads to (`moved`)."""

    url: str
    content: bytes = b""
    kind: str = ""
    ending: str = ""
    moved: str | None = None

    def stem(self) -> str:
        """Return what the document is called by its address."""
        last = _last(self.url)
        return (last.rpartition(".")[0] if "." in last else last) or urlsplit(self.url).hostname or "page"


def get(client: Client, url: str, *, follow: bool = True, pictures: bool = True, any_type: bool = False,
        seconds: float = SECONDS) -> Got:
    """Ask an address for a document; raise FetchError with the reason where it gives none that can be read.

    What is no document, or too large, is not read to its end. `any_type` takes every type, for what is only looked at.
    """
    url = url.strip()
    if not re.match(r"https?://[^\s/]", url):
        raise BadRequest("The address must begin with http:// or https://.", params="url")
    cancel = Cancel()
    watch = threading.Timer(seconds, cancel.cancel)
    watch.daemon = True
    watch.start()
    try:
        request = HttpRequest("GET", url, connect_timeout=10.0, read_timeout=_TIMEOUT, follow_redirects=follow)
        with contextlib.closing(client.open(request, cancel)) as reply:
            got = _judged(url, reply, pictures, any_type)
            if got.moved is None:
                got.content = _read(url, reply, MAX_PAGE if got.ending == "html" else MAX_BYTES)
    except PortError as error:
        if cancel.cancelled:
            raise FetchError(f"{url} takes longer than {seconds:.0f} seconds to answer.", answered=0) from error
        told = _NUMBER.sub("", str(error)).rstrip(".")
        raise FetchError(f"{url} cannot be fetched: {told}. Check the address, and whether the box has a network.",
                         answered=0) from error
    finally:
        watch.cancel()
    if cancel.cancelled:  # a reply that is shut may look as if it had ended
        raise FetchError(f"{url} takes longer than {seconds:.0f} seconds to answer.", answered=0)
    if got.moved is None and not got.content.strip():
        raise FetchError(f"{url} answered with an empty page.")
    return got


def fetch(client: Client, url: str, *, only_main_content: bool = False) -> tuple[Any, str, str]:
    """Fetch a page or document and keep it; return its file's row, its final address and its title."""
    got = get(client, url)
    content, title = document(got, only_main_content=only_main_content)
    return save(got, content, title), got.url, title


def sync(client: Client, dataset_id: str, document_id: str) -> dict[str, Any]:
    """Fetch a document's address again and index it anew if it says something else now; return the document's row."""
    row = documents.get(dataset_id, document_id)
    info = row["data_source_info"] or {}
    if not info.get("url"):
        raise BadRequest("Only documents that came from an address can be fetched again.")
    documents.check_again(row, None)
    file, _, _ = fetch(client, info["url"], only_main_content=bool(info.get("only_main_content")))
    if row["indexing_status"] == "completed" and row["file_id"] and _same(files.get(row["file_id"]), file):
        files.delete(file["id"])
        return row
    try:
        return documents.reindex(dataset_id, document_id, file_id=file["id"])
    except SparrowError:  # the document was deleted or archived while its page came
        files.delete(file["id"])
        raise


def _same(old: Any, new: Any) -> bool:
    """Tell whether two files say the same: a page's bytes change with each visitor, its text does not."""
    if old["sha256"] == new["sha256"]:
        return True
    if old["extension"] != "html" or new["extension"] != "html":
        return False
    before, after = (Page(files.path(file["id"]).read_bytes(), "").text() for file in (old, new))
    return before == after


def document(got: Got, *, only_main_content: bool, page: Page | None = None) -> tuple[bytes, str]:
    """Return what is kept of a reply and its title; raise FetchError for a page that has no text of its own."""
    if got.ending != "html":
        return got.content, got.stem()
    page = page or Page(got.content, got.url)
    problem = page.problem(page.text())
    if problem == "login":
        raise FetchError(f"{got.url} is a page to sign in on: what is behind it cannot be fetched.")
    if problem == "scripts":
        raise FetchError(f"{got.url} has no text of its own: scripts make it in a browser, and the box runs none.")
    if problem == "empty":
        raise FetchError(f"{got.url} has no text.")
    return page.main() if only_main_content else got.content, page.title() or got.stem()


def save(got: Got, content: bytes, title: str, *, created_by: str = "") -> Any:
    """Keep what an address gave as a file and return its row."""
    return files.save(io.BytesIO(content), f"{title.replace('/', ' ')}.{got.ending}", mime_type=got.kind or None,
                      created_by=created_by)


def _judged(url: str, reply: Any, pictures: bool, any_type: bool) -> Got:
    """Return what a reply's head tells; raise FetchError where it is no document."""
    moved = reply.headers.get("location")
    if moved and reply.status in (301, 302, 303, 307, 308):
        target = join(reply.url, moved)
        if target is None:
            raise FetchError(f"{url} leads to what is no address: {moved[:200]}")
        return Got(reply.url, moved=target)
    if reply.status == 401:
        raise FetchError(f"{url} asks for a password.", answered=401)
    if reply.status == 403:
        raise FetchError(f"{url} answered 403: the site does not let the box in.", answered=403)
    if reply.status != 200:
        raise FetchError(f"{url} answered {reply.status}.", answered=reply.status,
                         wait=reply.headers.get("retry-after", ""))
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    last = _last(reply.url)
    ending = _TYPES.get(kind) or (parse.extension(last) if parse.supported(last) else "")
    if ending in parse.PICTURES and not (pictures and ocr.readable(f"a.{ending}")):
        ending = ""
    if not ending and not any_type:
        raise FetchError(f"{url} is of type {kind or 'unknown'}, which cannot be read.")
    return Got(reply.url, kind=kind, ending=ending)


def _read(url: str, reply: Any, limit: int) -> bytes:
    pieces, size = [], 0
    for piece in reply.pieces():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise FetchError(f"{url} has more than {limit >> 20} MB.")
    return b"".join(pieces)


def _last(url: str) -> str:
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
