"""Apps in the console: the studio's list, settings, definition, debug runs, keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from flask import Response

from sparrow.api.console import console
from sparrow.api.service.chat import answer
from sparrow.api.web import OK, Page, Result, base_url
from sparrow.apps import app as apps
from sparrow.apps import key, live, run, template, user, version
from sparrow.apps.order import Order
from sparrow.dsl.document import GRAPH_MODES
from sparrow.errors import BadRequest

Mode = Literal["chat", "completion", "agent-chat", "advanced-chat", "workflow"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class AppQuery(Page, kw_only=True):
    """Which apps."""

    name: str = ""
    mode: str = ""
    tag: str = ""


class CreateApp(msgspec.Struct):
    """A new app."""

    name: Name
    mode: Mode
    description: str | None = None
    icon: str | None = None
    icon_type: Literal["emoji", "image", "link"] | None = None
    icon_background: str | None = None


class ChangeApp(msgspec.Struct):
    """What may be changed; what is absent stays."""

    name: Name | None = None
    description: str | None = None
    icon: str | None = None
    icon_type: Literal["emoji", "image", "link"] | None = None
    icon_background: str | None = None
    use_icon_as_answer_icon: bool | None = None
    enable_site: bool | None = None
    enable_api: bool | None = None
    site: dict[str, Any] | None = None
    tags: list[str] | None = None


class CopyApp(msgspec.Struct):
    """What the copy is called."""

    name: Name | None = None
    description: str | None = None
    icon: str | None = None
    icon_type: Literal["emoji", "image", "link"] | None = None
    icon_background: str | None = None


class App(msgspec.Struct):
    """An app without its definition."""

    id: str
    name: str
    mode: Mode
    icon: str
    icon_type: str
    icon_background: str
    description: str
    use_icon_as_answer_icon: bool
    enable_site: bool
    enable_api: bool
    published: bool
    tags: list[str]
    site: dict[str, Any]
    created_at: int
    updated_at: int


class AppList(msgspec.Struct):
    """A page of apps."""

    data: list[App]
    has_more: bool
    limit: int
    page: int
    total: int


class DebugMessage(msgspec.Struct):
    """A message to the app as it stands in the editor; `model_config` or `workflow` are unsaved definitions."""

    inputs: dict[str, Any] = {}
    query: str = ""
    response_mode: Literal["blocking", "streaming"] = "streaming"
    conversation_id: str | None = None
    parent_message_id: str | None = None
    files: list[dict[str, Any]] | None = None
    auto_generate_name: bool = True
    model_config: dict[str, Any] | None = None
    workflow: dict[str, Any] | None = None


class NewConfig(msgspec.Struct):
    """A definition to save. `hash` is that of the one it was made from: another one in between is a 409."""

    config: dict[str, Any]
    hash: str | None = None


class ConfigDraft(msgspec.Struct):
    """What the editor shows of an app without a graph. `published`: clients run the same; `live_id` is the version they
    run."""

    config: dict[str, Any]
    hash: str
    published: bool
    live_id: str | None


class NewKey(msgspec.Struct):
    """What a key is for."""

    name: Annotated[str, msgspec.Meta(max_length=255)] = ""


class ApiKey(msgspec.Struct):
    """A key, without the key."""

    id: str
    name: str
    token_masked: str
    created_at: int
    last_used_at: int | None


class ApiKeyList(msgspec.Struct):
    """All keys of an app."""

    data: list[ApiKey]


class CreatedKey(msgspec.Struct):
    """A new key; nobody can read it again."""

    id: str
    token: str
    name: str
    token_masked: str
    created_at: int


@console.get("/apps")
def list_apps(query: AppQuery) -> AppList:
    """List apps, the last changed first."""
    rows, total = apps.find(name=query.name, mode=query.mode, tag=query.tag, offset=query.offset(), limit=query.limit)
    tags = apps.tags([row.id for row in rows])
    return AppList([shown(row, tags[row.id]) for row in rows], query.offset() + len(rows) < total, query.limit,
                   query.page, total)


@console.get("/app-tags", tag="apps")
def list_app_tags() -> list[str]:
    """List the tags of all apps."""
    return apps.all_tags()


@console.post("/apps", status=201)
def create_app(body: CreateApp) -> App:
    """Create an app."""
    row = apps.create(body.name, body.mode, description=body.description, icon=body.icon, icon_type=body.icon_type,
                      icon_background=body.icon_background)
    return shown(row, [])


@console.get("/apps/<app_id>")
def get_app(app_id: str) -> App:
    """Get an app."""
    return shown(apps.get(app_id))


@console.put("/apps/<app_id>")
def change_app(app_id: str, body: ChangeApp) -> App:
    """Change an app's settings."""
    apps.get(app_id)
    values = {name: getattr(body, name) for name in apps.FIELDS if getattr(body, name) is not None}
    if body.tags is not None:
        apps.tag(app_id, body.tags)
    return shown(apps.change(app_id, **values))


