"""Who may use the console: a session cookie, and a token in a header against forged requests."""

from __future__ import annotations

import hmac

from flask import Response, g, request

from sparrow import settings
from sparrow.box import account
from sparrow.errors import Forbidden, Unauthorized

COOKIE = "sparrow_session"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = {"GET", "HEAD", "OPTIONS"}


def require_admin() -> None:
    """Let only the signed-in admin pass; anything but reading also needs the CSRF header."""
    session = current_session()
    if session is None:
        raise Unauthorized("Sign in first.")
    if request.method not in _SAFE and not hmac.compare_digest(
            request.headers.get(CSRF_HEADER, "").encode(), session.csrf_token.encode()):
        raise Forbidden("The page is out of date. Reload it.", code="csrf")


def require_same_origin() -> None:
    """Refuse a cross-site request to a route that has no session yet (sign-in, set-up)."""
    origin = request.headers.get("Origin")
    if origin and origin.partition("://")[2] != request.host:
        raise Forbidden("This request comes from another site.", code="cross_origin")


def current_session() -> account.Session | None:
    """Return the session of this request's cookie, None without one."""
    if "session" not in g:
        value = request.cookies.get(COOKIE)
        g.session = account.find_session(value) if value else None
    return g.session


def set_cookie(response: Response, value: str) -> Response:
    """Give the browser its session."""
    response.set_cookie(COOKIE, value, max_age=account.SESSION_SECONDS, httponly=True, samesite="Lax",
                        secure=request.is_secure or not settings.get().dev, path="/")
    return response


def clear_cookie(response: Response) -> Response:
    """Take the session from the browser."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
    return response


def client_address() -> str:
    """Return the address of the browser. Only Caddy reaches the API's socket, so its last entry is true."""
    return request.headers.get("X-Forwarded-For", request.remote_addr or "").rpartition(",")[2].strip()
