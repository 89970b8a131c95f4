"""The one admin: set up with the code on the box's screen, signed in by password, held in sessions."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
from dataclasses import dataclass

import sqlalchemy as sa

from sparrow import clock, ids, settings
from sparrow.errors import BadRequest, Conflict, TooManyRequests, Unauthorized
from sparrow.storage import db, durable
from sparrow.storage.tables.account import accounts, sessions

SESSION_SECONDS = 30 * 86_400
PASSWORD_MINIMUM = 8
_CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without I, O, 0, 1
_identity: tuple[object, str] = None, ""  # of which database
_SCRYPT = {"n": 1 << 14, "r": 8, "p": 1}  # 16 MB, about 50 ms


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser."""

    csrf_token: str
    expires_at: float


def exists() -> bool:
    """Tell whether the admin has been set up."""
    with db.read() as tx:
        return tx.execute(sa.select(accounts.c.id)).first() is not None


def get() -> sa.RowMapping | None:
    """Return the admin's row, None before the set-up."""
    with db.read() as tx:
        return tx.execute(sa.select(accounts)).mappings().first()


def identity() -> str:
    """Return the admin's id, "" before the set-up: it is asked for with every object that is listed."""
    global _identity
    engine = db.engine()
    if _identity[0] is not engine or not _identity[1]:
        row = get()
        _identity = engine, row["id"] if row else ""
    return _identity[1]


def setup_code() -> str:
    """Return the code that proves to stand before the box (`ABCD-2345`); made at first need, gone after set-up."""
    code = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(8))
    return durable.make(settings.get().setup_code_file, f"{code[:4]}-{code[4:]}\n".encode(), 0o640).decode().strip()


def set_up(code: str, password: str, *, name: str = "admin", language: str = "zh-Hans", client: str = "") -> None:
    """Create the admin. Raises Unauthorized for a wrong code, Conflict when there is one already."""
    if exists():
        raise Conflict("Sparrow has been set up already. Sign in.", code="already_setup")
    with _backoff(client):
        given = code.upper().replace("-", "").replace(" ", "")
        if not hmac.compare_digest(given.encode(), setup_code().replace("-", "").encode()):
            raise Unauthorized("This is not the setup code. It stands on the box's screen.", code="wrong_setup_code")
    create(password, name=name, language=language)


def create(password: str, *, name: str = "admin", language: str = "zh-Hans") -> None:
    """Create the admin without asking for the code (set-up, or SPARROW_ADMIN_PASSWORD)."""
    _check_strength(password)
    now = clock.now()
    with db.write() as tx:
        db.take_turns(tx, "account")
        if tx.execute(sa.select(accounts.c.id)).first() is not None:
            raise Conflict("Sparrow has been set up already. Sign in.", code="already_setup")
        tx.execute(accounts.insert(), {"id": ids.new_id(), "name": name, "password_hash": _hash(password),
                                       "language": language, "created_at": now, "updated_at": now})
    settings.get().setup_code_file.unlink(missing_ok=True)


def sign_in(password: str, *, client: str = "") -> tuple[str, Session]:
    """Return the cookie's value and its session. Raises Unauthorized, or TooManyRequests while backing off."""
    account = get()
    if account is None:
        raise Conflict("Sparrow has not been set up yet.", code="not_setup")
    with _backoff(client):
        if not _matches(password, account["password_hash"]):
            raise Unauthorized("Wrong password.", code="wrong_password")
    return open_session()


def set_password(new: str, *, old: str | None = None, client: str = "") -> None:
    """Change the password and end all sessions; `old` is checked unless None (the shell on the box)."""
    account = get()
    if account is None:
        raise Conflict("Sparrow has not been set up yet.", code="not_setup")
    if old is not None:
        with _backoff(client):
            if not _matches(old, account["password_hash"]):
                raise Unauthorized("Wrong password.", code="wrong_password")
    _check_strength(new)
    with db.write() as tx:
        tx.execute(accounts.update().values(password_hash=_hash(new), updated_at=clock.now()))
        tx.execute(sessions.delete())
    _known.clear()


def set_language(language: str) -> None:
    """Remember the admin's language."""
    with db.write() as tx:
        tx.execute(accounts.update().values(language=language, updated_at=clock.now()))


def open_session() -> tuple[str, Session]:
    """Open a session and return the cookie's value with it."""
    now = clock.now()
    value = secrets.token_urlsafe(32)
    session = Session(secrets.token_urlsafe(24), now + SESSION_SECONDS)
    with db.write() as tx:
        tx.execute(sessions.delete().where(sessions.c.expires_at < now))
        tx.execute(sessions.insert(), {"id": _digest(value), "csrf_token": session.csrf_token, "created_at": now,
                                       "expires_at": session.expires_at})
    return value, session


def find_session(value: str) -> Session | None:
    """Return the session of a cookie, None if it is unknown or over."""
    digest = _digest(value)
    seen = _known.get(digest)
    if seen is None or clock.monotonic() > seen[0]:
        with db.read() as tx:
            row = tx.execute(sa.select(sessions.c.csrf_token, sessions.c.expires_at)
                             .where(sessions.c.id == digest)).first()
        if row is None:
            _known.pop(digest, None)
            return None
        if len(_known) > 1000:
            _known.clear()
        # Believed for five seconds: with several API processes a sign-out reaches the others by then.
        seen = _known[digest] = (clock.monotonic() + 5, Session(*row))
    return seen[1] if seen[1].expires_at > clock.now() else None


def close_session(value: str) -> None:
    """Sign out."""
    digest = _digest(value)
    with db.write() as tx:
        tx.execute(sessions.delete().where(sessions.c.id == digest))
    _known.pop(digest, None)


_known: dict[str, tuple[float, Session]] = {}


class _backoff:
    """Make guessing slow: after three failures a client waits 2, 4, 8 … 300 s between tries.

    One try at a time: those sent at once would all be answered before the first failure counts, and each takes the
    16 MB that scrypt needs.
    """

    _failures: dict[str, tuple[int, float]] = {}
    _lock = threading.Lock()

    def __init__(self, client: str):
        self.client = client

    def __enter__(self):
        self._lock.acquire()
        _, until = self._failures.get(self.client, (0, 0.0))
        wait = until - clock.monotonic()
        if wait > 0:
            self._lock.release()
            raise TooManyRequests(f"Too many tries. Wait {round(wait + 0.5)} s.", retry_after=wait + 0.5,
                                  code="login_backoff")

    def __exit__(self, kind, error, trace):
        if kind is None:
            self._failures.pop(self.client, None)
        elif kind is Unauthorized:
            count = self._failures.get(self.client, (0, 0.0))[0] + 1
            wait = min(2.0 ** min(count - 2, 9), 300.0) if count >= 3 else 0.0
            if len(self._failures) > 10_000:
                self._failures.clear()
            self._failures[self.client] = (count, clock.monotonic() + wait)
        self._lock.release()


def _check_strength(password: str) -> None:
    kinds = sum(any(test(c) for c in password) for test in (str.isdigit, str.isalpha))
    if len(password) < PASSWORD_MINIMUM or kinds < 2:
        raise BadRequest(f"The password needs at least {PASSWORD_MINIMUM} characters, with letters and digits.",
                         code="weak_password", params="password")
    if len(password) > 1024:
        raise BadRequest("The password is too long.", code="weak_password", params="password")


def _hash(password: str) -> str:
    salt = os.urandom(16)
    return f"scrypt${salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT).hex()}"


def _matches(password: str, stored: str) -> bool:
    _, salt, digest = stored.split("$")
    return hmac.compare_digest(hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_SCRYPT).hex(), digest)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
