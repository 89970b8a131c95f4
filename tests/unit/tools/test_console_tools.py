"""The console's tool pages: what the admin adds, tries and changes."""

import json
import sys
from pathlib import Path

import pytest

from tests.unit.tools.conftest import Service
from tests.unit.tools.test_mcp_server import ECHO, new_workflow

DOCUMENT = """
openapi: 3.0.0
info: {title: Weather}
paths:
  /weather:
    get:
      operationId: getWeather
      summary: Tell the weather
      parameters: [{name: city, in: query, required: true, schema: {type: string}}]
"""
KEY = {"auth_type": "api_key_header", "api_key_header": "X-Key", "api_key_header_prefix": "custom",
       "api_key_value": "secret-key-0123456789"}


def add_api(admin, service, **changes):
    return admin.post("/tool-providers/api", json={"name": "weather", "schema": DOCUMENT, "base_url": service,
                                                   "credentials": KEY, **changes})


def test_a_document_is_read_tried_stored_and_changed(admin, service, sqlite_database):
    read = admin.post("/tool-providers/api/schema", json={"schema": DOCUMENT, "base_url": service}).json
    assert [tool["name"] for tool in read["tools"]] == ["getWeather"]
    assert read["tools"][0]["parameters"][0]["name"] == "city"
    tried = admin.post("/tool-providers/api/test", json={
        "schema": DOCUMENT, "base_url": service, "tool_name": "getWeather", "parameters": {"city": "杭州"},
        "credentials": KEY}).json
    assert tried["ok"], tried
    assert json.loads(tried["result"])["headers"]["x-key"] == KEY["api_key_value"]
    added = add_api(admin, service)
    assert added.status_code == 201, added.text
    shown = added.json["credentials"]["api_key_value"]
    assert shown == "secr******6789"
    stored = b"".join(path.read_bytes() for path in (sqlite_database / "db").iterdir() if path.is_file())
    assert KEY["api_key_value"].encode() not in stored
    # A masked key stays, and is sent to the stored place only.
    provider_id = added.json["id"]
    changed = admin.put(f"/tool-providers/api/{provider_id}", json={
        "name": "weather 2", "schema": DOCUMENT, "base_url": service, "credentials": {**KEY, "api_key_value": shown}})
    assert changed.status_code == 200, changed.text
    test = {"schema": DOCUMENT, "base_url": service, "tool_name": "getWeather", "parameters": {"city": "x"},
            "credentials": {**KEY, "api_key_value": shown}, "provider_id": provider_id}
    assert "secret-key" in admin.post("/tool-providers/api/test", json=test).json["result"]
    elsewhere = admin.post("/tool-providers/api/test", json={**test, "base_url": service.replace("127.0.0.1",
                                                                                                "localhost")})
    assert elsewhere.status_code == 400
    assert elsewhere.json["params"] == "credentials.api_key_value"
    assert admin.post("/tools/test", json={"provider_type": "api", "provider_id": provider_id,
                                           "tool_name": "getWeather", "parameters": {"city": "x"}}).json["ok"]
    assert add_api(admin, service, name="weather 2").status_code == 409
    assert admin.delete(f"/tool-providers/api/{provider_id}").status_code == 200
    assert admin.get(f"/tool-providers/api/{provider_id}").status_code == 404


def test_a_document_is_fetched(admin, service, monkeypatch):
    monkeypatch.setattr(Service, "do_GET", lambda self: self.answer(200, DOCUMENT.encode(), "text/yaml"))
    read = admin.post("/tool-providers/api/schema", json={"url": f"{service}/doc.yaml"}).json
    assert read["base_url"] == service
    assert read["schema"] == DOCUMENT
    refused = admin.post("/tool-providers/api/schema", json={"url": "http://169.254.169.254/x"})
    assert refused.status_code == 400
    assert "not allowed" in refused.json["message"]


@pytest.mark.parametrize(("changes", "place"), [
    ({"schema": "{"}, "schema"), ({"name": " "}, "name"), ({"base_url": "ftp://x"}, "schema"),
    ({"credentials": {"auth_type": "api_key_query"}}, "credentials.api_key_value"),
    ({"credentials": {**KEY, "api_key_header": "a b"}}, "credentials.api_key_header"),
    ({"credentials": {"auth_type": "oauth"}}, "credentials.auth_type"),
])
def test_bad_documents_are_refused(admin, service, changes, place):
    reply = add_api(admin, service, **changes)
    assert reply.status_code == 400
    assert reply.json["params"] == place
    assert admin.get("/tools?type=api").json["data"] == []


