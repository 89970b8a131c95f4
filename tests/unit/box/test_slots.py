"""Which system starts: the boot loader's block, a trial, and what counts as healthy."""

import io
import json
import urllib.error

import pytest

from sparrow.box import slots


@pytest.fixture
def block(tmp_path, monkeypatch):
    """The block of a box that runs slot B on trial."""
    path = tmp_path / "grubenv"
    monkeypatch.setattr(slots, "BOOT", tmp_path)
    monkeypatch.setattr(slots, "BLOCK", path)
    for name, text in (("RUNNING", "b\n"), ("CMDLINE", "quiet sparrow.slot=b sparrow.trial\n")):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(slots, name, tmp_path / name)
    path.write_bytes(slots.encode({"good": "a", "tried": "b", "options": r"a\b"}))
    return path


def test_the_block_is_as_grub_reads_it():
    assert slots.encode({"good": "b", "try": ""}) == b"# GRUB Environment Block\ngood=b\n".ljust(1024, b"#")
    values = {"good": "a", "options": "back\\slash = kept"}
    assert slots.decode(slots.encode(values)) == values
    with pytest.raises(slots.SlotError, match="line breaks"):
        slots.encode({"options": "a\nb"})
    with pytest.raises(slots.SlotError, match="512"):
        slots.encode({"options": "x" * 500})
    with pytest.raises(slots.SlotError, match="damaged"):
        slots.decode(b"x" * 1024)


def test_a_healthy_trial_is_committed_once(block, monkeypatch):
    monkeypatch.setattr(slots, "STEADY", 0.05)
    assert slots.status() == slots.Status(running="b", good="a", trying="", failed="", trial=True)
    answers = iter([True, False])
    assert slots.settle(lambda: next(answers, True), 5, pause=0.02)
    assert slots.read() == {"good": "b", "options": r"a\b"}
    written = block.stat().st_mtime_ns
    assert slots.settle(lambda: False, 0)  # it is good already
    slots.commit()
    assert block.stat().st_mtime_ns == written


def test_a_trial_that_stays_unhealthy_commits_nothing(block):
    before = block.read_bytes()
    assert not slots.settle(lambda: False, 0.05, pause=0.01)
    assert block.read_bytes() == before


def test_a_slot_is_tried_at_the_next_start(block):
    slots.try_slot("a")
    assert slots.status().trying == "a"
    with pytest.raises(slots.SlotError, match="running"):
        slots.try_slot("b")
    with pytest.raises(slots.SlotError, match="no slot 'c'"):
        slots.try_slot("c")


@pytest.mark.parametrize(("problems", "healthy"), [
    ([], True),
    ([{"level": "error", "what": "disk", "message": "The disk is full"}], True),
    ([{"level": "degraded", "what": "worker", "message": "worker is starting"}], False),
    ([{"level": "error", "what": "disk", "message": ""}, {"level": "error", "what": "api", "message": ""}], False),
])  # fmt: skip
def test_a_full_disk_is_no_fault_of_the_slot(monkeypatch, problems, healthy):
    reply = json.dumps({"status": "ok", "problems": problems}).encode()
    monkeypatch.setattr(slots.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(reply))
    assert slots.box_is_healthy() is healthy


@pytest.mark.parametrize("reply", [b"", b"{}", b"<html>", None])
def test_what_does_not_answer_is_not_healthy(monkeypatch, reply):
    def open_it(*_arguments, **_named):
        if reply is None:
            raise urllib.error.URLError("refused")
        return io.BytesIO(reply)

    monkeypatch.setattr(slots.urllib.request, "urlopen", open_it)
    assert not slots.box_is_healthy()
