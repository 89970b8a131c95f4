"""Model providers, their credentials and models, the defaults, and “test connection”."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from sparrow.api.console import console
from sparrow.api.web import OK, Result
from sparrow.apps import models
from sparrow.errors import NotFound
from sparrow.providers import catalog
from sparrow.providers.types import Label, ModelSpec, ModelType, ParameterRule, Preset, Price
from sparrow.storage import providers as rows

TAG = "models"


class CredentialInfo(msgspec.Struct):
    """A credential without its secret."""

    id: str
    name: str
    base_url: str
    key_masked: str
    enabled: bool
    extra: dict[str, Any]
    created_at: int


class ProviderDefaults(msgspec.Struct):
    """What the form of a new credential begins with."""

    base_url: str
    key_required: bool
    help_url: str
    help: Label | None


class ProviderInfo(msgspec.Struct):
    """A provider, what is set up of it, and its models."""

    provider: str
    plugin_id: str
    label: Label
    icon: str | None
    kind: Literal["preset", "custom"]
    local: bool
    configured: bool
    credentials: list[CredentialInfo]
    models: list[ModelInfo]
    defaults: ProviderDefaults


class ModelInfo(msgspec.Struct):
    """A model of a provider. `custom`: the admin added or changed it, and it can be deleted."""

    model: str
    type: ModelType
    mode: Literal["chat", "completion"]
    features: list[str]
    context_size: int
    max_output: int
    dimensions: int
    voices: list[str]
    price: Price | None
    enabled: bool
    custom: bool


class ModelChoice(msgspec.Struct):
    """A model that can be chosen now."""

    provider: str
    plugin_id: str
    provider_label: Label
    model: str
    type: ModelType
    mode: Literal["chat", "completion"]
    features: list[str]
    context_size: int
    voices: list[str]


class Providers(msgspec.Struct):
    """A list of providers."""

    data: list[ProviderInfo]


class Models(msgspec.Struct):
    """A list of models."""

    data: list[ModelChoice]


class Rules(msgspec.Struct):
    """The parameters a model takes."""

    data: list[ParameterRule]


class NewCredential(msgspec.Struct):
    """A credential to store. `extra`: headers, api_version, verify_tls, ca, proxy, timeout, first_timeout,
    connect_timeout, organization, embed_batch."""

    name: str = "default"
    base_url: str = ""
    api_key: str = ""
    extra: dict[str, Any] = {}


class CredentialChange(msgspec.Struct):
    """What to change of a credential; a masked or absent key stays. `position` 0 is the first choice."""

    name: str | None = None
    base_url: str | None = None
    api_key: str | None = None
    extra: dict[str, Any] | None = None
    enabled: bool | None = None
    position: int | None = None


class Test(msgspec.Struct):
    """What to test: the fields of a form, or a stored credential, optionally with a call of a model."""

    base_url: str = ""
    api_key: str = ""
    credential_id: str | None = None
    model: str | None = None
    type: ModelType = "llm"
    extra: dict[str, Any] | None = None


class TestResult(msgspec.Struct):
    """How the test went. `base_url` is the address that works; `reply` is what the model said."""

    ok: bool
    latency_ms: int
    models: list[ModelInfo]
    base_url: str
    error: str | None
    error_type: str | None
    reply: str | None


class NewModel(msgspec.Struct):
    """A model to add or change."""

    model: str
    type: ModelType = "llm"
    mode: Literal["chat", "completion"] = "chat"
    features: list[str] | None = None
    context_size: int | None = None
    max_output: int = 0
    dimensions: int = 0
    voices: list[str] = []
    parameters: list[ParameterRule] = []
    price: Price | None = None
    enabled: bool = True


class Chosen(msgspec.Struct):
    """A provider and one of its models."""

    provider: str
    model: str


class DefaultModels(msgspec.Struct, rename={"text_embedding": "text-embedding"}):
    """The default model of each kind; null where none is chosen."""

    llm: Chosen | msgspec.UnsetType | None = msgspec.UNSET
    text_embedding: Chosen | msgspec.UnsetType | None = msgspec.UNSET
    rerank: Chosen | msgspec.UnsetType | None = msgspec.UNSET
    speech2text: Chosen | msgspec.UnsetType | None = msgspec.UNSET
    tts: Chosen | msgspec.UnsetType | None = msgspec.UNSET
    moderation: Chosen | msgspec.UnsetType | None = msgspec.UNSET


class ModelsQuery(msgspec.Struct):
    """Which kind of models to list."""

    type: ModelType | None = None


class RulesQuery(msgspec.Struct):
    """Which model's rules to list."""

    provider: str
    model: str


@console.get("/model-providers", tag=TAG)
def list_providers() -> Providers:
    """List the providers with their credentials and models."""
    stored: dict[str, list[dict[str, Any]]] = {}
    for row in rows.everything()["credentials"]:
        stored.setdefault(row["provider"], []).append(row)
    return Providers([_provider(preset, stored.get(preset.id, [])) for preset in catalog.presets().values()])


