"""Passes of visitors: which app, which visitor, signed by the box. They do not expire; deleting the app ends them."""

from __future__ import annotations

import hmac

from sparrow import ids
from sparrow.apps import filebox


def issue(app_id: str) -> str:
    """Return a new visitor's pass for an app."""
    body = f"{app_id}.{ids.new_id()}"
    return f"{body}.{filebox.signature(_text(body))}"


def read(token: str) -> tuple[str, str] | None:
    """Return (app id, visitor's session id) of a genuine pass, else None."""
    body, _, mark = token.rpartition(".")
    app_id, _, session_id = body.partition(".")
    if not session_id or not token.isascii() or not hmac.compare_digest(filebox.signature(_text(body)), mark):
        return None
    return app_id, session_id


def _text(body: str) -> str:
    return f"passport|{body}"
