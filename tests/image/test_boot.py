"""The image boots: by BIOS and UEFI, in 512 MB, with a broken slot, a larger disk, a damaged one, after a power cut.

A start takes a minute without KVM, so each is used for all that it can show; the tests of a machine run in order.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess

import pytest

from .box import PATIENCE, Box, Client, booted, image

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(1800)]

DISK = 2 << 30
ALWAYS = {"api", "worker", "redis", "caddy", "screen"}


def break_slot_b(machine: Box) -> None:
    """Give slot B a kernel that starts and a root file system that is not one."""
    machine.write("kernel-b", machine.read("kernel-a"))
    machine.write("root-b", b"not a file system".ljust(1 << 20, b"\xff"))


def is_clean(machine: Box, partition: str) -> bool:
    """Tell whether an ext4 was unmounted and has no errors, by e2fsck's own judgement, changing nothing."""
    content = machine.folder / f"{partition}.ext4"
    start = machine.table[partition].start
    # "data" has grown to the end of the disk.
    end = machine.disk.stat().st_size if partition == "data" else start + machine.table[partition].size
    with content.open("wb") as target:
        subprocess.run(["dd", f"if={machine.disk}", "iflag=skip_bytes,count_bytes,fullblock", "bs=1M", f"skip={start}",
                        f"count={end - start}", "conv=sparse", "status=none"], stdout=target, check=True)  # fmt: skip
        target.truncate(end - start)
    head = subprocess.run(["dumpe2fs", "-h", content], capture_output=True, text=True, check=True).stdout
    checked = subprocess.run(["e2fsck", "-f", "-n", content], capture_output=True, text=True, check=False)
    content.unlink()
    return checked.returncode == 0 and "needs_recovery" not in head


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A box of 512 MB that has started by BIOS."""
    with booted(tmp_path_factory.mktemp("bios"), memory=512, shell=True) as machine:
        yield machine


@pytest.fixture(scope="module")
def client(box):
    """The admin, after the set-up with the code from the screen."""
    client = Client(box)
    client.set_up()
    return client


class TestBios:
    """One machine: its first start, a restart, a power cut, a fallback, a shutdown."""

    def test_every_program_runs_as_its_own_user(self, box):
        health = box.health()
        assert health["status"] == "ok"
        names = {program["name"] for program in json.loads(box.run("sparrow health --json"))["programs"]
                 if program["state"] == "RUNNING"}  # fmt: skip
        assert names >= ALWAYS
        users = box.run("for f in /proc/[0-9]*/status; do awk '/^Name:/ { n = $2 } /^Uid:/ { print $2 }' $f; done")
        assert {"0", "901", "902", "903", "905", "906"} <= set(users.split())

    def test_the_screen_tells_what_a_new_owner_needs(self, box):
        assert box.code
        text = box.console()
        assert re.search(r"https://\d+\.\d+\.\d+\.\d+", text)
        fingerprint = subprocess.run(
            ["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=box.run("cat /run/sparrow/public/ca.crt"),
            capture_output=True, text=True, check=True).stdout.split("=")[1].strip()  # fmt: skip
        assert fingerprint in re.sub(r"\s+", "", text)

    def test_what_it_serves_is_signed_by_the_authority_it_offers(self, box):
        context = ssl.create_default_context(cadata=box.run("cat /run/sparrow/public/ca.crt"))
        with (
            socket.create_connection(("127.0.0.1", box.ports[443])) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            assert secure.version() == "TLSv1.3"

    def test_it_has_memory_left_in_512_mb(self, box):
        facts = dict(re.findall(r"^(\w+):\s+(\d+) kB", box.run("cat /proc/meminfo"), re.MULTILINE))
        assert int(facts["MemTotal"]) < 512 << 10
        assert int(facts["MemAvailable"]) > 150 << 10

    def test_the_root_is_read_only_and_the_data_has_grown_to_the_disk(self, box):
        assert "read-only" in box.run("touch /usr/x 2>&1; true").lower()
        size = int(box.run("df -Pm /data | awk 'NR == 2 { print $2 }'"))
        free = (DISK - box.table["data"].start) >> 20
        assert free * 0.9 < size < free

    def test_a_full_disk_is_said_and_is_over_when_there_is_room_again(self, box):
        box.run("dd if=/dev/zero of=/data/filler bs=1M 2>/dev/null; sync", 300)
        box.wait_for(lambda: (box.health() or {}).get("status") == "error", "the box to notice", 60)
        assert "disk is full" in json.dumps(box.health())
        box.run("rm /data/filler")
        box.wait_healthy(120)

    def test_a_restart_keeps_everything_and_grows_nothing_again(self, box, client):
        client("POST", "/apps", {"name": "Before the restart", "mode": "chat"})
        before = box.run("cat /sys/class/block/vda*/size")
        box.wait_restarted()
        assert [app["name"] for app in client("GET", "/apps")["data"]] == ["Before the restart"]
        assert box.run("cat /sys/class/block/vda*/size") == before
        assert box.run("ls /run/boot/problems /run/boot/grow.log 2>/dev/null; true") == ""

    def test_a_power_cut_loses_nothing_and_a_broken_slot_falls_back(self, box, client):
        client("POST", "/apps", {"name": "Before the cut", "mode": "chat"})
        box.kill()
        break_slot_b(box)
        box.set_environment(**{"try": "b"})
        box.boot()
        text = box.console()
        assert text.index("starting slot b") < text.index("(slot b). Restarting") < text.index("starting slot a")
        assert box.environment()["good"] == "a"
        assert not box.environment().get("try")
        assert {app["name"] for app in client("GET", "/apps")["data"]} == {"Before the restart", "Before the cut"}
        assert json.loads(box.run("python3 -P -m sparrow.box.slots status"))["failed"] == "b"

    def test_the_power_button_shuts_it_down_cleanly(self, box):
        box.stop()
        assert is_clean(box, "data")
        assert is_clean(box, "state")


class TestUefi:
    """One machine: its first start with a broken slot to try, then an update that proves itself."""

    @pytest.fixture(scope="class")
    def box(self, tmp_path_factory):
        with Box(image(), tmp_path_factory.mktemp("uefi"), firmware="uefi", shell=True) as machine:
            machine.create_disk(DISK)
            break_slot_b(machine)
            machine.set_environment(**{"try": "b"})
            yield machine

    def test_a_broken_slot_falls_back(self, box):
        box.boot()
        text = box.console()
        assert text.index("starting slot b") < text.index("(slot b). Restarting") < text.index("starting slot a")
        assert box.run("ls -d /sys/firmware/efi") == "/sys/firmware/efi"
        assert box.environment()["good"] == "a"

    def test_a_good_slot_becomes_the_good_one(self, box):
        box.stop()
        for name in ("kernel", "root"):
            box.write(f"{name}-b", box.read(f"{name}-a"))
        box.set_environment(**{"try": "b"})
        box.boot()
        assert box.run("cat /run/boot/slot") == "b"
        box.wait_for(lambda: box.environment().get("good") == "b", "slot b to be committed", PATIENCE)
        assert not box.environment().get("try")
        box.stop()


def test_a_damaged_data_partition_is_said_and_nothing_is_written_to_it(tmp_path):
    with Box(image(), tmp_path, shell=True) as machine:
        machine.create_disk(DISK)
        rubbish = bytes(range(1, 256)) * 200_000
        machine.write("data", rubbish[: machine.table["data"].size])
        machine.start()
        machine.wait_for(lambda: machine.health() is not None, "an answer", PATIENCE)
        machine.wait_for(lambda: "damaged" in json.dumps(machine.health()), "a word about the damage", 60)
        assert machine.health()["status"] == "error"
        machine.wait_console("data partition is damaged", 30)
        machine.stop()
        assert machine.read("data", len(rubbish) // 2) == rubbish[: len(rubbish) // 2]
