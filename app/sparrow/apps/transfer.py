"""App files in and out of the box."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow import clock, ids
from sparrow.apps import app, surroundings, version
from sparrow.dsl import document, review
from sparrow.dsl.document import GRAPH_MODES, AppFile
from sparrow.dsl.version import CURRENT
from sparrow.errors import BadRequest, NotFound, SparrowError
from sparrow.storage import db
from sparrow.storage.tables.apps import app_imports, apps

CONFIRM_WITHIN = 600.0  # seconds


@dataclass(slots=True)
class Import:
    """What became of a file; the fields are those of Dify's reply plus `warnings`."""

    id: str
    status: str
    app_id: str | None = None
    app_mode: str | None = None
    current_dsl_version: str = CURRENT
    imported_dsl_version: str = ""
    error: str = ""
    warnings: list[review.Warning] = field(default_factory=list)


def load(content: str | bytes, *, app_id: str | None = None, **options: Any) -> Import:
    """Import a file. A newer one is kept for `confirm`; a bad one gives status `failed` and the reason.

    With `app_id` the file becomes the draft of that graph app. Options override name, description and icon.
    """
    import_id = ids.new_id()
    if not content:
        return Import(import_id, "failed", error="yaml_content is required when import_mode is yaml-content")
    options = {name: value for name, value in options.items() if value}
    if app_id:
        options["app_id"] = app_id
    try:
        file = document.parse(content)
        if file.status == "pending":
            _check_target(file, app_id)
            text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
            moment = clock.now()
            with db.write() as tx:
                tx.execute(app_imports.delete().where(app_imports.c.expires_at < moment))
                tx.execute(app_imports.insert().values(id=import_id, content=text, options=options,
                                                       expires_at=moment + CONFIRM_WITHIN))
            return Import(import_id, "pending", imported_dsl_version=file.version)
        return _finish(import_id, file, options, file.status)
    except SparrowError as error:
        if error.status >= 500:
            raise
        return Import(import_id, "failed", error=error.message)


def confirm(import_id: str) -> Import:
    """Import a file that was left pending."""
    with db.read() as tx:
        row = tx.execute(sa.select(app_imports).where(app_imports.c.id == import_id)).first()
    if row is None or row.expires_at < clock.now():
        return Import(import_id, "failed", error="Import information expired or does not exist")
    try:
        result = _finish(import_id, document.parse(row.content), row.options or {}, "completed")
    except SparrowError as error:
        if error.status >= 500:
            raise
        return Import(import_id, "failed", error=error.message)
    with db.write() as tx:
        tx.execute(app_imports.delete().where(app_imports.c.id == import_id))
    return result


def dump(row: Row, *, include_secret: bool = False, version_id: str | None = None) -> str:
    """Return an app's file: the draft, or one version."""
    chosen = version.get(row.id, version_id) if version_id else version.current(row)
    file = AppFile(mode=row.mode, content=version.filled(chosen) if include_secret else chosen.content,
                   source=row.source or {}, **{name: getattr(row, name) for name in document.APP_DEFAULTS})
    return document.write(file, include_secret=include_secret)


def file_name(row: Row) -> str:
    """Return a name for an app's file that every file system takes."""
    return (re.sub(r'[\\/:*?"<>|\x00-\x1f]+', "_", row.name).strip(" .")[:80] or "app") + ".yml"


def _finish(import_id: str, file: AppFile, options: dict[str, Any], status: str) -> Import:
    target = options.get("app_id")
    _check_target(file, target)
    values = {name: options.get(name) or getattr(file, name) for name in document.APP_DEFAULTS}
    values["source"] = file.source
    if target:
        with db.write() as tx:
            tx.execute(apps.update().where(apps.c.id == target).values(**values, updated_at=clock.now()))
            version.save_draft(target, file.content)
            row = app.get(target)
    else:
        row = app.insert(values.pop("name"), file.mode, file.content, **values)
    return Import(import_id, status, app_id=row.id, app_mode=row.mode, imported_dsl_version=file.version,
                  warnings=review.warnings(file, surroundings.Here()))


def _check_target(file: AppFile, app_id: str | None) -> None:
    if not app_id:
        return
    try:
        row = app.get(app_id)
    except NotFound:
        raise BadRequest("App not found", params="app_id") from None
    if row.mode not in GRAPH_MODES:
        raise BadRequest("Only workflow or advanced chat apps can be overwritten", params="app_id")
    if row.mode != file.mode:
        raise BadRequest(f"The file is a {file.mode} app, this one is {row.mode}", params="app_id")
