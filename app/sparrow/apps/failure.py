"""Errors of a run, as a client sees them: code, status and message by Dify's table."""

from __future__ import annotations

import logging
from typing import Any

from sparrow import messages as m
from sparrow.apps import record
from sparrow.apps.order import Turn
from sparrow.engine.ports import PortError
from sparrow.errors import SparrowError

log = logging.getLogger(__name__)


def describe(error: BaseException) -> dict[str, Any]:
    """Return {code, status, message} of an error."""
    if isinstance(error, SparrowError):
        return {"code": error.code, "status": error.status, "message": error.message}
    if isinstance(error, m.ModelNotConfiguredError):
        return {"code": "provider_not_initialize", "status": 400, "message": str(error)}
    if isinstance(error, m.ModelError):
        return {"code": "completion_request_error", "status": 400, "message": str(error)}
    if isinstance(error, PortError):
        return {"code": "completion_request_error", "status": 400, "message": str(error)}
    if isinstance(error, ValueError):
        return {"code": "invalid_param", "status": 400, "message": str(error)}
    log.exception("a run failed", exc_info=error)
    return {"code": "internal_server_error", "status": 500,
            "message": "Something went wrong inside Sparrow; the log has the details."}


def of_message(turn: Turn, error: BaseException, **details: Any) -> None:
    """Store that a message failed and tell its listeners: an `error` event, which carries no task id.

    `details` are kept with the message: what an agent did before it failed.
    """
    found = describe(error)
    record.save(turn, answer="", status="error", error=found["message"], **details)
    envelope = {name: value for name, value in turn.envelope.items() if name != "task_id"}
    event = {"event": "error", **envelope, **found}
    turn.live.error = event
    turn.live.emit(event)
