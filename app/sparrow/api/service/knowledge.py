"""What the routes of knowledge share: the base a key may use, pages of lists."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.knowledge import datasets


class Listing(msgspec.Struct, kw_only=True):
    """The query of a list; a limit over 100 counts as 100."""

    page: int = 1
    limit: int = 20
    keyword: str | None = None
    tag_ids: list[str] | str | None = None
    include_all: bool = False
    status: list[str] | str | None = None
    metadata: str = "all"

    def bounds(self) -> dict[str, int]:
        """Return page and limit within their bounds."""
        return {"page": min(max(self.page, 1), 99_999), "limit": min(max(self.limit, 1), 100)}


class NameBody(msgspec.Struct):
    """A name."""

    name: str


def dataset(dataset_id: str) -> dict[str, Any]:
    """Return a base's row; raise NotFound, or Forbidden where it is closed to the API."""
    return datasets.get(dataset_id, api=True)


def page(data: list[Any], total: int, query: Listing) -> dict[str, Any]:
    """Return a list in Dify's shape: data, has_more, limit, total, page."""
    bounds = query.bounds()
    return {"data": data, "has_more": bounds["page"] * bounds["limit"] < total, "limit": bounds["limit"],
            "total": total, "page": bounds["page"]}
