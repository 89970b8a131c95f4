"""The parser's process, started anew or forked: whatever a file does to it, its caller goes on."""

from __future__ import annotations

import os
import signal
import time

import pytest

from sparrow.knowledge import parse
from sparrow.knowledge.parse import Block, ParseError, formats


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<h1>Pumps</h1><p>The pump runs.</p><h2>阀门</h2><p>阀门关闭。</p>")
    return path


def hostile(monkeypatch, parser):
    """Make forked children parse with a function."""
    monkeypatch.setattr(formats, "parser_of", lambda path, name: parser)


def test_fork_and_start_read_the_same(page):
    assert list(parse.read(page, "page.html", fork=True)) == list(parse.read(page, "page.html"))


def crash(path, images):
    yield Block("before")
    os.kill(os.getpid(), signal.SIGSEGV)


def raises(path, images):
    yield Block("before")
    raise ZeroDivisionError("by the file")


def grow(path, images):
    yield Block("before")
    kept = []
    while True:
        kept.append(bytearray(32 << 20))


@pytest.mark.parametrize(("parser", "code", "said"), [
    (crash, "parser_crash", "signal 11"), (raises, "parser_crash", "by the file"), (grow, "parser_memory", "memory")])
def test_what_a_file_does_to_its_fork_ends_there(page, monkeypatch, parser, code, said):
    hostile(monkeypatch, parser)
    with pytest.raises(ParseError) as caught:
        list(parse.read(page, "page.html", fork=True))
    assert (caught.value.code, said in caught.value.message) == (code, True), caught.value.message
    monkeypatch.undo()
    assert len(list(parse.read(page, "page.html", fork=True))) == 4


def test_a_fork_that_never_ends_is_stopped(page, monkeypatch):
    noted = page.with_name("pid")

    def spin(path, images):
        noted.write_text(str(os.getpid()))
        yield Block("before")
        while True:
            pass

    hostile(monkeypatch, spin)
    began = time.monotonic()
    with pytest.raises(ParseError) as caught:
        list(parse.read(page, "page.html", fork=True, seconds=8))
    assert caught.value.code == "parser_timeout"
    assert time.monotonic() - began < 40
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)


def test_a_fork_has_none_of_its_parents_files(page, monkeypatch):
    def look(path, images):
        yield Block(" ".join(sorted(os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")
                                    if os.path.exists(f"/proc/self/fd/{number}"))))

    hostile(monkeypatch, look)
    with open(page, "rb"):
        seen = next(iter(parse.read(page, "page.html", fork=True))).text
    assert str(page) not in seen
    assert "pipe:" not in " ".join(seen.split()[3:])
