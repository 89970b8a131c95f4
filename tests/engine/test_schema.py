"""Start variables with a JSON schema, judged as Python's jsonschema does."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import jsonschema
import pytest
from hypothesis import given, reject, settings

from sparrow.engine import schema
from tests.engine.flow import end, graph, node, play

PERSON = {"type": "object", "required": ["name"], "additionalProperties": False, "properties": {
    "name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}}}


def flow(wanted: Any):
    return graph([node("s", "start", variables=[{"variable": "who", "type": "json_object", "json_schema": wanted}]),
                  end("e", who=["s", "who"])], "s>e")


@pytest.mark.parametrize("wanted", [PERSON, json.dumps(PERSON)])
def test_an_object_has_to_fit_its_schema(wanted):
    last = play(flow(wanted), {"who": {"name": "Ada", "age": 36}})[-1]
    assert (last.status, last.outputs) == ("succeeded", {"who": {"name": "Ada", "age": 36}})
    assert play(flow(wanted), {"who": None})[-1].status == "succeeded"
    for value, words in (({"age": 3}, "'name' is a required property"), ({"name": ""}, "'' should be non-empty"),
                         ({"name": "x", "age": "3"}, "'3' is not of type 'integer'"),
                         ({"name": "x", "b": 1, "a": 2},
                          "Additional properties are not allowed ('a', 'b' were unexpected)")):
        last = play(flow(wanted), {"who": value})[-1]
        assert (last.status, last.error) == ("failed", f"JSON object for 'who' does not match schema: {words}")


@pytest.mark.parametrize(("wanted", "value"), [
    ({"type": "nothing"}, {"a": 1}), ({"properties": 5}, {"a": 1}), ({"$ref": "#/none"}, {"a": 1}),
    ({"$ref": "#"}, {"a": 1}), ({"properties": {"a": {"pattern": "("}}}, {"a": "x"}),
    ({"properties": {"a": {"multipleOf": 0}}}, {"a": 1}), ({"required": 5}, {"a": 1}), ([1], {"a": 1}),
    ("{", {"a": 1})])
def test_a_schema_that_is_none_is_named(wanted, value):
    last = play(flow(wanted), {"who": value})[-1]
    assert last.status == "failed"
    assert "Invalid JSON schema" in last.error


_values = st.recursive(st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "a", "ab"]),
                       lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner,
                                                                                  max_size=3), max_leaves=6)
_kinds = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def _schemas(inner):
    count = st.integers(0, 2)
    number = st.integers(-2, 2) | st.just(0.5)
    names = st.lists(st.sampled_from("abc"), max_size=2, unique=True)
    parts = st.lists(inner, min_size=1, max_size=2)
    keywords: dict[str, st.SearchStrategy] = {
        "type": _kinds | st.lists(_kinds, min_size=1, max_size=2, unique=True), "enum": st.lists(_values, min_size=1,
                                                                                                 max_size=2),
        "const": _values, "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=2),
        # Of several further properties the other validator takes any first.
        "additionalProperties": st.booleans(), "propertyNames": inner, "required": names,
        "dependencies": st.dictionaries(st.sampled_from("abc"), names | inner, max_size=1),
        "items": inner | parts, "additionalItems": inner, "contains": inner, "uniqueItems": st.booleans(),
        "pattern": st.sampled_from(["^a", "b$"]), "multipleOf": st.sampled_from([2, 0.5]), "minLength": count,
        "maxLength": count, "minItems": count, "maxItems": count, "minProperties": count, "maxProperties": count,
        "minimum": number, "maximum": number, "exclusiveMinimum": number, "exclusiveMaximum": number, "allOf": parts,
        "anyOf": parts, "oneOf": parts, "not": inner, "if": inner, "then": inner, "else": inner}
    return st.sets(st.sampled_from(sorted(keywords)), max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries({name: keywords[name] for name in sorted(chosen)}))


_schema = st.recursive(st.booleans() | st.just({}) | _kinds.map(lambda kind: {"type": kind}), _schemas, max_leaves=8)


@settings(max_examples=400, deadline=None)
@given(_schema, _values)
def test_the_first_problem_is_the_one_jsonschema_names(wanted, value):
    try:
        first = next(iter(jsonschema.Draft7Validator(wanted).iter_errors(value)), None)
    except TypeError:  # it stumbles over `additionalItems` beside `items` that is true or false
        reject()
    assert schema.problem(wanted, value) == (first.message if first else None)


def test_further_properties_may_have_a_schema():
    wanted = {"properties": {"a": True}, "additionalProperties": {"type": "string"}}
    assert schema.problem(wanted, {"a": 1, "b": "x"}) is None
    assert schema.problem(wanted, {"a": 1, "b": 2}) == "2 is not of type 'string'"


def test_a_reference_leads_into_the_same_schema():
    tree = {"$ref": "#/definitions/node~1s", "definitions": {"node/s": {
        "type": "object", "required": ["v"], "properties": {"next": {"$ref": "#/definitions/node~1s"}}}}}
    assert schema.problem(tree, {"v": 1, "next": {"v": 2}}) is None
    assert schema.problem(tree, {"v": 1, "next": {}}) == "'v' is a required property"
