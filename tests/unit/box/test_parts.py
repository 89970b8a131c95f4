"""Parts of the process model one by one: settings, addresses, logs, screen, the client of supervisord, commands."""

from __future__ import annotations

import dataclasses
import errno
import os
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from sparrow import settings
from sparrow.box import addresses, health, layout, logs, screen, screen_text, supervise, supervisor
from sparrow.cli import build, main, place
from sparrow.errors import Unavailable

FACTS = screen_text.Facts(
    version="1.2.3", addresses=["192.168.1.20", "fd00::5"], name="sparrow.local", https_port=443, http_port=80,
    fingerprint=":".join(["AB"] * 32), code="ABCD-2345",
    programs=[("api", "RUNNING"), ("worker", "RUNNING")])


# Settings

def test_the_environment_wins_over_the_file_and_the_file_over_defaults(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "sparrow.toml").write_text('hostname = "kitchen"\napi_threads = 8\nrag = false\n')
    found = settings.load({"SPARROW_DATA_DIR": str(tmp_path), "SPARROW_API_THREADS": "16", "SPARROW_LOG_LEVEL": ""})
    assert (found.hostname, found.api_threads, found.rag, found.log_level) == ("kitchen", 16, False, "info")
    assert found.database_url == f"sqlite:///{tmp_path}/db/sparrow.db"
    assert settings.load({"SPARROW_DATA_DIR": str(tmp_path)}, file=False).hostname == "sparrow"


@pytest.mark.parametrize(("name", "value"), [
    ("SPARROW_HTTP_PORT", "0"), ("SPARROW_HTTP_PORT", "70000"), ("SPARROW_API_THREADS", "many"),
    ("SPARROW_RAG", "perhaps"), ("SPARROW_LOG_LEVEL", "loud")])
def test_a_setting_that_makes_no_sense_is_named(name, value):
    with pytest.raises(settings.SettingsError) as caught:
        settings.load({name: value}, file=False)
    assert name in caught.value.message
    assert value in caught.value.message


def test_passwords_are_not_in_the_text_form():
    found = settings.load({"SPARROW_ADMIN_PASSWORD": "s3cret", "SPARROW_DATABASE_URL": "postgresql://u:s3cret@h/d"},
                          file=False)
    assert "s3cret" not in repr(found)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.hostname = "other"


# Addresses

def test_addresses_are_those_others_can_use():
    for address in addresses.addresses():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        socket.inet_pton(family, address)
        assert not address.startswith(("127.", "fe80", "169.254."))
        assert address != "::1"


# Logs

@pytest.fixture
def box(tmp_path):
    found = settings.load({"SPARROW_DATA_DIR": str(tmp_path / "data"), "SPARROW_RUN_DIR": str(tmp_path / "run")})
    for folder in (found.run_dir / "log", found.run_dir / "screen", found.log_dir):
        folder.mkdir(parents=True)
    return found


def test_logs_are_copied_once_over_a_rotation(box):
    ring = box.run_dir / "log" / "api.log"
    ring.write_text("one\n")
    assert logs.ship(box) == 4
    assert logs.ship(box) == 0
    with open(ring, "a") as file:
        file.write("two\n")
    ring.rename(f"{ring}.1")
    ring.write_text("three\n")
    logs.ship(box)
    assert (box.log_dir / "api.log").read_text() == "one\ntwo\nthree\n"


def test_kept_logs_stay_small(box):
    ring = box.run_dir / "log" / "api.log"
    for number in range(12):
        with open(ring, "a") as file:
            file.write(f"{number} " + "x" * (100 << 10) + "\n")
        logs.ship(box)
    kept = sum(path.stat().st_size for path in box.log_dir.iterdir())
    assert kept <= 2 * logs.KEEP
    assert "11 xxx" in (box.log_dir / "api.log").read_text()


def test_a_full_disk_does_not_stop_the_copying_of_logs(box, monkeypatch):
    (box.run_dir / "log" / "api.log").write_text("one\n")
    box.log_dir.rmdir()
    assert logs.ship(box) == 0
    box.log_dir.mkdir()
    assert logs.ship(box) == 4


# Screen

def test_the_screen_fits_and_says_what_is_needed():
    text = screen_text.full(FACTS)
    rows = text.removeprefix(screen_text._CLEAR).split("\n")
    assert len(rows) <= screen_text.HEIGHT
    assert all(screen_text._visible(row) <= screen_text.WIDTH for row in rows)
    for part in ("https://192.168.1.20/", "https://[fd00::5]/", "ABCD-2345", "1.2.3", "AB:AB", "ready", "/ca"):
        assert part in text


