"""The document of this API."""

from __future__ import annotations

from typing import Any

from sparrow.api import openapi
from sparrow.api.service import service


@service.get("/openapi.json", public=True, hidden=True)
def service_document() -> dict[str, Any]:
    """Return this document."""
    return openapi.document("Sparrow service API", [service], {"type": "http", "scheme": "bearer"})


@service.get("/site-openapi.json", public=True, hidden=True)
def site_document() -> dict[str, Any]:
    """Return the document of the API that apps' pages use."""
    from sparrow.api.site import site

    return openapi.document("Sparrow site API", [site], {"type": "http", "scheme": "bearer"})
