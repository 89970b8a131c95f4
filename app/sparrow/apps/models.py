"""Models as the admin manages them: credentials, added models, defaults, tests of a connection."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from sparrow import clock, ids
from sparrow.errors import BadRequest, Conflict, NotFound
from sparrow.providers import catalog, probe, store, target
from sparrow.providers.types import FEATURES, MODEL_TYPES, ModelSpec, ParameterRule, Preset
from sparrow.storage import db, secrets
from sparrow.storage import providers as rows
from sparrow.storage.tables.providers import provider_credentials as credentials
from sparrow.storage.tables.providers import provider_models as models

_EXTRA = {"headers", "api_version", "verify_tls", "ca", "proxy", "timeout", "first_timeout", "connect_timeout",
          "organization", "embed_batch"}


def preset(provider: str) -> Preset:
    """Return a provider by any of its ids; raise NotFound."""
    native = catalog.native_id(provider)
    if native is None:
        raise NotFound(f"There is no provider “{provider}”.")
    return catalog.presets()[native]


# --- credentials ---------------------------------------------------------------------------------------------

def add_credential(provider: str, *, name: str, base_url: str, api_key: str,
                   extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """Store a new credential; return its row. The name must be new for the provider."""
    given = preset(provider)
    if given.protocol == "local":
        raise BadRequest("This provider is built in and takes no credentials.", params="provider")
    if given.key_required and not api_key.strip():
        raise BadRequest("Enter the API key.", params="api_key")
    secret, plain = _split(api_key, extra)
    now = clock.now()
    row = {"id": ids.new_id(), "provider": given.id, "name": _name(name), "base_url": _url(given, base_url),
           "secret": secret, "key_masked": _masked(api_key), "extra": plain, "enabled": True,
           "created_at": now, "updated_at": now}
    with _unique(), db.write() as tx:
        last = tx.execute(sa.select(sa.func.max(credentials.c.position)).where(
            credentials.c.provider == given.id)).scalar()
        row["position"] = 0 if last is None else last + 1
        tx.execute(sa.insert(credentials).values(row))
        rows.changed(tx)
    store.source().forget()
    return row


def change_credential(provider: str, credential_id: str, *, name: str | None = None, base_url: str | None = None,
                      api_key: str | None = None, extra: dict[str, Any] | None = None,
                      enabled: bool | None = None, position: int | None = None) -> dict[str, Any]:
    """Change what is given; an absent or masked key stays as it is. Returns the new row."""
    given = preset(provider)
    with _unique(), db.write() as tx:
        row = tx.execute(sa.select(credentials).where(
            credentials.c.id == credential_id, credentials.c.provider == given.id)).mappings().first()
        if row is None:
            raise NotFound("This credential does not exist.")
        new: dict[str, Any] = {"updated_at": clock.now()}
        if name is not None:
            new["name"] = _name(name)
        if base_url is not None:
            new["base_url"] = _url(given, base_url)
        if enabled is not None:
            new["enabled"] = enabled
        if api_key is not None and "******" in api_key:
            api_key = None
        if api_key is not None or extra is not None:
            old = store.credential(dict(row))
            key = old.api_key if api_key is None else api_key
            if given.key_required and not key.strip():
                raise BadRequest("Enter the API key.", params="api_key")
            new["secret"], new["extra"] = _split(key, old.extra if extra is None else extra)
            new["key_masked"] = _masked(key)
        tx.execute(sa.update(credentials).where(credentials.c.id == credential_id).values(new))
        if position is not None:
            order = [id_ for (id_,) in tx.execute(sa.select(credentials.c.id).where(
                credentials.c.provider == given.id).order_by(
                    credentials.c.position, credentials.c.created_at)).all() if id_ != credential_id]
            order.insert(max(0, position), credential_id)
            for place, id_ in enumerate(order):
                tx.execute(sa.update(credentials).where(credentials.c.id == id_).values(position=place))
        rows.changed(tx)
        result = dict(tx.execute(sa.select(credentials).where(credentials.c.id == credential_id)).mappings().one())
    store.source().forget()
    return result


def remove_credential(provider: str, credential_id: str) -> None:
    """Delete a credential."""
    given = preset(provider)
    with db.write() as tx:
        gone = tx.execute(sa.delete(credentials).where(
            credentials.c.id == credential_id, credentials.c.provider == given.id)).rowcount
        if not gone:
            raise NotFound("This credential does not exist.")
        rows.changed(tx)
    store.source().forget()


def check(provider: str, *, base_url: str = "", api_key: str = "", credential_id: str | None = None,
          model: str | None = None, type_: str = "llm", extra: dict[str, Any] | None = None) -> probe.Found:
    """Try a connection before or after it is stored; with `credential_id` a masked or empty key is the stored one."""
    given = preset(provider)
    if given.protocol == "local":
        return probe.Found(True, 1, list(given.models), "")
    if credential_id:
        with db.read() as tx:
            row = tx.execute(sa.select(credentials).where(
                credentials.c.id == credential_id, credentials.c.provider == given.id)).mappings().first()
        if row is None:
            raise NotFound("This credential does not exist.")
        old = store.credential(dict(row))
        # A stored key goes to the stored place only, unless it is entered anew: else whoever may call this
        # could have it sent to a server of their own.
        same = not base_url or target.base_url(given, base_url) == target.base_url(given, old.base_url)
        if (not api_key or "******" in api_key) and same:
            api_key = old.api_key
        base_url = base_url or old.base_url
        extra = old.extra if extra is None else extra
    return probe.check(given, _url(given, base_url), api_key, extra=_known(extra), model=model, type_=type_)


def _name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise BadRequest("The name needs 1 to 100 characters.", params="name")
    return name


def _url(given: Preset, url: str) -> str:
    url = target.base_url(given, url)
    if not url.startswith(("http://", "https://")) or len(url) > 2000 or any(c.isspace() for c in url):
        raise BadRequest("The base URL must begin with http:// or https://.", params="base_url")
    return url


def _known(extra: dict[str, Any] | None) -> dict[str, Any]:
    unknown = set(extra or {}) - _EXTRA
    if unknown:
        raise BadRequest(f"Unknown setting: {', '.join(sorted(unknown))}", params="extra")
    for name in ("timeout", "first_timeout", "connect_timeout", "embed_batch"):
        value = (extra or {}).get(name)
        if value is not None and not (isinstance(value, int | float) and 0 < value <= 3600):
            raise BadRequest(f"{name} must be a number above 0 and at most 3600.", params=f"extra.{name}")
    return dict(extra or {})


def _split(api_key: str, extra: dict[str, Any] | None) -> tuple[str, dict[str, Any]]:
    """Return (encrypted secret, plain rest)."""
    plain = _known(extra)
    secret: dict[str, Any] = {"api_key": api_key.strip()}
    if headers := plain.pop("headers", None):
        if not isinstance(headers, dict):
            raise BadRequest("headers must be an object.", params="extra.headers")
        secret["headers"] = headers
    return secrets.encrypt(msgspec.json.encode(secret).decode()), plain


def _masked(api_key: str) -> str:
    return secrets.mask(api_key.strip()) if api_key.strip() else ""


class _unique:
    """Turn the constraint's failure into words."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, IntegrityError):
            raise Conflict("There is a credential of this name already.", params="name") from error


