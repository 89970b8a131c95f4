"""Forms of human-input nodes."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from sparrow.api.service import service, shapes
from sparrow.api.service.who import app
from sparrow.apps import form
from sparrow.errors import NotFound

TAG = "forms"


class FormPayload(msgspec.Struct):
    """What was filled in, and the button."""

    needs_user: ClassVar[bool] = True

    inputs: dict[str, Any]
    action: str
    user: str = ""


@service.get("/form/human_input/<token>", tag=TAG)
def get_form(token: str) -> shapes.Form:
    """Get a form that waits."""
    row = _own(token)
    return {"form_content": row.definition["form_content"], "inputs": row.definition["inputs"],
            "resolved_default_values": row.definition["resolved_default_values"],
            "user_actions": row.definition["user_actions"], "expiration_time": row.expires_at}


@service.post("/form/human_input/<token>", tag=TAG)
def submit_form(token: str, body: FormPayload) -> shapes.Nothing:
    """Fill a form; its run goes on."""
    _own(token)
    form.submit(token, body.inputs, body.action)
    return {}


def _own(token: str):
    row = form.get(token)
    if row.app_id != app().id:
        raise NotFound("Form not found")
    return row