def test_an_mcp_server_is_added_tried_changed_and_refreshed(admin, mcp_address, monkeypatch):
    body = {"name": "Fixture", "server_identifier": "fixture", "server_url": f"{mcp_address}/mcp?key=topsecret",
            "headers": {"X-Token": "abcdefghijklmnop"}}
    refused = admin.post("/tool-providers/mcp", json=body)
    assert refused.status_code == 400
    assert "not allowed" in refused.json["message"]
    assert admin.put("/outbound-rules", json={"allow": ["127.0.0.1"]}).status_code == 200
    added = admin.post("/tool-providers/mcp", json=body)
    assert added.status_code == 201, added.text
    assert (added.json["server_url"], added.json["headers"]) == (
        f"{mcp_address}/mcp?******", {"X-Token": "abcd******mnop"})
    assert len(added.json["provider"]["tools"]) == 4
    tried = admin.post("/tools/test", json={"provider_type": "mcp", "provider_id": "fixture", "tool_name": "add",
                                            "parameters": {"a": "2"}}).json
    assert tried["result"] == "2 + 1 = 3"
    place = f"/tool-providers/mcp/{added.json['id']}"
    masked = {**body, "server_url": added.json["server_url"], "headers": added.json["headers"], "timeout": 5}
    assert admin.put(place, json=masked).json["timeout"] == 5
    assert admin.post(f"{place}/refresh").status_code == 200
    stolen = admin.put(place, json={**masked, "server_url": "http://127.0.0.1:1/mcp"})
    assert stolen.json["params"] == "headers"
    assert admin.post("/tool-providers/mcp", json={**body, "server_identifier": "A B"}).json["params"] == (
        "server_identifier")
    assert admin.delete(place).status_code == 200


def test_programs_are_chosen_from_the_boxs_file(admin, data_dir):
    body = {"name": "p", "server_identifier": "p", "transport": "stdio", "program": "fixture"}
    assert admin.post("/tool-providers/mcp", json=body).json["params"] == "program"
    (data_dir / "config" / "mcp.json").write_text(json.dumps({"mcpServers": {"fixture": {
        "command": sys.executable, "args": [str(Path(__file__).parent / "mcp_program.py")]}}}))
    assert admin.get("/tool-providers/mcp/programs").json == {"data": ["fixture"]}
    assert admin.post("/tool-providers/mcp", json=body).status_code == 201
    assert admin.post("/tools/test", json={"provider_type": "mcp", "provider_id": "p", "tool_name": "add",
                                           "parameters": {"a": 1}}).json["result"] == "1 + 1 = 2"


def test_a_workflow_becomes_a_tool(live):
    admin, app_id = live.admin, new_workflow(live)
    body = {"workflow_app_id": app_id, "name": "weather_report", "label": "天气", "description": "Tells",
            "parameters": [{"name": "city", "description": "Where"}]}
    added = admin.post("/tool-providers/workflow", json=body)
    assert added.status_code == 201, added.text
    tool = added.json["provider"]["tools"][0]
    assert tool["input_schema"]["properties"]["city"] == {"type": "string", "description": "Where"}
    tried = admin.post("/tools/test", json={"provider_type": "workflow", "provider_id": added.json["id"],
                                            "tool_name": "weather_report", "parameters": {"city": "杭州"}}).json
    assert json.loads(tried["result"]) == {"said": "杭州"}
    missing = admin.post("/tools/test", json={"provider_type": "workflow", "provider_id": added.json["id"],
                                              "tool_name": "weather_report"}).json
    assert "city" in missing["error"]
    for changes, place in (({"name": "a b"}, "name"), ({"parameters": [{"name": "x"}]}, "parameters"),
                           ({"workflow_app_id": live.new_app()[0]}, "workflow_app_id")):
        reply = admin.post("/tool-providers/workflow", json={**body, **changes})
        assert (reply.status_code, reply.json["params"]) == (400, place)
    draft = admin.post("/apps", json={"name": "d", "mode": "workflow"}).json["id"]
    assert admin.post("/tool-providers/workflow", json={**body, "workflow_app_id": draft}).status_code == 400
    assert admin.delete(f"/apps/{app_id}").status_code == 204
    assert admin.get("/tools?type=workflow").json["data"] == []


