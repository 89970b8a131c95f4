"""Starts that cannot succeed: each says in one line what is wrong and what to do, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparrow import settings
from sparrow.box import health
from sparrow.cli import place
from tests.conftest import free_port
from tests.faults.stack import PASSWORD, Stack, environment, until


def _start(data: object, *arguments: str, **extra: str) -> subprocess.CompletedProcess:
    """Run `sparrow dev` where it must fail by itself."""
    if "--port" not in arguments:
        arguments = (*arguments, "--port", str(free_port()))
    return subprocess.run([sys.executable, "-m", "sparrow.cli", "dev", "--data", str(data), *arguments],
                          capture_output=True, text=True, timeout=30, env=environment(**extra), check=False)


def _says(done: subprocess.CompletedProcess, *parts: str) -> None:
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr, done.stderr
    for part in parts:
        assert part in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_port_in_use_is_named_with_the_option_to_change_it(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        _says(_start(tmp_path / "data", "--port", str(port)), f"Port {port}", "in use", "--port")
        _says(_start(tmp_path / "data", "--https-port", str(port)), f"Port {port}", "--https-port")
    assert not place.run_dir(tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", [("--port", "0"), ("--port", "99999")])
def test_a_port_that_cannot_be_is_refused(tmp_path, arguments):
    _says(_start(tmp_path / "data", *arguments), "from 1 to 65535")


def test_a_file_in_the_place_of_the_data_folder(tmp_path):
    (tmp_path / "data").write_text("not a folder")
    _says(_start(tmp_path / "data"), str(tmp_path / "data"), "a file is in the way")


def test_settings_that_make_no_sense(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "sparrow.toml").write_text("api_threads = -3\n")
    _says(_start(tmp_path), "api_threads", "sparrow.toml", "from 1")
    (tmp_path / "config" / "sparrow.toml").write_text("api_threads = \n")
    _says(_start(tmp_path), "not valid TOML")
    (tmp_path / "config" / "sparrow.toml").write_text("api_thread = 3\n")
    _says(_start(tmp_path), "no setting 'api_thread'", "api_threads")


def test_a_missing_program_is_named_with_how_to_install_it(tmp_path):
    _says(_start(tmp_path / "data", SPARROW_CADDY="/nowhere/caddy"), "SPARROW_CADDY", "/nowhere/caddy")


@contextmanager
def _small_disk(folder: Path, *, size: str = "4m"):
    """Mount a small file system on a folder; skip where this user may not."""
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "sparrow-test", folder],
                                      capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def test_a_full_disk_is_said_at_the_start(tmp_path):
    with _small_disk(tmp_path / "data") as data:
        (data / "filler").write_bytes(b"x" * (4 << 20))
        _says(_start(data), "the disk is full", "Delete")


def test_a_read_only_disk_is_said_at_the_start(tmp_path):
    with _small_disk(tmp_path / "data") as data:
        subprocess.run(["mount", "-o", "remount,ro", data], check=True)
        _says(_start(data), "read-only")


def test_a_full_and_a_read_only_disk_are_errors_of_the_health(tmp_path):
    with _small_disk(tmp_path / "data") as data:
        current = settings.load({"SPARROW_DATA_DIR": str(data), "SPARROW_DEV": "1"})
        assert health.judge_data(current)[1] == []
        (data / "filler").write_bytes(b"x" * (4 << 20))
        disk, problems = health.judge_data(current)
        assert disk["free"] == 0
        assert ("error", "disk") in [(p["level"], p["what"]) for p in problems]
        subprocess.run(["mount", "-o", "remount,ro", data], check=True)
        assert any("read-only" in p["message"] for p in health.judge_data(current)[1])
        # On the box a data folder in memory means that the partition is missing.
        box = settings.load({"SPARROW_DATA_DIR": str(tmp_path / "data")})
        subprocess.run(["mount", "-o", "remount,rw", data], check=True)
        (data / "filler").unlink()
        assert any("data partition is missing" in p["message"] for p in health.judge_data(box)[1])


@pytest.mark.slow
def test_two_run_at_once_and_a_third_on_the_same_folder_is_refused(tmp_path):
    with Stack(tmp_path / "one") as one, Stack(tmp_path / "two", SPARROW_ADMIN_PASSWORD="") as two:
        until(lambda: one.status() == two.status() == (200, "ok"), "both are well", 30)
        _says(_start(tmp_path / "one"), "already runs", f":{one.port}/", "--data")
        # Without a password in the environment the setup code is shown where the box would show it.
        code = (two.data / "config" / "setup-code").read_text().strip()
        assert len(code) == 9
        assert not set(code.replace("-", "")) & set("IO01")
        assert f"Setup code:  {code}" in two.output()
        assert f"Setup code:  {code}" in two.command("screen").stdout
        assert two.command("setup-code").stdout.strip() == code
        until(lambda: one.status() == (200, "ok"), "the first is still well", 5)
        assert one.stop() == 0
        assert not one.run_dir.exists()
        assert two.status() == (200, "ok")


@pytest.mark.slow
def test_the_certificate_is_the_boxs_own_and_lasts_over_a_restart(tmp_path):
    with Stack(tmp_path / "data", SPARROW_ADMIN_PASSWORD=PASSWORD) as stack:
        code, _, _ = stack.get("/health", https=True)  # verified against ca.crt, by address
        assert code == 200
        code, headers, served = stack.get("/ca.crt")
        authority = (stack.data / "tls" / "ca.crt").read_bytes()
        assert (code, served, headers["content-type"]) == (200, authority, "application/x-x509-ca-cert")
        page = stack.get("/ca")[2].decode()
        mark = next(line.split()[-1] for line in stack.output().splitlines() if "Fingerprint" in line)
        assert mark in page.replace("<br>", ":").replace("::", ":")
        assert stack.get("/ca.mobileconfig")[1]["content-type"] == "application/x-apple-aspen-config"
    with Stack(tmp_path / "data") as stack:
        assert stack.get("/ca.crt")[2] == authority
