"""Definitions with values of wrong kinds, as hand-written and damaged files have them: no run may stumble."""

from __future__ import annotations

import pytest

from sparrow.apps import attachment, inputs, knowledge_use
from sparrow.apps.prepared import Definition
from sparrow.dsl import document
from sparrow.engine.graph import Graph
from sparrow.errors import BadRequest

GARBAGE = (5, True, "x", [1], {"a": 1}, [{"variable": ["x"]}], [{"variable": "v", "type": [1]}])


@pytest.mark.parametrize("value", GARBAGE)
def test_fields(value):
    graph = {"nodes": [{"id": "s", "data": {"type": "start", "variables": value}}]}
    assert inputs.form(inputs.fields_of_graph(graph)) == []


def test_options_that_are_no_list():
    with pytest.raises(BadRequest, match="must be one of"):
        inputs.check([{"variable": "v", "type": "select", "options": 5}], {"v": "x"})


@pytest.mark.parametrize("value", GARBAGE)
def test_knowledge_bases(value):
    assert knowledge_use.of_config({"dataset_configs": {"datasets": {"datasets": value}}}) == []


@pytest.mark.parametrize("value", ["3", [1], None, -1])
def test_limits_of_files(value):
    upload = {"enabled": True, "number_limits": value, "allowed_file_extensions": [1]}
    settings = attachment._settings(Definition("v", "workflow", {"features": {"file_upload": upload}}))
    assert settings["limit"] == attachment.MAX_FILES
    attachment._check([], settings)


def test_an_agent_without_parameters_is_written():
    text = "app: {mode: workflow, name: n}\nworkflow: {graph: {nodes: [{id: a, data: {type: agent, " \
           "agent_parameters: x}}]}}\n"
    assert "agent_parameters: x" in document.write(document.parse(text))


def test_a_target_of_an_assigner_that_is_no_name():
    nodes = [{"id": "s", "data": {"type": "start"}},
             {"id": "a", "data": {"type": "assigner", "version": "2", "items": [
                {"variable_selector": [{}, None], "operation": "set"}]}},
             {"id": "e", "data": {"type": "answer", "answer": "{{#s.x#}}"}}]
    assert Graph.parse({"nodes": nodes, "edges": []}).starts == ["s"]
