"""The known traps of what Sparrow stands on, and the test that watches each.

`TRAPS` is the table: program, trap, and the tests (file below tests/, name) that fail when Sparrow falls into it. The
first test here checks that the table names what exists; the others watch settings that no other test looks at.
"""

from __future__ import annotations

import ast
import configparser
import pydoc
import re
from contextlib import closing
from pathlib import Path

import pytest
from pysqlite3 import dbapi2

ROOT = Path(__file__).resolve().parents[2]
HERE = "unit/test_traps.py"

TRAPS = [
    ("supervisord", "knows no order of starting", "faults/test_processes.py::test_any_order_of_starting_ends_well"),
    ("supervisord", "gives a program up after three tries, and tells nobody",
     "faults/test_processes.py::test_a_program_that_never_starts_is_fatal_and_said_on_the_health_page"),
    ("supervisord", "few retries, large logs, short time to stop", f"{HERE}::test_the_process_table"),
    ("supervisord", "a stop reaches the worker's child before it has settled its job",
     f"{HERE}::test_the_process_table"),
    ("supervisord", "knows only that a process exists", "unit/box/test_parts.py::test_health_judges_programs"),
    ("supervisord", "is not watched itself",
     "faults/test_box.py::test_a_killed_supervisord_leaves_nothing_and_starts_again"),
    ("supervisord", "its socket is worth root",
     "faults/test_processes.py::test_others_may_restart_the_api_but_not_stop_it",
     "faults/test_box.py::test_who_may_read_what"),
    ("redis", "writes to the disk, listens on TCP, dies with its first client",
     f"{HERE}::test_redis_is_a_hint_in_memory"),
    ("redis", "loses its queue", "unit/jobs/test_jobs.py::test_a_lost_redis_loses_no_job",
     "unit/jobs/test_jobs.py::test_a_job_submitted_without_redis_runs_later"),
    ("rq", "loses a job between the queue and the start", "unit/jobs/test_jobs.py::test_a_killed_worker_loses_no_job",
     "unit/jobs/test_jobs.py::test_a_job_exists_exactly_if_its_change_does"),
    ("rq", "leaves the job of a killed worker as started",
     "unit/jobs/test_jobs.py::test_a_job_whose_process_is_killed_runs_again_and_is_given_up_at_last"),
    ("rq", "ends a job after 180 s and keeps failures for a year", f"{HERE}::test_jobs_have_their_own_times"),
    ("rq", "takes pickles from whoever can write to Redis", f"{HERE}::test_jobs_are_ids_in_json"),
    ("rq", "forks with SQLite open", "unit/jobs/test_jobs.py::test_a_job_inherits_no_open_database",
     "unit/storage/test_db.py::test_a_forked_child_opens_its_own_connections"),
    ("rq", "changes its methods between versions", f"{HERE}::test_what_may_change_is_pinned"),
    ("chroma", "two processes on one folder corrupt it", f"{HERE}::test_chroma_has_one_owner_on_loopback"),
    ("chroma", "no login, listens everywhere, sends telemetry", f"{HERE}::test_chroma_has_one_owner_on_loopback"),
    ("chroma", "torn files crash the server", "knowledge/test_chroma.py::test_chroma_is_a_cache_that_heals",
     "knowledge/test_chroma.py::test_a_damaged_chroma_folder_is_emptied_before_the_start"),
    ("chroma", "a kill during writes",
     "faults/test_processes.py::test_chroma_runs_only_while_it_is_wanted_and_survives_a_kill"),
    ("chroma", "keeps the text of what was deleted", "knowledge/test_console.py::test_deleted_text_is_in_no_file"),
    ("gunicorn", "each stream holds a thread; recycled workers cut streams",
     f"{HERE}::test_gunicorn_keeps_its_streams"),
    ("gunicorn", "a client that left ends the answer",
     "api/service/test_follow.py::test_a_client_that_left_does_not_end_the_run",
     "api/service/test_follow.py::test_a_client_that_left_follows_again"),
    ("gunicorn", "a restart fails requests",
     "faults/test_processes.py::test_requests_wait_for_a_killed_api_instead_of_failing"),
    ("gunicorn", "an unread body blocks a kept-alive connection",
     "api/service/test_contract.py::test_deleting_a_conversation_reads_its_body"),
    ("sqlite", "the WAL-reset race before 3.51.3", "unit/storage/test_db.py::test_an_old_sqlite_is_refused"),
    ("sqlite", "a read that becomes a write fails at once; no busy time-out",
     "unit/storage/test_db.py::test_every_connection_has_the_safe_settings",
     "unit/storage/test_db.py::test_reads_do_not_write"),
    ("sqlite", "the log grows while a reader stays", f"{HERE}::test_a_stream_holds_no_read_transaction"),
    ("sqlite", "acknowledged writes are lost with synchronous=NORMAL",
     "unit/storage/test_db.py::test_kill_loses_nothing_acknowledged",
     "unit/storage/test_db.py::test_nobody_returns_before_the_commit"),
    ("sqlite", "network shares", "unit/storage/test_db.py::test_a_network_share_is_refused"),
    ("caddy", "short-lived certificates on a box without a clock",
     "unit/box/test_tls.py::test_it_is_renewed_before_it_expires_and_after_the_clock_has_jumped",
     "unit/box/test_tls.py::test_a_clock_behind_the_build_does_not_make_certificates_of_the_past",
     "unit/box/test_tls.py::test_lifetimes_are_what_browsers_accept"),
    ("caddy", "asks an authority on the internet, or installs its own",
     f"{HERE}::test_caddy_has_no_authority_of_its_own"),
    ("caddy", "holds events back in its compressor; keeps asking after the browser left",
     "unit/box/test_caddy.py::test_every_event_of_a_stream_arrives_when_it_is_sent",
     f"{HERE}::test_caddy_has_no_authority_of_its_own"),
    ("caddy", "cuts silent streams", "unit/test_traps.py::test_streams_are_never_silent_for_long"),
    ("caddy", "keeps large uploads in memory",
     "unit/box/test_caddy.py::test_a_large_upload_is_streamed_and_a_too_large_one_refused"),
    ("caddy", "its authority must be trusted by hand", "unit/box/test_caddy.py::test_the_certificate_page_is_whole",
     "faults/test_box.py::test_http_leads_to_https_and_to_the_certificate"),
]


