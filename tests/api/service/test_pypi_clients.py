"""Unmodified clients from PyPI whose typed models must be able to read every answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import typing
from pathlib import Path

import pytest
import requests
from dify_dataset_sdk import DifyDatasetClient
from dify_dataset_sdk.datasets.models import RetrievalModel
from dify_dataset_sdk.documents.models import ProcessRule
from dify_oapi.client import Client as OapiClient
from dify_oapi.core.model.request_option import RequestOption

from .conftest import MODEL, flow_app
from .test_chat_features import put_model

SCRIPTS = Path(__file__).resolve().parent.parent / "clients"
# Their modules are called dify_client, as that of dify-client is. What else they need, other tests need too.
DIFY_CLIENT_PYTHON = ["dify-client-python==1.0.3", "httpx-sse==0.4.3"]
DIFY_PYTHON_SDK = ["dify-python-sdk==0.1.16", "aiofiles==25.1.0"]
TOOL = {"enabled": True, "provider_id": "time", "provider_name": "time", "provider_type": "builtin",
        "tool_name": "current_time", "tool_label": "t", "tool_parameters": {}}
SPEECH = {"speech_to_text": {"enabled": True}, "text_to_speech": {"enabled": True, "voice": "alloy", "language": "en"},
          "suggested_questions_after_answer": {"enabled": True}, "file_upload": {"image": {
              "enabled": True, "number_limits": 3, "transfer_methods": ["local_file", "remote_url"]}}}
FORM = [{"paragraph": {"variable": "query", "label": "q", "required": True}}]
RETRIEVAL = {"search_method": "hybrid_search", "reranking_enable": False, "top_k": 3, "score_threshold_enabled": False}


def installed(name: str, packages: list[str]) -> Path:
    """Return a folder with packages of their own; skip where they cannot be fetched."""
    folder = SCRIPTS / "python_modules" / name
    stamp, wanted = folder / ".installed", "\n".join(packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--upgrade",
                               "--target", str(folder), *packages], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"{name} cannot be installed: {done.stderr[-300:]}")
        stamp.write_text(wanted)
    return folder


@pytest.fixture
def keys(live) -> dict[str, str]:
    """Keys of one app of each mode, with speech, pictures and a tool."""
    put_model(live, "fake-tts", "tts")
    put_model(live, "fake-whisper", "speech2text")
    put_model(live, "fake-tool")
    agent = {"enabled": True, "strategy": "function_call", "max_iteration": 3, "tools": [TOOL]}
    return {"url": live.url, "chat": live.new_app(model=MODEL, **SPEECH)[1],
            "agent": live.new_app("agent-chat", model={**MODEL, "name": "fake-tool"}, agent_mode=agent)[1],
            "completion": live.new_app("completion", model=MODEL, pre_prompt="Say {{query}}", user_input_form=FORM)[1],
            "flow": flow_app(live, "advanced-chat"), "workflow": flow_app(live, "workflow")}


def knowledge_key(live) -> str:
    """Return a new knowledge key."""
    return live.admin.post("/dataset-keys", json={"name": "k"}).json["token"]


def index(*document_ids: str) -> None:
    """Do what the worker would."""
    from sparrow.knowledge import indexing

    for document_id in document_ids:
        indexing.run(document_id)


def test_dify_client_python(keys):
    modules = installed("dify-client-python", DIFY_CLIENT_PYTHON)
    done = subprocess.run([sys.executable, "dify_client_python.py", json.dumps(keys)], cwd=SCRIPTS, timeout=120,
                          capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(modules)})
    assert done.returncode == 0, done.stderr[-3000:]
    for kind, seen in json.loads(done.stdout).items():
        assert kind in ("Client", "AsyncClient")
        assert {seen[f"{name} blocking"]["answer"] for name in ("chat", "flow")} == {"echo: hello there"}
        assert seen["completion blocking"]["answer"] == "echo: Say q"
        assert seen["workflow blocking"]["data"]["outputs"] == {"result": "echo: w"}
        assert seen["failed blocking"]["data"]["status"] == "failed"
        for name, ends in {"chat": ["message_end"], "flow": ["message_end", "workflow_finished"],
                           "completion": ["message_end"], "workflow": ["workflow_finished"],
                           "failed": ["workflow_finished"]}.items():
            events = seen[f"{name} streaming"]
            assert [event["event"] for event in events[-len(ends):]] == ends
            assert all(event["type"] != "StreamResponse" for event in events), events  # no event without its model
        thoughts = [event for event in seen["agent"] if event["type"] == "AgentThoughtStreamResponse"]
        assert "current_time" in {thought["tool"] for thought in thoughts}
        assert seen["refused"][-1]["code"] == "completion_request_error"
        assert seen["picture"]["answer"] == "echo: look"
        assert len(seen["suggested"]["data"]) == 3
        assert seen["said"] > 0
        assert seen["heard"]["text"].startswith("transcribed")
        for name in ("like", "unlike", "stop chat_messages", "stop completion_messages", "stop workflows"):
            assert seen[name] == {"result": "success"}


def test_dify_python_sdk(live, keys):
    modules = installed("dify-python-sdk", DIFY_PYTHON_SDK)
    process = subprocess.Popen(
        [sys.executable, "dify_python_sdk.py", json.dumps({**keys, "kb": knowledge_key(live)})], cwd=SCRIPTS, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(modules)})
    told = {}
    for line in process.stdout:
        if line.startswith("index "):
            index(*line.split()[1:])
            process.stdin.write("\n")
            process.stdin.flush()
        else:
            told = json.loads(line)
    assert process.wait(60) == 0, process.stderr.read()[-3000:]
    for name, mode in (("chat", "chat"), ("flow", "advanced-chat")):
        assert told[f"{name} answer"] == "echo: hello there"
        assert told[f"{name} events"][-1] == ("message_end" if name == "chat" else "workflow_finished")
        assert (told[f"{name} messages"], told[f"{name} name"], told[f"{name} variables"]) == (2, "n", [])
        assert (told[f"{name} talks"], told[f"{name} mode"]) == (1, mode)
    assert (told["suggested"], told["upload"], told["annotation"], told["annotations"]) == (3, "pump.txt", "b", 1)
    assert told["said"] > 0
    assert told["heard"].startswith("transcribed")
    assert told["completion"] == "echo: Say q"
    assert (told["workflow"], told["version"], told["logs"]) == ({"result": "echo: w"}, {"result": "echo: v"}, 2)
    assert (told["batch"], told["documents"], told["segment"], told["found"]) == ("waiting", 1, "Changed", 1)
    assert told["models"]
    assert told["hits"]
    assert (told["built in"], told["metadata"], told["tags"]) == (5, ["writer"], [])
    assert (told["name"], told["read"]) == ("sdk 2", "d")
    assert (told["async answer"], told["async workflow"]) == ("echo: hello there", {"result": "echo: w"})


def test_dify_dataset_sdk(live, tmp_path):
    client = DifyDatasetClient(knowledge_key(live), base_url=live.url)
    base = client.datasets.create("b", description="d", indexing_technique="high_quality").id
    retrieval = RetrievalModel(**RETRIEVAL)
    assert client.datasets.update(base, name="c", retrieval_model=retrieval).name == "c"
    assert client.datasets.get(base).description == "d"
    (tmp_path / "pump.md").write_text("# Pump\n\nThe pump runs at night.")
    rule = {"pre_processing_rules": [{"id": "remove_extra_spaces", "enabled": True}], "parent_mode": "paragraph",
            "segmentation": {"separator": "\n\n", "max_tokens": 500},
            "subchunk_segmentation": {"separator": "\n", "max_tokens": 100}}
    made = client.documents.create_by_text(base, "valve.md", "The valve opens at 3 bar.", doc_form="hierarchical_model",
                                           process_rule=ProcessRule(mode="hierarchical", rules=rule))
    other = client.documents.create_by_file(base, tmp_path / "pump.md", doc_form="hierarchical_model",
                                            process_rule=ProcessRule(mode="automatic"))
    document = made.document.id
    assert client.documents.get_indexing_status(base, made.batch).data[0].indexing_status == "waiting"
    index(document, other.document.id)
    assert client.documents.get_indexing_status(base, made.batch).data[0].completed_segments == 1
    assert client.documents.list(base, keyword="valve").total == 1
    assert client.documents.get(base, document).name == "valve.md"
    assert client.documents.get_upload_file(base, other.document.id)["name"] == "pump.md"
    assert client.datasets.retrieve(base, "when does the valve open", retrieval).records[0].child_chunks

    segment = client.segments.create(base, document, [{"content": "By hand", "keywords": ["hand"]}]).data[0].id
    assert {"By hand"} < {item.content for item in client.segments.list(base, document, status="completed").data}
    client.segments.update(base, document, segment, {"content": "Changed", "regenerate_child_chunks": True})
    child = client.segments.create_child_chunk(base, document, segment, "small")["data"]["id"]
    client.segments.update_child_chunk(base, document, segment, child, "smaller")
    assert "smaller" in [item.content for item in client.segments.list_child_chunks(base, document, segment).data]
    client.segments.delete_child_chunk(base, document, segment, child)
    assert client.segments.get(base, document, segment)["data"]["content"] == "Changed"
    client.segments.delete(base, document, segment)

    field = client.metadata.create(base, "string", "author")
    client.metadata.update(base, field.id, "writer")
    client.metadata.update_document_metadata(base, [{"document_id": document, "metadata_list": [
        {"id": field.id, "name": "writer", "value": "me"}]}])
    client.metadata.toggle_built_in(base, "enable")
    assert client.metadata.list(base).built_in_field_enabled
    client.metadata.delete(base, field.id)
    tag = client.tags.create("one")
    client.tags.update(tag.id, "two")
    client.tags.bind_to_dataset(base, [tag.id])
    assert [item.name for item in client.tags.list()] == ["two"]
    assert client.datasets.list(tag_ids=[tag.id]).total == 1
    client.tags.unbind_from_dataset(base, tag.id)
    client.tags.delete(tag.id)
    assert client.models.list_embedding_models()

    client.documents.update_by_text(base, document, name="valve 2", text="The valve closes at 2 bar.")
    client.documents.update_by_file(base, other.document.id, tmp_path / "pump.md", name="pump 2")
    index(document, other.document.id)
    for action in ("disable", "enable", "archive", "un_archive"):
        assert client.documents.batch_update_status(base, action, [document])["result"] == "success"
    client.documents.delete(base, document)
    client.datasets.delete(base)
    assert client.datasets.list().total == 0


class Oapi:
    """dify-oapi2 with one key: `call("chat.chat.chat", body={…})` builds the request that the method declares."""

    def __init__(self, url: str, key: str):
        self.client = OapiClient.builder().domain(url).build()
        self.option = RequestOption.builder().api_key(key).build()

    def call(self, path: str, body: dict | None = None, *, stream: bool | None = None, **parts):
        """Call service.resource.method; return the answer that its model has read, or the text of a stream."""
        service, resource, name = path.split(".")
        method = getattr(getattr(getattr(self.client, service).v1, resource), name)
        builder = typing.get_type_hints(method)["request"].builder()
        if body is not None:
            builder.request_body(typing.get_type_hints(builder.request_body)["request_body"](**body))
        for part, value in parts.items():
            getattr(builder, part)(*(value if isinstance(value, tuple) else (value,)))
        if stream:
            return b"".join(method(builder.build(), self.option, stream=True)).decode()
        reply = method(builder.build(), self.option, **({} if stream is None else {"stream": stream}))
        assert reply.success, reply.msg
        return json.loads(reply.raw.content or "null")  # the models leave out some of Dify's fields


def test_dify_oapi2_apps(keys):
    chat, flow, completion = (Oapi(keys["url"], keys[name]) for name in ("chat", "flow", "completion"))
    asked = {"query": "hello there", "inputs": {}, "user": "u1", "response_mode": "blocking"}
    first = chat.call("chat.chat.chat", asked, stream=False)
    assert first["answer"] == "echo: hello there"
    assert '"message_end"' in chat.call("chat.chat.chat", asked, stream=True)
    talk, message = first["conversation_id"], first["message_id"]
    assert len(chat.call("chat.chat.suggested", message_id=message, user="u1")["data"]) == 3
    assert chat.call("chat.conversation.list", user="u1")["data"][-1]["id"] == talk
    history = chat.call("chat.message.history", conversation_id=talk, user="u1")["data"]
    assert [item["answer"] for item in history] == ["echo: hello there"]
    renamed = chat.call("chat.conversation.rename", {"name": "n", "user": "u1"}, conversation_id=talk)
    assert renamed["name"] == "n"
    answer = chat.call("chat.annotation.create", {"question": "q", "answer": "a"})
    changed = chat.call("chat.annotation.update", {"question": "q", "answer": "b"}, annotation_id=answer["id"])
    assert changed["answer"] == "b"
    assert chat.call("chat.annotation.list", page=1, limit=5)["total"] == 1
    chat.call("dify.feedback.submit", {"rating": "like", "user": "u1"}, message_id=message)
    assert chat.call("dify.feedback.list")["data"][0]["rating"] == "like"
    chat.call("chat.conversation.delete", {"user": "u1"}, conversation_id=talk)
    for name in ("chat", "agent", "completion", "flow", "workflow"):
        app = Oapi(keys["url"], keys[name])
        assert app.call("dify.info.get")["mode"]
        for method in ("parameters", "meta", "site"):
            app.call(f"dify.info.{method}")
    told = flow.call("chatflow.chatflow.send", asked, stream=False)
    assert told["answer"] == "echo: hello there"
    assert '"workflow_finished"' in flow.call("chatflow.chatflow.send", asked, stream=True)
    assert len(flow.call("chatflow.conversation.list", user="u1")["data"]) == 2
    asked = {"inputs": {"query": "q"}, "user": "u1", "response_mode": "blocking"}
    assert completion.call("completion.completion.send_message", asked, stream=False)["answer"] == "echo: Say q"
    workflow = Oapi(keys["url"], keys["workflow"])
    run_id = requests.post(f"{keys['url']}/v1/workflows/run", json={"inputs": {"word": "w"}, "user": "u1"}, timeout=30,
                           headers={"Authorization": f"Bearer {keys['workflow']}"}).json()["workflow_run_id"]
    detail = workflow.call("workflow.workflow.detail", workflow_run_id=run_id)
    assert detail["outputs"] == {"result": "echo: w"}
    logs = workflow.call("workflow.workflow.logs", page=1, limit=5, status="succeeded")
    assert logs["data"][0]["workflow_run"]["id"] == run_id
    assert workflow.call("workflow.workflow.stop", {"user": "u1"}, task_id="none") == {"result": "success"}


def test_dify_oapi2_knowledge(live):
    client = Oapi(live.url, knowledge_key(live))
    base = client.call("knowledge.dataset.create", {"name": "b"})["id"]
    assert client.call("knowledge.dataset.update", {"description": "d"}, dataset_id=base)["description"] == "d"
    made = client.call("knowledge.document.create_by_text", {
        "name": "valve.md", "text": "The valve opens at 3 bar.", "indexing_technique": "high_quality",
        "process_rule": {"mode": "automatic"}}, dataset_id=base)
    document = made["document"]["id"]
    index(document)
    status = client.call("knowledge.document.get_batch_status", dataset_id=base, batch=made["batch"])
    assert status["data"][0]["indexing_status"] == "completed"
    assert client.call("knowledge.document.list", dataset_id=base)["data"][0]["display_status"] == "available"
    place = {"dataset_id": base, "document_id": document}
    assert client.call("knowledge.document.get", **place)["name"] == "valve.md"
    assert client.call("knowledge.document.file_info", **place)["extension"] == "md"
    segment = client.call("knowledge.segment.create", {"segments": [{"content": "By hand"}]}, **place)["data"][0]["id"]
    changed = client.call("knowledge.segment.update", {"segment": {"content": "Changed"}}, segment_id=segment, **place)
    assert changed["data"]["content"] == "Changed"
    assert len(client.call("knowledge.segment.list", **place)["data"]) == 2
    found = client.call("knowledge.dataset.retrieve", {"query": "valve"}, dataset_id=base)
    assert "3 bar" in found["records"][0]["segment"]["content"]
    assert client.call("knowledge.model.embedding_models")["data"]
    tag = client.call("knowledge.tag.create", {"name": f"t{time.time_ns()}"})
    client.call("knowledge.tag.bind", {"tag_ids": [tag["id"]], "target_id": base})
    assert client.call("knowledge.tag.get_dataset_tags", dataset_id=base)["data"][0]["id"] == tag["id"]
    client.call("knowledge.tag.unbind", {"tag_id": tag["id"], "target_id": base})
    client.call("knowledge.segment.delete", segment_id=segment, **place)
    client.call("knowledge.document.delete", **place)
    client.call("knowledge.dataset.delete", dataset_id=base)
    assert client.call("knowledge.dataset.list")["total"] == 0
