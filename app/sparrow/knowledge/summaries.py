"""Summaries of passages: a chat model writes them in a job of its own, and a passage is found by its summary too.

A passage whose summary is to be written is marked (`summary_due`). The job takes some of those at a time, asks the
model for all of them at once, and stores what it got in one transaction, so that a run after a crash goes on behind the
last one and nothing is paid for twice. It makes room for other jobs that wait. A document is found as before meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sparrow import clock
from sparrow.errors import BadRequest, Forbidden, NotFound, SparrowError
from sparrow.messages import Message, ModelAuthorizationError, ModelError, ModelNotConfiguredError, ModelRef
from sparrow.storage import db, queue
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.jobs import jobs

from . import capacity, chroma, mending, patience, syncing, units
from .asking import AnswerError, Asker
from .embed import EmbedderError, embedder

log = logging.getLogger(__name__)

KIND = "write_summaries"
AT_ONCE = 3  # passages the model is asked for at the same time, and stored at once
TURN = 20.0  # seconds after which other jobs that wait come first
TICK = 0.5  # seconds between two looks at what the user asks
SECONDS = 120.0  # for one summary
GIVE_UP = 5  # failures in a row after which the passages that are left are not tried
MAX_CHARS = 4000  # of a summary
MAX_TEXT = 20_000  # characters of a passage that the model reads

PROMPT = """Summarise the text below in one to three sentences, in the language it is written in. Name what it is \
about, the things, names, codes and numbers somebody would look for, and what is said of them. Add nothing that is not \
in the text. Answer with the summary only."""


class SummaryError(BadRequest):
    """A summary cannot be written; the message says why. `busy` as an EmbedderError's; `fatal`: no other one can be."""

    code = "summary_failed"
    busy: float | None = None
    fatal: bool = False


class _Stop(Exception):
    """The document is gone, changed, or the user paused or cancelled; the run ends quietly."""


class _Moved(Exception):
    """The base was switched to another embedding model meanwhile, or vectors that were there went with another text."""


# What holds for a base.

def model(setting: dict[str, Any] | None) -> ModelRef:
    """Return the chat model of a base's setting, the box's default one where it names none; raise SummaryError."""
    from sparrow.providers.store import hub

    setting = setting or {}
    if setting.get("model_name"):
        ref = ModelRef(setting.get("model_provider_name") or "", setting["model_name"])
    else:
        ref = hub().default("llm")
    if ref is None:
        raise SummaryError("No chat model is set up to write summaries. Choose a default model on the Models page.",
                           code="provider_not_initialize", params="summary_index_setting")
    try:
        hub().info(ref)
    except ModelError as error:
        raise SummaryError(str(error), code="provider_not_initialize", params="summary_index_setting") from error
    return ref


def check(setting: dict[str, Any] | None) -> None:
    """Raise SummaryError for a setting that switches summaries on where no model can write them."""
    if setting and setting.get("enable"):
        model(setting)


def wanted(dataset: Any, doc_form: str) -> bool:
    """Tell whether new passages of a document get a summary: a question that has its answer needs none."""
    return bool((dataset["summary_index_setting"] or {}).get("enable")) and doc_form != "qa_model"


def clean(summary: str | None) -> str | None:
    """Return a summary written by hand as it is stored, None for an empty one; raise BadRequest."""
    text = (summary or "").strip().replace("\x00", "")
    if len(text) > MAX_CHARS:
        raise BadRequest(f"A summary is limited to {MAX_CHARS} characters.", params="summary")
    return text or None


# What is to be written.

def mark(tx: Connection, document: Any, condition: Any) -> None:
    """Have the summaries of the passages that fulfil a condition written, in an open write transaction."""
    s = t.segments.c
    tx.execute(t.segments.update().where(s.document_id == document["id"], condition).values(summary_due=True))
    if document["indexing_status"] == "completed":
        _begin(tx, document["id"])


def after_indexing(tx: Connection, document: Any) -> None:
    """Have the summaries of a document written that has just been indexed, where its base wants them."""
    dataset = tx.execute(sa.select(t.datasets.c.summary_index_setting).where(
        t.datasets.c.id == document["dataset_id"])).mappings().first()
    tx.execute(t.kept_summaries.delete().where(t.kept_summaries.c.document_id == document["id"]))
    if dataset is not None and wanted(dataset, document["doc_form"]):
        mark(tx, {**document, "indexing_status": "completed"}, _lacking())


