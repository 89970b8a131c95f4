"""Apps as MCP servers, met by the official SDK's client and by broken ones."""

import asyncio

import pytest
import requests
from mcp import Client

from tests.api.service.conftest import MODEL

ECHO = {"graph": {"edges": [{"id": "e", "source": "s", "target": "t", "sourceHandle": "source",
                             "targetHandle": "target"}], "nodes": [
    {"id": "s", "data": {"type": "start", "title": "s", "variables": [
        {"variable": "city", "label": "City", "type": "text-input", "required": True, "max_length": 20},
        {"variable": "days", "label": "Days", "type": "number", "required": False}]}},
    {"id": "t", "data": {"type": "end", "title": "t", "outputs": [
        {"variable": "said", "value_selector": ["s", "city"]}]}}]}, "features": {}}


def ask(url, work, mode="auto"):
    async def talk():
        async with Client(url, mode=mode) as client:
            return await work(client)

    return asyncio.run(talk())


def serve(live, app_id, **body):
    reply = live.admin.post(f"/apps/{app_id}/server", json=body)
    assert reply.status_code == 200, reply.text
    url = reply.json["server_url"]
    return live.url + url[url.index("/mcp/"):]


def new_workflow(live, content=ECHO, name="Weather Report"):
    app_id = live.admin.post("/apps", json={"name": name, "mode": "workflow"}).json["id"]
    assert live.admin.post(f"/apps/{app_id}/workflows/draft", json=content).status_code == 200
    assert live.admin.post(f"/apps/{app_id}/workflows/publish", json={}).status_code in (200, 201)
    return app_id


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_workflow(live, mode):
    url = serve(live, new_workflow(live), description="Tells the weather", parameters={"city": "Where"})

    async def work(client):
        await client.send_ping()
        return ((await client.list_tools()).tools, await client.call_tool("Weather_Report", {"city": "杭州"}),
                await client.call_tool("Weather_Report", {}))

    tools, good, bad = ask(url, work, mode)
    assert [tool.name for tool in tools] == ["Weather_Report"]
    assert tools[0].description == "Tells the weather"
    assert tools[0].input_schema["properties"]["city"] == {"type": "string", "description": "Where"}
    assert tools[0].input_schema["required"] == ["city"]
    assert good.structured_content == {"said": "杭州"}
    assert '"杭州"' in good.content[0].text
    assert not good.is_error
    assert bad.is_error
    assert "city is required" in bad.content[0].text


def test_chats_go_on_and_agents_answer(live):
    app_id, _ = live.new_app(model=MODEL)
    url = serve(live, app_id)

    async def work(client):
        first = await client.call_tool("t", {"query": "<<say:hi>> a"})
        second = await client.call_tool("t", {"query": "<<count>>", **first.structured_content})
        return first.content[0].text, second.content[0].text

    assert ask(url, work) == ("hi", "messages=3")
    agent, _ = live.new_app("agent-chat", model={**MODEL, "name": "fake-tool"}, agent_mode={
        "enabled": True, "strategy": "function_call", "tools": [{
            "enabled": True, "provider_type": "builtin", "provider_id": "maths", "tool_name": "eval_expression",
            "tool_parameters": {}}]})
    answer = ask(serve(live, agent), lambda client: client.call_tool(
        "t", {"query": '<<tool:eval_expression:{"expression": "6*7"}>>'}))
    assert "42" in answer.content[0].text


def test_the_address_is_secret(live):
    app_id, _ = live.new_app(model=MODEL)
    url = serve(live, app_id)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert requests.post(url, json=hello).json() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert requests.post(url.replace("/server/", "/server/x"), json=hello).status_code == 404
    serve(live, app_id, status="inactive")
    assert requests.post(url, json=hello).status_code == 404
    assert serve(live, app_id) == url
    assert live.admin.post(f"/apps/{app_id}/server/refresh").status_code == 200
    assert requests.post(url, json=hello).status_code == 404
    assert live.admin.delete(f"/apps/{app_id}").status_code == 204


def test_what_is_not_the_protocol(live):
    app_id, _ = live.new_app(model=MODEL)
    url = serve(live, app_id)

    def send(value, **options):
        return requests.post(url, **({"json": value} if not isinstance(value, bytes) else {"data": value}), **options)

    assert send(b"{").json()["error"]["code"] == -32700
    assert send({"id": 1}).json()["error"]["code"] == -32600
    assert send([]).status_code == 400
    assert send({"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    assert send({"jsonrpc": "2.0", "id": "a", "method": "no/such"}).json()["error"]["code"] == -32601
    assert send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x"}}).json()["error"][
        "code"] == -32602
    assert send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": 3}).json()["error"]["code"] == -32602
    assert send([{"jsonrpc": "2.0", "id": 1, "method": "ping"}, 7]).json()[0]["result"] == {}
    assert send({"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers={"MCP-Protocol-Version": "1"}).status_code == 400
    assert requests.get(url).status_code == 405
    draft = live.admin.post("/apps", json={"name": "draft", "mode": "workflow"}).json["id"]
    url = serve(live, draft)
    assert "not published" in send({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).json()["error"]["message"]