def test_credentials_of_built_in_tools(admin, service):
    def call(**more):
        return admin.post("/tools/test", json={"provider_type": "builtin", "provider_id": "webhook",
                                               "tool_name": "post", "parameters": {"body": "x"}, **more}).json

    assert "url not found" in call()["error"]
    place = "/tool-providers/builtin/webhook/credentials"
    one = admin.post(place, json={"name": "one", "credentials": {"url": f"{service}/1", "secret": "0123456789abcdef"}})
    assert one.json["credentials"] == {"url": f"{service}/1", "secret": "0123******cdef"}
    assert one.json["is_default"]
    two = admin.post(place, json={"name": "two", "credentials": {"url": f"{service}/2"}}).json
    call()
    assert (Service.seen[-1]["path"], Service.seen[-1]["headers"]["authorization"]) == ("/1", "Bearer 0123456789abcdef")
    call(credential_id=two["id"])
    assert Service.seen[-1]["path"] == "/2"
    changed = admin.put(f"{place}/{one.json['id']}", json={"name": "one", "credentials": {
        **one.json["credentials"], "url": f"{service}/3"}})
    assert changed.status_code == 200, changed.text
    call()
    assert (Service.seen[-1]["path"], Service.seen[-1]["headers"]["authorization"]) == ("/3", "Bearer 0123456789abcdef")
    assert admin.post(place, json={"name": "one", "credentials": {}}).status_code == 409
    assert admin.post(place, json={"name": "x", "credentials": {"no": 1}}).status_code == 400
    assert admin.post("/tool-providers/builtin/time/credentials", json={}).status_code == 400
    assert admin.post("/tool-providers/builtin/nothing/credentials", json={}).status_code == 404
    assert admin.delete(f"{place}/{one.json['id']}").status_code == 200
    assert [item["is_default"] for item in admin.get(place).json["data"]] == [True]


def test_the_list_of_all_tools(admin):
    found = {item["name"]: item for item in admin.get("/tools").json["data"]}
    assert {"time", "maths", "json_process", "code", "webscraper", "document", "database", "email", "webhook", "feishu",
            "dingtalk", "wecom"} <= set(found)
    assert not found["email"]["authorized"]
    assert found["time"]["tools"][0]["label"]["zh_Hans"] == "当前时间"


def test_the_list_of_outbound_calls(admin):
    assert admin.get("/outbound-rules").json == {"allow": [], "deny": []}
    saved = admin.put("/outbound-rules", json={"allow": ["10.0.0.7/8", " Example.com "], "deny": ["::1"]})
    assert saved.json == {"allow": ["10.0.0.0/8", "example.com"], "deny": ["::1"]}
    for bad in ("http://x", "10.0.0.0/99", "a b", "999.1.1.1"):
        reply = admin.put("/outbound-rules", json={"deny": [bad]})
        assert (reply.status_code, reply.json["params"]) == (400, "deny"), bad


def test_workflows_that_call_themselves_end(live):
    content = json.loads(json.dumps(ECHO))
    app_id = new_workflow(live, content, "loop")
    tool = live.admin.post("/tool-providers/workflow", json={"workflow_app_id": app_id, "name": "again"}).json
    nodes = content["graph"]["nodes"]
    nodes.insert(1, {"id": "tool", "data": {
        "type": "tool", "title": "tool", "provider_type": "workflow", "provider_id": tool["id"], "tool_name": "again",
        "tool_parameters": {"city": {"type": "mixed", "value": "{{#s.city#}}"}}, "tool_configurations": {}}})
    content["graph"]["edges"] = [
        {"id": "1", "source": "s", "target": "tool", "sourceHandle": "source", "targetHandle": "target"},
        {"id": "2", "source": "tool", "target": "t", "sourceHandle": "source", "targetHandle": "target"}]
    assert live.admin.post(f"/apps/{app_id}/workflows/draft", json=content).status_code == 200
    assert live.admin.post(f"/apps/{app_id}/workflows/publish", json={}).status_code in (200, 201)
    tried = live.admin.post("/tools/test", json={"provider_type": "workflow", "provider_id": tool["id"],
                                                 "tool_name": "again", "parameters": {"city": "x"}}).json
    assert "5" in tried["error"]
