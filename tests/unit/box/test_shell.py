"""Boxes that run side by side on a host: by `mkimage.sh shell`, and for benches."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.bench.stack import HostStack, ImageStack

ROOT = Path(__file__).resolve().parents[3]
# What needs an image and root is left out, down to the command that would run in the chroot.
STUBS = {"unshare": 'while [ "$1" != sh ]; do shift; done; exec "$@"', "mount": "", "hostname": "",
         "chroot": 'shift; exec "$@"', "rmdir": "",
         "mkdir": 'case "$*" in /sys/*) exit 1 ;; esac; exec /bin/mkdir "$@"'}


def environment(tmp_path: Path, *options: str, **given: str) -> dict[str, str]:
    """Return the environment of a command in `mkimage.sh shell`."""
    tmp_path.mkdir()
    for name, text in STUBS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    said = subprocess.run(
        ["sh", "-euc", f'. "{ROOT}/rootfs/vm/shell.sh"; native_root() {{ :; }}; vm_shell "$@" env', "sh", *options],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "BUILD": str(tmp_path), **given}, cwd=tmp_path, check=True,
        capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in said.splitlines())


def test_each_shell_has_ports_of_its_own(tmp_path):
    names = "SPARROW_HTTPS_PORT", "SPARROW_HTTP_PORT", "SPARROW_CHROMA_PORT"
    found = environment(tmp_path / "one", "--port", "9000")
    assert [found[name] for name in names] == ["9000", "9001", "9002"]
    found = environment(tmp_path / "two", SPARROW_HTTP_PORT="80", SPARROW_CHROMA_PORT="8300")
    assert [found[name] for name in names] == ["8443", "80", "8300"]


def test_each_bench_has_ports_of_its_own(tmp_path):
    stacks = [kind(folder=tmp_path) for kind in (HostStack, ImageStack) for _ in range(2)]
    assert len({port for stack in stacks for port in (stack.http_port, stack.chroma_port)}) == 8
