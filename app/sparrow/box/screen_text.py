"""What the box's consoles show: address, QR code, state, setup code. Text only; English, which every console has.

`full` is for a screen (it clears and lays out two columns), `plain` for a serial line, where every change is
printed below the last so that a log of it can be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

WIDTH, HEIGHT = 80, 25
_CLEAR = "\x1b%G\x1b[?25l\x1b[H\x1b[2J"  # UTF-8, no cursor, home, clear
_INVERSE, _BOLD, _RED, _NORMAL = "\x1b[97;40m", "\x1b[1m", "\x1b[31m", "\x1b[0m"
_WORDS = {"RUNNING": "running", "STARTING": "starting", "BACKOFF": "failing, tried again", "FATAL": "FAILED",
          "STOPPED": "stopped", "STOPPING": "stopping", "EXITED": "ended", "UNKNOWN": "unknown"}


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is shown. `programs` are (name, supervisord's state)."""

    version: str
    addresses: list[str]
    name: str  # on the local network
    https_port: int
    http_port: int
    fingerprint: str
    code: str
    programs: list[tuple[str, str]]
    problems: list[str] = field(default_factory=list)


def urls(facts: Facts) -> list[str]:
    """Return the addresses to type into a browser, the most likely one first."""
    port = "" if facts.https_port == 443 else f":{facts.https_port}"
    hosts = [f"[{a}]" if ":" in a else a for a in facts.addresses] + [facts.name]
    return [f"https://{host}{port}/" for host in hosts]


def state(facts: Facts) -> str:
    """Return the state of the box in a word or two."""
    if facts.problems:
        return "NEEDS ATTENTION"
    if not facts.programs or any(state != "RUNNING" for _, state in facts.programs):
        return "starting"
    return "ready"


def plain(facts: Facts) -> str:
    """Return a block of lines for a serial console; the same labels every time, for people and programs."""
    lines = ["", "=" * 60, f"Sparrow {facts.version}: {state(facts)}"]
    known = urls(facts)
    lines += [f"Address:     {known[0]}"] + [f"             {url}" for url in known[1:]]
    if not facts.addresses:
        lines.append("Network:     no address yet")
    if facts.code:
        lines.append(f"Setup code:  {facts.code}")
    lines.append(f"Fingerprint: {facts.fingerprint}")
    lines.append("Programs:    " + (", ".join(f"{n} {_WORDS.get(s, s)}" for n, s in facts.programs) or "none yet"))
    lines += [f"Problem:     {problem}" for problem in facts.problems]
    if facts.addresses:
        lines += ["", *(f"{_INVERSE}{row}{_NORMAL}" for row in qr(known[0]))]
    return "\n".join([*lines, "=" * 60, ""])


def full(facts: Facts) -> str:
    """Return a whole screen of 80 by 25: facts on the left, the QR code of the first address on the right."""
    known = urls(facts)
    code = qr(known[0]) if facts.addresses else []
    left_width = WIDTH - (len(code[0]) if code else 0) - 3
    left = [f"{_BOLD}Sparrow {facts.version}{_NORMAL}   {_state(facts)}", ""]
    if facts.addresses:
        left += ["Open in a browser:", *(f"  {_BOLD}{url[:left_width - 2]}{_NORMAL}" for url in known[:4])]
    else:
        left += ["No network address yet: plug in a network cable."]
    if facts.code:
        left += ["", f"Setup code:  {_BOLD}{facts.code}{_NORMAL}"]
    left += ["", *(f"{name:8} {_WORDS.get(status, status)}"[:left_width] for name, status in facts.programs)]
    rows = []
    for index in range(max(len(left), len(code) + 1)):
        text = left[index] if index < len(left) else ""
        picture = code[index - 1] if 0 < index <= len(code) else ""
        gap = " " * max(left_width - _visible(text), 0)
        rows.append(f" {text}{gap} {_INVERSE}{picture}{_NORMAL}" if picture else f" {text}")
    for problem in facts.problems[:2]:
        rows += [f" {_RED}{line}{_NORMAL}" for line in _wrap(problem, WIDTH - 2)]
    half = len(facts.fingerprint) // 2 + 1
    port = "" if facts.http_port == 80 else f":{facts.http_port}"
    host = f"[{facts.addresses[0]}]" if facts.addresses and ":" in facts.addresses[0] else (
        facts.addresses[0] if facts.addresses else facts.name)
    rows += ["", f" To trust this box open http://{host}{port}/ca and compare:"[:WIDTH],
             f"   {facts.fingerprint[:half]}", f"   {facts.fingerprint[half:]}"]
    return _CLEAR + "\n".join(rows[:HEIGHT - 1]) + "\n"


@lru_cache(maxsize=4)
def qr(text: str) -> tuple[str, ...]:
    """Return a QR code as lines of half blocks: light modules are drawn, so that a dark console reads right."""
    import segno

    matrix = segno.make(text, error="m", micro=False).matrix
    border = 2
    size = len(matrix) + 2 * border
    light = [[True] * size for _ in range(size + size % 2)]
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            light[y + border][x + border] = not dark
    blocks = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    return tuple("".join(blocks[upper, lower] for upper, lower in zip(light[y], light[y + 1], strict=True))
                 for y in range(0, size, 2))


def _state(facts: Facts) -> str:
    word = state(facts)
    return f"{_RED}{_BOLD}{word}{_NORMAL}" if facts.problems else word


def _visible(text: str) -> int:
    """Count the characters of a text that are seen: not the escape sequences for colours."""
    count, inside = 0, False
    for character in text:
        if character == "\x1b":
            inside = True
        elif inside:
            inside = character != "m"
        else:
            count += 1
    return count


def _wrap(text: str, width: int) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line] if line else lines
