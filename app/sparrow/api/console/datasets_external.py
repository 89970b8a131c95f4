"""External knowledge in the console: the servers that can be asked, and bases that stand on them."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.api import knowledge_shapes as shapes
from sparrow.api.console import console
from sparrow.api.web import OK, Result
from sparrow.knowledge import datasets, external
from sparrow.storage import secrets
from sparrow.tools.outbound import Client

_PATH = "/datasets/external-knowledge-api"


class NewServer(msgspec.Struct, kw_only=True):
    """A server of Dify's external knowledge contract; `/retrieval` is added to its address."""

    name: str
    endpoint: str
    api_key: str
    description: str = ""


class ServerChange(msgspec.Struct, kw_only=True):
    """What of a server may be changed; without a key the old one stays."""

    name: str | None = None
    endpoint: str | None = None
    api_key: str | None = None
    description: str | None = None


class Server(msgspec.Struct, kw_only=True):
    """A server, its key masked, with the bases that use it ({id, name})."""

    id: str
    name: str
    description: str
    endpoint: str
    key_masked: str
    created_at: int
    bases: list[dict[str, str]] = []


class Servers(msgspec.Struct):
    """All servers."""

    data: list[Server]


class NewExternalBase(msgspec.Struct, kw_only=True):
    """A base of another server: which one, and the base's id there."""

    name: str
    external_knowledge_api_id: str
    external_knowledge_id: str
    description: str = ""
    external_retrieval_model: dict[str, Any] | None = None


@console.get(_PATH)
def list_servers() -> Servers:
    """List the external knowledge servers."""
    return Servers([_server(row) for row in external.find()])


@console.post(_PATH, status=201)
def create_server(body: NewServer) -> Server:
    """Add an external knowledge server; it is called once."""
    return _server(external.create(Client(), **msgspec.structs.asdict(body)))


@console.patch(f"{_PATH}/<api_id>")
def change_server(api_id: str, body: ServerChange) -> Server:
    """Change an external knowledge server; with a new address or key it is called once."""
    return _server(external.update(Client(), api_id, **msgspec.structs.asdict(body)))


@console.delete(f"{_PATH}/<api_id>")
def delete_server(api_id: str) -> Result:
    """Forget an external knowledge server that no base uses."""
    external.delete(api_id)
    return OK


@console.post("/datasets/external", status=201)
def create_external(body: NewExternalBase) -> shapes.Dataset:
    """Create a base that stands on an external knowledge server."""
    return shapes.dataset(datasets.create(provider="external", **msgspec.structs.asdict(body)))


def _server(row: dict[str, Any]) -> Server:
    return Server(id=row["id"], name=row["name"], description=row["description"], endpoint=row["endpoint"],
                  key_masked=secrets.mask(secrets.decrypt(row["api_key"])), created_at=int(row["created_at"]),
                  bases=row.get("bases", []))
