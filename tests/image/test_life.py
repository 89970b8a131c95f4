"""The life of one box of 512 MB that starts by BIOS, from its first hour to the power button.

A start takes a minute without KVM, so one machine is used for all that it can show; the tests run in order.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fake_llm import FakeLLM
from tests.web import visit

from .box import Box, Client, booted, break_slot_b, is_clean

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(1800)]

ALWAYS = {"api", "worker", "redis", "caddy", "screen"}


# What a resolver does: asks the group of RFC 6762 for the address of sparrow.local and prints the answer's.
ASK_NAME = """
import socket
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(20)
question = b"\\x07sparrow\\x05local\\x00\\x00\\x01\\x00\\x01"
client.sendto(b"\\x00\\x07\\x00\\x00\\x00\\x01" + bytes(6) + question, ("224.0.0.251", 5353))
print(socket.inet_ntoa(client.recv(9000)[-4:]))
""".strip()


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A box of 512 MB that has started by BIOS."""
    with booted(tmp_path_factory.mktemp("life"), memory=512, shell=True) as machine:
        yield machine


class TestFirstStart:
    """What a new box is like."""

    def test_every_program_runs_as_its_own_user(self, box):
        assert box.health()["status"] == "ok"
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
        free = (box.disk.stat().st_size - box.table["data"].start) >> 20
        assert free * 0.9 < size < free


    def test_it_answers_for_its_name_on_the_local_network(self, box):
        """Asked from within: QEMU's network carries no multicast to this host."""
        assert "https://sparrow.local/" in box.console()
        found = box.run(f"python3 -P -c '{ASK_NAME}'")
        assert found == box.run("ip -4 -o addr show eth0 | awk '{ split($4, a, \"/\"); print a[1] }'")
        certificate = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], text=True, check=True,
                                     input=ssl.get_server_certificate(("127.0.0.1", box.ports[443])),
                                     capture_output=True).stdout  # fmt: skip
        assert "DNS:sparrow.local" in certificate


@dataclass
class Owner:
    """Somebody with a browser, and what they have made on the box."""

    page: object
    app: str
    key: str = ""


@pytest.fixture(scope="module")
def model():
    """The scripted model on this host."""
    with FakeLLM() as fake:
        yield fake


@pytest.fixture(scope="module")
def owner(browser, box, excerpts, model):
    """The owner after their first hour: a password, a model, a manual in two languages, an assistant."""
    page = visit.open_page(browser, "en-US", 1440, seconds=300, ignore_https_errors=True)
    visit.set_up(page, box.url, box.code)
    visit.connect(page, box.url, "OpenAI-compatible", for_guest(model.base_url), "fake-reader")
    visit.add_documents(page, box.url, "Debian", list(excerpts.values()), seconds=900)
    app = visit.create_assistant(page, box.url, "Debian helper", "fake-reader", "Debian")
    yield Owner(page, app)
    page.context.close()


