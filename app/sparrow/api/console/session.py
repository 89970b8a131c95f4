"""Set-up, sign-in and the account."""

from __future__ import annotations

import msgspec
from flask import Response, request

from sparrow import __version__
from sparrow.api import auth, web
from sparrow.api.console import console
from sparrow.box import account


class SessionInfo(msgspec.Struct):
    """What a browser must know first. `csrf_token` goes into X-CSRF-Token of every change."""

    setup: bool
    authenticated: bool
    csrf_token: str | None
    version: str
    language: str | None
    name: str | None


class SetUp(msgspec.Struct):
    """The first visit."""

    setup_code: str
    password: str
    name: str = "admin"
    language: str = "zh-Hans"


class SignIn(msgspec.Struct):
    """The password of the admin."""

    password: str


class ChangePassword(msgspec.Struct):
    """The old and the new password."""

    password: str
    new_password: str


class ChangeAccount(msgspec.Struct):
    """What the admin may change of the account."""

    language: str


@console.get("/session", public=True)
def get_session() -> SessionInfo:
    """Tell whether the box is set up and this browser is signed in."""
    row = account.get()
    session = auth.current_session()
    return SessionInfo(row is not None, session is not None, session.csrf_token if session else None, __version__,
                       row["language"] if row else None, row["name"] if row and session else None)


@console.post("/setup", public=True)
def set_up(body: SetUp) -> web.Result:
    """Create the admin with the setup code from the box's screen, and sign in."""
    auth.require_same_origin()
    account.set_up(body.setup_code, body.password, name=body.name, language=body.language,
                   client=auth.client_address())
    return _signed_in(account.open_session()[0])


@console.post("/login", public=True)
def sign_in(body: SignIn) -> web.Result:
    """Sign in."""
    auth.require_same_origin()
    value, _ = account.sign_in(body.password, client=auth.client_address())
    return _signed_in(value)


@console.post("/logout", public=True)
def sign_out() -> web.Result:
    """Sign out; harmless when not signed in."""
    if auth.current_session() is not None:
        auth.require_admin()
        account.close_session(request.cookies[auth.COOKIE])
    return auth.clear_cookie(web.reply(web.OK))


@console.post("/account/password")
def change_password(body: ChangePassword) -> web.Result:
    """Change the password; every other browser is signed out."""
    account.set_password(body.new_password, old=body.password, client=auth.client_address())
    return _signed_in(account.open_session()[0])


@console.patch("/account")
def change_account(body: ChangeAccount) -> web.Result:
    """Change the language of the console."""
    account.set_language(body.language)
    return web.OK


def _signed_in(value: str) -> Response:
    return auth.set_cookie(web.reply(web.OK), value)
