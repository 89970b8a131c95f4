"""What starts by itself: webhooks by their address, schedules and forms' time-outs by the worker's tick."""

from __future__ import annotations

import time

import pytest
import requests
import sqlalchemy as sa

from sparrow.apps import live as runs
from sparrow.apps import schedule, settle
from sparrow.jobs import kinds, run
from sparrow.storage import db
from sparrow.storage.tables.account import settings
from sparrow.storage.tables.apps import versions
from sparrow.storage.tables.jobs import jobs
from sparrow.storage.tables.runs import forms, workflow_runs


def node(identity, kind, **data):
    return {"id": identity, "type": "custom", "data": {"type": kind, "title": identity, **data}}


def publish(live, nodes, *edges):
    app_id = live.admin.post("/apps", json={"name": "t", "mode": "workflow"}).json["id"]
    graph = {"nodes": nodes, "edges": [
        {"id": f"{one}-{other}-{handle}", "source": one, "target": other, "sourceHandle": handle}
        for one, other, handle in edges]}
    saved = live.admin.post(f"/apps/{app_id}/workflows/draft", json={"graph": graph})
    assert saved.status_code == 200, saved.text
    assert live.admin.post(f"/apps/{app_id}/workflows/publish", json={}).status_code == 200
    return app_id


def end(*outputs):
    return node("e", "end", outputs=[{"variable": name, "value_selector": at} for name, *at in outputs])


def last_run(app_id, wanted=("succeeded", "failed")):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with db.read() as tx:
            row = tx.execute(sa.select(workflow_runs).where(workflow_runs.c.app_id == app_id)
                             .order_by(workflow_runs.c.created_at.desc())).first()
        if row is not None and row.status in wanted:
            return row
        time.sleep(0.05)
    raise AssertionError(f"no run of {app_id} became {wanted}: {row}")


def tick(monkeypatch):
    """Look now, and do the jobs this gives, as the worker does."""
    monkeypatch.setattr(schedule, "_looked", -1000.0)
    schedule.tick()
    with db.read() as tx:
        waiting = tx.execute(sa.select(jobs.c.id, jobs.c.kind).where(jobs.c.state == "queued")).all()
    for row in waiting:
        assert row.kind in kinds.KINDS
        run.run_job(row.id)
    return [row.kind for row in waiting]


WEBHOOK = node("w", "trigger-webhook", method="post", content_type="application/json", status_code=202,
               response_body='{"ok": true}', headers=[{"name": "X-Kind", "required": False}],
               params=[{"name": "n", "type": "number", "required": True}],
               body=[{"name": "text", "type": "string", "required": True}, {"name": "more", "type": "object"}])


@pytest.fixture
def hook(live):
    app_id = publish(live, [WEBHOOK, end(("t", "w", "text"), ("n", "w", "n"), ("k", "w", "X_Kind"),
                                         ("m", "w", "_webhook_raw", "method"))], ("w", "e", "source"))
    found = live.admin.get(f"/apps/{app_id}/triggers").json["data"]
    assert [(item["trigger_type"], item["status"]) for item in found] == [("trigger-webhook", "enabled")]
    path = found[0]["webhook_url"].partition("/triggers/")[2]
    return app_id, f"{live.url}/triggers/{path}"


def test_a_webhook_starts_the_workflow(hook):
    app_id, address = hook
    reply = requests.post(address, params={"n": "3"}, json={"text": "水"}, headers={"X-Kind": "a"}, timeout=10)
    assert (reply.status_code, reply.json()) == (202, {"ok": True})
    row = last_run(app_id)
    assert row.outputs == {"t": "水", "n": 3, "k": "a", "m": "POST"}
    assert row.triggered_from == "webhook"


@pytest.mark.parametrize(("call", "status", "message"), [
    ({"json": {"text": "x"}}, 400, "Required query parameter missing: n"),
    ({"params": {"n": "1"}, "json": {}}, 400, "Required body field missing: text"),
    ({"params": {"n": "x"}, "json": {"text": "x"}}, 400, "n must be a number"),
    ({"params": {"n": "1"}, "json": {"text": 5}}, 400, "text must be of type string"),
    ({"params": {"n": "1"}, "json": {"text": "x", "more": []}}, 400, "more must be of type object"),
    ({"params": {"n": "1"}, "json": [1]}, 400, "must be a JSON object"),
    ({"params": {"n": "1"}, "data": "{", "headers": {"content-type": "application/json"}}, 400, "not valid JSON"),
    ({"params": {"n": "1"}, "data": "x", "headers": {"content-type": "text/plain"}}, 400, "Content-type mismatch"),
    ({"params": {"n": "1"}, "data": b"x" * (11 << 20), "headers": {"content-type": "application/json"}}, 413, "10 MiB"),
])
def test_a_bad_call_starts_nothing(hook, call, status, message):
    app_id, address = hook
    reply = requests.post(address, timeout=10, **call)
    assert (reply.status_code, reply.json()["status"]) == (status, status)
    assert message in reply.json()["message"]
    with db.read() as tx:
        assert tx.execute(sa.select(workflow_runs.c.id).where(workflow_runs.c.app_id == app_id)).first() is None