@console.get("/model-providers/<provider>", tag=TAG)
def get_provider(provider: str) -> ProviderInfo:
    """Return one provider."""
    preset = models.preset(provider)
    return _provider(preset, [row for row in rows.everything()["credentials"] if row["provider"] == preset.id])


@console.post("/model-providers/<provider>/credentials", status=201, tag=TAG)
def add_credential(provider: str, body: NewCredential) -> CredentialInfo:
    """Store a credential. Several of one provider are tried in order."""
    return _credential(models.add_credential(provider, name=body.name, base_url=body.base_url,
                                             api_key=body.api_key, extra=body.extra))


@console.patch("/model-providers/<provider>/credentials/<credential_id>", tag=TAG)
def change_credential(provider: str, credential_id: str, body: CredentialChange) -> CredentialInfo:
    """Change a credential."""
    return _credential(models.change_credential(
        provider, credential_id, name=body.name, base_url=body.base_url, api_key=body.api_key, extra=body.extra,
        enabled=body.enabled, position=body.position))


@console.delete("/model-providers/<provider>/credentials/<credential_id>", tag=TAG)
def remove_credential(provider: str, credential_id: str) -> Result:
    """Delete a credential."""
    models.remove_credential(provider, credential_id)
    return OK


@console.post("/model-providers/<provider>/test", tag=TAG)
def test_connection(provider: str, body: Test) -> TestResult:
    """Ask the provider's server for its models, and one model for a word if it is named."""
    found = models.check(provider, base_url=body.base_url, api_key=body.api_key,
                         credential_id=body.credential_id, model=body.model, type_=body.type, extra=body.extra)
    return TestResult(found.ok, found.latency_ms, [_model(spec, custom=False) for spec in found.models],
                      found.base_url, found.error, found.error_type, found.reply)


@console.post("/model-providers/<provider>/models", status=201, tag=TAG)
def put_model(provider: str, body: NewModel) -> ModelInfo:
    """Add a model, or change it. Features and context size left out are guessed from the name."""
    preset = models.preset(provider)
    known = catalog.preset_model(preset.id, body.type, body.model) or catalog.guess(body.model)
    spec = ModelSpec(
        body.model.strip(), body.type, body.mode, known.features if body.features is None else body.features,
        known.context_size if body.context_size is None else body.context_size, body.max_output,
        body.dimensions, body.parameters, body.price, body.voices, body.enabled)
    return _model(models.put_model(provider, spec), custom=True)


@console.delete("/model-providers/<provider>/models/<type_>/<path:model>", tag=TAG)
def remove_model(provider: str, type_: str, model: str) -> Result:
    """Delete an added model."""
    models.remove_model(provider, type_, model)
    return OK


@console.get("/models", tag=TAG)
def list_models(query: ModelsQuery) -> Models:
    """List the models that can be chosen now."""
    return Models([ModelChoice(preset.id, preset.plugin_id, preset.label, spec.model, spec.type, spec.mode,
                               spec.features, spec.context_size, spec.voices)
                   for preset, spec in models.available(query.type)])


@console.get("/models/parameter-rules", tag=TAG)
def parameter_rules(query: RulesQuery) -> Rules:
    """List the parameters a chat model takes, with their ranges and defaults."""
    if not query.model:
        raise NotFound("No model is named.")
    return Rules(models.rules(query.provider, query.model))


@console.get("/default-models", tag=TAG)
def get_default_models() -> DefaultModels:
    """Return the default model of each kind."""
    return _defaults(models.defaults())


@console.post("/default-models", tag=TAG)
def set_default_models(body: DefaultModels) -> DefaultModels:
    """Set the default models of the kinds named; null takes one away."""
    return _defaults(models.set_defaults(msgspec.to_builtins(body)))


def _defaults(found: dict[str, Any]) -> DefaultModels:
    return msgspec.convert(found, DefaultModels)


def _provider(preset: Preset, stored: list[dict[str, Any]]) -> ProviderInfo:
    own = {(spec.type, spec.model) for spec in models.own_models(preset.id)}
    return ProviderInfo(
        preset.id, preset.plugin_id, preset.label, None,
        "custom" if preset.id == "openai_api_compatible" else "preset", preset.local,
        models.usable(preset), [_credential(row) for row in stored],
        [_model(spec, custom=(spec.type, spec.model) in own) for spec in models.models_of(preset)],
        ProviderDefaults(preset.base_url, preset.key_required, preset.help_url, preset.help))


def _credential(row: dict[str, Any]) -> CredentialInfo:
    return CredentialInfo(row["id"], row["name"], row["base_url"], row["key_masked"], row["enabled"], row["extra"],
                          int(row["created_at"]))


def _model(spec: ModelSpec, *, custom: bool) -> ModelInfo:
    return ModelInfo(spec.model, spec.type, spec.mode, spec.features, spec.context_size, spec.max_output,
                     spec.dimensions, spec.voices, spec.price, spec.enabled, custom)
