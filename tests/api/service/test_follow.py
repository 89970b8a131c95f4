"""A run belongs to the box, not to the connection that started it: clients leave, come back, choose a version."""

from __future__ import annotations

import json
import os
import time

import requests
import sqlalchemy as sa

from sparrow import ids, settings
from sparrow.apps import live as runs
from sparrow.apps import signals
from sparrow.storage import db
from sparrow.storage.tables.runs import workflow_runs
from tests.api.service.conftest import MODEL
from tests.api.service.test_triggers import end, last_run, node, publish


def events(reply):
    return [json.loads(line[6:]) for line in reply.iter_lines(decode_unicode=True) if line.startswith("data: ")]


def slow(live, words=20):
    llm = node("m", "llm", model=MODEL, prompt_template=[{"role": "user", "text": f"<<tokens:{words}>><<slow:60>>"}])
    app_id = publish(live, [node("s", "start", variables=[]), llm, end(("t", "m", "text"))],
                     ("s", "m", "source"), ("m", "e", "source"))
    return app_id, {"Authorization": f"Bearer {live.new_key(app_id)}"}


def test_a_client_that_left_follows_again(live):
    app_id, headers = slow(live)
    reply = requests.post(f"{live.url}/v1/workflows/run", headers=headers, timeout=10, stream=True,
                          json={"inputs": {}, "user": "u", "response_mode": "streaming"})
    first = json.loads(next(line for line in reply.iter_lines(decode_unicode=True) if line.startswith("data: "))[6:])
    reply.close()
    address = f"{live.url}/v1/workflow/{first['workflow_run_id']}/events"
    assert requests.get(address, params={"user": "other"}, headers=headers, timeout=10).status_code == 404
    again = events(requests.get(address, params={"user": "u"}, headers=headers, timeout=10, stream=True))
    assert [event["event"] for event in (again[0], again[-1])] == ["workflow_started", "workflow_finished"]
    assert "".join(event["data"]["text"] for event in again if event["event"] == "text_chunk").startswith("w1 w2")
    assert last_run(app_id).status == "succeeded"
    over = events(requests.get(address, params={"user": "u"}, headers=headers, timeout=10))
    assert [(event["event"], event["data"]["status"]) for event in over] == [("workflow_finished", "succeeded")]


def test_a_client_that_left_does_not_end_the_run(live):
    app_id, headers = slow(live)
    reply = requests.post(f"{live.url}/v1/workflows/run", headers=headers, timeout=10, stream=True,
                          json={"inputs": {}, "user": "u", "response_mode": "streaming"})
    next(reply.iter_content(16))
    reply.close()
    assert last_run(app_id).outputs["t"].endswith("w20")


def test_a_given_version_runs(live):
    def template(text):
        return [node("s", "start", variables=[]), node("t", "template-transform", template=text, variables=[]),
                end(("o", "t", "output"))]

    app_id = publish(live, template("one"), ("s", "t", "source"), ("t", "e", "source"))
    first = live.admin.get(f"/apps/{app_id}/workflows").json["data"][0]["id"]
    draft = live.admin.get(f"/apps/{app_id}/workflows/draft").json
    draft["graph"]["nodes"][1]["data"]["template"] = "two"
    live.admin.post(f"/apps/{app_id}/workflows/draft", json={"graph": draft["graph"], "hash": draft["hash"]})
    live.admin.post(f"/apps/{app_id}/workflows/publish", json={})
    headers = {"Authorization": f"Bearer {live.new_key(app_id)}"}
    for path, said in (("run", "two"), (f"{first}/run", "one")):
        reply = requests.post(f"{live.url}/v1/workflows/{path}", headers=headers, timeout=10,
                              json={"inputs": {}, "user": "u"})
        assert reply.json()["data"]["outputs"] == {"o": said}


def test_a_run_of_another_process_stops_soon(live):
    """The request comes as it does from another process: by a file, not by the table of this one's runs."""
    app_id, headers = slow(live, 400)
    reply = requests.post(f"{live.url}/v1/workflows/run", headers=headers, timeout=30, stream=True,
                          json={"inputs": {}, "user": "u", "response_mode": "streaming"})
    lines = reply.iter_lines(decode_unicode=True)
    first = json.loads(next(line for line in lines if line.startswith("data: "))[6:])
    signals.ask(first["task_id"], "another-app", None)
    time.sleep(0.5)
    with db.read() as tx:
        assert tx.execute(sa.select(workflow_runs.c.status)).scalar() == "running"
    began = time.monotonic()
    signals.ask(first["task_id"], app_id, None)
    rest = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert time.monotonic() - began < 8  # of 24 s
    assert rest[-1]["data"]["status"] == "stopped"


def test_a_request_for_nobody_is_forgotten(live):
    runs.stop(ids.new_id(), "a")
    folder = settings.get().run_dir / "stop"
    assert len(list(folder.iterdir())) == 1
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    runs.stop("../../etc/passwd", "a")
    runs.stop(ids.new_id(), "a")
    assert len(list(folder.iterdir())) == 1