def test_addresses_cannot_be_guessed(hook):
    _, address = hook
    for wrong in (address[:-3], f"{address}x", address.replace(address[-12], "A", 1)[:-1] + "-", address + "%00",
                  address.rpartition("/")[0] + "/%E2%82%AC"):
        assert requests.post(wrong, timeout=10).status_code in (400, 404)
    assert requests.put(address, timeout=10).status_code == 400


SCHEDULE = node("s", "trigger-schedule", mode="cron", cron_expression="0 6 * * *", timezone="Asia/Shanghai")


def test_a_schedule_fires_once_when_its_time_has_come(live, monkeypatch):
    app_id = publish(live, [SCHEDULE, WEBHOOK, end(("t", "w", "text"))], ("s", "e", "source"), ("w", "e", "source"))
    assert tick(monkeypatch) == []
    assert live.admin.get(f"/apps/{app_id}/triggers").json["data"][0]["next_run_at"] > time.time()
    with db.write() as tx:  # published three days ago: it fires once, not three times
        tx.execute(versions.update().where(versions.c.app_id == app_id, versions.c.number == 1).values(
            created_at=time.time() - 3 * 86400))
    assert tick(monkeypatch) == ["run_schedule"]
    row = last_run(app_id)
    assert (row.status, row.triggered_from, row.outputs) == ("succeeded", "schedule", {"t": None})
    assert tick(monkeypatch) == []
    with db.read() as tx:
        assert tx.execute(sa.select(settings.c.value).where(settings.c.name == "schedules")).scalar()[f"{app_id}:s"]


@pytest.mark.parametrize(("data", "cron"), [
    ({"frequency": "hourly", "visual_config": {"on_minute": 5}}, "5 * * * *"),
    ({"frequency": "daily", "visual_config": {"time": "12:00 AM"}}, "0 0 * * *"),
    ({"frequency": "daily", "visual_config": {"time": "12:30 PM"}}, "30 12 * * *"),
    ({"frequency": "weekly", "visual_config": {"time": "9:05 PM", "weekdays": ["sun", "sat"]}}, "5 21 * * 0,6"),
    ({"frequency": "monthly", "visual_config": {"time": "1:00 AM", "monthly_days": [1, "last"]}}, "0 1 1,L * *"),
])
def test_visual_schedules(data, cron):
    assert schedule.cron(data) == cron
    assert schedule.next_after(data, 0) > 0


@pytest.mark.parametrize("data", [
    {"mode": "cron", "cron_expression": "* * *"}, {"mode": "cron", "cron_expression": "99 * * * *"},
    {"frequency": "daily", "visual_config": {"time": "noon"}}, {"timezone": "Mars/Olympus"}, {"timezone": "../etc"},
    {"frequency": "weekly", "visual_config": {"weekdays": ["x"]}},
])
def test_unreadable_schedules_say_so(data):
    with pytest.raises(ValueError, match=r"\w"):
        schedule.next_after(data, 0)


def test_a_form_times_out(live, monkeypatch):
    form = node("h", "human-input", form_content="ok?", inputs=[], timeout=1, timeout_unit="hour",
                user_actions=[{"id": "yes", "title": "Yes"}], delivery_methods=[{"type": "webapp", "enabled": True}])
    late = node("c", "template-transform", template="too late", variables=[])
    app_id = publish(live, [node("s", "start", variables=[]), form, late, end(("t", "c", "output"))],
                     ("s", "h", "source"), ("h", "c", "__timeout"), ("c", "e", "source"))
    reply = requests.post(f"{live.url}/v1/workflows/run", json={"inputs": {}, "user": "u"}, timeout=10,
                          headers={"Authorization": f"Bearer {live.new_key(app_id)}"})
    assert reply.json()["data"]["status"] == "paused"
    assert tick(monkeypatch) == []
    with db.write() as tx:
        tx.execute(forms.update().values(expires_at=int(time.time()) - 1))
    assert tick(monkeypatch) == ["expire_forms"]
    assert last_run(app_id).outputs == {"t": "too late"}


def test_settling_spares_what_lives(live):
    app_id = publish(live, [node("s", "start", variables=[]), end()], ("s", "e", "source"))
    requests.post(f"{live.url}/v1/workflows/run", json={"inputs": {}, "user": "u"}, timeout=10,
                  headers={"Authorization": f"Bearer {live.new_key(app_id)}"})
    mine = runs.owner()
    machine = mine.partition(":")[0]
    for owner, lost in ((mine, 0), (f"{machine}:1:0", 1), (f"{machine}:999999:5", 1), ("before:77:1", 1)):
        with db.write() as tx:
            tx.execute(workflow_runs.update().values(status="running", owner=owner))
        assert settle.settle() == lost
