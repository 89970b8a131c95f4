"""An app file as a value: what `apps` keeps of it, and the same file made again.

Everything the file says is kept, known or not. Writing puts back what was read, key by key, and changes only what
the app's owner changed, the version, and what must not leave a box (secrets, credential ids, trigger addresses).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from sparrow.dsl import shape, text, version
from sparrow.errors import BadRequest

MODES = ("chat", "completion", "agent-chat", "advanced-chat", "workflow")
GRAPH_MODES = ("advanced-chat", "workflow")
# What a file that leaves a key of `app` out means.
APP_DEFAULTS = {"name": "", "description": "", "icon_type": "emoji", "icon": "", "icon_background": "#FFFFFF",
                "use_icon_as_answer_icon": False}


@dataclass(slots=True)
class AppFile:
    """One app, outside the database.

    `content` is the file's `workflow` or `model_config`; `source` holds its other keys as they were read:
    `{"app": {...}, "file": {...}}`.
    """

    mode: str
    content: dict[str, Any]
    name: str = ""
    description: str = ""
    icon_type: str = "emoji"
    icon: str = ""
    icon_background: str = "#FFFFFF"
    use_icon_as_answer_icon: bool = False
    source: dict[str, Any] = field(default_factory=dict)
    version: str = version.CURRENT

    @property
    def status(self) -> version.Status:
        """Whether the file may be imported at once."""
        return version.status(self.version)


def parse(data: str | bytes) -> AppFile:
    """Read an app file of any version; raise BadRequest that names the place of what is wrong."""
    document = text.read(data)
    if not isinstance(document, dict):
        raise BadRequest("Invalid YAML format: content must be a mapping")
    declared = version.of(document)
    app = document.get("app")
    if not app:
        raise BadRequest("Missing app data in YAML content", params="app")
    if not isinstance(app, dict):
        raise BadRequest("app: must be a mapping", params="app")
    mode = app.get("mode")
    if not mode:
        raise BadRequest("loss app mode", params="app.mode")
    if mode not in MODES:
        raise BadRequest(f"{shape.shown(mode)} is not a valid AppMode", params="app.mode")
    known = {name: _app_value(app, name) for name in APP_DEFAULTS}
    part = content_key(mode)
    content = document.get(part)
    if not content:
        raise BadRequest("Missing workflow data for workflow/advanced chat app" if mode in GRAPH_MODES else
                         "Missing model_config for chat/agent-chat/completion app", params=part)
    content = shape.workflow(content) if mode in GRAPH_MODES else shape.model_config(content)
    rest = {key: value for key, value in document.items() if key not in ("app", "version", part)}
    if not isinstance(rest.get("dependencies") or [], list):
        raise BadRequest("dependencies: must be a list", params="dependencies")
    return AppFile(mode=mode, content=content, source={"app": app, "file": rest}, version=declared, **known)


def write(file: AppFile, *, include_secret: bool = False) -> str:
    """Return the file's text; secrets stay out unless asked for."""
    app = dict(file.source.get("app") or {})
    fresh = not app
    app["mode"] = file.mode
    for name, default in APP_DEFAULTS.items():
        value = getattr(file, name)
        before = _app_value(app, name) if name in app else default
        if fresh or value != before:
            app[name] = value
    document = dict(file.source.get("file", {"dependencies": []}))
    document.update(kind="app", version=version.CURRENT, app=app)
    document[content_key(file.mode)] = _without_secrets(file.content, include_secret)
    return text.write(document)


def content_key(mode: str) -> str:
    """Return the top-level key that holds the app's definition."""
    return "workflow" if mode in GRAPH_MODES else "model_config"


def _app_value(app: dict[str, Any], name: str) -> Any:
    value, default = app.get(name), APP_DEFAULTS[name]
    if value is None:
        return default
    if name == "icon_type":
        return value if value in ("emoji", "image", "link") else "emoji"
    if isinstance(default, str) and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)  # an app called 2024, unquoted
    if not isinstance(value, type(default)):
        raise BadRequest(f"app.{name}: must be {'text' if isinstance(default, str) else 'true or false'}",
                         params=f"app.{name}")
    return value


def _without_secrets(content: dict[str, Any], include_secret: bool) -> dict[str, Any]:
    content = copy.deepcopy(content)
    for variable in content.get("environment_variables") or []:
        if variable.get("value_type") == "secret" and not include_secret:
            variable["value"] = ""
    for node in (content.get("graph") or {}).get("nodes") or []:
        data = node.get("data") or {}
        kind = data.get("type")
        if kind == "tool":
            data.pop("credential_id", None)
        elif kind == "agent":
            parameters = data.get("agent_parameters")
            for parameter in parameters.values() if isinstance(parameters, dict) else ():
                _drop_credentials(parameter.get("value") if isinstance(parameter, dict) else None)
        elif kind == "trigger-webhook":
            data.update({name: "" for name in ("webhook_url", "webhook_debug_url") if name in data})
        elif kind == "trigger-plugin" and "subscription_id" in data:
            data["subscription_id"] = ""
    mode = content.get("agent_mode")
    if isinstance(mode, dict):
        _drop_credentials(mode.get("tools"))
    return content


def _drop_credentials(tools: Any) -> None:
    for tool in tools if isinstance(tools, list) else []:
        if isinstance(tool, dict):
            tool.pop("credential_id", None)
