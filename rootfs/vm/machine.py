"""A virtual machine that runs the image in QEMU: what `mkimage.sh run` and the image tests use.

    with Machine(image, folder, firmware="uefi") as machine:
        machine.start()
        machine.wait_healthy()
        print(machine.url, machine.run("free -m"))

The standard library only. The disk is a sparse copy, so that tests can look into it and damage it
at the offsets of rootfs/partitions while the machine is off.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOTFS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOTFS / "boot"), str(ROOTFS.parent / "app/sparrow/box")]
import partitions
import slots

QEMU = "qemu-system-x86_64"
#: UEFI's code and its empty settings: Debian's and Alpine's places.
UEFI_CODE = ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd")
UEFI_SETTINGS = ("/usr/share/OVMF/OVMF_VARS_4M.fd", "/usr/share/OVMF/OVMF_VARS.fd")
#: A boot sector of two instructions, `mov al, 3; out 0xf4, al`, that makes QEMU end with status 7.
PROBE = b"\xb0\x03\xe6\xf4\xf4\xeb\xfd".ljust(510, b"\0") + b"\x55\xaa"


class MachineError(Exception):
    """The machine cannot be started, or does not do what is waited for; the text says what and why."""


class Machine:
    """One virtual machine. `folder` keeps its disk and firmware settings between starts."""

    def __init__(
        self,
        image: Path,
        folder: Path,
        *,
        firmware: str = "bios",
        memory: int = 1024,
        cpus: int = 2,
        ports: dict[int, int] | None = None,
        shell: bool = False,
    ):
        """Prepare a machine of `memory` MiB. `ports` maps the guest's TCP ports to this host's (0: any free one).

        With `shell`, the kernel is told to offer a root shell, which `run` uses.
        """
        self.image, self.folder, self.firmware = image, folder, firmware
        self.memory, self.cpus, self.shell = memory, cpus, shell
        self.ports = {443: 0, 80: 0} if ports is None else dict(ports)
        self.disk = folder / "disk.img"
        self.console_file = folder / "console.log"
        self.table = partitions.Table()
        self._events: list[dict] = []
        self._process: subprocess.Popen | None = None
        self._sockets: Path | None = None
        self._qmp: Qmp | None = None
        self._shell: Shell | None = None

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.kill()

    # The disk, while the machine is off

    def create_disk(self, size: int = 0) -> None:
        """Copy the image to the machine's disk, `size` bytes large if that is more than the image."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.disk.with_suffix(".part")
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.image, part], check=True)
        os.truncate(part, max(size, self.image.stat().st_size))
        part.rename(self.disk)

    def read(self, partition: str, count: int = -1, offset: int = 0) -> bytes:
        """Return `count` bytes (-1: all) of a partition as the table of the image has it."""
        part = self.table[partition]
        with self.disk.open("rb") as file:
            file.seek(part.start + offset)
            return file.read(part.size - offset if count < 0 else count)

    def write(self, partition: str, data: bytes, offset: int = 0) -> None:
        """Overwrite bytes of a partition."""
        with self.disk.open("r+b") as file:
            file.seek(self.table[partition].start + offset)
            file.write(data)

    def environment(self) -> dict[str, str]:
        """Return the boot loader's variables."""
        command = ["mtype", "-i", self._esp(), "::/sparrow/grubenv"]
        return slots.decode(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    def set_environment(self, **values: str) -> None:
        """Change some of the boot loader's variables; "" removes one."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(slots.encode(self.environment() | values))
            file.flush()
            subprocess.run(["mcopy", "-o", "-i", self._esp(), file.name, "::/sparrow/grubenv"], check=True)

    def _esp(self) -> str:
        return f"{self.disk}@@{self.table['esp'].start}"

    # The machine

    def start(self) -> None:
        """Switch the machine on."""
        if not self.disk.exists():
            self.create_disk()
        words = ["sparrow.shell=ttyS1"] if self.shell else []
        # On a busy host an emulated timer is late now and then, at which Linux would give up.
        words += ["no_timer_check"] if find_accelerator() != "kvm" else []
        if words and self.environment().get("options") != " ".join(words):
            self.set_environment(options=" ".join(words))
        self._sockets = Path(tempfile.mkdtemp(prefix="sparrow-vm-"))  # short: socket paths have a limit
        for guest, host in self.ports.items():
            self.ports[guest] = host or free_port()
        self.console_file.write_bytes(b"")
        self._events.clear()
        with (self.folder / "qemu.log").open("wb") as log:
            # An own session: Ctrl-C is for us, who then shut the guest down cleanly.
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._qmp = Qmp(self._sockets / "qmp", self._events, self._check_alive)
        if self.shell:
            self._shell = Shell(self._sockets / "shell", self._check_alive)

    def _command(self) -> list[str]:
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for guest, host in self.ports.items())
        accelerator = find_accelerator()
        command = [
            QEMU, "-nodefaults", "-machine", "q35", "-accel", accelerator,
            # TCG of QEMU 7.2 faults at masked gathers of AVX2, which numpy sorts with.
            "-cpu", "host" if accelerator == "kvm" else "max,avx2=off",
            "-smp", str(self.cpus), "-m", str(self.memory), "-display", "none", "-vga", "std",
            "-drive", f"file={self.disk},format=raw,if=virtio,cache=writeback,discard=unmap",
            "-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net,romfile=",
            "-device", "virtio-rng-pci", "-device", "i6300esb", "-action", "watchdog=reset", "-device", "qemu-xhci",
            "-chardev", f"file,id=console,path={self.console_file}", "-serial", "chardev:console",
            "-serial", f"unix:{self._sockets}/shell,server=on,wait=off",
            "-qmp", f"unix:{self._sockets}/qmp,server=on,wait=off",
        ]  # fmt: skip
        if self.firmware == "uefi":
            settings = self.folder / "uefi-settings.fd"
            if not settings.exists():
                shutil.copy(existing(UEFI_SETTINGS), settings)
            command += ["-drive", f"if=pflash,format=raw,readonly=on,file={existing(UEFI_CODE)}"]
            command += ["-drive", f"if=pflash,format=raw,file={settings}"]
        return command

    @property
    def url(self) -> str:
        """Return the address of the box for this host."""
        return f"https://localhost:{self.ports[443]}"

    @property
    def running(self) -> bool:
        """Tell whether the machine is on."""
        return self._process is not None and self._process.poll() is None

    def console(self) -> str:
        """Return what the serial console has shown, without the codes that move the cursor."""
        return without_escapes(self.console_file.read_bytes().decode("utf-8", "replace"))

    def health(self) -> dict | None:
        """Return what /health says, or None if it does not answer."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.ports[443], timeout=5, context=unverified())
        try:
            connection.request("GET", "/health")
            return json.load(connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def wait_healthy(self, patience: float = 240, tell: Callable[[float, str], None] | None = None) -> float:
        """Wait until the box says that it is healthy; return the seconds it took. `tell` hears of progress."""
        def healthy() -> bool:
            return (self.health() or {}).get("status") == "ok"

        return self.wait_for(healthy, "the box to be healthy", patience, tell)

    def wait_console(self, text: str, patience: float = 120) -> float:
        """Wait until the serial console has shown a text; return the seconds it took."""
        return self.wait_for(lambda: text in self.console(), f"{text!r} on the console", patience)

    def wait_for(
        self,
        condition: Callable[[], bool],
        what: str,
        patience: float,
        tell: Callable[[float, str], None] | None = None,
    ) -> float:
        """Wait until a condition holds, for at most `patience` seconds; raise MachineError otherwise."""
        started = time.monotonic()
        while not condition():
            self._check_alive()
            waited = time.monotonic() - started
            if waited > patience:
                last = "\n".join(self.console().splitlines()[-25:])
                raise MachineError(f"Waited {patience:.0f} s for {what}. The console's last lines:\n{last}")
            if tell:
                tell(waited, self.stage())
            time.sleep(0.5)
        return time.monotonic() - started

    def stage(self) -> str:
        """Return in a word how far the start has come."""
        text = self.console()
        if "OpenRC" not in text:
            return "boot loader and kernel" if "Sparrow: starting slot" in text else "firmware"
        return "services"

    def run(self, command: str, patience: float = 60) -> str:
        """Run a shell command as root in the guest and return what it prints; MachineError if it fails."""
        if self._shell is None:
            raise MachineError("The machine was made without shell=True")
        status, output = self._shell.run(command, patience)
        if status:
            raise MachineError(f"{command!r} ended with {status}: {output}")
        return output

    def events(self) -> set[str]:
        """Return the names of what QEMU has told of since the start: RESET, WATCHDOG..."""
        self._qmp.execute("query-status")  # what was told before is read on the way
        return {event["event"] for event in self._events}

    def plug(self, stick: Path) -> None:
        """Plug in a USB stick with the content of a file."""
        file = {"driver": "file", "filename": str(stick), "read-only": True}
        self._qmp.execute("blockdev-add", **{"driver": "raw", "node-name": "stick", "read-only": True, "file": file})
        self._qmp.execute("device_add", driver="usb-storage", id="stick", drive="stick", removable=True)

    def unplug(self) -> None:
        """Pull the USB stick out."""
        self._qmp.execute("device_del", id="stick")

    def stop(self, patience: float = 120) -> None:
        """Press the power button and wait until the guest has switched itself off."""
        if not self.running:
            return
        self._qmp.execute("system_powerdown")
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            raise MachineError(f"The guest has not switched itself off within {patience:.0f} s") from None
        self._tidy()

    def kill(self) -> None:
        """Cut the power."""
        if self.running:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._tidy()

    def _check_alive(self) -> None:
        if not self.running:
            raise MachineError(f"QEMU has ended: {(self.folder / 'qemu.log').read_text().strip() or 'without a word'}")

    def _tidy(self) -> None:
        for part in (self._qmp, self._shell):
            if part:
                part.close()
        self._qmp = self._shell = None
        if self._sockets:
            shutil.rmtree(self._sockets, ignore_errors=True)


class Qmp:
    """QEMU's control channel: JSON lines over a socket."""

    def __init__(self, path: Path, events: list[dict], check: Callable[[], None]):
        self._events = events
        self._socket = connect(path, check)
        self._file = self._socket.makefile("rw")
        self._file.readline()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: object) -> object:
        """Run a command and return its result."""
        self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._file.flush()
        while line := self._file.readline():
            reply = json.loads(line)
            if "event" in reply:
                self._events.append(reply)
            elif "error" in reply:
                raise MachineError(f"{command}: {reply['error']['desc']}")
            else:
                return reply["return"]
        raise MachineError(f"{command}: QEMU has gone")

    def close(self) -> None:
        """Close the channel."""
        with contextlib.suppress(OSError):
            self._file.close()
            self._socket.close()


class Shell:
    """The root shell on the second serial port."""

    def __init__(self, path: Path, check: Callable[[], None]):
        self._check = check
        self._socket = connect(path, check)
        self._socket.settimeout(0.5)
        self._buffer = ""
        self._count = 0

    def run(self, command: str, patience: float) -> tuple[int, str]:
        """Return a command's exit status and output. The shell may come up only now, so ask until it answers."""
        deadline = time.monotonic() + patience
        self._wake(deadline)
        self._count += 1
        # The mark is put together by the shell, so that an echo of the line does not look like it.
        self._send(f"{{ {command}\n}} </dev/null; echo =$((1000 + {self._count}))=$?=\n")
        found = self._until(rf"(?s)(.*?)={1000 + self._count}=(\d+)=", deadline)
        if not found:
            raise MachineError(f"The guest's shell did not end {command!r} in time: {self._buffer[-500:]}")
        return int(found[2]), without_escapes(found[1]).strip()

    def _wake(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            self._count += 1
            self._send(f"\nstty -echo 2>/dev/null; PS1= PS2=; echo =$((1000 + {self._count}))=ready=\n")
            if self._until(rf"={1000 + self._count}=ready=\s*", min(deadline, time.monotonic() + 3)):
                return
        raise MachineError("The guest's shell does not answer")

    def _send(self, text: str) -> None:
        self._check()
        try:
            self._socket.sendall(text.encode())
        except TimeoutError:
            raise MachineError("The guest's shell takes nothing") from None

    def _until(self, pattern: str, deadline: float) -> re.Match | None:
        while not (found := re.search(pattern, self._buffer)):
            if time.monotonic() > deadline:
                return None
            with contextlib.suppress(TimeoutError):
                data = self._socket.recv(65536)
                if not data:
                    self._check()
                    raise MachineError("The guest's shell has gone")
                self._buffer += data.decode("utf-8", "replace").replace("\r", "")
        self._buffer = self._buffer[found.end() :]
        return found

    def close(self) -> None:
        """Let go of the line."""
        self._socket.close()


def without_escapes(text: str) -> str:
    """Return a terminal's text without the codes that move the cursor and set colours."""
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|.)|\r", "", text)


def connect(path: Path, check: Callable[[], None]) -> socket.socket:
    """Connect to a socket that QEMU is about to make."""
    connection = socket.socket(socket.AF_UNIX)
    for _ in range(100):
        try:
            connection.connect(str(path))
            return connection
        except OSError:
            check()
            time.sleep(0.1)
    raise MachineError(f"QEMU does not open {path}")


def existing(paths: tuple[str, ...]) -> str:
    """Return the first of these files that exists."""
    for path in paths:
        if os.path.exists(path):
            return path
    raise MachineError(f"UEFI's firmware for QEMU is missing: none of {', '.join(paths)} exists")


def free_port(*wishes: int) -> int:
    """Return the first of these ports of the loopback that is free, or else any."""
    for port in (*wishes, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]
    raise MachineError("No port is free")


@cache
def find_accelerator() -> str:
    """Return QEMU's fastest accelerator that works here, by trying: /dev/kvm may exist and still hang.

    The emulator runs both CPUs in one thread, at 5 % longer starts: with a thread each, one may still run an
    instruction that the kernel on the other has patched, at which Linux panicked (int3) in one start of eight.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg,thread=single"
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.write(PROBE)
        disk.flush()
        command = [
            QEMU, "-nodefaults", "-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "64", "-display", "none",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-drive", f"file={disk.name},format=raw,if=ide",
        ]  # fmt: skip
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=6)
        except subprocess.TimeoutExpired:
            return "tcg,thread=single"
    return "kvm" if done.returncode == 7 else "tcg,thread=single"


def unverified() -> ssl.SSLContext:
    """Return a TLS context that takes any certificate: the box has made its own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
