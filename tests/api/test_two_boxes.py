"""Two whole boxes: one answers from its knowledge, the other has it as an external base and cites it in a chat."""

from __future__ import annotations

import json

import pytest

from tests.fake_llm import FakeLLM
from tests.faults.stack import Console, Stack, until

TEXT = "The safety valve of pump A-40 opens at 3 bar.\n\nThe filter is replaced every six weeks."
QUESTION = {"query": "At which pressure does the safety valve open?", "user": "u", "inputs": {},
            "response_mode": "blocking"}


@pytest.fixture
def boxes(tmp_path):
    """The console of a box that asks and of one that answers, started together."""
    with Stack(tmp_path / "asks", wait=False) as asks, Stack(tmp_path / "answers", wait=False) as answers:
        for stack in (asks, answers):
            until(lambda stack=stack: stack.status() == (200, "ok"), "healthy", 180)
        yield Console(asks), Console(answers)


def service(console: Console, path: str, key: str, body: dict) -> dict:
    """Call the service API and return the JSON of a good reply."""
    status, _, content = console.call("POST", f"/v1{path}", body, key)
    assert status == 200, content
    return json.loads(content)


def chatflow(console: Console, bases: list[str]) -> str:
    """Make a chatflow that says how many passages some bases have for a question; return its id."""
    app = console.json("POST", "/apps", {"name": "Flow", "mode": "advanced-chat"})["id"]
    draft = console.json("GET", f"/apps/{app}/workflows/draft")
    nodes = [{"type": "start", "variables": []},
             {"type": "knowledge-retrieval", "dataset_ids": bases, "query_variable_selector": ["sys", "query"],
              "retrieval_mode": "multiple", "multiple_retrieval_config": {"top_k": 2}},
             {"type": "answer", "answer": "Done."}]
    draft["graph"] = {
        "nodes": [{"id": f"n{i}", "type": "custom", "position": {"x": 300 * i, "y": 0}, "data": {"title": "", **data}}
                  for i, data in enumerate(nodes)],
        "edges": [{"id": f"e{i}", "source": f"n{i}", "sourceHandle": "source", "target": f"n{i + 1}",
                   "targetHandle": "target", "type": "custom", "data": {}} for i in (0, 1)]}
    console.json("POST", f"/apps/{app}/workflows/draft", draft)
    return app


def test_a_chat_cites_what_another_box_knows(boxes):
    asks, answers = boxes
    there = answers.json("POST", "/datasets", {"name": "Pumps"})["id"]
    key = answers.json("POST", "/dataset-keys", {"name": "the other box"})["token"]
    service(answers, f"/datasets/{there}/document/create-by-text", key, {
        "name": "manual.txt", "text": TEXT, "indexing_technique": "economy",
        "process_rule": {"mode": "automatic"}})
    until(lambda: answers.json("GET", f"/datasets/{there}/documents")["data"][0]["display_status"] == "available",
          "indexed", 180)

    server = {"name": "Other box", "endpoint": f"http://127.0.0.1:{answers.stack.port}/v1", "api_key": key}
    status, _, refused = asks.call("POST", "/console/api/datasets/external-knowledge-api", server)
    assert (status, "an admin can allow it" in refused.decode()) == (400, True)
    asks.json("PUT", "/outbound-rules", {"allow": ["127.0.0.1"], "deny": []})
    api = asks.json("POST", "/datasets/external-knowledge-api", server)["id"]
    base = asks.json("POST", "/datasets/external", {
        "name": "Pumps there", "external_knowledge_api_id": api, "external_knowledge_id": there,
        "external_retrieval_model": {"top_k": 2, "score_threshold": 0.0, "score_threshold_enabled": False}})["id"]

    with FakeLLM() as fake:
        asks.json("POST", "/model-providers/openai/credentials",
                  {"name": "Fake", "base_url": fake.base_url, "api_key": "sk-1"})
        asks.json("POST", "/model-providers/openai/models", {"model": "fake-reader", "type": "llm"})
        app = asks.json("POST", "/apps", {"name": "Helper", "mode": "chat"})["id"]
        config = asks.json("GET", f"/apps/{app}/model-config")
        asks.json("POST", f"/apps/{app}/model-config", {
            **config, "retriever_resource": {"enabled": True},
            "model": {"provider": "openai", "name": "fake-reader", "mode": "chat", "completion_params": {}},
            "dataset_configs": {"retrieval_model": "multiple", "top_k": 2, "datasets": {
                "datasets": [{"dataset": {"enabled": True, "id": base}}]}}})
        token = asks.json("POST", f"/apps/{app}/api-keys", {})["token"]

        reply = service(asks, "/chat-messages", token, QUESTION)
        assert "3 bar" in reply["answer"]
        source = reply["metadata"]["retriever_resources"][0]
        assert (source["dataset_id"], source["dataset_name"], source["document_name"]) == (
            base, "Pumps there", "manual.txt")
        assert "3 bar" in source["content"]

        answers.stack.stop()
        status, _, failed = asks.call("POST", "/v1/chat-messages", QUESTION, token)
        assert (status, "Other box cannot be reached" in failed.decode()) == (400, True)

        # With a base of its own beside it, the app answers from that, and says what it could not ask.
        own = asks.json("POST", "/datasets", {"name": "Here"})["id"]
        asks.json("POST", f"/datasets/{own}/documents/text", {
            "name": "own.txt", "text": "The valve of the pump P-7 opens at 5 bar.", "indexing_technique": "economy"})
        until(lambda: asks.json("GET", f"/datasets/{own}/documents")["data"][0]["display_status"] == "available",
              "indexed", 180)
        config = asks.json("GET", f"/apps/{app}/model-config")
        config["dataset_configs"]["datasets"]["datasets"] = [
            {"dataset": {"enabled": True, "id": one}} for one in (base, own)]
        asks.json("POST", f"/apps/{app}/model-config", config)
        reply = service(asks, "/chat-messages", token, {**QUESTION, "query": "At how many bar does the P-7 open?"})
        assert "5 bar" in reply["answer"]
        assert [source["dataset_name"] for source in reply["metadata"]["retriever_resources"]] == ["Here"]
        away, = reply["metadata"]["knowledge_away"]
        assert (away["dataset_id"], away["dataset_name"]) == (base, "Pumps there")
        assert "Other box cannot be reached" in away["error"]
        said = asks.json("GET", f"/apps/{app}/chat-messages?conversation_id={reply['conversation_id']}")["data"][0]
        assert said["metadata"]["knowledge_away"] == [away]

        # A chatflow's node goes on too, and has it in its trace.
        flow = chatflow(asks, [base, own])
        status, _, stream = asks.call("POST", f"/console/api/apps/{flow}/chat-messages",
                                      {**QUESTION, "response_mode": "streaming"})
        events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith(b"data: ")]
        found = next(event["data"] for event in events
                     if event["event"] == "node_finished" and event["data"]["node_type"] == "knowledge-retrieval")
        assert (found["status"], found["process_data"]) == ("succeeded", {"away": [away]})
        assert [one["title"] for one in found["outputs"]["result"]] == ["own.txt"]
        end = next(event for event in events if event["event"] == "message_end")
        assert end["metadata"]["knowledge_away"] == [away]
