"""mkimage.sh itself: help, stages, cache, interruption, a full disk. Quick, but for the last."""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from .builder import ORDINARY, TOP, Build, prepare

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]
STAGES = sorted((TOP / "rootfs/stages").glob("[0-9][0-9]-*"))


def mkimage(*arguments: str) -> subprocess.CompletedProcess:
    """Run mkimage.sh and return what it said."""
    return subprocess.run([TOP / "mkimage.sh", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_help_is_the_header_comment():
    said = mkimage("--help").stdout
    assert said.startswith("Usage: mkimage.sh")
    for option in re.findall(r"^\t\t-. \| (--[a-z-]+)\)", (TOP / "mkimage.sh").read_text(), re.MULTILINE):
        assert option in said, f"{option} is not documented"


@pytest.mark.parametrize(("arguments", "expected"), [
    (["--frobnicate"], "Unknown option --frobnicate"),
    (["frobnicate"], "Unknown verb frobnicate"),
    (["--repository"], "--repository needs a value"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_with_a_hint(arguments, expected):
    done = mkimage(*arguments)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "--help" in done.stderr


@pytest.mark.parametrize("stage", STAGES, ids=lambda path: path.name)
def test_each_stage_says_what_it_is_and_what_it_needs(stage):
    head = stage.read_text().split("\n\n")[0].split('"""')[0]
    assert re.search(r"^# Stage: \S", head, re.MULTILINE)
    known = [path.stem[3:] for path in STAGES[: STAGES.index(stage)]]
    for name in " ".join(re.findall(r"^# After: (.*)$", head, re.MULTILINE)).split():
        assert name in known, f"{name} does not run before {stage.name}"
    tools = {line.split()[0] for line in (TOP / "rootfs/host-tools").read_text().splitlines() if line[:1] not in "#\n"}
    for tool in " ".join(re.findall(r"^# Tools: (.*)$", head, re.MULTILINE)).split():
        assert tool in tools, f"rootfs/host-tools does not say what provides {tool}"
    for path in " ".join(re.findall(r"^# Input: (.*)$", head, re.MULTILINE)).split():
        assert list(TOP.glob(path)), f"{path} does not exist"


def test_locks_have_versions_and_hashes_and_no_addresses():
    for lock in (TOP / "rootfs/lock").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text
        for line in text.splitlines():
            if line and not line.startswith("#"):
                assert re.search(r"[0-9a-f]{64}$", line), f"{lock.name}: {line}"


def test_shell_scripts_pass_shellcheck():
    scripts = [TOP / "mkimage.sh", *TOP.glob("rootfs/*/*.sh")]
    done = subprocess.run(["shellcheck", "-x", *scripts], cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_missing_host_tools_are_named_with_their_packages(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("building an image needs root")
    tools = tmp_path / "bin"
    tools.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for program in Path(folder).iterdir():
            if program.name != "musl-gcc" and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    done = Build(tmp_path / "build").run("--no-install", "build", PATH=str(tools))
    assert done.returncode == 1
    assert re.search(r"This machine lacks .*\bmusl-gcc\b", done.stdout), done.stdout
    assert re.search(r"Install .*\bmusl-tools\b", done.stdout)


@pytest.fixture
def begun(tmp_path):
    """Return a build directory whose next stage is the compilation, which takes its time."""
    prepare("parts")
    build = Build(tmp_path / "build")
    build.take("parts", cache=("parts", "debian"))
    return build


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing_half_done(begun, with_signal):
    process = subprocess.Popen(begun.command("--offline", "build"), stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))  # fmt: skip
    deadline = time.monotonic() + 120
    while not (begun.folder / "unfinished/native").is_dir():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(with_signal)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + with_signal, said
    assert not (begun.folder / "unfinished").exists()
    assert not (begun.folder / "tmp").exists()
    assert sorted(path.name for path in begun.stages.iterdir()) == ["alpine", "parts"]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path("/proc", pid, "cmdline").read_bytes()
        except OSError:
            continue
        assert str(begun.folder).encode() not in words or int(pid) == os.getpid(), f"still running: {words}"


@pytest.fixture
def small_disk(tmp_path):
    """Mount a small file system in memory."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", place]
    if os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("cannot mount a small file system here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_too_little_space_is_said_before_anything_is_done(small_disk):
    done = Build(small_disk / "build").run("--offline", "build")
    assert done.returncode == 1
    assert "MiB free; a first build needs" in done.stdout
    assert "--build-dir" in done.stdout


def test_a_disk_that_fills_up_is_named(small_disk):
    prepare("parts")
    build = Build(small_disk / "build")
    # An earlier output makes it believe that there is room, as when others fill the disk meanwhile.
    (build.stages / "squashfs").mkdir(parents=True)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(250 << 20))
    done = build.run("--offline", "build")
    assert done.returncode == 1
    assert f"No space is left on {small_disk}" in done.stdout, done.stdout
    assert not (build.folder / "unfinished").exists()


def test_an_index_that_is_not_trusted_is_named(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = Build(tmp_path / "build").run(
            "--offline", "--stop-after", "parts", "build", PIP_INDEX_URL=f"https://localhost:{server.server_port}/simple",
            PIP_EXTRA_INDEX_URL="", PIP_FIND_LINKS="", PIP_RETRIES="0", PIP_CONFIG_FILE=os.devnull)  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 1
    assert "does not trust" in done.stdout, done.stdout


@pytest.mark.slow
@pytest.mark.long
def test_two_builds_of_the_same_input_give_the_same_bits(tmp_path):
    """What takes long, compiling and compressing the base, is built anew as well; only downloads are shared."""
    prepare("squashfs")
    build = Build(tmp_path / "build")
    build.folder.mkdir()
    shutil.copytree(ORDINARY / "cache", build.folder / "cache", symlinks=True,
                    ignore=lambda folder, _: ["keys"] if Path(folder) == ORDINARY / "cache" else [])
    done = build.run("--offline", "--stop-after", "sbom", "build")
    assert done.returncode == 0, done.stdout
    for path in ("squashfs/root.squashfs", "sbom/publish"):
        first, second = ORDINARY / "stages" / path, build.stages / path
        assert digests(first) == digests(second), path


def digests(path: Path) -> dict[str, str]:
    """Return the hashes of a file, or of a folder's files."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
