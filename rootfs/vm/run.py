"""Boot Sparrow's image in QEMU, say where it answers, and shut it down cleanly at Ctrl-C."""

import argparse
import os
import re
import signal
import sys
import time
from pathlib import Path

from machine import Machine, MachineError, find_accelerator, free_port

CODE = re.compile(r"\b[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}\b")
FINGERPRINT = re.compile(r"(?:[0-9A-F]{2}:){5,31}[0-9A-F]{2}")


def main() -> int:
    """Run until the guest switches itself off or Ctrl-C."""
    arguments = parse()
    disk = arguments.folder / "disk.img"
    if disk.exists() and disk.stat().st_mtime < arguments.image.stat().st_mtime:
        old = disk.with_name("disk.old.img")
        disk.replace(old)
        print(f"The image is newer than this machine's disk: starting afresh. The old disk is kept as {old}.")
    machine = Machine(arguments.image, arguments.folder, firmware="uefi" if arguments.uefi else "bios",
                      memory=arguments.memory, cpus=os.cpu_count() or 2,
                      ports={443: free_port(arguments.port), 80: free_port(8080)})
    if not disk.exists():
        machine.create_disk(arguments.disk_size << 30)
    # The first Ctrl-C ends waiting; while the guest shuts down, further ones do nothing.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        machine.start()
        print(f"Booting with {arguments.memory} MB, {find_accelerator().split(',')[0]}, "
              f"{'UEFI' if arguments.uefi else 'BIOS'} …", flush=True)
        machine.wait_healthy(arguments.patience, tell=progress)
        show(machine)
        while machine.running:
            time.sleep(0.5)
        print("The machine has switched itself off.")
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("\nShutting the machine down …", flush=True)
        try:
            machine.stop()
        except MachineError as error:
            print(f"{error}. Its power is cut.", file=sys.stderr)
            machine.kill()
            return 1
        print(f"Off. Its disk is {disk}; `run` again continues with it.")
    except MachineError as error:
        print(f"\n{error}\nThe whole console is in {machine.console_file}.", file=sys.stderr)
        machine.kill()
        return 1
    return 0


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="mkimage.sh run", description=__doc__)
    parser.add_argument("--memory", type=int, default=1024, metavar="MB", help="the guest's memory (default: 1024)")
    firmware = parser.add_mutually_exclusive_group()
    firmware.add_argument("--uefi", action="store_true", help="boot by UEFI")
    firmware.add_argument("--bios", action="store_true", help="boot by BIOS (the default)")
    parser.add_argument("--port", type=int, default=8443, help="HTTPS port of this host (default: 8443, or any free)")
    parser.add_argument("--disk-size", type=int, default=4, metavar="GB", help="size of a new disk (default: 4)")
    parser.add_argument("--patience", type=int, default=600, metavar="S", help="seconds to wait (default: 600)")
    parser.add_argument("--folder", type=Path, help="where the machine keeps its disk")
    parser.add_argument("--image", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def progress(seconds: float, stage: str) -> None:
    """Show how far the start has come."""
    if sys.stdout.isatty():
        print(f"\r  {seconds:4.0f} s  {stage:<40}", end="", flush=True)


def show(machine: Machine) -> None:
    """Print the address, and what only the box's screen tells: the fingerprint and the setup code."""
    deadline = time.monotonic() + 20
    while not (code := CODE.search(machine.console())) and time.monotonic() < deadline:
        time.sleep(0.5)
    fingerprint = FINGERPRINT.search(machine.console())
    print(f"\n\n  Sparrow answers at  {machine.url}")
    print(f"  Certificate         http://localhost:{machine.ports[80]}/ca")
    if fingerprint:
        print(f"  Its fingerprint     {fingerprint[0]}")
    print(f"  Setup code          {code[0] if code else '(none: the box has been set up)'}")
    print("\n  Ctrl-C shuts the machine down.\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
