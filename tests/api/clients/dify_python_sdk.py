"""Runs the methods of PyPI's dify-python-sdk that a Dify server of one box can answer; prints what it was told.

    python dify_python_sdk.py '{"url": …, "chat": KEY, "flow": KEY, "completion": KEY, "workflow": KEY, "kb": KEY}'

The client raises for every status from 400 on. A line `index ID…` asks for documents to be indexed; a line is answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from dify_client import async_client
from dify_client.client import ChatClient, CompletionClient, KnowledgeBaseClient, WorkflowClient, WorkspaceClient

given = json.loads(sys.argv[1])
BASE = f"{given['url']}/v1"
RETRIEVAL = {"search_method": "hybrid_search", "reranking_enable": False, "top_k": 2, "score_threshold_enabled": False}
text = Path(tempfile.mkdtemp(), "pump.txt")
text.write_text("The pump runs at night.")


def index(*documents: str) -> None:
    """Have documents indexed."""
    print("index", *documents, flush=True)
    input()


def events(reply) -> list[str]:
    """Return the names of a stream's events."""
    return [json.loads(line[6:])["event"] for line in reply.iter_lines() if line.startswith("data: ")]


def chats() -> dict[str, Any]:
    """Use the chat, completion and workflow clients."""
    told: dict[str, Any] = {}
    for name in ("chat", "flow"):
        client = ChatClient(given[name], BASE)
        first = client.create_chat_message({}, "hello there", "u1").json()
        told[f"{name} answer"] = first["answer"]
        told[f"{name} events"] = events(client.create_chat_message({}, "again", "u1", "streaming",
                                                                   first["conversation_id"]))
        talk = first["conversation_id"]
        told[f"{name} messages"] = len(client.get_conversation_messages("u1", talk, limit=5).json()["data"])
        told[f"{name} name"] = client.rename_conversation(talk, "n", False, "u1").json()["name"]
        told[f"{name} variables"] = client.get_conversation_variables(talk, "u1").json()["data"]
        client.message_feedback(first["message_id"], "like", "u1")
        told[f"{name} talks"] = len(client.get_conversations("u1", limit=5, pinned=True).json()["data"])
        told[f"{name} mode"] = client.get_app_info().json()["mode"]
        for read in (client.get_application_parameters, client.get_meta):
            read("u1")
        client.get_app_site_info()
        if name == "chat":
            told["suggested"] = len(client.get_suggested(first["message_id"], "u1").json()["data"])
        client.delete_conversation(talk, "u1")
    client = ChatClient(given["chat"], BASE)
    with text.open("rb") as file:
        told["upload"] = client.file_upload("u1", {"file": ("pump.txt", file, "text/plain")}).json()["name"]
    told["said"] = len(client.text_to_audio("hi", "u1").content)
    told["heard"] = client.audio_to_text(("a.wav", b"RIFF", "audio/wav"), "u1").json()["text"]
    note = client.create_annotation("q", "a").json()["id"]
    told["annotation"] = client.update_annotation(note, "q", "b").json()["answer"]
    told["annotations"] = client.list_annotations(1, 5, "q").json()["total"]
    client.delete_annotation(note)
    client.stop_message("none", "u1")
    client = CompletionClient(given["completion"], BASE)
    told["completion"] = client.create_completion_message({"query": "q"}, "blocking", "u1").json()["answer"]
    client = WorkflowClient(given["workflow"], BASE)
    done = client.run({"word": "w"}, "blocking", "u1").json()
    told["workflow"] = client.get_result(done["workflow_run_id"]).json()["outputs"]
    told["version"] = client.run_specific_workflow(
        done["data"]["workflow_id"], {"word": "v"}, "blocking", "u1").json()["data"]["outputs"]
    told["logs"] = client.get_workflow_logs(
        keyword="w", status="succeeded", created_at__before="2100-01-01T00:00:00Z",
        created_at__after="2020-01-01T00:00:00Z", created_by_end_user_session_id="u1").json()["total"]
    client.stop("none", "u1")
    return told


def knowledge() -> dict[str, Any]:
    """Use the knowledge client."""
    told: dict[str, Any] = {}
    told["models"] = len(WorkspaceClient(given["kb"], BASE).get_available_models("text-embedding").json()["data"])
    client = KnowledgeBaseClient(given["kb"], BASE)
    client.dataset_id = client.create_dataset("sdk").json()["id"]
    made = client.create_document_by_text("valve", "The valve opens at 3 bar.").json()
    told["batch"] = client.batch_indexing_status(made["batch"]).json()["data"][0]["indexing_status"]
    document, other = made["document"]["id"], client.create_document_by_file(str(text)).json()["document"]["id"]
    index(document, other)
    client.update_document_by_text(document, "valve 2", "The valve closes at 2 bar.")
    client.update_document_by_file(other, str(text))
    index(document, other)
    told["documents"] = client.list_documents(1, 10, "valve").json()["total"]
    added = client.add_segments(document, [{"content": "By hand", "answer": "", "keywords": ["hand"]}]).json()
    segment = added["data"][0]["id"]
    changed = client.update_document_segment(document, segment, {"content": "Changed"}).json()["data"]
    told["segment"] = changed["content"]
    told["found"] = len(client.query_segments(document, keyword="Changed", status="completed").json()["data"])
    told["hits"] = len(client.hit_testing("pump", retrieval_model=RETRIEVAL).json()["records"])
    client.delete_document_segment(document, segment)
    field = client.create_dataset_metadata({"type": "string", "name": "author"}).json()["id"]
    client.update_dataset_metadata(field, {"name": "writer"})
    client.update_documents_metadata([{"document_id": document, "metadata_list": [
        {"id": field, "name": "writer", "value": "me"}]}])
    client.manage_built_in_metadata("enable")
    told["built in"] = len(client.get_built_in_metadata().json()["fields"])
    told["metadata"] = [item["name"] for item in client.get_dataset_metadata().json()["doc_metadata"]]
    told["tags"] = client.get_dataset_tags().json()["data"]
    client.list_dataset_tags()
    told["name"] = client.update_dataset(name="sdk 2", description="d", retrieval_model=RETRIEVAL).json()["name"]
    told["read"] = client.get_dataset().json()["description"]
    client.batch_update_document_status("disable", [document])
    client.delete_document(document)
    client.delete_dataset()
    return told


async def asynchronous() -> dict[str, Any]:
    """Use the asynchronous twins for a question and a run."""
    async with async_client.AsyncChatClient(given["chat"], BASE) as client:
        answer = (await client.create_chat_message({}, "hello there", "u1")).json()["answer"]
    async with async_client.AsyncWorkflowClient(given["workflow"], BASE) as client:
        done = (await client.run({"word": "w"}, "blocking", "u1")).json()["data"]["outputs"]
    return {"async answer": answer, "async workflow": done}


print(json.dumps({**chats(), **knowledge(), **asyncio.run(asynchronous())}))