@pytest.fixture
def trusted(box, tmp_path, monkeypatch) -> Path:
    """The box's authority, which the HTTP library of Dify's client is told to trust."""
    authority = tmp_path / "ca.crt"
    authority.write_text(box.run("cat /run/sparrow/public/ca.crt"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    return authority


def for_guest(address: str) -> str:
    """Return the address of a server on this host as the guest reaches it."""
    return address.replace("127.0.0.1", Box.HOST)


def open_prompt(owner: Owner, box: Box) -> None:
    """Open the assistant's own page."""
    owner.page.goto(f"{box.url}/apps/{owner.app}/prompt")


@pytest.mark.browser
class TestFirstHour:
    """The first slice, through HTTPS."""

    @pytest.mark.parametrize(("question", "answer"), [visit.ENGLISH, visit.CHINESE], ids=["en", "zh"])
    def test_an_answer_cites_the_manual(self, box, owner, question, answer):
        open_prompt(owner, box)
        visit.ask(owner.page, question, answer, seconds=300)
        visit.open_citation(owner.page)
        visit.shot(owner.page, f"image-{'en' if question.isascii() else 'zh'}-1440")
        owner.page.keyboard.press("Escape")
        assert owner.page.problems == []

    def test_difys_client_is_answered(self, box, owner, trusted):
        open_prompt(owner, box)
        owner.key = visit.new_key(owner.page)
        visit.call(box.url, owner.key)

    @pytest.mark.parametrize(("question", "advice"), visit.FAILURES, ids=["limit", "cut", "reset", "key"])
    def test_a_failing_model_is_explained(self, box, owner, question, advice):
        open_prompt(owner, box)
        visit.fail(owner.page, question, advice)

    def test_a_real_model_answers_over_the_manual(self, box, owner, llama):
        visit.ask_real_model(owner.page, box.url, owner.app, for_guest(llama))


@pytest.mark.browser
class TestStick:
    """A USB stick."""

    def test_its_files_are_offered_read_only_until_it_is_pulled_out(self, box, owner, excerpts, tmp_path):
        stick = tmp_path / "stick.img"
        with stick.open("wb") as file:
            file.truncate(16 << 20)
        subprocess.run(["mkfs.vfat", "-n", "MANUALS", stick], check=True, capture_output=True)
        subprocess.run(["mcopy", "-i", stick, excerpts["zh"], "::/"], check=True)
        client = Client(box.url)
        client.sign_in()
        place = {"id": "usb:MANUALS", "kind": "usb", "name": "MANUALS"}
        box.plug(stick)
        box.wait_for(lambda: place in client("GET", "/places")["data"], "the stick to be offered", 120)
        options = box.run("awk '$2 == \"/media/MANUALS\" { print $4 }' /proc/mounts").split(",")
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(options)
        name = excerpts["zh"].name
        assert [(f["name"], f["supported"]) for f in client("GET", "/places/usb:MANUALS")["data"]] == [(name, True)]
        taken = client("POST", "/places/usb:MANUALS/take", {"path": name})
        assert taken["size"] == excerpts["zh"].stat().st_size
        box.unplug()
        box.wait_for(lambda: place not in client("GET", "/places")["data"], "the stick to be gone", 120)
        # `ls` fails where the folder goes between its name and its facts.
        box.wait_for(lambda: box.run("ls /media 2>&1 || true") == "", "its folder to be gone", 60)


@pytest.mark.browser
class TestLater:
    """A full disk, a restart, a power cut, a broken slot, the power button: what was acknowledged stays."""

    def test_a_full_disk_is_said_also_by_a_box_that_starts_with_it(self, box, owner):
        box.run("dd if=/dev/zero of=/data/filler bs=1M 2>/dev/null; sync", 300)
        box.wait_problem("The disk is full", 60)
        before = box.run("cat /sys/class/block/vda*/size")
        box.restart()
        box.wait_problem("The disk is full")
        # And the reserve that was given up lets its owner delete what can be done without.
        client = Client(box.url)
        client.sign_in()
        client("DELETE", f"/apps/{client('POST', '/apps', {'name': 'Too much', 'mode': 'chat'})['id']}")
        box.run("rm /data/filler")
        box.wait_healthy(600)
        assert box.run("cat /sys/class/block/vda*/size") == before  # nothing grew again
        assert box.run("ls /run/boot/problems /run/boot/grow.log 2>/dev/null; true") == ""

    def test_everything_is_still_there(self, box, owner, trusted):
        page = owner.page
        page.goto("about:blank")  # only while the page is worked with is what happened on it heard of
        page.problems.clear()  # of the time the box was away
        page.goto(f"{box.url}/knowledge")
        page.get_by_text("Debian", exact=True).first.click()
        page.locator("[data-status=available]").nth(1).wait_for()
        open_prompt(owner, box)
        visit.choose_model(page, "fake-reader")
        visit.ask(page, *visit.CHINESE, seconds=300)
        visit.open_citation(page)
        page.goto(f"{box.url}/apps/{owner.app}/logs")
        page.get_by_role("row").last.get_by_role("button").click()  # the oldest conversation
        page.get_by_role("dialog").get_by_text(re.compile(visit.ENGLISH[1])).first.wait_for()
        visit.call(box.url, owner.key)
        assert page.problems == []

    def test_a_power_cut_loses_nothing_and_a_broken_slot_falls_back(self, box, owner):
        client = Client(box.url)
        client.sign_in()
        client("POST", "/apps", {"name": "Before the cut", "mode": "chat"})
        box.kill()
        break_slot_b(box)
        box.set_environment(**{"try": "b"})
        box.boot()
        text = box.console()
        assert text.index("starting slot b") < text.index("(slot b). Restarting") < text.index("starting slot a")
        assert box.environment()["good"] == "a"
        assert not box.environment().get("try")
        assert {app["name"] for app in client("GET", "/apps")["data"]} == {"Debian helper", "Before the cut"}
        assert json.loads(box.run("python3 -P -m sparrow.box.slots status"))["failed"] == "b"

    def test_the_power_button_shuts_it_down_cleanly(self, box, owner):
        box.stop()
        assert is_clean(box, "data")
        assert is_clean(box, "state")
