"""The further calls of a case: what was asked of the service API after its streaming runs, forms, uploads.

A recording names ids `<id:N>`. Those a reply shows are learned from the reply; one that a request names first is
looked for among the ids of the runs: the one whose reply comes closest. An id that was not found stays unknown.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import requests

from tests import golden_compare as compare

_ID = re.compile(r"<id:\d+>")


class Extras:
    """One case's further calls; `seen` are the ids its runs showed, the latest first."""

    def __init__(self, stage: Any, key: str, seen: list[str]):
        self.stage, self.key, self.seen = stage, key, seen
        self.known: dict[str, str] = {}

    def play(self, calls: list[dict[str, Any]]) -> list[str]:
        """Make the calls in order; return the differences."""
        problems = []
        for number, call in enumerate(calls, 1):
            request = call["request"]
            place = f"extra {number} {request['method']} {request['path']}"
            found, reply = self._closest(request, call)
            problems += [f"{place}: {line}" for line in found]
            if reply is not None:
                self.known |= learned(call.get("body"), reply)
        return problems

    def _closest(self, request: dict[str, Any], call: dict[str, Any]) -> tuple[list[str], Any]:
        """Make a call, with each id that its unknown one may be; return the fewest differences and their reply."""
        unknown = [name for name in dict.fromkeys(_ID.findall(json.dumps(request))) if name not in self.known]
        if call["status"] == 404:
            self.known |= {name: str(uuid.uuid4()) for name in unknown}
            unknown = []
        best: tuple[list[str], Any, str] | None = None
        for candidate in self.seen if unknown else [""]:
            text = json.dumps(request)
            for name, identity in {**dict.fromkeys(unknown, candidate), **self.known}.items():
                text = text.replace(name, identity)
            found, reply = self._call(json.loads(text), call)
            if best is None or _distance(found, reply) < _distance(*best[:2]):
                best = found, reply, candidate
            if not found:
                break
        self.known |= dict.fromkeys(unknown, best[2])
        return best[0], best[1]

    def _call(self, request: dict[str, Any], expected: dict[str, Any]) -> tuple[list[str], Any]:
        deadline = time.monotonic() + 5
        while True:  # a run that goes on without its client may need a moment
            reply = requests.request(
                request["method"], self.stage.url + request["path"], params=request.get("params"),
                json=request.get("json"), headers={"Authorization": f"Bearer {self.key}"}, timeout=30,
                allow_redirects=False)
            if '"status":"running"' not in reply.text or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        if reply.status_code != expected["status"]:
            return [f"status {reply.status_code}, expected {expected['status']}: {reply.text[:200]}"], None
        if isinstance(expected.get("body"), str):
            return [], {}
        found = self.stage.there(reply.json())
        return compare.differences(_sorted(compare.unnumbered(expected.get("body"))),
                                   _sorted(compare.unnumbered(found))), found


def _distance(found: list[str], reply: Any) -> tuple[bool, int]:
    """Return how far a reply is from the recorded one; what it has on top does not count."""
    return reply is None, sum("not expected" not in line for line in found)


def _sorted(body: Any) -> Any:
    """Return a list of turns in an order of their own: Dify's is arbitrary within one second."""
    if isinstance(body, dict) and isinstance(body.get("data"), list):
        body["data"].sort(key=lambda item: str(item.get("query") or item.get("name") or "")
                          if isinstance(item, dict) else "")
    return body


def learned(expected: Any, found: Any) -> dict[str, str]:
    """Return the ids a reply shows, by their names in the recording."""
    known: dict[str, str] = {}
    for name, value in _pairs(expected, found):
        known.setdefault(name, value)
    return known


def _pairs(expected: Any, found: Any) -> Iterator[tuple[str, str]]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            if name in found:
                yield from _pairs(value, found[name])
    elif isinstance(expected, list) and isinstance(found, list):
        for one, other in zip(expected, found, strict=False):
            yield from _pairs(one, other)
    elif isinstance(expected, str) and isinstance(found, str) and _ID.fullmatch(expected):
        yield expected, found