def estimate(dataset_id: str, document_ids: list[str]) -> dict[str, Any]:
    """Return what to write the summaries of documents concerns: passages that lack one, those that have one, characters
    of both, and the model; raise SummaryError where there is none."""
    s = t.segments.c
    setting, rows = _chosen(dataset_id, document_ids)
    chosen = sa.and_(s.document_id.in_([row["id"] for row in rows]), s.enabled.is_(True))
    with db.read() as tx:
        counts = [tx.execute(sa.select(sa.func.count(), sa.func.sum(s.word_count)).where(chosen, condition)).one()
                  for condition in (s.summary.is_(None), s.summary.is_not(None))]
    ref = model(setting)
    return {"passages": counts[0][0], "characters": int(counts[0][1] or 0), "written": counts[1][0],
            "written_characters": int(counts[1][1] or 0), "model": {"provider": ref.provider, "model": ref.name}}


def write(dataset_id: str, document_ids: list[str], *, again: bool = False) -> None:
    """Queue the writing of the summaries that passages of documents lack, and `again` of those that have one."""
    setting, rows = _chosen(dataset_id, document_ids)
    model(setting)
    with db.write() as tx:
        for row in sorted(rows, key=lambda row: row["id"]):  # in one order, as all who hold several
            state = "" if row["summary_state"] == "paused" else row["summary_state"]
            tx.execute(t.documents.update().where(t.documents.c.id == row["id"]).values(summary_state=state))
            mark(tx, row, t.segments.c.enabled.is_(True) if again else _lacking())


def control(dataset_id: str, document_id: str, action: str) -> None:
    """Pause, resume, cancel or retry the writing of a document's summaries; those that are written stay."""
    d = t.documents.c
    with db.write() as tx:
        row = tx.execute(t.documents.select().where(d.id == document_id, d.dataset_id == dataset_id)
                         .with_for_update()).mappings().first()
        if row is None:
            raise NotFound("Document not found.")
        possible = {"pause": ("waiting",), "resume": ("paused",), "retry": ("error",),
                    "cancel": ("waiting", "paused", "error")}.get(action, ())
        if row["summary_state"] not in possible:
            raise BadRequest("The summaries of the document are not being written, or in another state than this is "
                             "for.", code="invalid_action")
        if row["archived"]:
            raise Forbidden("The archived document is not editable.", code="archived_document_immutable")
        if action == "pause":
            tx.execute(t.documents.update().where(d.id == document_id).values(summary_state="paused"))
        elif action == "cancel":
            stop(tx, document_id)
        else:
            tx.execute(t.documents.update().where(d.id == document_id).values(summary_state=""))
            _begin(tx, document_id, done=row["summary_done"])


def stop(tx: Connection, document_id: str) -> None:
    """Have no more summaries of a document written, in an open write transaction."""
    tx.execute(t.segments.update().where(
        t.segments.c.document_id == document_id, t.segments.c.summary_due.is_(True)).values(summary_due=False))
    tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(
        summary_state="", summary_error=None, summary_done=0, summary_total=0))


def _lacking() -> Any:
    return sa.and_(t.segments.c.enabled.is_(True), t.segments.c.summary.is_(None))


def _chosen(dataset_id: str, document_ids: list[str]) -> tuple[dict[str, Any] | None, list[Any]]:
    """Return a base's setting and the rows of documents whose summaries can be written; raise where one's cannot."""
    with db.read() as tx:
        setting = tx.execute(sa.select(t.datasets.c.summary_index_setting).where(
            t.datasets.c.id == dataset_id)).scalar()
        rows = tx.execute(t.documents.select().where(
            t.documents.c.id.in_(document_ids), t.documents.c.dataset_id == dataset_id)).mappings().all()
    if len(rows) < len(set(document_ids)):
        raise NotFound("Document not found.")
    for row in rows:
        if row["archived"]:
            raise Forbidden("The archived document is not editable.", code="archived_document_immutable")
        if row["indexing_status"] != "completed":
            raise BadRequest(f"Document: {row['name']} is being indexed, please try again later.",
                             code="document_indexing")
        if row["doc_form"] == "qa_model":
            raise BadRequest("Questions and answers need no summaries: their questions are matched.",
                             code="invalid_action")
    return setting, rows


