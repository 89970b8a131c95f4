"""The process table under faults: killed programs, any order of starting, a program that never starts."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time

import pytest

from sparrow import settings
from sparrow.box import supervisor
from tests.faults.stack import Stack, until

HEALTHY_AGAIN = 5.0  # seconds, the promise for each kill -9


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("box") / "data") as running:
        yield running


def _healthy(stack: Stack) -> bool:
    return stack.status() == (200, "ok")


@pytest.mark.parametrize("program", ["redis", "api", "worker", "caddy", "screen"])
def test_a_killed_program_is_back_within_five_seconds(stack, program):
    until(lambda: _healthy(stack), "healthy before", 15)
    before = stack.programs()[program]["pid"]
    os.kill(before, signal.SIGKILL)
    started = time.monotonic()

    def back() -> bool:
        facts = stack.programs()[program]
        return facts["pid"] not in (0, before) and facts["statename"] == "RUNNING" and _healthy(stack)

    until(back, f"{program} is back and the box healthy", HEALTHY_AGAIN)
    assert time.monotonic() - started < HEALTHY_AGAIN


def test_requests_wait_for_a_killed_api_instead_of_failing(stack):
    until(lambda: _healthy(stack), "healthy before", 15)
    os.kill(stack.programs()["api"]["pid"], signal.SIGKILL)
    assert stack.get("/health", timeout=15)[0] == 200


def test_chroma_runs_only_while_it_is_wanted_and_survives_a_kill(stack):
    assert stack.programs()["chroma"]["statename"] == "STOPPED"
    flag = stack.data / "config" / "wanted" / "chroma"
    flag.touch()
    until(lambda: stack.programs()["chroma"]["statename"] == "RUNNING", "chroma is started", 9)
    os.kill(before := stack.programs()["chroma"]["pid"], signal.SIGKILL)
    until(lambda: stack.programs()["chroma"]["statename"] == "RUNNING"
          and stack.programs()["chroma"]["pid"] != before and _healthy(stack), "chroma is back", HEALTHY_AGAIN)
    flag.unlink()
    until(lambda: stack.programs()["chroma"]["statename"] == "STOPPED", "chroma is stopped", 15)


def test_any_order_of_starting_ends_well(stack):
    order = ["redis", "api", "worker", "caddy"]
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    chance.shuffle(order)
    for name in order:
        stack.control("stopProcess", name)
    chance.shuffle(order)
    for name in order:
        stack.control("startProcess", name, False)
        time.sleep(chance.random() * 0.7)
    until(lambda: _healthy(stack), f"healthy after the order {order} (seed {seed})", 15)


@pytest.mark.slow
def test_while_the_api_is_away_people_see_a_page_and_programs_an_error(stack):
    until(lambda: _healthy(stack), "healthy before", 15)
    stack.control("stopProcess", "api")
    try:
        until(lambda: stack.get("/")[0] == 503, "the page of a box that starts", 3)
        page = stack.get("/", https=True)[2].decode()
        assert "Sparrow is starting" in page
        assert "正在启动" in page
        code, headers, body = stack.get("/v1/info")
        assert (code, json.loads(body)["code"], headers["retry-after"]) == (503, "service_unavailable", "3")
        code, _, body = stack.get("/health")
        assert (code, json.loads(body)["status"]) == (503, "error")
        assert any(problem["what"] == "api" for problem in json.loads(body)["problems"])
    finally:
        stack.control("startProcess", "api", False)
    until(lambda: _healthy(stack), "healthy after", 15)


def test_others_may_restart_the_api_but_not_stop_it(stack):
    before = stack.programs()["api"]["pid"]
    assert stack.command("restart", "api").returncode == 0
    until(lambda: stack.programs()["api"]["pid"] not in (0, before) and _healthy(stack), "a new api", 10)

    from sparrow.box import control

    settings.reset(settings.load({"SPARROW_RUN_DIR": str(stack.run_dir), "SPARROW_DEV": "1",
                                  "SPARROW_DATA_DIR": str(stack.data)}))
    try:
        for line in ("stop api", "restart redis", "stop screen", "shutdown", "restart ../api", ""):
            assert "not among" in control._ask(line, 2)["error"]
    finally:
        settings.reset()
    assert stack.programs()["api"]["statename"] == "RUNNING"


def test_health_and_screen_commands_tell_the_state(stack):
    until(lambda: _healthy(stack), "healthy before", 15)
    told = stack.command("health")
    assert (told.returncode, "worker   running" in told.stdout) == (0, True), told
    screen = stack.command("screen").stdout
    assert f"https://127.0.0.1:{stack.https_port}/" in screen
    assert "Setup code" not in screen  # SPARROW_ADMIN_PASSWORD set the admin up


def test_a_program_that_never_starts_is_fatal_and_said_on_the_health_page(tmp_path):
    """Redis from a wrong path, with fewer retries than the real table so that the test need not wait."""
    table = (settings.load({}, file=False).home_dir / "supervisord.conf").read_text()
    table, count = re.subn(r"(\[program:redis\][^\[]*?startretries=)20", r"\g<1>1", table)
    assert count == 1
    (tmp_path / "table.conf").write_text(table)
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho 'redis: no such luck' >&2\nexit 3\n")
    broken.chmod(0o755)
    with Stack(tmp_path / "data", SPARROW_SUPERVISORD_CONF=str(tmp_path / "table.conf"),
               SPARROW_REDIS_SERVER=str(broken)) as stack:
        until(lambda: stack.programs()["redis"]["statename"] == "FATAL", "FATAL", 30)
        until(lambda: stack.status() == (200, "degraded"), "degraded", 30)
        facts = json.loads(stack.command("health", "--json").stdout)
        problem = next(p for p in facts["problems"] if p["what"] == "redis")
        assert "given up" in problem["message"]
        assert "no such luck" in problem["detail"]
        assert "restart the box" in problem["message"]
        # Strangers are told what to do, too, but nothing of what is in a log.
        # What the API says is up to a second old.
        until(lambda: b"restart the box" in stack.get("/health")[2], "the advice on the health page", 5)
        body = stack.get("/health")[2]
        assert any(problem["what"] == "redis" for problem in json.loads(body)["problems"])
        assert b"no such luck" not in body


def test_a_killed_sparrow_dev_leaves_nothing_running(tmp_path):
    stack = Stack(tmp_path / "data")
    pids = [facts["pid"] for facts in stack.programs().values() if facts["pid"]]
    stack.kill()
    until(lambda: not [pid for pid in pids if _alive(pid)], "all programs ended", 15)


def test_a_killed_supervisord_leaves_nothing_running(tmp_path):
    stack = Stack(tmp_path / "data")
    try:
        pids = [facts["pid"] for facts in stack.programs().values() if facts["pid"]]
        os.kill(supervisor.call(stack.run_dir / "supervisor.sock", "supervisor.getPID"), signal.SIGKILL)
        until(lambda: not [pid for pid in pids if _alive(pid)], "all programs ended", 15)
        assert stack.process.wait(10) == 1
        assert "supervisord ended" in stack.output()
    finally:
        stack.kill()


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
