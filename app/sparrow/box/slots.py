"""Which of the two systems on the disk starts: the pinned good slot, or another one once, on trial.

The boot loader and this module share GRUB's environment block, a file of 1024 bytes on the boot
partition (rootfs/boot/grub.cfg is the other side):

- `good`: the slot that starts. Only `commit`, called by a healthy system, changes it.
- `try`: a slot to start once. The boot loader removes it before that slot's kernel runs, so that
  whatever goes wrong on the trial, the next start is the good slot again.
- `tried`: the slot that was last started on trial and has not been committed.
- `options`: more words for the kernel's command line.

A normal start writes nothing. An update of the block changes one sector in place: all the variables
stay below byte 512 and the padding behind them is always the same, so a power cut leaves the old or
the new block, never half of each. The standard library only: this must run when all else is broken.

    python -m sparrow.box.slots status | try SLOT | commit | settle [SECONDS]
"""

from __future__ import annotations

import json
import mmap
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SLOTS = ("a", "b")
#: GRUB's first line; the block is this, `name=value` lines, and "#" up to SIZE.
HEADER = b"# GRUB Environment Block\n"
SIZE, SECTOR = 1024, 512

BOOT = Path("/boot")  # where the boot partition is mounted, read-only but for an update
BLOCK = BOOT / "sparrow/grubenv"
RUNNING = Path("/run/boot/slot")  # left by the initramfs
CMDLINE = Path("/proc/cmdline")
#: Seconds that the system must stay healthy on a trial before it is committed.
STEADY = 10.0


class SlotError(Exception):
    """The slots cannot be read or changed; the text says why."""


@dataclass(frozen=True, slots=True)
class Status:
    """Slots: `trying` waits for the next start, `failed` was tried and did not prove itself; "" is none.

    `trial` says that the running system was started to be tried, and is still to prove itself. A slot that
    somebody chose by hand in the boot menu is not on trial: it is never committed by itself.
    """

    running: str
    good: str
    trying: str
    failed: str
    trial: bool


def status() -> Status:
    """Return what runs and what would start next."""
    values = read()
    running, good = _running(), _good(values)
    tried = values.get("tried", "")
    return Status(
        running=running,
        good=good,
        trying=values.get("try", ""),
        failed=tried if tried != running else "",
        trial=running != good and "sparrow.trial" in CMDLINE.read_text().split(),
    )


def try_slot(slot: str) -> None:
    """Start this slot once, at the next start of the box."""
    if slot not in SLOTS:
        raise SlotError(f"There is no slot {slot!r}: the slots are a and b")
    if slot == _running():
        raise SlotError(f"Slot {slot} is the one that is running")
    _update({"try": slot})


def commit() -> None:
    """Make the running slot the good one. Writes nothing if it is already and no trial is pending."""
    _update({"good": _running(), "try": "", "tried": ""})


def settle(healthy: Callable[[], bool], patience: float, pause: float = 2.0) -> bool:
    """On a trial: wait up to `patience` seconds until the box has been healthy for a while, then commit.

    Return whether the running slot is good now; if not, the caller restarts the box.
    """
    if not status().trial:
        return True
    deadline = time.monotonic() + patience
    since = None
    while (now := time.monotonic()) < deadline:
        if not healthy():
            since = None
        elif since is None:
            since = now
        elif now - since >= STEADY:
            commit()
            return True
        time.sleep(pause)
    return False