# --- models --------------------------------------------------------------------------------------------------

def put_model(provider: str, spec: ModelSpec) -> ModelSpec:
    """Add a model, or change the one of this type and name."""
    given = preset(provider)
    if not spec.model.strip() or len(spec.model) > 255:
        raise BadRequest("The model's name needs 1 to 255 characters.", params="model")
    if unknown := set(spec.features) - set(FEATURES):
        raise BadRequest(f"Unknown feature: {', '.join(sorted(unknown))}", params="features")
    if spec.context_size < 1:
        raise BadRequest("The context size must be above 0.", params="context_size")
    now = clock.now()
    values = {"spec": msgspec.to_builtins(spec), "updated_at": now}
    with db.write() as tx:
        where = sa.and_(models.c.provider == given.id, models.c.type == spec.type, models.c.model == spec.model)
        if not tx.execute(sa.update(models).where(where).values(values)).rowcount:
            tx.execute(sa.insert(models).values(id=ids.new_id(), provider=given.id, type=spec.type,
                                                model=spec.model, created_at=now, **values))
        rows.changed(tx)
    store.source().forget()
    return spec


def remove_model(provider: str, type_: str, name: str) -> None:
    """Delete an added model; a preset's model is only switched off (put it with enabled false)."""
    given = preset(provider)
    with db.write() as tx:
        gone = tx.execute(sa.delete(models).where(models.c.provider == given.id, models.c.type == type_,
                                                  models.c.model == name)).rowcount
        if not gone:
            raise NotFound(f"The model “{name}” has not been added here.")
        rows.changed(tx)
    store.source().forget()


def models_of(given: Preset) -> list[ModelSpec]:
    """Return a provider's models: the preset's, and the admin's in their place or after them."""
    own = {(spec.type, spec.model): spec for spec in store.source().models(given.id)}
    listed = [own.pop((spec.type, spec.model), spec) for spec in given.models]
    return listed + list(own.values())


def own_models(provider: str) -> list[ModelSpec]:
    """Return the models of a provider that the admin has added or changed."""
    return store.source().models(provider)


def usable(given: Preset) -> bool:
    """Tell whether a provider can be called at all."""
    return given.protocol == "local" or bool(store.source().credentials(given.id))


def available(type_: str | None = None) -> list[tuple[Preset, ModelSpec]]:
    """Return the models that can be chosen now, of one kind or all."""
    return [(given, spec) for given in catalog.presets().values() if usable(given)
            for spec in models_of(given) if spec.enabled and type_ in (None, spec.type)]


def rules(provider: str, name: str) -> list[ParameterRule]:
    """Return the parameter rules of a chat model."""
    given = preset(provider)
    spec = next((s for s in models_of(given) if s.type == "llm" and s.model == name), None)
    return catalog.rules(given.id, spec or catalog.guess(name))


def defaults() -> dict[str, dict[str, str] | None]:
    """Return {kind: {provider, model} or None} of every kind."""
    source = store.source()
    found = {type_: source.default(type_) for type_ in MODEL_TYPES}
    return {type_: {"provider": pair[0], "model": pair[1]} if pair else None for type_, pair in found.items()}


def set_defaults(given: dict[str, dict[str, str] | None]) -> dict[str, dict[str, str] | None]:
    """Set the default models of the kinds given; None takes one away."""
    new: dict[str, Any] = {}
    for type_, choice in given.items():
        if type_ not in MODEL_TYPES:
            raise BadRequest(f"There is no kind of model “{type_}”.", params=type_)
        if choice is None:
            new[type_] = None
            continue
        found = preset(choice["provider"])
        if not choice["model"]:
            raise BadRequest("Choose a model.", params=type_)
        new[type_] = {"provider": found.id, "model": choice["model"]}
    with db.write() as tx:
        old = rows.defaults(tx)
        rows.set_value(tx, rows.DEFAULTS, {k: v for k, v in (old | new).items() if v})
        rows.changed(tx)
    store.source().forget()
    return defaults()
