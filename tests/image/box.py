"""A booted box for tests that drive Sparrow itself through HTTPS: the image in QEMU, without a shell or SSH.

    with booted(tmp_path, memory=1024) as box:     # builds the image first if it is not up to date
        page.goto(box.url)                         # https://localhost:PORT; a certificate of the box's own
        ... box.code                               # the setup code that its screen shows
        ... f"http://{box.HOST}:{port}/v1"         # a server on 127.0.0.1:PORT of this host, as the guest reaches it
        box.stop(); box.boot()                     # by the power button and on again; waits until it is healthy

`Client` speaks the console's API, for tests that need no browser. Booting takes about a minute without KVM: share
one box among the tests of a file by a fixture of module scope.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.web.visit import PASSWORD

from .builder import ORDINARY, TOP

sys.path.insert(0, str(TOP / "rootfs/vm"))
import machine as vm

#: Seconds to wait for a box to be healthy: 40 to 80 on two idle cores without KVM, four times that on busy ones.
PATIENCE = 900
CODE = re.compile(r"\b[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}\b")


@cache
def image() -> Path:
    """Build the image if it is not up to date and return it; skip where it cannot be built."""
    if os.geteuid() != 0:
        pytest.skip("building an image needs root")
    output = ORDINARY / "output"
    done = subprocess.run([TOP / "mkimage.sh", "--offline", "--build-dir", ORDINARY, "build"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=1800, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout
    if not Path(vm.UEFI_CODE[1]).exists() or not any(Path(folder, vm.QEMU).exists() for folder in os.get_exec_path()):
        subprocess.run(["apt-get", "install", "-yq", "--no-install-recommends", "qemu-system-x86", "ovmf"],
                       check=True, capture_output=True)  # fmt: skip
    return next(output.glob("*.img"))


class Box(vm.Machine):
    """A machine of the image, and what a person in front of it does."""

    #: This host, as the guest reaches it.
    HOST = "10.0.2.2"

    @property
    def code(self) -> str:
        """Return the setup code on the box's screen."""
        self.wait_for(lambda: CODE.search(self.console()), "the setup code on the screen", 30)
        return CODE.findall(self.console())[-1]

    def boot(self) -> float:
        """Switch on and wait until the box is healthy; return the seconds it took."""
        self.start()
        return self.wait_healthy(PATIENCE)

    def restart(self, how: str = "reboot >/dev/null 2>&1 &") -> None:
        """Have the guest do what makes it restart; wait until it runs again."""
        before = self.run("cat /proc/sys/kernel/random/boot_id")
        self.run(how)

        def again() -> bool:
            try:
                return self.run("cat /proc/sys/kernel/random/boot_id", 5) != before
            except vm.MachineError:
                return False

        self.wait_for(again, "the guest to start again", PATIENCE)

    def problems(self) -> str:
        """Return what /health tells everybody is wrong, "" if nothing or if it does not answer."""
        return "\n".join(problem["message"] for problem in (self.health() or {}).get("problems", []))

    def wait_problem(self, text: str, patience: float = PATIENCE) -> None:
        """Wait until both /health and the screen tell of a problem."""
        self.wait_for(lambda: text in self.problems(), f"/health to say {text!r}", patience)
        self.wait_for(lambda: f"Problem:     {text}" in self.console(), f"the screen to say {text!r}", 30)


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


@contextmanager
def booted(folder: Path, **options) -> Iterator[Box]:
    """Boot a new box in a folder; options are those of rootfs/vm/machine.py. It is switched off at the end."""
    with Box(image(), folder, **options) as box:
        box.create_disk(2 << 30)
        box.boot()
        yield box


class Client:
    """A signed-in admin who speaks the console's API over HTTPS."""

    def __init__(self, url: str):
        self.url = url
        self._token = ""
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=vm.unverified()),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        )

    def set_up(self, code: str) -> None:
        """Make the admin with the code on the screen."""
        self("POST", "/setup", {"setup_code": code, "password": PASSWORD, "language": "en"})
        self._token = self("GET", "/session")["csrf_token"]

    def sign_in(self) -> None:
        """Sign in with the password."""
        self("POST", "/login", {"password": PASSWORD})
        self._token = self("GET", "/session")["csrf_token"]

    def __call__(self, method: str, path: str, body: object = None) -> dict:
        """Return the answer of a call; AssertionError with its text if it is an error."""
        request = urllib.request.Request(
            f"{self.url}/console/api{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "X-CSRF-Token": self._token},
        )  # fmt: skip
        try:
            with self._opener.open(request, timeout=60) as reply:
                return json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
