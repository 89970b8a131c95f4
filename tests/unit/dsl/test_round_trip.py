"""Files of every version and mode survive: nothing lost, nothing added, stable bytes."""

import pytest

from sparrow.dsl import document, review, text
from sparrow.errors import BadRequest

REFUSED = {"import-bad-mode": "'zzz' is not a valid AppMode", "import-bad-version": "Invalid version: 'abc'",
           "import-empty": "content must be a mapping", "import-float-version": "Invalid version type",
           "import-no-app": "Missing app data", "import-no-graph": "nodes not found in workflow graph",
           "import-no-workflow": "Missing workflow data", "import-yaml-list": "content must be a mapping",
           "import-trigger-and-start": "Start node and trigger nodes cannot coexist",
           "import-yaml-syntax-error": "Invalid YAML format"}


class EmptyBox:
    """A box on which nothing is set up."""

    def provider(self, provider):
        return False

    def model(self, provider, name):
        return False

    def tool(self, provider_type, provider_id, tool_name, provider_name=""):
        return False

    def dataset(self, dataset_id):
        return False


def test_unedited_file_differs_only_in_version(app_file):
    original = app_file.read_text()
    reason = REFUSED.get(app_file.parent.name)
    if reason:
        with pytest.raises(BadRequest, match=reason):
            document.parse(original)
        return
    file = document.parse(original)
    written = document.write(file)
    before, after = text.read(original), text.read(written)
    before["version"] = after["version"] = "0.6.0"
    if before.get("kind") != "app":
        before["kind"] = "app"
    assert after == before
    assert document.write(document.parse(written)) == written


def test_warnings_name_nodes_of_the_file(app_file):
    if app_file.parent.name in REFUSED:
        pytest.skip("refused")
    file = document.parse(app_file.read_text())
    nodes = {node["id"]: (node.get("data") or {}).get("title", "")
             for node in file.content.get("graph", {}).get("nodes", [])}
    for warning in review.warnings(file, EmptyBox()):
        if warning.node_id is not None and warning.code != "edge_dangling":
            assert nodes[warning.node_id] == warning.title


def test_changed_name_is_written_and_the_rest_kept():
    file = document.parse("app: {mode: chat, name: a, later: {x: [1]}}\nmodel_config: {model: {zzz: 1}}\nfuture: 5\n")
    file.name = "b"
    again = text.read(document.write(file))
    assert again["app"] == {"mode": "chat", "name": "b", "later": {"x": [1]}}
    assert again["future"] == 5
    assert again["model_config"] == {"model": {"zzz": 1}}


def test_secrets_and_credentials_stay_on_the_box():
    node = {"id": "t", "type": "custom", "data": {"type": "tool", "title": "T", "credential_id": "c-1"}}
    file = document.AppFile(mode="workflow", content={
        "graph": {"nodes": [node], "edges": []},
        "environment_variables": [{"id": "1", "name": "K", "value_type": "secret", "value": "s3cret"}]})
    assert "s3cret" not in document.write(file)
    assert "c-1" not in document.write(file)
    assert "s3cret" in document.write(file, include_secret=True)
    assert file.content["graph"]["nodes"][0]["data"]["credential_id"] == "c-1"


def test_warnings_say_what_to_set_up():
    file = document.parse("""
app: {mode: workflow, name: x}
workflow:
  environment_variables: [{name: KEY, value_type: secret, value: ''}]
  graph:
    nodes:
    - {id: a, data: {type: start, title: S}}
    - {id: b, data: {type: llm, title: L, model: {provider: langgenius/openai/openai, name: gpt}}}
    - {id: c, data: {type: tool, title: T, provider_type: builtin, provider_id: x, tool_name: y}}
    - {id: d, data: {type: knowledge-retrieval, title: K, dataset_ids: [zzz]}}
    - {id: e, data: {type: hologram, title: H}}
    edges: [{id: e1, source: a, target: gone}]
""")
    found = [(warning.code, warning.node_id, warning.title) for warning in review.warnings(file, EmptyBox())]
    assert found == [("secret_missing", None, None), ("provider_missing", "b", "L"), ("tool_missing", "c", "T"),
                     ("dataset_missing", "d", "K"), ("node_unknown", "e", "H"), ("edge_dangling", "a", "")]