def box_is_healthy() -> bool:
    """Ask the box itself, over the same way as its users. That its disk is full is no fault of the slot's."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the box talks to itself
    try:
        with urllib.request.urlopen("https://127.0.0.1/health", timeout=10, context=context) as reply:
            return all(problem["what"] == "disk" for problem in json.load(reply)["problems"])
    except (OSError, ValueError, KeyError):
        return False


def encode(values: dict[str, str]) -> bytes:
    """Return the environment block with these values; empty ones are left out."""
    lines = b"".join(f"{name}={_escape(value)}\n".encode() for name, value in values.items() if value)
    block = HEADER + lines
    if len(block) > SECTOR:
        raise SlotError(f"The variables take {len(block)} bytes; more than {SECTOR} cannot be written safely")
    return block + b"#" * (SIZE - len(block))


def decode(block: bytes) -> dict[str, str]:
    """Return the values in an environment block; raise SlotError if it is not one."""
    if len(block) != SIZE or not block.startswith(HEADER):
        raise SlotError("The boot loader's environment is damaged")
    values = {}
    for line in _lines(block[len(HEADER) :].decode("utf-8", "replace")):
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            values[name] = value
    return values


def read() -> dict[str, str]:
    """Return the values in force. A damaged block counts as empty, as it does for the boot loader."""
    try:
        return decode(BLOCK.read_bytes())
    except FileNotFoundError:
        raise SlotError(f"{BLOCK} is missing: the boot partition is not mounted") from None
    except SlotError:
        return {}


def write(values: dict[str, str]) -> None:
    """Put the values into the block in place, past the cache, and check that they arrived."""
    block = encode(values)
    with _writable():
        # O_SYNC, not a new file renamed over the old one: renaming on FAT is not atomic, one sector is.
        descriptor = os.open(BLOCK, os.O_RDWR | os.O_SYNC)
        try:
            if os.fstat(descriptor).st_size != SIZE:
                os.ftruncate(descriptor, SIZE)
            os.pwrite(descriptor, block, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if _read_from_disk() != block:
            raise SlotError("The boot loader's environment could not be written: the disk gave back something else")


def _escape(value: str) -> str:
    if "\n" in value or "\0" in value:
        raise SlotError("A value may not have line breaks")
    return value.replace("\\", "\\\\")


def _lines(text: str) -> Iterator[str]:
    """Split at line breaks; a backslash takes away the meaning of what follows."""
    line, characters = "", iter(text)
    for character in characters:
        if character == "\\":
            line += next(characters, "")
        elif character == "\n":
            yield line
            line = ""
        else:
            line += character
    yield line


def _good(values: dict[str, str]) -> str:
    return "b" if values.get("good") == "b" else "a"  # as the boot loader reads it


def _read_from_disk() -> bytes:
    """Read the block past the page cache, where the file system allows that."""
    try:
        descriptor = os.open(BLOCK, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        return BLOCK.read_bytes()  # tmpfs, in tests
    try:
        with mmap.mmap(-1, mmap.PAGESIZE) as page:  # O_DIRECT wants aligned memory
            count = os.preadv(descriptor, [page], 0)
            return page[:count]
    except OSError:
        return BLOCK.read_bytes()
    finally:
        os.close(descriptor)


def _running() -> str:
    try:
        slot = RUNNING.read_text().strip()
    except OSError:
        slot = ""
    if slot not in SLOTS:
        raise SlotError(f"{RUNNING} does not say which slot is running: this is not a Sparrow box")
    return slot


def _update(changes: dict[str, str]) -> None:
    """Change some values, keeping the others. Nothing is written if nothing changes."""
    before = read()
    after = {name: value for name, value in (before | changes).items() if value}
    after.setdefault("good", _good(before))
    if after != {name: value for name, value in before.items() if value}:
        write(after)


@contextmanager
def _writable() -> Iterator[None]:
    """Mount the boot partition writable for as long as it takes, if it is one."""
    if not os.path.ismount(BOOT):
        yield
        return
    subprocess.run(["mount", "-o", "remount,rw,sync", BOOT], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,ro", BOOT], check=True)


def main(arguments: list[str]) -> int:
    """Run one command; return the exit status."""
    try:
        match arguments:
            case ["status"]:
                now = status()
                names = ("running", "good", "trying", "failed", "trial")
                print(json.dumps({name: getattr(now, name) for name in names}))
            case ["try", slot]:
                try_slot(slot)
                print(f"The next start is slot {slot}, once")
            case ["commit"]:
                commit()
                print(f"Slot {_running()} is good")
            case ["settle", *patience] if len(patience) < 2:
                return 0 if settle(box_is_healthy, float(patience[0]) if patience else 300.0) else 1
            case _:
                print((__doc__ or "").strip().splitlines()[-1].strip(), file=sys.stderr)
                return 2
    except (SlotError, OSError, subprocess.CalledProcessError) as error:
        print(f"sparrow: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
