"""What a box of the image makes of a disk that is not as it should be: broken slots, lost and damaged data. By UEFI.

A start takes a minute without KVM, so one machine is used for all that it can show; the tests run in order. What one
does to the disk of a machine that is off is undone before the next, so that the last can tell that nothing was lost.
"""

from __future__ import annotations

import hashlib
import subprocess

import pytest

from .box import PATIENCE, Box, Client, break_slot_b, image

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


def test_a_broken_slot_falls_back(box):
    box.boot()
    text = box.console()
    assert text.index("starting slot b") < text.index("(slot b). Restarting") < text.index("starting slot a")
    assert box.run("ls -d /sys/firmware/efi") == "/sys/firmware/efi"
    assert box.environment()["good"] == "a"
    client = Client(box)
    client.set_up()
    client("POST", "/apps", {"name": "Before the harm", "mode": "chat"})
    box.stop()


def test_a_good_slot_becomes_the_good_one_and_a_lost_partition_comes_back(box):
    """The entry of the data partition is gone from the table; what was in it is not."""
    for name in ("kernel", "root"):
        box.write(f"{name}-b", box.read(f"{name}-a"))
    box.set_environment(**{"try": "b"})
    sfdisk(box, "--delete", DATA)
    box.boot()
    assert box.run("cat /run/boot/slot") == "b"
    client = Client(box)
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
    box.stop()
    assert data_bytes(box) == before
