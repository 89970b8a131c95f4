"""Keys of the knowledge API in the console."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.api.console import console
from sparrow.api.web import OK, Result
from sparrow.knowledge import key


class KeyName(msgspec.Struct):
    """The name of a new key."""

    name: str = ""


@console.get("/dataset-keys")
def list_dataset_keys() -> dict[str, Any]:
    """List the keys of the knowledge API."""
    return {"data": [{"id": row["id"], "name": row["name"], "token_masked": row["masked"],
                      "created_at": int(row["created_at"]),
                      "last_used_at": int(row["last_used_at"]) if row["last_used_at"] else None}
                     for row in key.find()]}


@console.post("/dataset-keys", status=201)
def create_dataset_key(body: KeyName) -> dict[str, str]:
    """Make a key of the knowledge API; it is shown this once."""
    row, token = key.create(body.name)
    return {"id": row["id"], "token": token}


@console.delete("/dataset-keys/<key_id>")
def delete_dataset_key(key_id: str) -> Result:
    """Delete a key of the knowledge API."""
    key.delete(key_id)
    return OK
