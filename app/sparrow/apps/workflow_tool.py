"""Workflows as tools: the published version of a workflow app, run within another run or for an agent."""

from __future__ import annotations

from typing import Any

from sparrow.apps import app, prepared, user
from sparrow.apps.order import Order
from sparrow.engine.files import File
from sparrow.engine.ports import Cancel, PortError
from sparrow.errors import SparrowError


class Runner:
    """Implements `sparrow.tools.types.Workflows`."""

    def parameters(self, app_id: str) -> list[dict[str, Any]]:
        """Return the fields of the published version; raise PortError if it cannot be run."""
        try:
            return prepared.published(app.get(app_id)).fields
        except SparrowError as error:
            raise _failed(error.message) from error

    def run(self, app_id: str, inputs: dict[str, Any], *, user: str | None, depth: int,
            cancel: Cancel) -> dict[str, Any]:
        """Return the outputs of a run; raise PortError when it fails, is stopped or waits for a person."""
        from sparrow.apps import run

        try:
            row = app.get(app_id)
            live = run.workflow(Order(row, _user(app_id, user), {
                name: _input(value) for name, value in inputs.items()}, source="service-api", depth=depth))
        except SparrowError as error:
            raise _failed(error.message) from error
        forget = cancel.on_cancel(live.stop)
        try:
            live.wait()
        finally:
            forget()
        if live.error is not None:
            raise _failed(live.error.get("message") or "it failed")
        data = (live.result or {}).get("data") or {}
        if data.get("status") == "paused":
            live.stop()
            raise _failed("it waits for a person, which a tool cannot do")
        if data.get("status") not in ("succeeded", "partial-succeeded"):
            raise _failed(data.get("error") or "it was stopped")
        return data.get("outputs") or {}


def _user(app_id: str, name: str | None):
    return user.of(app_id, name or user.DEFAULT_SESSION)


def _failed(text: str) -> PortError:
    return PortError(f"The workflow could not be run: {text}", "ToolInvokeError")


def _input(value: Any) -> Any:
    """Return a value as a client would send it: files by their address or the id of their upload."""
    if isinstance(value, list):
        return [_input(item) for item in value]
    if not isinstance(value, File):
        return value
    if value.related_id:
        return {"type": value.type, "transfer_method": "local_file", "upload_file_id": value.related_id}
    return {"type": value.type, "transfer_method": "remote_url", "url": value.remote_url or value.url}
