"""Imports, exports and versions through the console, with Dify's shapes and statuses."""

from __future__ import annotations

import pytest

from sparrow.dsl import text

FILE = """
app: {mode: workflow, name: Imported, icon: 🤖, later: {kept: 1}}
version: %s
workflow:
  environment_variables: [{id: e1, name: KEY, value_type: secret, value: s3cret, description: ''}]
  features: {}
  graph:
    nodes:
    - {id: a, data: {type: start, title: S, variables: []}}
    - {id: b, data: {type: hologram, title: H}}
    edges: [{id: ab, source: a, target: b}]
"""


def load(admin, content, **options):
    """Import a file."""
    return admin.post("/apps/imports", json={"mode": "yaml-content", "yaml_content": content, **options})


def test_import_reports_and_exports_what_came(admin):
    found = load(admin, FILE % "0.6.0")
    assert found.status_code == 200, found.text
    assert found.json["status"] == "completed"
    assert [warning["node_id"] for warning in found.json["warnings"]] == ["b"]
    exported = text.read(admin.get(f"/apps/{found.json['app_id']}/export").json["data"])
    original = text.read(FILE % "0.6.0")
    original["kind"] = "app"
    original["workflow"]["environment_variables"][0]["value"] = ""
    assert exported == original
    full = admin.get(f"/apps/{found.json['app_id']}/export?include_secret=true").json["data"]
    assert "s3cret" in full


def test_newer_files_wait_for_a_confirmation(admin):
    found = load(admin, FILE % "0.7.0")
    assert (found.status_code, found.json["status"], found.json["app_id"]) == (202, "pending", None)
    done = admin.post(f"/apps/imports/{found.json['id']}/confirm")
    assert (done.status_code, done.json["status"]) == (200, "completed")
    again = admin.post(f"/apps/imports/{found.json['id']}/confirm")
    assert (again.status_code, again.json["status"]) == (400, "failed")


@pytest.mark.parametrize("content", ["", "[", "a: 1", "app: {mode: zzz}", FILE % "abc", "x" * 100, "app: [\n" * 200])
def test_bad_files_leave_nothing(admin, content):
    found = load(admin, content)
    assert (found.status_code, found.json["status"]) == (400, "failed")
    assert found.json["error"]
    assert admin.get("/apps").json["total"] == 0


def test_draft_conflict_publish_diff_restore(admin):
    app_id = load(admin, FILE % "0.6.0").json["app_id"]
    draft = admin.get(f"/apps/{app_id}/workflows/draft").json
    assert draft["environment_variables"][0]["value"] == "[__HIDDEN__]"
    first = admin.post(f"/apps/{app_id}/workflows/publish", json={"marked_name": "one"})
    assert first.status_code == 200, first.text
    graph = draft["graph"]
    graph["nodes"][1]["data"]["title"] = "Changed"
    saved = admin.post(f"/apps/{app_id}/workflows/draft", json={"graph": graph, "hash": draft["hash"]})
    assert saved.status_code == 200, saved.text
    stale = admin.post(f"/apps/{app_id}/workflows/draft", json={"graph": graph, "hash": draft["hash"]})
    assert (stale.status_code, stale.json["code"]) == (409, "draft_workflow_not_sync")
    version_id = first.json["id"]
    changes = admin.get(f"/apps/{app_id}/workflows/{version_id}/diff").json
    assert [node["id"] for node in changes["nodes"]["changed"]] == ["b"]
    assert admin.post(f"/apps/{app_id}/workflows/{version_id}/restore").status_code == 200
    restored = admin.get(f"/apps/{app_id}/workflows/draft").json
    assert restored["graph"]["nodes"][1]["data"]["title"] == "H"
    full = admin.get(f"/apps/{app_id}/export?include_secret=true").json["data"]
    assert "s3cret" in full
    listed = admin.get(f"/apps/{app_id}/workflows").json
    assert [(item["marked_name"], item["live"]) for item in listed["data"]] == [("one", True)]
    exported = admin.get(f"/apps/{app_id}/export?workflow_id={version_id}").json["data"]
    assert "title: H" in exported


def test_unknown_routes_answer_the_envelope(admin):
    for path in ("/v1/nothing", "/v1/apps/x/site/config"):
        reply = admin.http.get(path)
        assert (reply.status_code, reply.json["code"]) == (404, "not_found")
    reply = admin.http.get("/v1/workflows/run")
    assert (reply.status_code, reply.json["code"]) == (405, "method_not_allowed")


def test_deleting_an_app_deletes_its_keys(admin):
    app_id = admin.post("/apps", json={"name": "x", "mode": "chat"}).json["id"]
    key = admin.post(f"/apps/{app_id}/api-keys", json={"name": "k"}).json
    assert key["token"].startswith("app-")
    assert len(key["token"]) == 28
    listed = admin.get(f"/apps/{app_id}/api-keys").json["data"]
    assert key["token"] not in str(listed)
    headers = {"Authorization": f"Bearer {key['token']}"}
    assert admin.http.get("/v1/info", headers=headers).json["mode"] == "chat"
    copied = admin.post(f"/apps/{app_id}/copy", json={"name": "copy"})
    assert copied.status_code == 201
    assert admin.delete(f"/apps/{app_id}").status_code == 204
    assert admin.http.get("/v1/info", headers=headers).status_code == 401
    assert admin.get("/apps").json["total"] == 1
