"""Who calls the service API: the app (or the knowledge bases) by the key, the end user by the caller's name."""

from __future__ import annotations

from typing import Any

from flask import g, request
from sqlalchemy.engine import Row

from sparrow.apps import key, user
from sparrow.errors import BadRequest, Forbidden, Unauthorized

# Routes that a knowledge key opens instead of an app's.
_KNOWLEDGE = ("/v1/datasets", "/v1/workspaces")


def require_key() -> None:
    """Let a caller with a good key pass; the key's app is `app()` from then on."""
    if request.path.startswith(_KNOWLEDGE):
        return _require_knowledge_key()
    found = key.authenticate(_token())
    if found is None:
        raise Unauthorized("Access token is invalid")
    if not found.enable_api:
        raise Forbidden("The app's API service has been disabled.")
    g.app = found
    return None


def app() -> Row:
    """Return the app that the key of this request opens."""
    return g.app


def source() -> str:
    """Return where the request comes from, as runs and conversations remember it."""
    return "web-app" if "visitor" in g else "service-api"


def end_user(name: Any, *, required: bool = True) -> user.EndUser:
    """Return the end user a caller names; raise BadRequest without a name unless it is optional.

    A visitor of an app's page is who the token says, whatever the request names.
    """
    if "visitor" in g:
        return g.visitor
    if name is None or name == "":
        if required:
            raise BadRequest("Arg user must be provided.")
        name = user.DEFAULT_SESSION
    return user.of(g.app.id, str(name))


def _token() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("Authorization header must be provided and start with 'Bearer'")
    return token.strip()


def _require_knowledge_key() -> None:
    from sparrow.knowledge import key as knowledge_key

    if not knowledge_key.authenticate(_token()):
        raise Unauthorized("Access token is invalid")
