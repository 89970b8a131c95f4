"""The worker program: RQ's fork worker, and a dispatcher thread that feeds it from the job table.

The dispatcher sleeps on the bell (a Redis list); a ring, or ten seconds of silence, makes it look at the table
and give RQ what RQ does not hold. RQ brings the fork per job, its time limit and the restart of a dead child.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import suppress
from functools import partial

import sqlalchemy as sa

from sparrow import clock, settings
from sparrow.apps import schedule
from sparrow.jobs import claim, kinds, run, tidy
from sparrow.knowledge import sources
from sparrow.storage import db, migrate, queue, reserve
from sparrow.storage.tables.jobs import jobs

log = logging.getLogger(__name__)

QUEUE = "sparrow"
PATIENCE = 10  # seconds between two looks at the table without a ring
FAILURE_TTL = 86_400

# Held by whoever uses the database in this process, and while it forks: SQLite remembers per process which locks it
# has on a file, and a child that inherits that memory waits for its parent's locks or trusts them as its own.
_closed_at_fork = threading.Lock()
_tidied = -tidy.EVERY
_running = ""  # the job that this worker's one child was forked for, "" while there is none
_forked_at = 0.0


def main(*, burst: bool = False) -> None:
    """Run until stopped (or, with `burst`, until the table has no queued job)."""
    from rq import Queue, Worker
    from rq.serializers import JSONSerializer

    class ForkWorker(Worker):
        def fork_work_horse(self, job, queue):
            with _closed_at_fork:
                super().fork_work_horse(job, queue)
            if self._stop_requested:  # at the moment of the fork
                self._end_child()

        def execute_job(self, job, queue):
            global _running, _forked_at
            _forked_at, _running, self._kind = clock.now(), job.id, job.description
            super().execute_job(job, queue)  # an error in here ends the worker, and the child with it
            if not self._stop_requested:  # else its jobs are put back at the end: none of them failed
                _running = ""

        def request_stop(self, signum, frame):
            super().request_stop(signum, frame)  # does not return while no job runs
            self._end_child()

        def _end_child(self):
            if self.horse_pid and self._kind not in kinds.WAITED_FOR:
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(self.horse_pid, signal.SIGKILL)

    migrate.wait()
    connection = _connect()
    rq_queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
    run.owner = claim.mark(os.getpid())
    run.spare = partial(_spare, rq_queue)
    recover(rq_queue)
    if settings.get().rag:
        queue.submit("check_knowledge", {}, key="check_knowledge")
    dispatch(rq_queue)
    db.reset()
    if not burst:
        threading.Thread(target=_dispatch_forever, args=(rq_queue,), daemon=True, name="dispatcher").start()
    worker = ForkWorker([rq_queue], connection=connection, serializer=JSONSerializer)
    worker.work(burst=burst, logging_level="WARNING")
    with _closed_at_fork:
        claim.put_back(run.owner)


def recover(rq_queue) -> None:
    """Take over the jobs of workers that are gone; RQ would hold on to them until their time is over."""
    for job_id in claim.recover():
        _release(rq_queue, job_id)


def _release(rq_queue, job_id: str) -> None:
    if (job := rq_queue.fetch_job(job_id)) is not None:
        job.delete()


def _spare(rq_queue, job_id: str) -> None:
    """Have RQ forget a job that a child runs by itself; where Redis cannot be asked a child is forked for nothing."""
    from redis.exceptions import RedisError

    with suppress(RedisError):
        _release(rq_queue, job_id)


def dispatch(rq_queue) -> int:
    """Hand every queued row that RQ does not hold to RQ; return how many."""
    with db.read() as tx:
        rows = tx.execute(sa.select(jobs.c.id, jobs.c.kind).where(jobs.c.state == "queued")
                          .order_by(jobs.c.created_at)).all()
    if not rows:
        return 0
    held = set(rq_queue.get_job_ids()) | set(rq_queue.started_job_registry.get_job_ids())
    count = 0
    for job_id, kind in rows:
        if job_id in held:
            continue
        timeout = kinds.KINDS[kind][2] if kind in kinds.KINDS else 60
        rq_queue.enqueue_call("sparrow.jobs.run.run_job", args=(job_id,), job_id=job_id, timeout=timeout,
                              description=kind, result_ttl=0, failure_ttl=FAILURE_TTL)
        count += 1
    return count


def _dispatch_forever(rq_queue) -> None:
    # A connection of its own: RQ's is busy waiting for jobs.
    connection = _connect()
    looked = 0.0
    while True:
        try:
            if connection.brpop(queue.BELL, timeout=PATIENCE):
                connection.delete(queue.BELL)  # one look sees what all of them rang for
            with _closed_at_fork:
                try:
                    looked = _look(rq_queue, looked)
                finally:
                    db.reset()
        except Exception as error:
            log.warning("dispatcher: %s", error)
            time.sleep(1)


def _look(rq_queue, looked: float) -> float:
    """Do what is due in the table; return when it was last looked at for the jobs of other workers."""
    reserve.keep(settings.get().db_dir)
    if clock.monotonic() - looked > PATIENCE / 2:
        looked = clock.monotonic()
        claim.renew(run.owner)
        recover(rq_queue)
    _settle_dead_children(rq_queue)
    _tidy()
    schedule.tick()
    if settings.get().rag:
        sources.watch()
    dispatch(rq_queue)
    return looked


def _tidy() -> None:
    global _tidied
    if clock.monotonic() - _tidied > tidy.EVERY:
        _tidied = clock.monotonic()
        queue.submit(tidy.KIND, {}, key=tidy.KIND)


def _settle_dead_children(rq_queue) -> None:
    """Requeue rows that run in no child (it was killed for memory or time) while this worker lives on."""
    with db.read() as tx:
        running = tx.execute(sa.select(jobs.c.id, jobs.c.started_at).where(
            jobs.c.state == "running", jobs.c.worker == run.owner)).all()
    for job_id, started_at in running:
        # A child runs the job it was forked for and, in its turn, others that it begins later.
        if job_id != _running and not (_running and started_at >= _forked_at):
            claim.give_back(job_id, run.owner, alone=True)
            _release(rq_queue, job_id)


def _connect():
    """Return a Redis connection, waiting up to a minute for the server."""
    import redis

    # redis-py gives up a read after 5 s by itself; the dispatcher waits longer than that for a ring.
    connection = redis.Redis.from_url(settings.get().redis_url, socket_timeout=PATIENCE + 5)
    deadline = clock.monotonic() + 60
    while True:
        try:
            connection.ping()
        except redis.exceptions.ConnectionError:
            if clock.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return connection
