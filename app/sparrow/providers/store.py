"""The hub of this process, fed from the stored providers."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import msgspec

from sparrow import clock
from sparrow.providers.types import Credential, ModelSpec
from sparrow.storage import providers as rows
from sparrow.storage import secrets

_LOOK_EVERY = 1.0  # seconds after which another process' change is noticed


class Stored:
    """A `Source` over the database, kept in memory and renewed when the stored version changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked = -1e9
        self._version: str | None = None
        self._credentials: dict[str, list[Credential]] = {}
        self._models: dict[tuple[str, str, str], ModelSpec] = {}
        self._defaults: dict[str, Any] = {}

    def forget(self) -> None:
        """Read again at the next question: this process has changed something."""
        self._looked = -1e9
        self._version = None

    def _fresh(self) -> None:
        now = clock.monotonic()
        if now - self._looked < _LOOK_EVERY:
            return
        with self._lock:
            if now - self._looked < _LOOK_EVERY:
                return
            if self._version is None or rows.version() != self._version:
                self._load()
            self._looked = now

    def _load(self) -> None:
        data = rows.everything()
        credentials: dict[str, list[Credential]] = {}
        for row in data["credentials"]:
            if row["enabled"]:
                credentials.setdefault(row["provider"], []).append(credential(row))
        models = {}
        for row in data["models"]:
            models[row["provider"], row["type"], row["model"]] = msgspec.convert(row["spec"], ModelSpec)
        self._credentials, self._models, self._defaults = credentials, models, data["defaults"]
        self._version = data["version"]

    def credentials(self, provider: str) -> list[Credential]:
        """Return a provider's enabled credentials, first choice first."""
        self._fresh()
        return self._credentials.get(provider, [])

    def model(self, provider: str, type_: str, name: str) -> ModelSpec | None:
        """Return the admin's entry for a model."""
        self._fresh()
        return self._models.get((provider, type_, name))

    def models(self, provider: str) -> list[ModelSpec]:
        """Return all the admin's entries of a provider."""
        self._fresh()
        return [spec for (name, _, _), spec in self._models.items() if name == provider]

    def default(self, type_: str) -> tuple[str, str] | None:
        """Return (provider, model) of the default of a kind."""
        self._fresh()
        chosen = self._defaults.get(type_)
        return (chosen["provider"], chosen["model"]) if chosen else None


def credential(row: dict[str, Any]) -> Credential:
    """Return a stored row as a credential, its secret opened."""
    secret = msgspec.json.decode(secrets.decrypt(row["secret"]))
    extra = dict(row["extra"])
    if secret.get("headers"):
        extra["headers"] = secret["headers"]
    return Credential(row["id"], row["provider"], row["name"], row["base_url"], secret.get("api_key") or "", extra)


@cache
def source() -> Stored:
    """Return the process's source."""
    return Stored()


@cache
def hub():
    """Return the process's hub: the one way to every model."""
    from sparrow.providers.hub import Hub

    return Hub(source())
