"""A file as a value that travels through a run. Its bytes stay outside, behind the `Files` port."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

IDENTITY = "__dify__file__"
ATTRIBUTES = frozenset(
    {"type", "size", "name", "mime_type", "transfer_method", "url", "extension", "related_id"}
)


@dataclass(slots=True, eq=False)
class File:
    """A file variable, Dify's kind.

    `type` is image, document, audio, video or custom; `transfer_method` is remote_url, local_file (uploaded,
    `related_id` is the upload's id), tool_file (made by a node, `related_id` is its id) or datasource_file.
    `url` is where a browser finds it (signed, for the box's own files). `extension` has its dot, `size` is in
    bytes or -1. `extra` keeps what the owner wants to carry along (a path, an upload row); it is not shown.
    """

    type: str
    transfer_method: str
    filename: str | None = None
    extension: str | None = None
    mime_type: str | None = None
    size: int = -1
    url: str | None = None
    remote_url: str | None = None
    related_id: str | None = None
    reference: str | None = None
    id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form Dify shows in inputs, outputs and events."""
        return {
            "dify_model_identity": IDENTITY,
            "id": self.id,
            "type": self.type,
            "transfer_method": self.transfer_method,
            "remote_url": self.remote_url,
            "reference": self.reference,
            "filename": self.filename,
            "extension": self.extension,
            "mime_type": self.mime_type,
            "size": self.size,
            "related_id": self.related_id,
            "url": self.url,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> File:
        """Make a file of its JSON form (of a stored run, or of a node's JSON output)."""
        return cls(
            type=value.get("type") or "custom",
            transfer_method=value.get("transfer_method") or "remote_url",
            filename=value.get("filename"),
            extension=value.get("extension"),
            mime_type=value.get("mime_type"),
            size=value.get("size") if isinstance(value.get("size"), int) else -1,
            url=value.get("url"),
            remote_url=value.get("remote_url"),
            related_id=value.get("related_id"),
            reference=value.get("reference"),
            id=value.get("id"),
        )

    def attribute(self, name: str) -> Any:
        """Return what `{{#node.file.name#}}` and conditions read; KeyError for an unknown name."""
        if name == "name":
            return self.filename
        if name not in ATTRIBUTES:
            raise KeyError(name)
        return getattr(self, name)

    def markdown(self) -> str:
        """Return the Markdown that shows (an image) or links (anything else) the file."""
        text = f"[{self.filename or self.url or ''}]({self.url or ''})"
        return f"!{text}" if self.type == "image" else text


def is_file_dict(value: object) -> bool:
    """Tell whether a JSON value is the dictionary form of a file."""
    return isinstance(value, dict) and value.get("dify_model_identity") == IDENTITY
