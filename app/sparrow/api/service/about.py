"""What a client shows before the first message: the app's name, its inputs and limits."""

from __future__ import annotations

from typing import Any

from sparrow.api.service import service
from sparrow.api.service.conversations import iso
from sparrow.api.service.who import app
from sparrow.apps import attachment, inputs, prepared, user
from sparrow.dsl.document import GRAPH_MODES
from sparrow.errors import BadRequest, Forbidden

TAG = "app"


@service.get("/info", tag=TAG)
def info() -> dict[str, Any]:
    """Tell the app's name, mode and description."""
    row = app()
    return {"name": row.name, "description": row.description, "tags": [], "mode": row.mode, "author_name": "Sparrow"}


@service.get("/parameters", tag=TAG)
def parameters() -> dict[str, Any]:
    """Tell which inputs the app takes and which features it has."""
    row = app()
    if row.published_id is None:
        raise BadRequest("App unavailable, please check your app configurations.", code="app_unavailable")
    return of_definition(prepared.published(row), row)


@service.get("/meta", tag=TAG)
def meta() -> dict[str, Any]:
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
def site() -> dict[str, Any]:
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
def get_end_user(end_user_id: str) -> dict[str, Any]:
    """Tell about an end user."""
    row = user.get(app().id, end_user_id)
    return {"id": row.id, "tenant_id": "", "app_id": row.app_id, "type": row.type, "external_user_id": row.session_id,
            "name": None, "is_anonymous": False, "session_id": row.session_id, "created_at": iso(row.created_at),
            "updated_at": iso(row.updated_at)}


def of_definition(definition: prepared.Definition, row) -> dict[str, Any]:
    """Return /parameters of a definition."""
    features = definition.features
    form = (inputs.form(definition.fields) if definition.mode in GRAPH_MODES
            else features.get("user_input_form") or [])

    def part(name: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
        value = features.get(name)
        return value if isinstance(value, dict) and value else default or {"enabled": False}

    annotation = row.annotation_reply or {}
    return {
        "opening_statement": features.get("opening_statement") or "",
        "suggested_questions": features.get("suggested_questions") or [],
        "suggested_questions_after_answer": part("suggested_questions_after_answer"),
        "speech_to_text": part("speech_to_text"),
        "text_to_speech": part("text_to_speech", {"enabled": False, "voice": "", "language": ""}),
        "retriever_resource": part("retriever_resource"),
        "annotation_reply": annotation if annotation.get("enabled") else {"enabled": False},
        "more_like_this": part("more_like_this"), "user_input_form": form,
        "sensitive_word_avoidance": part("sensitive_word_avoidance", {"enabled": False, "type": "", "configs": []}),
        "file_upload": part("file_upload", {"image": {
            "enabled": False, "number_limits": 3, "detail": "high", "transfer_methods": ["remote_url", "local_file"]}}),
        "system_parameters": {
            "image_file_size_limit": attachment.LIMITS["image"], "video_file_size_limit": attachment.LIMITS["video"],
            "audio_file_size_limit": attachment.LIMITS["audio"], "file_size_limit": attachment.LIMITS["document"],
            "workflow_file_upload_limit": attachment.MAX_FILES}}
