"""Node types, one file each; `make` turns a node's DSL data into the object that runs it."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from sparrow.engine.nodes.base import Node

_TYPES = {
    "start": "start:Start",
    "trigger-schedule": "start:Start",
    "trigger-plugin": "start:Start",
    "trigger-webhook": "start:Webhook",
    "end": "end:End",
    "answer": "answer:Answer",
    "llm": "llm:Llm",
    "knowledge-retrieval": "knowledge_retrieval:KnowledgeRetrieval",
    "question-classifier": "question_classifier:QuestionClassifier",
    "if-else": "if_else:IfElse",
    "code": "code:Code",
    "template-transform": "template_transform:TemplateTransform",
    "http-request": "http_request:HttpRequestNode",
    "tool": "tool:Tool",
    "variable-aggregator": "variable_aggregator:VariableAggregator",
    "variable-assigner": "variable_aggregator:VariableAggregator",
    "assigner": "assigner:Assigner",
    "iteration": "iteration:Iteration",
    "iteration-start": "start:ContainerStart",
    "loop": "loop:Loop",
    "loop-start": "start:ContainerStart",
    "loop-end": "start:ContainerStart",
    "parameter-extractor": "parameter_extractor:ParameterExtractor",
    "list-operator": "list_operator:ListOperator",
    "document-extractor": "document_extractor:DocumentExtractor",
    "agent": "agent:Agent",
    "human-input": "human_input:HumanInput",
}


@lru_cache(maxsize=64)
def _load(where: str) -> type[Node]:
    module, name = where.split(":")
    return getattr(import_module(f"sparrow.engine.nodes.{module}"), name)


def make(identity: str, data: dict[str, Any]) -> Node:
    """Return the node; raise GraphError for a type there is not."""
    kind = data["type"]
    if kind not in _TYPES:
        from sparrow.engine.graph import GraphError

        raise GraphError(f"No class mapping found for node type: {kind}")
    return _load(_TYPES[kind])(identity, data)