@console.delete("/apps/<app_id>", status=204)
def delete_app(app_id: str) -> None:
    """Delete an app with everything that belongs to it."""
    apps.delete(app_id)
    user.forget()


@console.post("/apps/<app_id>/copy", status=201)
def copy_app(app_id: str, body: CopyApp) -> App:
    """Make a second app with the same definition."""
    values = {name: getattr(body, name) for name in body.__struct_fields__}
    return shown(apps.copy(app_id, **values))


@console.get("/apps/<app_id>/model-config")
def get_model_config(app_id: str) -> dict[str, Any]:
    """Get the definition of a chat, agent or completion app as the editor shows it, as in its file."""
    return version.current(_basic(app_id)).content


@console.post("/apps/<app_id>/model-config")
def publish_model_config(app_id: str, body: dict[str, Any]) -> Result:
    """Save and publish the definition of a chat, agent or completion app; what is absent is empty."""
    version.publish_content(app_id, {**template.content(_basic(app_id).mode), **body})
    return OK


@console.get("/apps/<app_id>/model-config/draft")
def get_config_draft(app_id: str) -> ConfigDraft:
    """Get the draft of a chat, agent or completion app."""
    return _config_draft(_basic(app_id))


@console.post("/apps/<app_id>/model-config/draft")
def save_config_draft(app_id: str, body: NewConfig) -> ConfigDraft:
    """Save the draft of a chat, agent or completion app; what is absent is empty."""
    row = _basic(app_id)
    version.configure(app_id, {**template.content(row.mode), **body.config}, expected_hash=body.hash)
    return _config_draft(row)


@console.post("/apps/<app_id>/chat-messages", stream=True)
def debug_chat(app_id: str, body: DebugMessage) -> Response:
    """Try a chat app as it stands in the editor."""
    return _debug(app_id, body, run.chat)


@console.post("/apps/<app_id>/completion-messages", stream=True)
def debug_completion(app_id: str, body: DebugMessage) -> Response:
    """Try a text generator as it stands in the editor."""
    return _debug(app_id, body, run.completion)


@console.post("/apps/<app_id>/workflows/draft/run", stream=True)
def debug_workflow(app_id: str, body: DebugMessage) -> Response:
    """Try a workflow as it stands in the editor."""
    return _debug(app_id, body, run.workflow)


@console.post("/apps/<app_id>/chat-messages/<task_id>/stop")
def stop_debug(app_id: str, task_id: str) -> Result:
    """Stop a debug run."""
    live.stop(task_id, app_id)
    return OK


@console.get("/apps/<app_id>/api-keys")
def list_keys(app_id: str) -> ApiKeyList:
    """List an app's API keys."""
    apps.get(app_id)
    return ApiKeyList([ApiKey(row.id, row.name, row.masked, int(row.created_at),
                              int(row.last_used_at) if row.last_used_at else None) for row in key.find(app_id)])


@console.post("/apps/<app_id>/api-keys", status=201)
def create_key(app_id: str, body: NewKey) -> CreatedKey:
    """Create an API key; the reply is the only time it can be read."""
    row, token = key.create(app_id, body.name)
    return CreatedKey(row.id, token, row.name, row.masked, int(row.created_at))


@console.delete("/apps/<app_id>/api-keys/<key_id>", status=204)
def delete_key(app_id: str, key_id: str) -> None:
    """Delete an API key."""
    key.delete(app_id, key_id)


def shown(row, tags: list[str] | None = None) -> App:
    """Return an app as the console sees it."""
    return App(row.id, row.name, row.mode, row.icon, row.icon_type, row.icon_background, row.description,
               row.use_icon_as_answer_icon, row.enable_site, row.enable_api, row.published_id is not None,
               apps.tags([row.id])[row.id] if tags is None else tags, row.site or {}, int(row.created_at),
               int(row.updated_at))


def _basic(app_id: str):
    row = apps.get(app_id)
    if row.mode in GRAPH_MODES:
        raise BadRequest("A workflow or chatflow has a graph instead of a model configuration.", code="app_unavailable")
    return row


def _config_draft(row) -> ConfigDraft:
    shown = version.current(row)
    return ConfigDraft(shown.content, shown.hash, shown.id == row.published_id, row.published_id)


def _debug(app_id: str, body: DebugMessage, start) -> Response:
    row = apps.get(app_id)
    content = body.workflow if row.mode in GRAPH_MODES else body.model_config
    streaming = body.response_mode == "streaming"
    return answer(start(Order(
        row, user.of(app_id, "console", "console"), body.inputs, query=body.query, files=body.files or [],
        conversation_id=run.conversation_of(body.conversation_id), auto_name=body.auto_generate_name, source="console",
        debug=True, content=content, streaming=streaming, base_url=base_url())), streaming,
        first_ping=row.mode in GRAPH_MODES)
