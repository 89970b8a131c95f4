"""Definitions ready to run, kept by version: parsing and decrypting happens once, not with every request."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

from sqlalchemy.engine import Row

from sparrow.apps import inputs, version
from sparrow.dsl import shape
from sparrow.dsl.document import GRAPH_MODES
from sparrow.errors import BadRequest, NotFound
from sparrow.ids import is_uuid
from sparrow.storage import db
from sparrow.storage.tables.apps import versions

_KEPT = 64


@dataclass(eq=False)
class Definition:
    """A version's content, secrets in place. `version_id` is "" for an unsaved one."""

    version_id: str
    mode: str
    content: dict[str, Any]
    published_at: float = 0.0

    @cached_property
    def fields(self) -> list[dict[str, Any]]:
        """The inputs the app takes."""
        if self.mode in GRAPH_MODES:
            return inputs.fields_of_graph(self.content["graph"])
        return inputs.fields_of_config(self.content)

    @cached_property
    def features(self) -> dict[str, Any]:
        """Opener, files, moderation and the like; of a model_config these are its own keys."""
        return (self.content.get("features") or {}) if self.mode in GRAPH_MODES else self.content

    def feature(self, name: str) -> dict[str, Any]:
        """Return one feature that is an object with `enabled`; {} if it is off."""
        value = self.features.get(name)
        return value if isinstance(value, dict) and value.get("enabled") else {}

    @cached_property
    def graph(self):
        """The compiled graph; raises what the engine raises for one that cannot run."""
        from sparrow.engine.graph import Graph

        return Graph.parse(self.content["graph"])


_cache: OrderedDict[str, Definition] = OrderedDict()
_lock = Lock()


def published(app: Row) -> Definition:
    """Return what clients run; raise BadRequest if nothing was published."""
    if app.published_id is None:
        raise BadRequest("Workflow not published")
    return _cached(app, app.published_id)


def of_version(app: Row, version_id: str) -> Definition:
    """Return one published version, as a client names it; raise BadRequest or NotFound as Dify does."""
    if not is_uuid(version_id):
        raise BadRequest(f"Invalid workflow_id format: '{version_id}'. ", code="bad_request")
    row = version.get(app.id, version_id)
    if row.number == version.DRAFT:
        raise BadRequest(f"Cannot use draft workflow version. Workflow ID: {version_id}. Please use a published "
                         "workflow version or leave workflow_id empty.", code="bad_request")
    return _cached(app, version_id)


def editing(app: Row, content: dict[str, Any] | None) -> Definition:
    """Return what the editor shows: unsaved content if given, else the draft."""
    if content is not None:
        content = shape.workflow(content) if app.mode in GRAPH_MODES else shape.model_config(content)
        return Definition(version.current(app).id, app.mode, content)
    row = version.current(app)
    return Definition(row.id, app.mode, version.filled(row), row.created_at)


def _cached(app: Row, version_id: str) -> Definition:
    with _lock:
        found = _cache.get(version_id)
        if found is not None:
            _cache.move_to_end(version_id)
            return found
    with db.read() as tx:
        row = tx.execute(versions.select().where(versions.c.id == version_id)).first()
    if row is None or row.app_id != app.id:
        raise NotFound(f"Workflow not found with id: {version_id}")
    found = Definition(row.id, app.mode, version.filled(row), row.created_at)
    with _lock:
        _cache[version_id] = found
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return found
