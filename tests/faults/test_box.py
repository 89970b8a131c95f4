"""The box itself: `sparrow supervise` as root with the users of rootfs/users, in namespaces of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None,
                                                   reason="namespaces and other users need root and unshare")]

# Runs inside: the box's users, only a loopback network, a Python that every user may reach.
SCRIPT = r"""
set -e
mount --make-rprivate /
mount -t proc proc /proc
ip link set lo up
mount --bind "$WORK/passwd" /etc/passwd
mount --bind "$WORK/group" /etc/group
case "$BASE" in /root/*)
    mount --bind "$BASE" "$WORK/python"; mount -t tmpfs -o mode=755 tmpfs /root
    mkdir -p "$BASE"; mount --bind "$WORK/python" "$BASE";;
esac
cd /
"$PYTHON" -m sparrow.cli supervise &
well() { for _ in $(seq 600); do
    curl -sk https://localhost/health 2>/dev/null | grep -q '"ok"' && return 0; sleep 0.1; done; return 1; }
well
install -m 660 /dev/null "$SPARROW_DATA_DIR/config/wanted/chroma"
echo 'The pump stops at 90 degrees.' > "$WORK/pump.txt"
(umask 022; "$PYTHON" -m sparrow.cli dataset add Manuals "$WORK/pump.txt")  # by root, at the box's own shell
curl -s -o /dev/null -w '%{http_code} %{redirect_url}\n' 'http://localhost/console?x=1' > "$WORK/redirect"
curl -s -o /dev/null -w '%{http_code}\n' http://localhost/ca > "$WORK/ca"
for _ in $(seq 100); do ps -eo args | grep -q '[l]aunch chroma' && break; sleep 0.1; done
sleep 1
ps -eo user:20,args > "$WORK/processes"
find "$SPARROW_DATA_DIR" -printf '%u %g %m data/%P\n' > "$WORK/files"
find "$SPARROW_RUN_DIR" -printf '%u %g %m run/%P\n' >> "$WORK/files"
for _ in $(seq 50); do
    "$PYTHON" -m sparrow.cli health --json > "$WORK/health"
    grep -q '"STARTING"' "$WORK/health" || break; sleep 0.2; done
# init would start it again; the killed one leaves nothing behind that is in the way
kill -9 "$(cat "$SPARROW_RUN_DIR/supervisord.pid")"
for _ in $(seq 50); do ps -eo user | grep -q '^sparrow-' || break; sleep 0.1; done
ps -eo user:20,args | grep '^sparrow-' > "$WORK/leftovers" || true
"$PYTHON" -m sparrow.cli supervise &
sleep 1
well && echo yes > "$WORK/again"
kill "$(cat "$SPARROW_RUN_DIR/supervisord.pid")"
wait
"""


@pytest.fixture(scope="module")
def box() -> Iterator[Path]:
    # Not in pytest's folder: other users may not enter that, and every new session closes it again.
    work = Path(tempfile.mkdtemp(prefix="sparrow-box-"))
    work.chmod(0o755)
    try:
        _run(work)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run(work: Path) -> None:
    """Run SCRIPT, which leaves what it saw in `work`."""
    (work / "python").mkdir()
    _write_users(work)
    console = work / "console"
    console.write_text("")
    console.chmod(0o600)  # as the kernel makes tty1
    environment = {
        "PATH": os.environ["PATH"], "WORK": str(work), "PYTHON": sys.executable, "BASE": sys.base_prefix,
        "SPARROW_DATA_DIR": str(work / "data"), "SPARROW_RUN_DIR": str(work / "run"), "SPARROW_SCREENS": str(console)}
    done = subprocess.run(["unshare", "-mnpf", "--kill-child", "sh", "-c", SCRIPT], env=environment, timeout=240,
                          capture_output=True, text=True, check=False)
    logs = "\n".join(f"== {path.name}\n{path.read_text()[-800:]}" for path in (work / "run" / "log").glob("*"))
    assert done.returncode == 0, done.stderr + logs


def _write_users(work: Path) -> None:
    """Add the users and groups of rootfs/users to copies of this machine's."""
    users, groups, members = [], {}, {}
    for line in (ROOT / "rootfs" / "users").read_text().splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith("@"):
            groups[words[0][1:]] = int(words[1])
        else:
            users.append(words)
            for group in (words[3].split(",") if len(words) > 3 else []):
                members.setdefault(group, []).append(words[0])
    passwd = Path("/etc/passwd").read_text() + "".join(
        f"{name}:x:{uid}:{groups[group]}::/:/bin/false\n" for name, uid, group, *_ in users)
    group_lines = [line + ("," if line[-1] != ":" else "") + ",".join(members[line.split(":")[0]])
                   if line.split(":")[0] in members and line.split(":")[0] not in groups else line
                   for line in Path("/etc/group").read_text().splitlines()]
    group_lines += [f"{name}:x:{gid}:{','.join(members.get(name, []))}" for name, gid in groups.items()]
    (work / "passwd").write_text(passwd)
    (work / "group").write_text("\n".join(group_lines) + "\n")


def test_every_program_runs_as_its_own_user(box):
    found = dict.fromkeys(("redis-server", "gunicorn", "cli worker", "caddy run", "box.screen", "chroma_server"))
    for line in (box / "processes").read_text().splitlines():
        user, _, command = line.partition(" ")
        for part in found:
            if part in command:
                found[part] = user
    assert found == {"redis-server": "sparrow-redis", "gunicorn": "sparrow-api", "cli worker": "sparrow-worker",
                     "caddy run": "sparrow-caddy", "box.screen": "sparrow-screen", "chroma_server": "sparrow-chroma"}


def test_the_whole_box_is_well(box):
    health = json.loads((box / "health").read_text())
    assert {p["name"]: p["state"] for p in health["programs"]} == dict.fromkeys(
        ("api", "caddy", "chroma", "redis", "screen", "worker"), "RUNNING")
    assert health["database"]["writable"] is True


def test_who_may_read_what(box):
    files = {}
    for line in (box / "files").read_text().splitlines():
        user, group, mode, path = line.split(" ", 3)
        files[path] = (user, group, int(mode, 8))
    assert files["data/tls/ca.key"] == ("sparrow-screen", "sparrow-caddy", 0o600)
    assert files["data/tls/server.pem"] == ("sparrow-screen", "sparrow-caddy", 0o640)
    assert files["data/db/sparrow.db"] == ("sparrow-api", "sparrow", 0o660)
    assert files["data/chroma"] == ("sparrow-chroma", "sparrow-chroma", 0o700)
    assert files["run/supervisor.sock"] == ("root", "sparrow-screen", 0o660)
    assert files["run/control.sock"] == ("sparrow-screen", "sparrow", 0o660)
    assert files["run/api.sock"][1:] == ("sparrow-caddy", 0o770)
    assert files["run/redis.sock"][1:] == ("sparrow", 0o770)
    private = ("data/db/", "data/config/", "data/files/", "data/chroma/", "data/log/", "data/backups/",
               "data/tmp")
    assert [path for path, (_, _, mode) in files.items() if path.startswith(private) and mode & 0o007] == []


def test_what_root_adds_the_programs_may_change(box):
    found = [line.split(" ", 3) for line in (box / "files").read_text().splitlines() if " data/files/" in line]
    assert len(found) >= 2
    assert [line for line in found if line[1] != "sparrow" or not int(line[2], 8) & 0o020] == []


def test_http_leads_to_https_and_to_the_certificate(box):
    assert (box / "redirect").read_text().split() == ["307", "https://localhost:443/console?x=1"]
    assert (box / "ca").read_text().strip() == "200"


def test_a_killed_supervisord_leaves_nothing_and_starts_again(box):
    assert (box / "leftovers").read_text() == ""
    assert (box / "again").read_text() == "yes\n"


def test_the_screen_shows_the_setup_code(box):
    code = (box / "data" / "config" / "setup-code").read_text().strip()
    shown = (box / "console").read_text()
    assert f"Setup code:  {code}" in shown
    assert "Sparrow 0.1.0: ready" in shown
