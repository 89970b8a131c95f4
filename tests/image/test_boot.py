"""What a box of the image makes of a disk that is not as it should be: broken slots, lost and damaged data. By UEFI.

A start takes a minute without KVM, so one machine is used for all that it can show; the tests run in order. What one
does to the disk of a machine that is off is undone before the next, so that the last can tell that nothing was lost.
"""

from __future__ import annotations

import hashlib
import os
import pty
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

from .box import CODE, PATIENCE, Box, Client, break_slot_b, image, is_clean
from .builder import ORDINARY, TOP

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(1800)]

DISK = 2 << 30
DATA = "8"  # number of the data partition in the table


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A machine that is about to try slot B for the first time."""
    with Box(image(), tmp_path_factory.mktemp("uefi"), firmware="uefi", shell=True) as machine:
        machine.create_disk(DISK)
        break_slot_b(machine)
        machine.set_environment(**{"try": "b"})
        yield machine


def sfdisk(machine: Box, action: str, *numbers: str, rows: str = "") -> None:
    """Change the partition table of a machine that is off."""
    subprocess.run(["sfdisk", "--quiet", "--no-reread", action, machine.disk, *numbers], input=rows, text=True,
                   check=True, capture_output=True)  # fmt: skip


def data_bytes(machine: Box) -> str:
    """Return a hash of all that is in the place of the data partition, to the end of the disk's usable part."""
    start, end = machine.table["data"].start, machine.disk.stat().st_size - (1 << 20)
    with machine.disk.open("rb") as file:
        file.seek(start)
        digest = hashlib.sha256()
        for at in range(start, end, 1 << 20):
            digest.update(file.read(min(1 << 20, end - at)))
    return digest.hexdigest()


class Terminal:
    """A terminal with a command in its foreground."""

    def __init__(self, *command: str | Path):
        self._us, them = pty.openpty()
        self.process = subprocess.Popen(["setsid", "--ctty", "--wait", *command], stdin=them, stdout=them, stderr=them)
        os.close(them)
        self.text = ""
        threading.Thread(target=self._read, daemon=True).start()

    def wait(self, pattern: str, patience: float = PATIENCE) -> re.Match:
        """Wait until the terminal shows a pattern."""
        deadline = time.monotonic() + patience
        while not (found := re.search(pattern, self.text)):
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.2)
        return found

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self._us, key.encode())

    def _read(self) -> None:
        try:
            while data := os.read(self._us, 4096):
                self.text += data.decode(errors="replace")
        except OSError:  # the command has ended
            pass


def test_the_verb_run_starts_it_says_where_and_ends_it_at_ctrl_c(box):
    """With a broken slot to try first, from which it falls back."""
    terminal = Terminal(TOP / "mkimage.sh", "--offline", "--build-dir", ORDINARY, "run", "--uefi",
                        "--folder", box.folder, "--memory", "512", "--patience", str(PATIENCE))  # fmt: skip
    try:
        address = terminal.wait(r"Sparrow answers at\s+(https://\S+)")[1]
        terminal.wait("Ctrl-C shuts the machine down")
        assert re.search(r"Its fingerprint\s+([0-9A-F]{2}:){31}[0-9A-F]{2}", terminal.text)
        text = box.console()
        assert text.index("starting slot b") < text.index("(slot b). Restarting") < text.index("starting slot a")
        client = Client(address)
        client.set_up(CODE.search(terminal.text)[0])
        client("POST", "/apps", {"name": "Before the harm", "mode": "chat"})
    finally:
        terminal.press("\x03")
    assert terminal.process.wait(180) == 0
    assert "Off. Its disk is" in terminal.text
    assert box.environment()["good"] == "a"
    assert is_clean(box, "data")


def test_a_good_slot_becomes_the_good_one_and_a_lost_partition_comes_back(box):
    """The entry of the data partition is gone from the table; what was in it is not."""
    for name in ("kernel", "root"):
        box.write(f"{name}-b", box.read(f"{name}-a"))
    box.set_environment(**{"try": "b"})
    sfdisk(box, "--delete", DATA)
    box.boot()
    assert box.run("ls -d /sys/firmware/efi") == "/sys/firmware/efi"
    assert box.run("cat /run/boot/slot") == "b"
    client = Client(box.url)
    client.sign_in()
    assert [app["name"] for app in client("GET", "/apps")["data"]] == ["Before the harm"]
    assert box.run("ls /run/boot/problems 2>/dev/null; true") == ""
    box.wait_for(lambda: box.environment().get("good") == "b", "slot b to be committed", PATIENCE)
    assert not box.environment().get("try")
    box.stop()


def test_a_damaged_data_partition_is_said_and_nothing_is_written_to_it(box):
    size = 48 << 20  # the superblock, its first copies and the journal
    whole, before = box.read("data", size), data_bytes(box)
    box.write("data", bytes(range(1, 256)) * (size // 255))
    damaged = data_bytes(box)
    box.start()
    box.wait_problem("The data partition is damaged")
    assert box.health()["status"] == "error"
    box.stop()
    assert data_bytes(box) == damaged
    box.write("data", whole)
    assert data_bytes(box) == before


def test_a_missing_data_partition_is_said_and_nothing_is_written_in_its_place(box):
    """Another partition, which is not the box's, is where the data was."""
    before = data_bytes(box)
    sfdisk(box, "--delete", DATA)
    sfdisk(box, "--append", rows=f"start={box.table['data'].start // 512}, name=foreign\n")
    box.start()
    box.wait_problem("The data partition is missing")
    assert box.health()["status"] == "error"
    # And now it hangs: nothing feeds the hardware's watchdog any more.
    box.run("kill -STOP $(pidof watchdog)")
    box.wait_for(lambda: {"WATCHDOG", "RESET"} <= box.events(), "the watchdog to restart the box", 300)
    box.kill()
    assert data_bytes(box) == before
