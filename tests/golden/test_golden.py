"""Every recorded case through the real HTTP API, compared event by event."""

from __future__ import annotations

import json
import re
import time
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import golden_compare as compare

from .conftest import CASES, GOLDEN, read, read_events
from .extras import Extras
from .specials import fill_form, upload

PATHS = {"workflow": "/v1/workflows/run", "completion": "/v1/completion-messages"}
EXCEPTIONS = tomllib.loads((Path(__file__).parent / "golden_exceptions.toml").read_text())["exception"]


@pytest.mark.parametrize("case", CASES or [pytest.param("none", marks=pytest.mark.skip(reason="no corpus"))])
def test_case(case, stage):
    folder = GOLDEN / "cases" / case
    recorded = read(folder / "import.json")
    content = stage.here((folder / "app.yml").read_text())
    found = stage.admin.post("/apps/imports", json={"mode": "yaml-content", "yaml_content": content})
    problems = check_import(recorded, found, case)
    app_id = found.json.get("app_id")
    if found.status_code == 202:
        confirmed = stage.admin.post(f"/apps/imports/{found.json['id']}/confirm")
        problems += lines(recorded["import"]["confirm"]["body"], without(confirmed.json, "warnings"), "confirm")
        app_id = confirmed.json["app_id"]
    if app_id and "publish" in recorded:
        published = stage.admin.post(f"/apps/{app_id}/workflows/publish", json={})
        if published.status_code != 200:
            problems.append(f"publish: {published.text}")
    script = read(folder / "run.json")
    if app_id and script.get("runs"):
        key = stage.admin.post(f"/apps/{app_id}/api-keys", json={}).json["token"]
        stage.fake.counters.clear()
        seen: list[str] = []
        problems += play(stage, folder, script, key, "streaming", seen)
        if (folder / "extra.json").exists():
            problems += Extras(stage, key, seen).play(read(folder / "extra.json"))
        if (folder / "form.json").exists():
            paused = stage.call(key, PATHS["workflow"], {
                **body_of(script["runs"][0], script["mode"], "streaming"), "inputs": {"q": "second"}})
            problems += fill_form(stage, key, read(folder / "form.json"), paused["events"])
        if (folder / "uploads.json").exists():
            problems += upload(stage, key, read(folder / "uploads.json"))
        problems += play(stage, folder, script, key, "blocking", [])
    kept = [line for line in problems if not excused(case, line)]
    assert not kept, "\n" + "\n".join(kept)


def play(stage, folder: Path, script: dict[str, Any], key: str, mode: str, seen: list[str]) -> list[str]:
    """Play all runs of a case in one mode; return the differences. `seen` gets the ids, the latest first."""
    problems, conversation = [], None
    for number, run in enumerate(script["runs"], 1):
        suffix = "" if number == 1 else f".r{number}"
        recorded = folder / (f"events{suffix}.jsonl" if mode == "streaming" else f"blocking{suffix}.json")
        if run.get("only", mode) != mode or not recorded.exists():
            continue
        body = json.loads(stage.here(json.dumps(body_of(run, script["mode"], mode))))
        if run.get("conv") == "prev" and conversation:
            body["conversation_id"] = conversation
        path = run.get("path") or PATHS.get(script["mode"], "/v1/chat-messages")
        found = stage.call(run.get("key") or key, path, body, stop_on=run.get("stop_on", ""),
                           cut_after=run.get("cut_after", ""))
        conversation = conversation_of(found) or conversation
        for event in found.get("events", ()):
            for name in ("conversation_id", "message_id", "workflow_run_id"):
                if event.get(name) and event[name] not in seen:
                    seen.insert(0, event[name])
        place = f"{mode} run {number}"
        if mode == "blocking":
            problems += check_reply(read(recorded), found, place)
        else:
            problems += check_stream(read_events(recorded), found, place, ordered=not is_parallel(folder))
        time.sleep(min(run.get("sleep", 0), 0.3))
    return problems


def body_of(run: dict[str, Any], mode: str, response_mode: str) -> dict[str, Any]:
    """Return a run's request, as the recordings' README has it."""
    body = {"inputs": {}, "user": "u1", "response_mode": response_mode}
    if mode != "workflow":
        if mode != "completion":
            body["query"] = "hello"
        body["auto_generate_name"] = False
    body.update(run.get("body") or {})
    for name in run.get("drop") or []:
        body.pop(name, None)
    return body


def check_import(recorded: dict[str, Any], found, case: str) -> list[str]:
    """Compare the reply of the import."""
    expected = recorded["import"]
    if found.status_code != expected["http"]:
        return [f"import: status {found.status_code}, expected {expected['http']}: {found.text[:200]}"]
    return lines(expected["body"], without(found.json, "warnings"), "import")


@cache
def is_parallel(folder: Path) -> bool:
    """Tell whether branches of a case's graph run side by side: then the order between them depends on timing.

    Sparrow starts the second branch at once; Dify runs the first few one after the other.
    """
    graph = (yaml.safe_load((folder / "app.yml").read_text()).get("workflow") or {}).get("graph") or {}
    ways = [(edge.get("source"), edge.get("sourceHandle")) for edge in graph.get("edges") or ()]
    return len(set(ways)) < len(ways) or any(node["data"].get("is_parallel") for node in graph.get("nodes") or ())


def check_reply(expected: dict[str, Any], found: dict[str, Any], place: str) -> list[str]:
    """Compare a reply that is not a stream."""
    if found["status"] != expected["status"]:
        return [f"{place}: status {found['status']}, expected {expected['status']}: {str(found)[:300]}"]
    return lines(expected["body"], found.get("body"), place)


def check_stream(expected: list[dict[str, Any]], found: dict[str, Any], place: str, *, ordered: bool) -> list[str]:
    """Compare a stream with the recorded one."""
    http = expected[0]["_http"]
    if "body" in http or "events" not in found:
        if "body" not in http:
            return [f"{place}: status {found['status']} instead of a stream: {str(found.get('body'))[:200]}"]
        return check_reply(http, found, place)
    lines_found = compare.stream_differences(expected, found["events"], ordered=ordered)
    return [f"{place}: {line}" for line in lines_found]


def lines(expected: Any, found: Any, place: str) -> list[str]:
    """Return the differences of two values in normal form."""
    return [f"{place}: {line}" for line in compare.differences(compare.normal(expected), compare.normal(found))]


def without(value: Any, name: str) -> Any:
    """Return an object without one of its keys: what Sparrow adds."""
    return {key: item for key, item in value.items() if key != name} if isinstance(value, dict) else value


def conversation_of(found: dict[str, Any]) -> str | None:
    """Return the conversation that a reply or stream names."""
    for item in [found.get("body"), *found.get("events", [])]:
        if isinstance(item, dict) and item.get("conversation_id"):
            return item["conversation_id"]
    return None


def excused(case: str, line: str) -> bool:
    """Tell whether an exception covers a difference."""
    return any(re.fullmatch(item.get("case", ".*"), case) and re.search(item["line"], line, re.S)
               for item in EXCEPTIONS)


def test_every_exception_has_a_reason():
    assert all(len(item.get("reason", "")) > 15 for item in EXCEPTIONS)
