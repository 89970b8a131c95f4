"""Triggers on a whole box: a webhook through Caddy, a schedule by the worker, no test in between."""

from __future__ import annotations

import json
import time
import urllib.parse

from tests.faults.stack import Console, Stack, until


def publish(console: Console, trigger: dict, *selectors: tuple[str, list[str]]) -> str:
    """Make and publish a workflow of a trigger and an end; return its id."""
    app_id = console.json("POST", "/apps", {"name": trigger["type"], "mode": "workflow"})["id"]
    end = {"type": "end", "title": "e", "outputs": [{"variable": name, "value_selector": at} for name, at in selectors]}
    console.json("POST", f"/apps/{app_id}/workflows/draft", {"graph": {
        "nodes": [{"id": "t", "type": "custom", "data": {"title": "t", **trigger}},
                  {"id": "e", "type": "custom", "data": end}],
        "edges": [{"id": "te", "source": "t", "target": "e", "sourceHandle": "source"}]}})
    console.json("POST", f"/apps/{app_id}/workflows/publish", {})
    return app_id


def test_a_webhook_and_a_schedule_start_their_workflows(tmp_path):
    with Stack(tmp_path / "data", wait=False) as stack:
        until(lambda: stack.status() == (200, "ok"), "healthy", 180)
        console = Console(stack)
        minute = publish(console, {"type": "trigger-schedule", "mode": "cron", "cron_expression": "* * * * *",
                                   "timezone": "UTC"})
        published = time.time()
        hook = publish(console, {"type": "trigger-webhook", "method": "post", "content_type": "application/json",
                                 "body": [{"name": "word", "type": "string", "required": True}], "status_code": 200,
                                 "response_body": '{"got": "it"}'}, ("said", ["t", "word"]))
        address = console.json("GET", f"/apps/{hook}/triggers")["data"][0]["webhook_url"]
        status, _, body = console.call("POST", urllib.parse.urlsplit(address).path, {"word": "水"})
        assert (status, json.loads(body)) == (200, {"got": "it"})

        def finished(app_id: str) -> list[dict]:
            runs = console.json("GET", f"/apps/{app_id}/workflow-runs")["data"]
            return [run for run in runs if run["status"] == "succeeded"]

        run = until(lambda: finished(hook), "the webhook's run", 20)[0]
        assert console.json("GET", f"/apps/{hook}/workflow-runs/{run['id']}")["outputs"] == {"said": "水"}
        # The worker looks every few seconds; the minute may just have begun.
        run = until(lambda: finished(minute), "the schedule's run", 120, 1.0)[0]
        assert run["created_at"] >= published - 1
