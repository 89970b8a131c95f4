"""What a client asks of an app, and what a run of it works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Row

from sparrow import clock, ids
from sparrow.apps.live import Live
from sparrow.apps.prepared import Definition
from sparrow.apps.user import EndUser
from sparrow.engine.files import File


@dataclass(slots=True)
class Order:
    """One request to run an app. `source`: service-api, web-app, console. `debug` runs are not of the live version.

    `version_id` asks for one published version; `content` overrides the definition (a debug run of what is in the
    editor, unsaved). `base_url` is the box's address as the client knows it. `depth` counts the workflows around a
    workflow that is called as a tool.
    `start` names the trigger node that begins, `trigger` its kind (schedule, webhook); `inputs` are its values then.
    """

    app: Row
    user: EndUser
    inputs: dict[str, Any]
    query: str = ""
    files: list[dict[str, Any]] = field(default_factory=list)
    conversation_id: str | None = None
    parent_message_id: str | None = None
    auto_name: bool = False
    version_id: str | None = None
    source: str = "service-api"
    debug: bool = False
    content: dict[str, Any] | None = None
    streaming: bool = True
    base_url: str = ""
    start: str | None = None
    trigger: str = ""
    depth: int = 0


@dataclass(slots=True)
class Turn:
    """One message being answered: everything the pipelines share."""

    order: Order
    definition: Definition
    inputs: dict[str, Any]
    files: list[File]
    live: Live
    conversation: Row | None = None
    conversation_id: str | None = None
    run_id: str | None = None
    message_id: str = field(default_factory=ids.new_id)
    started: float = field(default_factory=clock.now)
    resources: list[dict[str, Any]] = field(default_factory=list)
    away: list[dict[str, Any]] = field(default_factory=list)  # knowledge bases that could not be asked
    annotation: dict[str, Any] | None = None
    refused: bool = False  # the moderation kept what the user said from the model
    envelope: dict[str, Any] = field(default_factory=dict)

    @property
    def query(self) -> str:
        """What the user said."""
        return self.order.query

    def emit(self, event: str, **fields: Any) -> None:
        """Send an event in the envelope of its family."""
        self.live.emit({"event": event, **self.envelope, **fields})

    def missed(self, bases: list[dict[str, Any]]) -> None:
        """Remember knowledge bases that could not be asked, each once."""
        self.away += [base for base in bases if base not in self.away]

    def seal(self) -> None:
        """Make the envelope; the ids are known now."""
        self.envelope = {"conversation_id": self.conversation_id} if self.conversation_id else {}
        self.envelope.update(message_id=self.message_id, created_at=int(self.started), task_id=self.live.task_id)

    def metadata(self, usage: dict[str, Any]) -> dict[str, Any]:
        """Return the metadata of a finished message."""
        found = {"annotation_reply": self.annotation, "retriever_resources": self.resources, "usage": usage}
        return {**found, "knowledge_away": self.away} if self.away else found
