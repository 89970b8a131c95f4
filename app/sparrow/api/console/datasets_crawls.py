"""Web sites whose pages become documents: crawl, look at what was found, choose."""

from __future__ import annotations

from typing import Literal

import msgspec

from sparrow.api.console import console
from sparrow.api.web import OK, Result
from sparrow.knowledge import crawl


class CrawlPage(msgspec.Struct):
    """A page that was found; its document is the file."""

    id: str
    url: str
    title: str
    description: str
    size: int
    file_id: str
    file_name: str


class Crawl(msgspec.Struct):
    """How far a crawl is. `skipped` says for the first addresses why they are no documents; `waiting` are known and
    not read."""

    id: str
    state: Literal["waiting", "running", "completed", "failed", "stopped"]
    error: str | None
    options: crawl.CrawlOptions
    pages: list[CrawlPage]
    skipped: list[str]
    skipped_total: int
    waiting: int


class PageText(msgspec.Struct):
    """The text of a page as it is indexed."""

    text: str


@console.post("/datasets/<dataset_id>/crawls", status=201)
def begin_crawl(dataset_id: str, body: crawl.CrawlOptions) -> Crawl:
    """Begin to crawl a web site."""
    return _crawl(dataset_id, crawl.begin(dataset_id, body))


@console.get("/datasets/<dataset_id>/crawls/<crawl_id>")
def show_crawl(dataset_id: str, crawl_id: str) -> Crawl:
    """Show what a crawl has found so far."""
    return _crawl(dataset_id, crawl_id)


@console.delete("/datasets/<dataset_id>/crawls/<crawl_id>")
def stop_crawl(dataset_id: str, crawl_id: str) -> Result:
    """Stop a crawl; what it has found can be chosen."""
    crawl.stop(dataset_id, crawl_id)
    return OK


@console.get("/datasets/<dataset_id>/crawls/<crawl_id>/pages/<page_id>")
def show_page(dataset_id: str, crawl_id: str, page_id: str) -> PageText:
    """Show the text of a page that a crawl has found."""
    return PageText(crawl.text(dataset_id, crawl_id, page_id))


def _crawl(dataset_id: str, crawl_id: str) -> Crawl:
    return msgspec.convert(crawl.state(dataset_id, crawl_id), Crawl)
