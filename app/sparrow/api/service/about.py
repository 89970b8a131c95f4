"""What a client shows before the first message: the app's name, its inputs and limits."""

from __future__ import annotations

from typing import Any

from sparrow import __version__
from sparrow.api.service import service, shapes
from sparrow.api.service.conversations import iso
from sparrow.api.service.who import app
from sparrow.apps import attachment, inputs, models, prepared, user
from sparrow.dsl.document import GRAPH_MODES
from sparrow.errors import BadRequest, Forbidden
from sparrow.providers.types import MODEL_TYPES

TAG = "app"


@service.get("/", public=True, tag=TAG)
def root() -> shapes.Root:
    """Tell what answers here."""
    return {"welcome": "Sparrow, a Dify-compatible API", "api_version": "v1", "server_version": __version__}


@service.get("/info", tag=TAG)
def info() -> shapes.Info:
    """Tell the app's name, mode and description."""
    row = app()
    return {"name": row.name, "description": row.description, "tags": [], "mode": row.mode, "author_name": "Sparrow"}


@service.get("/parameters", tag=TAG)
def parameters() -> shapes.Parameters:
    """Tell which inputs the app takes and which features it has."""
    row = app()
    if row.published_id is None:
        raise BadRequest("App unavailable, please check your app configurations.", code="app_unavailable")
    return of_definition(prepared.published(row), row)


@service.get("/meta", tag=TAG)
def meta() -> shapes.Meta:
    """Tell the icons of the app's tools."""
    icons = {}
    if app().mode == "agent-chat" and app().published_id:
        tools = (prepared.published(app()).content.get("agent_mode") or {}).get("tools") or []
        for tool in tools:
            if isinstance(tool, dict) and tool.get("tool_name"):
                provider = tool.get("provider_id") or tool.get("provider_name")
                icons[tool["tool_name"]] = f"/console/api/workspaces/current/tool-provider/builtin/{provider}/icon"
    return {"tool_icons": icons}


@service.get("/site", tag=TAG)
def site() -> shapes.Site:
    """Tell how the app's web page looks."""
    row = app()
    if not row.enable_site:
        raise Forbidden("The site is disabled.")
    stored = row.site or {}
    return {"title": stored.get("title") or row.name, "chat_color_theme": stored.get("chat_color_theme"),
            "chat_color_theme_inverted": bool(stored.get("chat_color_theme_inverted")), "icon_type": row.icon_type,
            "icon": row.icon, "icon_background": row.icon_background, "description": stored.get("description"),
            "copyright": stored.get("copyright"), "privacy_policy": stored.get("privacy_policy"),
            "custom_disclaimer": stored.get("custom_disclaimer") or "",
            "default_language": stored.get("default_language") or "en-US",
            "show_workflow_steps": stored.get("show_workflow_steps", True),
            "use_icon_as_answer_icon": row.use_icon_as_answer_icon, "icon_url": None}


@service.get("/end-users/<end_user_id>", tag=TAG)
def get_end_user(end_user_id: str) -> shapes.EndUser:
    """Tell about an end user."""
    row = user.get(app().id, end_user_id)
    return {"id": row.id, "tenant_id": "", "app_id": row.app_id, "type": row.type, "external_user_id": row.session_id,
            "name": None, "is_anonymous": False, "session_id": row.session_id, "created_at": iso(row.created_at),
            "updated_at": iso(row.updated_at)}


@service.get("/workspaces/current/models/model-types/<model_type>", tag=TAG)
def list_models_of_type(model_type: str) -> shapes.ModelsOfType:
    """List the models of a type that are set up, by provider."""
    if model_type not in MODEL_TYPES:
        raise BadRequest(f"model_type: '{model_type[:40]}' is not one of {', '.join(MODEL_TYPES)}", params="model_type")
    found: dict[str, dict[str, Any]] = {}
    for preset, spec in models.available(model_type):
        entry = found.setdefault(preset.id, {
            "tenant_id": "", "provider": preset.plugin_id,
            "label": {"en_US": preset.label.en, "zh_Hans": preset.label.zh},
            "icon_small": None, "icon_small_dark": None, "status": "active", "models": []})
        entry["models"].append({
            "model": spec.model, "label": {"en_US": spec.model, "zh_Hans": spec.model}, "model_type": model_type,
            "features": list(spec.features) or None, "fetch_from": "predefined-model",
            "model_properties": {"context_size": spec.context_size} if spec.context_size else {}, "status": "active",
            "deprecated": False, "load_balancing_enabled": False, "has_invalid_load_balancing_configs": False})
    return {"data": list(found.values())}


def of_definition(definition: prepared.Definition, row) -> dict[str, Any]:
    """Return /parameters of a definition."""
    features = definition.features
    form = (inputs.form(definition.fields) if definition.mode in GRAPH_MODES
            else features.get("user_input_form") or [])

    def part(name: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
        value = features.get(name)
        return value if isinstance(value, dict) and value else default or {"enabled": False}

    def graph_part(name: str, default: dict[str, Any]) -> dict[str, Any]:
        """Return a feature of a workflow as its publishing leaves it: what is not set is there, but empty."""
        value = features.get(name)
        return {**default, **value} if isinstance(value, dict) else default

    annotation = row.annotation_reply or {}
    if definition.mode in GRAPH_MODES:
        moderation = graph_part("sensitive_word_avoidance", {"enabled": False})
        upload = {name: value for name, value in graph_part("file_upload", {}).items() if name != "image"}
    else:
        moderation = part("sensitive_word_avoidance", {"enabled": False, "type": "", "configs": []})
        upload = part("file_upload", {"image": {
            "enabled": False, "number_limits": 3, "detail": "high", "transfer_methods": ["remote_url", "local_file"]}})
    return {
        "opening_statement": features.get("opening_statement") or (None if definition.mode == "workflow" else ""),
        "suggested_questions": features.get("suggested_questions") or [],
        "suggested_questions_after_answer": part("suggested_questions_after_answer"),
        "speech_to_text": part("speech_to_text"),
        "text_to_speech": graph_part("text_to_speech", {"enabled": False, "voice": "", "language": ""}),
        "retriever_resource": part("retriever_resource"),
        "annotation_reply": annotation if annotation.get("enabled") else {"enabled": False},
        "more_like_this": part("more_like_this"), "user_input_form": form,
        "sensitive_word_avoidance": moderation, "file_upload": upload,
        "system_parameters": {
            "image_file_size_limit": attachment.LIMITS["image"], "video_file_size_limit": attachment.LIMITS["video"],
            "audio_file_size_limit": attachment.LIMITS["audio"], "file_size_limit": attachment.LIMITS["document"],
            "workflow_file_upload_limit": attachment.MAX_FILES}}
