"""The state of the box and the document of this API."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from sparrow.api import openapi
from sparrow.api.console import console
from sparrow.box import health


class Program(TypedDict):
    """A program of the box, as supervisord has it; `since` in seconds since 1970."""

    name: str
    state: str
    since: int
    pid: int
    detail: str
    restarts: int
    wanted: bool


class Problem(TypedDict):
    """Something that is not as it should be, and what to do about it."""

    level: Literal["degraded", "error"]
    what: str
    message: str


class Space(TypedDict):
    """A disk in bytes."""

    total: int
    free: int


class Memory(TypedDict):
    """The machine's memory in bytes."""

    total: int
    available: int


class Database(TypedDict):
    """The state of the database."""

    writable: bool


class Health(TypedDict):
    """The state of the box."""

    status: Literal["ok", "degraded", "error"]
    version: str
    time: int
    programs: list[Program]
    disk: Space
    memory: Memory
    database: Database
    problems: list[Problem]


@console.get("/health")
def get_health() -> Health:
    """Return the state of the programs, the disk and the memory."""
    return health.status()


@console.get("/openapi.json", public=True, hidden=True)
def console_document() -> dict[str, Any]:
    """Return this document."""
    return openapi.document("Sparrow console API", [console],
                            {"type": "apiKey", "in": "cookie", "name": "sparrow_session"})