def _begin(tx: Connection, document_id: str, done: int | None = None) -> None:
    """Queue the writing of what is marked in a document, unless it is paused."""
    s, d = t.segments.c, t.documents.c
    due = tx.execute(sa.select(sa.func.count()).select_from(t.segments).where(
        s.document_id == document_id, s.summary_due.is_(True))).scalar() or 0
    row = tx.execute(t.documents.select().where(d.id == document_id)).mappings().first()
    if not due or row is None:
        return
    under_way = row["summary_state"] in ("waiting", "paused")
    done = (row["summary_done"] if under_way else 0) if done is None else done
    tx.execute(t.documents.update().where(d.id == document_id).values(
        summary_state=row["summary_state"] if under_way else "waiting", summary_error=None, summary_done=done,
        summary_total=done + due))
    if row["summary_state"] != "paused":
        submit(document_id)


# What a document that is cut anew keeps.

def keep(tx: Connection, document_id: str) -> None:
    """Lay the summaries of a document aside whose passages are about to be removed, by the passages' texts."""
    s = t.segments.c
    rows = dict(map(tuple, tx.execute(sa.select(s.hash, s.summary).where(
        s.document_id == document_id, s.summary.is_not(None)))))
    if rows:
        insert = db.insert(t.kept_summaries)
        tx.execute(insert.on_conflict_do_update(
            index_elements=["document_id", "hash"], set_={"summary": insert.excluded.summary}),
            [{"document_id": document_id, "hash": name, "summary": text} for name, text in rows.items()])
    stop(tx, document_id)


def kept(document_id: str) -> dict[str, str]:
    """Return {hash of a passage's text: summary} of what was laid aside."""
    k = t.kept_summaries.c
    with db.read() as tx:
        return dict(map(tuple, tx.execute(sa.select(k.hash, k.summary).where(k.document_id == document_id))))


def forget(tx: Connection, document_ids: Any) -> None:
    """Remove what was laid aside of documents (ids, or what selects them) that are deleted."""
    tx.execute(t.kept_summaries.delete().where(t.kept_summaries.c.document_id.in_(document_ids)))


# The job.

def submit(document_id: str) -> None:
    """Queue the writing of a document's summaries, unless that waits in the queue already."""
    key = f"summaries:{document_id}"
    with db.write() as tx:
        if tx.execute(sa.select(jobs.c.id).where(jobs.c.key == key, jobs.c.state == "queued").limit(1)).first():
            return
        job = queue.add(tx, KIND, {"document_id": document_id}, key=key)
    queue.ring(job)


def sweep() -> None:
    """Queue the documents whose job is gone."""
    d = t.documents.c
    with db.read() as tx:
        alive = sa.select(jobs.c.key).where(jobs.c.kind == KIND, jobs.c.state.in_(queue.LIVE))
        lost = list(tx.execute(sa.select(d.id).where(
            d.summary_state == "waiting", d.archived.is_(False),
            sa.literal("summaries:").concat(d.id).not_in(alive))).scalars())
    for document_id in lost:
        submit(document_id)


def run_job(payload: dict[str, Any], context: Any) -> None:
    """Write the summaries of the document a job names (sparrow.jobs.kinds), or some of them where others wait."""
    until = clock.monotonic() + TURN
    own = f"summaries:{payload['document_id']}"
    if not run(payload["document_id"], cancelled=context.cancelled, progressed=context.progressed,
               enough=lambda: clock.monotonic() > until and queue.others_wait(own)):
        submit(payload["document_id"])


def given_up(payload: dict[str, Any]) -> None:
    """Write into the document's row that its job ended its process again and again."""
    _fail(payload["document_id"], "Writing the summaries ended its process several times, probably for lack of memory. "
          "Try again when the box has less to do.")


def run(document_id: str, *, cancelled: Callable[[], bool] = lambda: False,
        progressed: Callable[[Connection], None] = lambda tx: None,
        enough: Callable[[], bool] = lambda: False) -> bool:
    """Write what is marked in a document, until `enough`; return whether nothing is left to do for now.

    Errors end in the document's row, not here. `progressed` is called in the transactions that store a part of it.
    """
    try:
        work = _Work.begin(document_id, cancelled, progressed)
        return work is None or work.run(enough)
    except _Stop:
        return True
    except SparrowError as error:
        _fail(document_id, error.message)
    except Exception as error:
        log.exception("writing summaries of %s failed", document_id)
        _fail(document_id, f"The summaries could not be written ({type(error).__name__}: {error}).")
    return True


