"""The shape of an app's definition: what must be a mapping, a list, a text. Unknown keys pass.

Meaning is not judged here: unknown node types, dangling edges and missing plugins import, as in Dify, and are
reported by `review`.
"""

from __future__ import annotations

from typing import Any

from sparrow.dsl import variables
from sparrow.errors import BadRequest

_NAMES = {dict: "a mapping", list: "a list", str: "text", bool: "true or false"}
_TRIGGERS = ("trigger-schedule", "trigger-webhook", "trigger-plugin")
_FEATURES = {"opening_statement": str, "suggested_questions": list, "suggested_questions_after_answer": dict,
             "speech_to_text": dict, "text_to_speech": dict, "retriever_resource": dict,
             "sensitive_word_avoidance": dict, "file_upload": dict}
_MODEL_CONFIG = {**_FEATURES, "model": dict, "prompt_type": str, "pre_prompt": str, "chat_prompt_config": dict,
                 "completion_prompt_config": dict, "user_input_form": list, "annotation_reply": dict,
                 "more_like_this": dict, "external_data_tools": list, "dataset_query_variable": str,
                 "dataset_configs": dict, "agent_mode": dict}


def workflow(content: Any) -> dict[str, Any]:
    """Return the definition of a workflow or chatflow, with ids as text; raise BadRequest naming the place."""
    _expect(content, dict, "workflow")
    graph = content.get("graph")
    _expect(graph, dict, "workflow.graph", none=True)
    if not graph or "nodes" not in graph:
        raise BadRequest("nodes not found in workflow graph", params="workflow.graph.nodes")
    _expect(graph["nodes"], list, "workflow.graph.nodes")
    _expect(graph.get("edges"), list, "workflow.graph.edges", none=True)
    kinds = [_node(node, f"workflow.graph.nodes[{index}]") for index, node in enumerate(graph["nodes"])]
    for index, edge in enumerate(graph.get("edges") or []):
        place = f"workflow.graph.edges[{index}]"
        _expect(edge, dict, place)
        for name in ("id", "source", "target", "sourceHandle", "targetHandle"):
            _id(edge, name, place)
    if "start" in kinds and any(kind in _TRIGGERS for kind in kinds):
        raise BadRequest("Start node and trigger nodes cannot coexist in the same workflow",
                         params="workflow.graph.nodes")
    _features(content.get("features"), "workflow.features", _FEATURES)
    for name in ("environment_variables", "conversation_variables", "rag_pipeline_variables"):
        _expect(content.get(name), list, f"workflow.{name}", none=True)
    for index, variable in enumerate(content.get("environment_variables") or []):
        variables.check(variable, f"workflow.environment_variables[{index}]")
    for index, variable in enumerate(content.get("conversation_variables") or []):
        variables.check(variable, f"workflow.conversation_variables[{index}]")
    return content


def model_config(content: Any) -> dict[str, Any]:
    """Return the definition of a chat, agent or completion app; raise BadRequest naming the place."""
    _expect(content, dict, "model_config")
    _features(content, "model_config", _MODEL_CONFIG)
    for index, item in enumerate(content.get("user_input_form") or []):
        place = f"model_config.user_input_form[{index}]"
        _expect(item, dict, place)
        for kind, control in item.items():
            _expect(control, dict, f"{place}.{kind}")
    model = content.get("model") or {}
    for name in ("provider", "name", "mode"):
        _expect(model.get(name), str, f"model_config.model.{name}", none=True)
    _expect(model.get("completion_params"), dict, "model_config.model.completion_params", none=True)
    _expect((content.get("agent_mode") or {}).get("tools"), list, "model_config.agent_mode.tools", none=True)
    return content


def shown(value: Any) -> str:
    """Return a value as it may appear in a message: short, quoted."""
    shortened = repr(value)
    return shortened if len(shortened) <= 60 else shortened[:57] + "..."


def _node(node: Any, place: str) -> str:
    _expect(node, dict, place)
    _id(node, "id", place)
    _id(node, "parentId", place)
    data = node.get("data")
    _expect(data, dict, f"{place}.data", none=node.get("type") == "custom-note")
    data = data or {}
    for name in ("type", "title", "iteration_id", "loop_id", "start_node_id"):
        _id(data, name, f"{place}.data")
    if node.get("type") != "custom-note" and not node.get("id"):
        raise BadRequest(f"{place}.id: is missing", params=f"{place}.id")
    kind = data.get("type") or ""
    if kind == "human-input":
        _human_input(data, f"{place}.data")
    return kind


def _human_input(data: dict[str, Any], place: str) -> None:
    for name in ("inputs", "user_actions", "delivery_methods"):
        _expect(data.get(name), list, f"{place}.{name}", none=True)
        for index, item in enumerate(data.get(name) or []):
            _expect(item, dict, f"{place}.{name}[{index}]")
    seen = set()
    for index, action in enumerate(data.get("user_actions") or []):
        identifier = action.get("id")
        where = f"{place}.user_actions[{index}].id"
        if not isinstance(identifier, str) or not identifier.isidentifier() or len(identifier) > 20:
            raise BadRequest(f"{where}: must be a name of at most 20 letters, digits and _", params=where)
        if identifier in seen:
            raise BadRequest(f"{where}: '{identifier}' is used twice", params=where)
        seen.add(identifier)


def _features(features: Any, place: str, kinds: dict[str, type]) -> None:
    _expect(features, dict, place, none=True)
    for name, kind in kinds.items():
        _expect((features or {}).get(name), kind, f"{place}.{name}", none=True)


def _id(owner: dict[str, Any], name: str, place: str) -> None:
    """Accept a number where text belongs: ids are digits, and hand-written files leave the quotes out."""
    value = owner.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        owner[name] = value = str(value)
    _expect(value, str, f"{place}.{name}", none=True)


def _expect(value: Any, kind: type, place: str, *, none: bool = False) -> None:
    if isinstance(value, kind) or (value is None and none):
        return
    what = "is missing" if value is None else f"must be {_NAMES[kind]}, not {shown(value)}"
    raise BadRequest(f"{place}: {what}", params=place)
