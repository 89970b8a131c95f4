"""What a new app of each mode starts from."""

from __future__ import annotations

import copy
from typing import Any

from sparrow.dsl.document import GRAPH_MODES

_FEATURES: dict[str, Any] = {
    "opening_statement": "", "suggested_questions": [], "suggested_questions_after_answer": {"enabled": False},
    "speech_to_text": {"enabled": False}, "text_to_speech": {"enabled": False, "voice": "", "language": ""},
    "retriever_resource": {"enabled": True}, "sensitive_word_avoidance": {"enabled": False},
    "file_upload": {"enabled": False, "allowed_file_types": ["image"], "number_limits": 3,
                    "allowed_file_extensions": [".JPG", ".JPEG", ".PNG", ".GIF", ".WEBP", ".SVG"],
                    "allowed_file_upload_methods": ["local_file", "remote_url"],
                    "image": {"enabled": False, "number_limits": 3, "transfer_methods": ["local_file", "remote_url"]}},
}
_CONFIG: dict[str, Any] = {
    "model": {"provider": "", "name": "", "mode": "chat", "completion_params": {}},
    "prompt_type": "simple", "pre_prompt": "", "chat_prompt_config": {}, "completion_prompt_config": {},
    "user_input_form": [], "dataset_query_variable": "", "opening_statement": "", "suggested_questions": [],
    "suggested_questions_after_answer": {"enabled": False}, "speech_to_text": {"enabled": False},
    "text_to_speech": {"enabled": False, "voice": "", "language": ""}, "retriever_resource": {"enabled": True},
    "annotation_reply": {"enabled": False}, "more_like_this": {"enabled": False}, "external_data_tools": [],
    "sensitive_word_avoidance": {"enabled": False, "type": "", "configs": []},
    "agent_mode": {"enabled": False, "max_iteration": 5, "strategy": "function_call", "tools": []},
    "dataset_configs": {"retrieval_model": "multiple", "datasets": {"datasets": []}, "top_k": 4,
                        "reranking_enable": False},
    "file_upload": {"image": {"enabled": False, "number_limits": 3, "detail": "high",
                              "transfer_methods": ["remote_url", "local_file"]}},
}


def content(mode: str) -> dict[str, Any]:
    """Return the `workflow` or `model_config` of a new app."""
    if mode in GRAPH_MODES:
        return {"graph": _chatflow() if mode == "advanced-chat" else _workflow(),
                "features": copy.deepcopy(_FEATURES), "environment_variables": [], "conversation_variables": []}
    config = copy.deepcopy(_CONFIG)
    if mode == "agent-chat":
        config["agent_mode"]["enabled"] = True
    if mode == "completion":
        config["pre_prompt"] = "{{query}}"
        config["user_input_form"] = [{"paragraph": {"label": "Query", "variable": "query", "required": True,
                                                    "default": ""}}]
    return config


def _workflow() -> dict[str, Any]:
    return {"nodes": [_node("start", "start", "Start", 80, variables=[]), _node("end", "end", "End", 384, outputs=[])],
            "edges": [_edge("start", "start", "end", "end")], "viewport": {"x": 0, "y": 0, "zoom": 1}}


def _chatflow() -> dict[str, Any]:
    llm = _node("llm", "llm", "LLM", 380, model={"provider": "", "name": "", "mode": "chat", "completion_params": {}},
                prompt_template=[{"role": "system", "text": ""}], context={"enabled": False, "variable_selector": []},
                memory={"window": {"enabled": False, "size": 10}, "query_prompt_template": "{{#sys.query#}}"},
                vision={"enabled": False})
    return {"nodes": [_node("start", "start", "Start", 80, variables=[]), llm,
                      _node("answer", "answer", "Answer", 680, answer="{{#llm.text#}}", variables=[])],
            "edges": [_edge("start", "start", "llm", "llm"), _edge("llm", "llm", "answer", "answer")],
            "viewport": {"x": 0, "y": 0, "zoom": 1}}


def _node(node_id: str, kind: str, title: str, x: int, **data: Any) -> dict[str, Any]:
    place = {"x": x, "y": 282}
    return {"id": node_id, "type": "custom", "position": place, "positionAbsolute": place, "width": 243, "height": 89,
            "sourcePosition": "right", "targetPosition": "left",
            "data": {"type": kind, "title": title, "desc": "", "selected": False, **data}}


def _edge(source: str, source_type: str, target: str, target_type: str) -> dict[str, Any]:
    return {"id": f"{source}-source-{target}-target", "source": source, "sourceHandle": "source", "target": target,
            "targetHandle": "target", "type": "custom", "zIndex": 0,
            "data": {"sourceType": source_type, "targetType": target_type, "isInIteration": False, "isInLoop": False}}
