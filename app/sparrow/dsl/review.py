"""What whoever imports a file has to know or set up: providers, tools, knowledge bases, secrets, unknown nodes.

Nothing here stops an import. Each warning names the node it is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from sparrow.dsl.document import GRAPH_MODES, AppFile
from sparrow.ids import is_uuid

NODE_TYPES = frozenset((
    "start", "end", "answer", "llm", "knowledge-retrieval", "question-classifier", "if-else", "code",
    "template-transform", "http-request", "tool", "variable-aggregator", "variable-assigner", "assigner",
    "iteration", "iteration-start", "loop", "loop-start", "loop-end", "parameter-extractor", "list-operator",
    "document-extractor", "agent", "human-input", "trigger-schedule", "trigger-webhook"))


class Box(Protocol):
    """What this box has, asked by the names that a file uses."""

    def provider(self, provider: str) -> bool:
        """Tell whether a model provider is known and has credentials."""

    def model(self, provider: str, name: str) -> bool:
        """Tell whether a configured provider offers a model."""

    def tool(self, provider_type: str, provider_id: str, tool_name: str, provider_name: str = "") -> bool:
        """Tell whether a tool exists."""

    def dataset(self, dataset_id: str) -> bool:
        """Tell whether a knowledge base exists."""


@dataclass(slots=True, frozen=True)
class Warning:
    """One thing to set up; `code` is for programs, `message` for people."""

    code: str
    message: str
    node_id: str | None = None
    title: str | None = None


def warnings(file: AppFile, box: Box) -> list[Warning]:
    """Return what the app needs and this box lacks, in the order of the file, each thing once per node."""
    found = _graph(file.content, box) if file.mode in GRAPH_MODES else _config(file.content, box)
    return list(dict.fromkeys(found))


def _graph(content: dict[str, Any], box: Box) -> Iterator[Warning]:
    for variable in content.get("environment_variables") or []:
        if variable.get("value_type") == "secret" and not variable.get("value"):
            yield Warning("secret_missing", f"The secret '{variable.get('name')}' is empty; fill it in.")
    graph = content["graph"]
    known = set()
    for node in graph["nodes"]:
        known.add(node.get("id"))
        if node.get("type") == "custom-note":
            continue
        data, where = node.get("data") or {}, {"node_id": node.get("id")}
        where["title"] = data.get("title") or ""
        kind = data.get("type") or ""
        if kind not in NODE_TYPES:
            yield Warning("node_unknown", f"Nodes of type '{kind}' cannot run here.", **where)
        if kind == "agent" and str(data.get("version")) == "2":
            yield Warning("node_unknown", "This agent is defined outside the file and cannot run here.", **where)
        for model in _models(data):
            yield from _model(model, box, where)
        yield from _tools(data, box, where)
        if kind == "knowledge-retrieval":
            yield from _datasets(data.get("dataset_ids"), box, where)
    for edge in graph.get("edges") or []:
        for end in ("source", "target"):
            if edge.get(end) not in known:
                yield Warning("edge_dangling", f"The connection {edge.get('id')} leads to a node that does not exist.",
                              node_id=edge.get("source") if end == "target" else edge.get("target"), title="")


def _config(content: dict[str, Any], box: Box) -> Iterator[Warning]:
    where = {"node_id": None, "title": None}
    yield from _model(content.get("model") or {}, box, where)
    mode = content.get("agent_mode") or {}
    for tool in mode.get("tools") or []:
        if isinstance(tool, dict):
            if "provider_id" in tool or "tool_name" in tool:
                yield from _tool(tool.get("provider_type"), tool, box, where)
            elif isinstance(tool.get("dataset"), dict):
                yield from _datasets([tool["dataset"].get("id")], box, where)
    configs = content.get("dataset_configs") or {}
    datasets = configs.get("datasets")
    items = datasets.get("datasets") if isinstance(datasets, dict) else None
    ids = [_mapping(_mapping(item).get("dataset")).get("id") for item in (items if isinstance(items, list) else [])]
    yield from _datasets(ids, box, where)


def _models(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for place in (data.get("model"), (data.get("single_retrieval_config") or {}).get("model")
                  if isinstance(data.get("single_retrieval_config"), dict) else None):
        if isinstance(place, dict):
            yield place
    for parameter in _mapping(data.get("agent_parameters")).values():
        value = _mapping(parameter).get("value")
        if isinstance(value, dict) and value.get("type") == "model-selector":
            yield {"provider": value.get("provider"), "name": value.get("model")}


def _model(model: dict[str, Any], box: Box, where: dict[str, Any]) -> Iterator[Warning]:
    provider, name = model.get("provider"), model.get("name")
    if not isinstance(provider, str) or not provider:
        return
    if not box.provider(provider):
        yield Warning("provider_missing", f"The model provider '{provider}' is not set up here "
                                          f"(wanted for the model '{name}').", **where)
    elif isinstance(name, str) and name and not box.model(provider, name):
        yield Warning("model_missing", f"The provider '{provider}' has no model '{name}' here.", **where)


def _tools(data: dict[str, Any], box: Box, where: dict[str, Any]) -> Iterator[Warning]:
    if data.get("type") == "tool":
        yield from _tool(data.get("provider_type"), data, box, where)
    if data.get("type") == "agent":
        for parameter in _mapping(data.get("agent_parameters")).values():
            value = _mapping(parameter).get("value")
            for tool in value if isinstance(value, list) else []:
                if isinstance(tool, dict) and tool.get("tool_name"):
                    yield from _tool(tool.get("type") or tool.get("provider_type"), tool, box, where)


_TO_DO = {"api": "Add its OpenAPI document on the tools page under that name.",
          "mcp": "Add the MCP server on the tools page with that identifier.",
          "workflow": "Import that workflow, publish it and add it on the tools page under that name."}


def _tool(kind: Any, tool: dict[str, Any], box: Box, where: dict[str, Any]) -> Iterator[Warning]:
    kind, name = str(kind or "builtin"), str(tool.get("tool_name") or "")
    provider_id, provider_name = str(tool.get("provider_id") or ""), str(tool.get("provider_name") or "")
    if not box.tool(kind, provider_id, name, provider_name):
        shown = provider_name or provider_id if kind in _TO_DO else provider_id or provider_name
        yield Warning("tool_missing", f"The tool '{name}' of '{shown}' ({kind}) does not exist here. "
                                      f"{_TO_DO.get(kind, 'Choose another tool in its place.')}", **where)


def _datasets(ids: Any, box: Box, where: dict[str, Any]) -> Iterator[Warning]:
    for dataset_id in ids if isinstance(ids, list) else []:
        if not (is_uuid(dataset_id) and box.dataset(dataset_id)):
            yield Warning("dataset_missing", "A knowledge base of the file does not exist here; choose one.", **where)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
