"""Compares what Sparrow did with what Dify was recorded to do.

Both sides are brought to one form: ids numbered in the order of a walk with sorted keys, times and durations
replaced by marks, pings left out. What remains different is a defect, or has a reason in golden_exceptions.toml.
"""

from __future__ import annotations

import re
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MARK = re.compile(r"<id:\d+>")
# Parts of a text that no two servers share.
_MARKS = re.compile(r"<(?:date|server|signed|token|path|time)>")
# What a usage object turned into text carries, and the boundary of a multipart body in a request's log.
_TIMED = re.compile(r'("(?:latency|time_to_first_token|time_to_generate)": )(?:[\d.e-]+|"<elapsed>")')
_BOUNDARY = re.compile(r"WebKitFormBoundary(?:<random>|\w{16})")
_TIMES = {"created_at", "finished_at", "updated_at", "expiration_time", "sys.timestamp"}
_DURATIONS = {"elapsed_time", "latency", "time_to_first_token", "time_to_generate"}
_MAPS = {"iteration_duration_map", "loop_duration_map"}
_PARALLEL = "parallel"


def normal(value: Any) -> Any:
    """Return a JSON value with ids, times and durations as marks."""
    return _Walk().value(value, "")


def unnumbered(value: Any) -> Any:
    """Return a JSON value in normal form, all ids as one mark: for lists that hold more than one run made."""
    return _Walk(False).value(value, "")


def events(found: list[dict[str, Any]], *, numbered: bool = True) -> list[dict[str, Any]]:
    """Return a stream's events in normal form, without what the harness and the keep-alive added."""
    walk = _Walk(numbered)
    return [walk.value(event, "") for event in found
            if "_client" not in event and "_http" not in event and event.get("event") != "ping"]


class _Walk:
    def __init__(self, numbered: bool = True) -> None:
        self._ids: dict[str, str] = {}
        self._numbered = numbered

    def value(self, value: Any, key: str) -> Any:
        """Return one value."""
        if isinstance(value, dict):
            if key in _MAPS:
                return dict.fromkeys(sorted(value), "<elapsed>")
            return {self._text(name): self.value(value[name], name) for name in sorted(value)}
        if isinstance(value, list):
            return [self.value(item, key) for item in value]
        if isinstance(value, str):
            if value in ("<time>", "<elapsed>"):
                return value
            return self._text(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if key in _TIMES:
                return "<time>"
            if key in _DURATIONS:
                return "<elapsed>"
        return value

    def _text(self, text: str) -> str:
        text = _BOUNDARY.sub("WebKitFormBoundary<random>", _TIMED.sub(r'\1"<elapsed>"', text))
        text = _UUID.sub(lambda found: self._number(found[0]), text)
        return _MARK.sub(lambda found: self._number(found[0]) if not found[0].startswith("<id:n") else found[0], text)

    def _number(self, identity: str) -> str:
        if not self._numbered:
            return "<id:n>"
        return self._ids.setdefault(identity, f"<id:n{len(self._ids) + 1}>")


def differences(expected: Any, actual: Any, place: str = "") -> list[str]:
    """Return where two normal values differ, as lines for people."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for name in sorted(expected.keys() | actual.keys()):
            inner = f"{place}.{name}" if place else name
            if name not in actual:
                found.append(f"{inner}: missing, expected {_short(expected[name])}")
            elif name not in expected:
                found.append(f"{inner}: not expected, got {_short(actual[name])}")
            else:
                found += differences(expected[name], actual[name], inner)
        return found
    if isinstance(expected, list) and isinstance(actual, list):
        found = [line for index, (one, other) in enumerate(zip(expected, actual, strict=False))
                 for line in differences(one, other, f"{place}[{index}]")]
        if len(expected) != len(actual):
            found.append(f"{place}: {len(actual)} items, expected {len(expected)}")
        return found
    if isinstance(expected, str) and isinstance(actual, str) and "<sandbox traceback>" in expected:
        expected, actual = expected.rpartition("\n")[2], actual.rpartition("\n")[2]
    if isinstance(expected, str) and isinstance(actual, str) and _MARKS.search(expected):
        wanted = ".*".join(re.escape(part) for part in _MARKS.split(expected))
        return [] if re.fullmatch(wanted, actual, re.S) else [f"{place}: got {_short(actual)}, "
                                                              f"expected {_short(expected)}"]
    if expected == actual and isinstance(expected, bool) == isinstance(actual, bool):
        return []
    return [f"{place}: got {_short(actual)}, expected {_short(expected)}"]


def stream_differences(expected: list[dict[str, Any]], actual: list[dict[str, Any]], *,
                       ordered: bool = True) -> list[str]:
    """Return how two recorded streams differ: first in their order, then event by event.

    Without `ordered` the events of parallel branches may come in any order; each must still be there.
    """
    expected, actual = events(expected, numbered=ordered), events(actual, numbered=ordered)
    if not ordered:
        expected, actual = (sorted(found, key=lambda event: (_name(event), repr(event)))
                            for found in (expected, actual))
    names = [[_name(event) for event in found] for found in (expected, actual)]
    if names[0] != names[1]:
        return [f"order: got {' '.join(names[1])}; expected {' '.join(names[0])}"]
    return [line for index, (one, other) in enumerate(zip(expected, actual, strict=True))
            for line in differences(one, other, f"{index}:{_name(one)}")]


def _name(event: dict[str, Any]) -> str:
    data = event.get("data") or {}
    return f"{event.get('event')}({data['node_id']})" if isinstance(data, dict) and "node_id" in data \
        else str(event.get("event"))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."
