"""Who visits an app's page: the app by its code, the visitor by a pass that the browser keeps."""

from __future__ import annotations

from flask import g, request

from sparrow.apps import app as apps
from sparrow.apps import passport, user
from sparrow.errors import Forbidden, NotFound, Unauthorized
from sparrow.ids import is_uuid


def require_pass() -> None:
    """Let a visitor with a good pass pass; the app is `who.app()` and the visitor `who.end_user()` from then on."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    found = passport.read(token.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        raise Unauthorized("This page has no valid pass. Load it again.")
    app_id, session_id = found
    g.app = open_app(app_id)
    g.visitor = user.of(app_id, session_id, "browser")


def open_app(code: str):
    """Return the app whose page has this code; raise NotFound, or Forbidden where the admin closed the page."""
    if not is_uuid(code):
        raise NotFound("There is no app at this address.")
    row = apps.get(code)
    if not row.enable_site:
        raise Forbidden("This app's page is closed. Its owner can open it in the console.", code="site_disabled")
    return row