@pytest.mark.parametrize("row", TRAPS, ids=lambda row: f"{row[0]}: {row[1]}"[:60])
def test_each_trap_has_a_test(row):
    for test in row[2:]:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text())
        assert any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body), test


def table() -> configparser.RawConfigParser:
    """Return supervisord's configuration."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=None, strict=True)
    parser.read(ROOT / "supervisord.conf")
    return parser


def test_the_process_table():
    found = table()
    programs = [name for name in found.sections() if name.startswith("program:")]
    assert len(programs) >= 5
    for name in programs:
        assert found.getint(name, "startretries") >= 20, name
        assert found.get(name, "stdout_logfile_maxbytes") == "256KB", name
        assert found.getint(name, "stdout_logfile_backups") <= 2, name
    worker = "program:worker"
    assert (found.get(worker, "stopasgroup"), found.get(worker, "killasgroup")) == ("false", "true")
    assert found.getint("program:chroma", "stopwaitsecs") >= 60


def become(monkeypatch, program: str, settings) -> list[str]:
    """Return the command a launcher turns into."""
    from sparrow.box import binaries, launch

    seen: list[str] = []
    monkeypatch.setattr(launch, "_become", lambda *command: seen.extend(map(str, command)))
    monkeypatch.setattr(binaries, "redis_server", lambda: Path("redis-server"))
    launch.LAUNCHERS[program](settings)
    return seen


def test_redis_is_a_hint_in_memory(data_dir, monkeypatch):
    from sparrow import settings

    command = " ".join(become(monkeypatch, "redis", settings.get()))
    assert "--port 0 " in command
    assert "--unixsocket" in command
    assert "--save  --appendonly no" in command
    assert "--maxmemory-policy noeviction" in command


def test_jobs_have_their_own_times():
    from sparrow.jobs import kinds, worker

    assert worker.FAILURE_TTL <= 86_400
    assert all(60 <= seconds <= 6 * 3600 for _, _, seconds in kinds.KINDS.values())


def test_jobs_are_ids_in_json():
    text = (ROOT / "app/sparrow/jobs/worker.py").read_text()
    assert "serializer=JSONSerializer" in text
    assert re.search(r'enqueue_call\("sparrow\.jobs\.run\.run_job", args=\(job_id,\)', text)


def test_what_may_change_is_pinned():
    import tomllib

    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for name in ("rq>=3,<4", "gunicorn>=27,<28", "redis>=6,<9"):
        assert name in wanted
    users = [path.name for path in (ROOT / "app/sparrow").rglob("*.py")
             if re.search(r"^\s*from rq\b", path.read_text(), re.M)]
    assert users == ["worker.py"]


def test_chroma_has_one_owner_on_loopback(tmp_path):
    import os

    from sparrow.box import launch

    descriptors = [os.open(tmp_path / ".lock", os.O_RDWR | os.O_CREAT) for _ in range(2)]
    assert [launch._locked(descriptor) for descriptor in descriptors] == [True, False]
    text = (ROOT / "app/sparrow/box/launch.py").read_text()
    assert '"--host", "127.0.0.1"' in text
    assert 'ANONYMIZED_TELEMETRY="False"' in text
    assert "chroma" not in (ROOT / "caddy/Caddyfile").read_text()


def test_gunicorn_keeps_its_streams(data_dir):
    import importlib

    from sparrow.box import gunicorn_conf

    conf = importlib.reload(gunicorn_conf)
    worker = pydoc.locate(conf.worker_class)
    assert issubclass(worker, pydoc.locate("gunicorn.workers.gthread.ThreadWorker"))
    assert conf.threads >= 64
    assert not hasattr(conf, "max_requests")
    assert conf.keepalive > 30


def test_a_stream_holds_no_read_transaction(sqlite_database):
    """A stream that is open for long holds no snapshot of the database: the log can be emptied meanwhile."""
    from sparrow import ids, settings
    from sparrow.api import sse
    from sparrow.apps import live
    from sparrow.storage import db
    from sparrow.storage.tables.account import settings as rows

    def log_can_be_emptied() -> bool:
        with db.write() as tx:
            tx.execute(rows.insert(), {"name": ids.new_id(), "value": "x", "updated_at": 0.0})
        with closing(dbapi2.connect(settings.get().db_dir / "sparrow.db", timeout=0)) as other:
            return other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0

    with db.read() as tx:
        tx.execute(rows.select()).all()
        assert not log_can_be_emptied()
    run = live.Live("app", "user")
    pieces = iter(sse.stream(run, first_ping=True).response)
    next(pieces)
    run.emit({"event": "message", "answer": "a"})
    assert b'"answer":"a"' in next(pieces)
    assert log_can_be_emptied()
    run.finish()


def test_streams_are_never_silent_for_long():
    from sparrow.apps import live

    assert live.PING_SECONDS <= 15


def test_caddy_has_no_authority_of_its_own():
    text = (ROOT / "caddy/Caddyfile").read_text()
    assert "auto_https off" in text
    assert "admin off" in text
    assert "flush_interval" not in text
    compressed = re.findall(r"^\s+header Content-Type (\S+)\*$", text, re.M)
    assert compressed
    assert not any("text/event-stream".startswith(kind) for kind in compressed)