def test_the_screen_fits_at_its_worst():
    worst = dataclasses.replace(
        FACTS, addresses=["2001:db8:1111:2222:3333:4444:5555:6666", *(f"192.168.100.{n}" for n in range(9))],
        https_port=18443, name="a-long-name-for-a-box.local", problems=["The disk is full. " * 12] * 5,
        programs=[(n, "BACKOFF") for n in ("redis", "api", "worker", "caddy", "chroma")])
    rows = screen_text.full(worst).removeprefix(screen_text._CLEAR).split("\n")
    assert len(rows) <= screen_text.HEIGHT
    assert all(screen_text._visible(row) <= screen_text.WIDTH for row in rows)


@pytest.mark.parametrize(("change", "state"), [
    ({}, "ready"), ({"programs": [("api", "STARTING")]}, "starting"), ({"programs": []}, "starting"),
    ({"problems": ["The disk is full."]}, "NEEDS ATTENTION")])
def test_the_serial_console_has_lines_a_program_can_read(change, state):
    lines = screen_text.plain(dataclasses.replace(FACTS, **change)).splitlines()
    assert f"Sparrow 1.2.3: {state}" in lines
    assert "Address:     https://192.168.1.20/" in lines
    assert "Setup code:  ABCD-2345" in lines
    assert f"Fingerprint: {FACTS.fingerprint}" in lines


def test_the_qr_code_is_the_one_of_the_address():
    import segno

    matrix = segno.make("https://192.168.1.20/", error="m", micro=False).matrix
    expected = [[bool(dark) for dark in row] for row in matrix]
    upper, lower = {"█": 0, "▀": 0, "▄": 1, " ": 1}, {"█": 0, "▄": 0, "▀": 1, " ": 1}
    drawn = []
    for row in screen_text.qr("https://192.168.1.20/"):
        drawn += [[bool(upper[c]) for c in row], [bool(lower[c]) for c in row]]
    size = len(expected)
    assert [row[2:2 + size] for row in drawn[2:2 + size]] == expected
    assert not any(any(row) for row in drawn[:2])


# Health

def _program(name: str, state: str, **more):
    return {"name": name, "state": state, "since": 0, "pid": 1, "detail": "", "restarts": 0, "wanted": True} | more


def test_health_judges_programs():
    box = settings.load({}, file=False)
    well = [_program(name, "RUNNING") for name in ("api", "worker", "redis", "caddy", "screen")]
    assert health.judge_programs([*well, _program("chroma", "STOPPED", wanted=False)], box) == []
    for name, state, level in (
            ("worker", "FATAL", "degraded"), ("api", "FATAL", "error"), ("redis", "BACKOFF", "degraded"),
            ("chroma", "EXITED", "degraded"), ("caddy", "FATAL", "error"), ("api", "STARTING", "degraded")):
        problems = health.judge_programs([_program(name, state, detail="no luck")], box)
        assert [(p["level"], p["what"]) for p in problems] == [(level, name)]
        assert health.worst(problems) == level
    external = settings.load({"SPARROW_REDIS_URL": "redis://elsewhere:6379/0"}, file=False)
    assert health.judge_programs([_program("redis", "STOPPED")], external) == []


# The client of supervisord

def _supervisor(tmp_path, answer: bytes, received: list[bytes]):
    path = tmp_path / "s.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)

    def serve() -> None:
        connection, _ = listener.accept()
        data = b""
        while b"</methodCall>" not in data:
            data += connection.recv(65536)
        received.append(data)
        connection.sendall(answer)
        connection.close()
        listener.close()

    threading.Thread(target=serve, daemon=True).start()
    return path


