"""The unmodified npm clients against a live server: dify-client, and Vercel's AI SDK through dify-ai-provider."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import MODEL, flow_app

FOLDER = Path(__file__).resolve().parent.parent / "clients"


@pytest.fixture(scope="session")
def clients() -> Path:
    """The folder with the locked clients installed."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    lock = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / "node_modules" / ".installed"
    if not stamp.exists() or stamp.read_text() != lock:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=FOLDER, check=True)
        stamp.write_text(lock)
    return FOLDER


@pytest.fixture
def chat_key(live) -> str:
    """A key of a chat app with an input, an opener and pictures."""
    return live.new_app("chat", model=MODEL, opening_statement="Hi {{who}}", file_upload={
        "image": {"enabled": True, "number_limits": 3, "transfer_methods": ["local_file", "remote_url"]}},
        user_input_form=[{"text-input": {"variable": "who", "label": "who", "required": True}}])[1]


def run(clients: Path, script: str, **keys: str) -> dict:
    """Run a script; return what it saw."""
    done = subprocess.run(["node", script, json.dumps(keys)], cwd=clients, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def names(stream: dict) -> list[str]:
    """Return the names of a stream's events; every frame is one data line, or a ping without data."""
    assert stream["type"].startswith("text/event-stream")
    assert all(frame == "event: ping" or frame.startswith("data: {") for frame in stream["frames"]), stream["frames"]
    return [json.loads(frame[6:])["event"] for frame in stream["frames"] if frame != "event: ping"]


def test_dify_client(live, clients, chat_key):
    _, completion = live.new_app("completion", model=MODEL, pre_prompt="Say {{query}}", user_input_form=[
        {"paragraph": {"variable": "query", "label": "q", "required": True}}])
    workflow = flow_app(live, "workflow")
    seen = run(clients, "dify-client.js", url=live.url, chat=chat_key, completion=completion, workflow=workflow)
    assert (seen["wrongKey"]["status"], seen["wrongKey"]["data"]["code"]) == (401, "unauthorized")
    assert seen["parameters"]["data"]["user_input_form"][0]["text-input"]["variable"] == "who"
    first = seen["first"]["data"]
    assert (seen["first"]["status"], first["answer"], first["mode"]) == (200, "echo: hello there", "chat")
    assert (seen["upload"]["status"], seen["upload"]["data"]["name"]) == (201, "dot.png")
    assert names(seen["stream"])[-1] == "message_end"
    messages = seen["messages"]["data"]
    assert [item["query"] for item in messages["data"]] == ["hello there", "look"]
    assert messages["data"][1]["message_files"][0]["upload_file_id"] == seen["upload"]["data"]["id"]
    assert [item["query"] for item in seen["page"]["data"]["data"]] == ["hello there"]
    assert seen["feedback"]["data"] == seen["unrated"]["data"] == {"result": "success"}
    assert [item["id"] for item in seen["conversations"]["data"]["data"]] == [first["conversation_id"]]
    assert seen["renamed"]["data"]["name"] == "new name"
    assert seen["autoNamed"]["data"]["name"] not in ("", "new name")
    assert (seen["missing"]["status"], seen["missing"]["data"]["message"]) == (400, "who is required in input form")
    assert seen["deleted"]["status"] == 204
    assert (seen["gone"]["status"], seen["gone"]["data"]["code"]) == (404, "not_found")
    assert (seen["wrongMode"]["status"], seen["wrongMode"]["data"]["code"]) == (400, "not_workflow_app")
    assert seen["completion"]["data"]["answer"] == "echo: Say abc"
    assert names(seen["completionStream"])[-1] == "message_end"
    assert seen["run"]["data"]["data"]["outputs"] == {"result": "echo: w"}
    ran = names(seen["runStream"])
    assert (ran[0], ran[-1]) == ("workflow_started", "workflow_finished")
    assert seen["raw"]["data"]["status"] == "succeeded"


def test_ai_provider(live, clients, chat_key):
    seen = run(clients, "ai-provider.js", url=live.url, chat=chat_key, flow=flow_app(live, "advanced-chat"))
    assert (seen["first"]["text"], seen["first"]["finish"]) == ("echo: hello there", "stop")
    assert seen["first"]["usage"]["totalTokens"] > 0
    assert seen["second"]["dify"]["conversationId"] == seen["first"]["dify"]["conversationId"]
    assert seen["picture"] == "echo: look"
    for name in ("stream", "flow"):
        assert seen[name]["text"] == "echo: hello there", seen[name]
        assert "error" not in [part["type"] for part in seen[name]["parts"]]
        assert seen[name]["parts"][-1]["type"] == "finish"
    errors = [part["error"] for part in seen["failed"]["parts"] if part["type"] == "error"]
    assert errors
    assert "fake rate limit" in errors[0]
    assert seen["wrongKey"]["status"] == 401
    assert seen["tool"] == {"finish": "tool-calls", "content": [
        {"type": "tool-call", "toolName": "find", "input": '{"q":"x"}'}]}
