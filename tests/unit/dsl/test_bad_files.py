"""Whatever is in a file: an answer in bounded time, and an error that names the place."""

import copy
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrow.dsl import document, review, text, version
from sparrow.errors import BadRequest

from .test_round_trip import EmptyBox

APP = "app: {mode: workflow}\nworkflow:\n  "
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(12))


@pytest.mark.parametrize(("content", "place"), [
    ("[" * 1_000_000, r"Nested deeper than 100 levels \(line 1\b"),
    (BOMB, "More than 1000000 values"),
    ("a: !!python/object/apply:os.system [id]", "line 1, column 4"),
    ("a: .nan", "NaN"),
    ("a: 1\n---\nb: 2", "more than one document"),
    ("a: *gone", "Unknown alias 'gone'"),
    ("&a [*a]", "Unknown alias 'a'"),
    ("? [x]\n: y", "key must be text"),
    ("a: 1" + "0" * 9000, "number cannot be read"),
    ('a: "\\uD800"', "escape"),
    ("a: \x00", "Invalid YAML"),
    ("\ud800", "Invalid character"),
    (b"\xff\xfe\x00", "not UTF-8"),
    ("- " * 500 + "x", "Nested deeper"),
    (APP + "graph: 5", "workflow.graph: must be a mapping"),
    (APP + "graph: {nodes: {}}", "workflow.graph.nodes: must be a list"),
    (APP + "graph: {nodes: [5]}", r"workflow.graph.nodes\[0\]: must be a mapping"),
    (APP + "graph: {nodes: [{id: [1], data: {}}]}", r"nodes\[0\].id: must be text"),
    (APP + "graph: {nodes: [{data: {}}]}", r"nodes\[0\].id: is missing"),
    (APP + "graph: {nodes: [], edges: [x]}", r"edges\[0\]: must be a mapping"),
    (APP + "features: {file_upload: 7}\n  graph: {nodes: []}", "workflow.features.file_upload: must be a mapping"),
    (APP + "environment_variables: [{name: n, value_type: number, value: x}]\n  graph: {nodes: []}",
     "invalid number value x"),
    (APP + "conversation_variables: [{name: n, value_type: 'array[string]', value: [1]}]\n  graph: {nodes: []}",
     r"invalid array\[string\] value"),
    (APP + "environment_variables: [{name: n, value_type: string}]\n  graph: {nodes: []}", "missing value"),
    ("app: {mode: chat}\nmodel_config: {user_input_form: [5]}", r"user_input_form\[0\]: must be a mapping"),
    ("app: {mode: chat, name: [1]}\nmodel_config: {a: 1}", "app.name: must be text"),
    ("app: {mode: [chat]}\nmodel_config: {a: 1}", "is not a valid AppMode"),
    ("app: 5", "app: must be a mapping"),
    ("version: 1.0\napp: {mode: chat}", "Invalid version type"),
])
def test_refused_with_its_place(content, place):
    began = time.monotonic()
    with pytest.raises(BadRequest, match=place):
        document.parse(content)
    assert time.monotonic() - began < 10


def test_ten_mebibytes():
    began = time.monotonic()
    with pytest.raises(BadRequest) as caught:
        document.parse("a: x\n" * (text.MAX_BYTES // 5 + 1))
    assert caught.value.status == 413
    with pytest.raises(BadRequest):
        document.parse("[" + "1," * (text.MAX_BYTES // 2 - 8) + "]")
    assert time.monotonic() - began < 30


def test_unquoted_digits_are_ids():
    graph = "graph: {nodes: [{id: 17115, data: {type: start}}], edges: [{source: 17115, target: 2}]}"
    file = document.parse(APP + graph)
    assert file.content["graph"]["nodes"][0]["id"] == "17115"
    assert file.content["graph"]["edges"][0]["target"] == "2"


@pytest.mark.parametrize(("declared", "status"), [
    ("0.6.0", "completed"), ("0.6.9", "pending"), ("0.5.0", "completed-with-warnings"), ("1.0.0", "pending"),
    ("0.7.0", "pending"), ("0.1.5", "completed-with-warnings")])
def test_version_rule(declared, status):
    assert version.status(declared) == status


JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just([]), st.just({}),
                 st.just([[]]), st.just([{}]), st.just({"a": {"b": []}}),
                 st.floats(allow_nan=False, allow_infinity=False))
SEED = text.read("""
app: {mode: workflow, name: x, icon_type: emoji}
version: 0.6.0
dependencies: [{type: marketplace, value: {}}]
workflow:
  environment_variables: [{name: KEY, value_type: secret, value: ''}]
  conversation_variables: [{name: v, value_type: 'array[string]', value: [a]}]
  features: {file_upload: {enabled: true}, suggested_questions: [a]}
  graph:
    nodes:
    - {id: a, type: custom, data: {type: start, title: S, variables: [{variable: q, type: text-input}]}}
    - {id: b, data: {type: llm, title: L, model: {provider: p, name: m}}}
    - {id: c, data: {type: agent, agent_parameters: {model: {value: {type: model-selector, provider: p}},
        tools: {value: [{tool_name: t, type: builtin, credential_id: c}]}}}}
    - {id: d, data: {type: knowledge-retrieval, dataset_ids: [z], single_retrieval_config: {model: {provider: p}}}}
    - {id: h, data: {type: human-input, user_actions: [{id: ok, title: OK}], inputs: [{type: paragraph}]}}
    - {id: w, data: {type: trigger-webhook, webhook_url: u}}
    edges: [{id: e1, source: a, target: b, sourceHandle: source}]
""")
CHAT = text.read("""
app: {mode: chat, name: x}
model_config:
  model: {provider: p, name: m, mode: chat, completion_params: {}}
  agent_mode: {enabled: true, tools: [{dataset: {id: x}}, {tool_name: t, provider_id: p, credential_id: c}]}
  dataset_configs: {datasets: {datasets: [{dataset: {id: x}}]}}
  user_input_form: [{text-input: {variable: v}}]
""")


def _paths(value, prefix=()):
    yield prefix
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from _paths(child, (*prefix, key))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([SEED, CHAT]).flatmap(
    lambda seed: st.tuples(st.just(seed), st.lists(st.tuples(st.sampled_from(list(_paths(seed))), JUNK), min_size=1,
                                                   max_size=3))))
def test_mutated_files_are_read_or_refused(case):
    seed, changes = case
    value = copy.deepcopy(seed)
    for path, junk in changes:
        target = value
        try:
            for key in path[:-1]:
                target = target[key]
            if path:
                target[path[-1]] = copy.deepcopy(junk)  # one object may be drawn twice
            else:
                value = junk
        except (KeyError, IndexError, TypeError):
            continue
    try:
        file = document.parse(text.write(value))
    except BadRequest as error:
        assert error.message
        return
    review.warnings(file, EmptyBox())
    written = document.write(file)
    assert document.write(document.parse(written)) == written


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(data):
    with pytest.raises(BadRequest):
        document.parse(data)