def _fail(document_id: str, message: str) -> None:
    with db.write() as tx:
        tx.execute(t.documents.update().where(
            t.documents.c.id == document_id, t.documents.c.summary_state == "waiting").values(
            summary_state="error", summary_error=message))


class _Work:
    """One run over one document."""

    def __init__(self, document: Any, dataset: Any, cancelled: Callable[[], bool],
                 progressed: Callable[[Connection], None]):
        self.id, self.revision = document["id"], document["revision"]
        self._cancelled, self._progressed = cancelled, progressed
        setting = dataset["summary_index_setting"] or {}
        self._prompt = (setting.get("summary_prompt") or "").strip() or PROMPT
        self._asker = Asker(model(setting))
        self._failed: dict[str, str] = {}  # passages by their ids, with the reason
        self._rewrote = False
        self._take(dataset)

    @classmethod
    def begin(cls, document_id: str, cancelled: Callable[[], bool],
              progressed: Callable[[Connection], None]) -> _Work | None:
        """Load the document; None if there is nothing to do."""
        with db.read() as tx:
            document = tx.execute(t.documents.select().where(t.documents.c.id == document_id)).mappings().first()
            if document is None or document["archived"] or document["summary_state"] != "waiting" \
                    or document["indexing_status"] != "completed":
                return None
            dataset = tx.execute(t.datasets.select().where(
                t.datasets.c.id == document["dataset_id"])).mappings().first()
        return cls(document, dataset, cancelled, progressed) if dataset is not None else None

    def _take(self, dataset: Any) -> None:
        """Note a base, and the embedding model it has."""
        self.dataset, self.embedder = dataset, None
        if dataset["indexing_technique"] != "economy":
            self.embedder = embedder(dataset["embedding_model_provider"], dataset["embedding_model"])

    def run(self, enough: Callable[[], bool]) -> bool:
        """Write what is marked; return False where `enough` ended it before."""
        if self.embedder is not None:
            capacity.check(self.dataset, self._left())
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="summaries")
        in_a_row, after = 0, -1
        try:
            while True:
                rows = self._due(after)
                if not rows:
                    if self._finish():
                        return True
                    after = -1  # somebody marked more meanwhile
                    continue
                after = rows[-1]["position"]
                rows = [row for row in rows if row["id"] not in self._failed]
                written, error = self._written(pool, rows)
                if written:
                    self._store(pool, rows, written)
                in_a_row = 0 if written else in_a_row + len(rows)
                if error is not None and (error.fatal or in_a_row >= GIVE_UP):
                    raise error
                if enough():
                    return False
        finally:
            self._asker.stop()
            pool.shutdown(cancel_futures=True)

    def _left(self) -> int:
        s = t.segments.c
        with db.read() as tx:
            return tx.execute(sa.select(sa.func.count()).select_from(t.segments).where(
                s.document_id == self.id, s.summary_due.is_(True))).scalar() or 0

    def _due(self, after: int) -> list[Any]:
        s = t.segments.c
        with db.read() as tx:
            return list(tx.execute(t.segments.select().where(
                s.document_id == self.id, s.summary_due.is_(True), s.position > after)
                .order_by(s.position).limit(AT_ONCE)).mappings())

    def _written(self, pool: ThreadPoolExecutor, rows: list[Any]) -> tuple[dict[str, str], SummaryError | None]:
        """Return {passage's id: summary} of what the model wrote, and the last error; note what failed."""
        asked = {pool.submit(patience.patiently, lambda row=row: self._ask(row), self._asker.rest): row for row in rows}
        self._await(set(asked))
        written, last = {}, None
        for future, row in asked.items():
            try:
                written[row["id"]] = future.result()
            except SummaryError as error:
                last = error if last is None or error.fatal else last
                if not error.fatal:
                    self._failed[row["id"]] = error.message
        return written, last

    def _await(self, futures: set[Future]) -> None:
        """Wait for what threads do, and end the run if it is not wanted any more."""
        while futures:
            futures = wait(futures, timeout=TICK).not_done
            if self._cancelled():
                raise _Stop
            with db.read() as tx:
                self._still_wanted(tx)

    def _ask(self, row: Any) -> str:
        text = "\n\n".join(filter(None, (" > ".join(row["heading"] or []), row["content"][:MAX_TEXT])))
        try:
            found, _ = self._asker.ask([Message("user", f"{self._prompt}\n\n{text}")], clock.monotonic() + SECONDS,
                                       MAX_TEXT)
        except ModelError as error:
            failed = SummaryError(f"The model {self._asker.key} failed: {str(error).rstrip('.')}.")
            failed.busy = patience.busy(error)
            failed.fatal = failed.busy is not None or isinstance(
                error, ModelAuthorizationError | ModelNotConfiguredError)
            raise failed from error
        except AnswerError as error:
            raise SummaryError(error.message) from error
        if not found:
            raise SummaryError("The model answered nothing.")
        return found[:MAX_CHARS]

    def _store(self, pool: ThreadPoolExecutor, rows: list[Any], written: dict[str, str]) -> None:
        """Store what the model wrote, with its vectors: these are made again, if need be, the summaries are not."""
        while True:
            texts = {name: text for text, name, _ in (
                units.of_summary(row["heading"], written[row["id"]]) for row in rows if row["id"] in written)}
            embedded = pool.submit(self._embed, texts)  # a busy provider is waited for, with an eye on the user
            self._await({embedded})
            try:
                self._insert(rows, written, embedded.result(), list(texts))
                break
            except _Moved:
                with db.read() as tx:
                    dataset = tx.execute(t.datasets.select().where(
                        t.datasets.c.id == self.dataset["id"])).mappings().first()
                if dataset is None:
                    raise _Stop from None
                self._take(dataset)
        try:
            chroma.sync(self.dataset["id"])
        except chroma.Down:
            syncing.submit(self.dataset["id"])

    @mending.healing
    def _insert(self, rows: list[Any], written: dict[str, str], vectors: dict[str, bytes], names: list[str]) -> None:
        s = t.segments.c
        with db.write() as tx:
            self._still_wanted(tx, hold=True)
            if tx.execute(sa.select(t.datasets.c.index_epoch).where(
                    t.datasets.c.id == self.dataset["id"])).scalar() != self.dataset["index_epoch"]:
                raise _Moved
            if self.embedder is not None:
                units.store_vectors(tx, self.embedder.key, vectors)
                if units.missing_vectors(tx, self.embedder.key, names):
                    raise _Moved
            done = 0
            for row in rows:
                # The passage may have been changed or deleted, or somebody wrote its summary, since it was read.
                if row["id"] in written and tx.execute(sa.select(s.id).where(
                        s.id == row["id"], s.hash == row["hash"], s.summary_due.is_(True))).first():
                    units.set_summary(tx, row, written[row["id"]], vectors=self.embedder is not None)
                    self._rewrote |= bool(row["summary"])
                    done += 1
            tx.execute(t.documents.update().where(t.documents.c.id == self.id).values(
                summary_done=t.documents.c.summary_done + done))
            self._progressed(tx)

    def _embed(self, texts: dict[str, str]) -> dict[str, bytes]:
        if self.embedder is None:
            return {}
        with db.read() as tx:
            missing = units.missing_vectors(tx, self.embedder.key, list(texts))
        names = [name for name in texts if name in missing]
        if not names:
            return {}
        array = self.embedder.encode_patiently([texts[name] for name in names], self._asker.rest)
        known = self.dataset["embedding_dimension"]
        if known and array.shape[1] != known:
            raise EmbedderError(f"The embedding model returned vectors of {array.shape[1]} numbers, but this knowledge "
                                f"base has {known}.", code="embedding_dimension")
        return {name: row.astype("<f4").tobytes() for name, row in zip(names, array, strict=True)}

    def _finish(self) -> bool:
        """Settle the document's state; return False where there is more to do."""
        s, d = t.segments.c, t.documents.c
        with db.write() as tx:
            self._still_wanted(tx, hold=True)
            due = set(tx.execute(sa.select(s.id).where(s.document_id == self.id, s.summary_due.is_(True))).scalars())
            if due - set(self._failed):
                return False
            if self._rewrote:
                units.forget(tx)
                units.collect_vectors(tx)
            if not due:
                tx.execute(t.documents.update().where(d.id == self.id).values(
                    summary_state="", summary_error=None, summary_done=0, summary_total=0))
                return True
        reason = next(self._failed[name] for name in due)
        raise SummaryError(f"Summaries that could not be written: {len(due)}. {reason}")

    def _still_wanted(self, tx: Connection, *, hold: bool = False) -> None:
        d = t.documents.c
        query = sa.select(d.summary_state, d.archived, d.revision).where(d.id == self.id)
        row = tx.execute(query.with_for_update() if hold else query).first()
        if row is None or row.archived or row.summary_state != "waiting" or row.revision != self.revision:
            raise _Stop