def test_the_client_reads_what_xmlrpc_writes(tmp_path):
    import xmlrpc.client

    value = [{"name": "a & <b>", "pid": 7, "up": True, "text": "", "list": [1, "zwei", [3.5]]}, "x"]
    body = xmlrpc.client.dumps((value,), methodresponse=True).encode()
    received: list[bytes] = []
    path = _supervisor(tmp_path, b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n" + body, received)
    assert supervisor.call(path, "supervisor.x", "a & <b>", False) == value
    arguments, method = xmlrpc.client.loads(received[0].partition(b"\r\n\r\n")[2])
    assert (arguments, method) == (("a & <b>", False), "supervisor.x")


def test_the_client_raises_faults_and_says_when_nobody_answers(tmp_path):
    import xmlrpc.client

    body = xmlrpc.client.dumps(xmlrpc.client.Fault(60, "ALREADY_STARTED: api")).encode()
    path = _supervisor(tmp_path, b"HTTP/1.0 200 OK\r\n\r\n" + body, [])
    with pytest.raises(supervisor.Fault, match="ALREADY_STARTED") as caught:
        supervisor.call(path, "supervisor.startProcess", "api")
    assert caught.value.code == supervisor.ALREADY_STARTED
    with pytest.raises(Unavailable, match="cannot be reached"):
        supervisor.call(tmp_path / "none.sock", "supervisor.getPID")
    (tmp_path / "s.sock").unlink()
    with pytest.raises(Unavailable, match="not XML-RPC"):
        supervisor.call(_supervisor(tmp_path, b"HTTP/1.0 200 OK\r\n\r\n<methodResp", []), "supervisor.getPID")


# Commands

def test_every_command_has_help(capsys):
    parser = build()
    commands = next(action for action in parser._actions if hasattr(action, "choices") and action.choices)
    told = {action.dest: action.help for action in commands._choices_actions}
    for name, command in commands.choices.items():
        assert told[name], name
        assert "--data" in command.format_help(), name
    for name in ("dev", "worker", "migrate", "tls", "setup-code", "screen", "health", "version", "password", "logs",
                 "supervise", "restart"):
        assert name in commands.choices
    assert main([]) == 2
    assert "examples:" in capsys.readouterr().out


def test_help_comes_at_once():
    best = min(_time_help() for _ in range(5))
    assert best < 0.15


def _time_help() -> float:
    """Return the CPU seconds of `sparrow --help`: the wall clock of a busy machine says nothing."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "sparrow.cli", "--help"], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_a_socket_path_is_never_too_long(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp/" + "deep/" * 30)
    assert len(str(place.run_dir(tmp_path) / "supervisor.sock")) <= 100


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_the_notes_of_somebody_else_are_not_believed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in ("DATA_DIR", "RUN_DIR", "DEV", "REDIS_SERVER"):
        monkeypatch.setenv(f"SPARROW_{name}", "")
    notes = place.run_dir(tmp_path) / ".lock"
    notes.parent.mkdir()
    notes.write_text('{"environment": {"SPARROW_REDIS_SERVER": "/tmp/evil"}}')
    os.chown(notes, 65534, 65534)
    place.use(str(tmp_path))
    assert os.environ["SPARROW_REDIS_SERVER"] == ""
    os.chown(notes, 0, 0)
    place.use(str(tmp_path))
    assert os.environ["SPARROW_REDIS_SERVER"] == "/tmp/evil"
    settings.reset()


def test_the_page_of_an_absent_api_goes_when_it_runs_whatever_else_is_wrong(tmp_path, monkeypatch):
    """The health page reads the same before and after: the mark must not depend on it."""
    found = settings.load({"SPARROW_DATA_DIR": str(tmp_path), "SPARROW_RUN_DIR": str(tmp_path)}, file=False)
    monkeypatch.setattr(health, "judge_data", lambda _: ({}, [health._problem("error", "data", "The disk is full.")]))
    shown = screen.Screen.__new__(screen.Screen)
    shown.settings, shown.programs, shown.public = found, [], None
    found.public_dir.mkdir()
    away, page = found.public_dir / "api-away", found.public_dir / "health.json"
    shown._publish()
    before = page.read_text()
    assert away.exists()
    shown.programs = [{"name": "api", "state": "RUNNING"}]
    shown._publish()
    assert page.read_text() == before
    assert not away.exists()


def test_the_screen_lives_on_when_the_kernel_drops_news_of_addresses():
    def lost(_size):
        raise OSError(errno.ENOBUFS, "No buffer space available")

    found = screen._addresses(settings.load({}, file=False))
    screen.Screen._addresses_changed(SimpleNamespace(
        link=SimpleNamespace(recv=lost), settings=settings.load({}, file=False), addresses=found))


def test_what_is_being_sent_waits_on_the_disk_and_not_in_memory(tmp_path):
    """The box's /tmp is memory: an upload of half a gigabyte has no room there."""
    found = settings.load({"SPARROW_DATA_DIR": str(tmp_path / "data"), "SPARROW_RUN_DIR": str(tmp_path / "run"),
                           "SPARROW_DEV": "1"})
    layout.make(found)
    (found.temp_dir / "left").mkdir()
    (found.temp_dir / "left" / "upload").write_text("of a power cut")
    supervise.prepare(found)
    assert os.listdir(found.temp_dir) == []
    assert supervise.environment(found)["TMPDIR"] == str(found.temp_dir)


def test_what_was_converted_stays_for_the_next_start(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folders = {"SPARROW_DATA_DIR": str(tmp_path), "SPARROW_RUN_DIR": str(tmp_path / "run")}
    given = supervise.environment(settings.load(folders | {"SPARROW_DEV": "1"}))
    assert given["XDG_CACHE_HOME"] == str(tmp_path / ".cache")
    assert given["HOME"] == str(tmp_path / "run")
    assert "XDG_CACHE_HOME" not in supervise.environment(settings.load(folders))
