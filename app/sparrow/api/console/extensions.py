"""API extensions: the admin's own HTTP services that apps ask for moderation and for data."""

from __future__ import annotations

import msgspec

from sparrow.api.console import console
from sparrow.apps import extension
from sparrow.storage.secrets import mask

TAG = "extensions"


class NewExtension(msgspec.Struct):
    """A service: where it is and the key it expects as Bearer token."""

    name: str
    api_endpoint: str
    api_key: str


class Extension(msgspec.Struct):
    """A service without its key."""

    id: str
    name: str
    api_endpoint: str
    api_key: str
    created_at: int


@console.get("/api-based-extension", tag=TAG)
def list_extensions() -> list[Extension]:
    """List the API extensions."""
    return [_shown(row) for row in extension.find()]


@console.post("/api-based-extension", status=201, tag=TAG)
def create_extension(body: NewExtension) -> Extension:
    """Add an API extension; it must answer a ping."""
    return _shown(extension.create(body.name, body.api_endpoint, body.api_key))


@console.get("/api-based-extension/<extension_id>", tag=TAG)
def get_extension(extension_id: str) -> Extension:
    """Get an API extension."""
    return _shown(extension.get(extension_id))


@console.delete("/api-based-extension/<extension_id>", status=204, tag=TAG)
def delete_extension(extension_id: str) -> None:
    """Delete an API extension; apps that use it fail until they are changed."""
    extension.delete(extension_id)


def _shown(row) -> Extension:
    return Extension(row.id, row.name, row.endpoint, mask(extension.key(row)), int(row.created_at))
