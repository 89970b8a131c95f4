"""The state of the box and the document of this API."""

from __future__ import annotations

from typing import Any

from sparrow.api import openapi
from sparrow.api.console import console
from sparrow.box import health


@console.get("/health")
def get_health() -> dict[str, Any]:
    """Return the state of the programs, the disk and the memory."""
    return health.status()


@console.get("/openapi.json", public=True, hidden=True)
def console_document() -> dict[str, Any]:
    """Return this document."""
    return openapi.document("Sparrow console API", [console],
                            {"type": "apiKey", "in": "cookie", "name": "sparrow_session"})
