"""App files in and out through the console, in Dify's shapes."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from flask import Response

from sparrow.api.console import console
from sparrow.api.web import reply
from sparrow.apps import app as apps
from sparrow.apps import surroundings, transfer
from sparrow.dsl import text
from sparrow.errors import BadRequest

_STATUS = {"completed": 200, "completed-with-warnings": 200, "pending": 202, "failed": 400}


class ImportFile(msgspec.Struct):
    """A file, as text or by its address. With `app_id` it becomes the draft of that app."""

    mode: Literal["yaml-content", "yaml-url"] = "yaml-content"
    yaml_content: str | None = None
    yaml_url: str | None = None
    app_id: str | None = None
    name: str | None = None
    description: str | None = None
    icon_type: str | None = None
    icon: str | None = None
    icon_background: str | None = None


class ExportQuery(msgspec.Struct):
    """What to export."""

    include_secret: bool = False
    workflow_id: str | None = None


class Export(msgspec.Struct):
    """An app file: its text and what to call it."""

    data: str
    name: str


@console.post("/apps/imports", tag="apps", reply=transfer.Import, refused=transfer.Import)
def import_app(body: ImportFile) -> Response:
    """Import an app file. 202: it is newer than this box and waits for a confirmation."""
    content: str | bytes = body.yaml_content or ""
    if body.mode == "yaml-url":
        content = _fetch(body.yaml_url)
    options = {name: getattr(body, name) for name in ("name", "description", "icon_type", "icon", "icon_background")}
    return _shown(transfer.load(content, app_id=body.app_id, **options))


@console.post("/apps/imports/<import_id>/confirm", tag="apps", reply=transfer.Import, refused=transfer.Import)
def confirm_import(import_id: str) -> Response:
    """Import a file that waits for a confirmation."""
    return _shown(transfer.confirm(import_id))


class Dependencies(msgspec.Struct):
    """Plugins that an imported app misses."""

    leaked_dependencies: list[dict[str, Any]]


@console.get("/apps/imports/<app_id>/check-dependencies", tag="apps")
def check_dependencies(app_id: str) -> Dependencies:
    """List plugins that are missing; Sparrow has none, its warnings come with the import."""
    apps.get(app_id)
    return Dependencies([])


@console.get("/apps/<app_id>/export", tag="apps")
def export_app(app_id: str, query: ExportQuery) -> Export:
    """Export an app as a file for Sparrow or Dify."""
    row = apps.get(app_id)
    return Export(transfer.dump(row, include_secret=query.include_secret, version_id=query.workflow_id or None),
                  transfer.file_name(row))


def _fetch(address: str | None) -> bytes:
    if not address:
        raise BadRequest("yaml_url is required when import_mode is yaml-url", params="yaml_url")
    return surroundings.get(address, text.MAX_BYTES)


def _shown(result: transfer.Import) -> Response:
    return reply(result, _STATUS[result.status])
