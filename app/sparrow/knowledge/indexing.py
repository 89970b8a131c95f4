"""The indexing of a document: parse, clean, split, embed, index; in batches, with progress, safe to be killed.

First the document is parsed and cut into a spool file; then its chunks are embedded and stored a batch at a time.
A batch is one transaction that also moves the progress on, so that a run after a crash goes on behind the last
whole batch and no chunk is lost or stored twice. Chroma is brought up to date at the end; it may be away.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sparrow import clock, settings
from sparrow.errors import SparrowError
from sparrow.storage import db, files, queue
from sparrow.storage.tables import knowledge as t

from . import capacity, chroma, chunk, mending, ocr, parse, summaries, syncing, units
from .embed import Embedder, EmbedderError, embedder

log = logging.getLogger(__name__)

BATCH = 100  # chunks embedded and stored at once
TICK = 0.5  # seconds between two looks at what the user asks and two notes of progress
KIND = "index_document"
_SETTLED = ("completed", "paused", "error")
_TAKEN = ".taken"  # the ending of the file beside the spool with the ids of the pictures that were taken out


class _Stop(Exception):
    """The document is gone, changed, or the user paused or cancelled (`control`); the run ends quietly."""

    def __init__(self, control: str = ""):
        super().__init__(control)
        self.control = control


def run_job(payload: dict[str, Any], context: Any) -> None:
    """Index the document a job names (sparrow.jobs.kinds)."""
    run(payload["document_id"], cancelled=context.cancelled, progressed=context.progressed)


def given_up(payload: dict[str, Any]) -> None:
    """Write into the document's row that its job ended its process again and again."""
    d = t.documents.c
    with db.write() as tx:
        tx.execute(t.documents.update().where(
            d.id == payload["document_id"], d.indexing_status.not_in(_SETTLED)).values(
            indexing_status="error", stage="error", error_code="process_died", stopped_at=clock.now(),
            updated_at=clock.now(), error="Indexing the document ended its process several times, probably for lack of "
            "memory. Split it, or give the box more memory, then try again."))


def submit(document_ids: list[str]) -> None:
    """Queue documents for indexing, in a transaction that may already be open."""
    with db.write() as tx:
        jobs = [queue.add(tx, KIND, {"document_id": document_id}, key=f"document:{document_id}")
                for document_id in document_ids]
    for job in jobs:
        queue.ring(job)


def remove_spool(document_id: str, *, pictures: bool = True) -> None:
    """Delete the chunks of a document that wait to be indexed, and what a run that was killed left of its reading.

    Without `pictures` those that were taken out stay: they are the document's now.
    """
    for path in (settings.get().db_dir / "spool").glob(f"{document_id}.*"):
        if path.suffix == _TAKEN and pictures:
            for file_id in path.read_text().split():
                files.delete(file_id)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def run(document_id: str, *, cancelled: Callable[[], bool] = lambda: False,
        progressed: Callable[[Connection], None] = lambda tx: None) -> None:
    """Index a document, from wherever an earlier run ended. Errors end in the document's row, not here.

    `progressed` is called in the transactions that store a part of it.
    """
    work = _Work.begin(document_id, cancelled, progressed)
    if work is None:
        return
    try:
        work.index(work.spool())
        work.finish()
    except _Stop as stop:
        if stop.control:
            with db.write() as tx:
                now = _asked(tx, document_id)
                if now == (stop.control, work.document["revision"]):  # else it was begun anew meanwhile
                    settle(tx, document_id, stop.control)
        elif _gone(document_id):
            remove_spool(document_id)  # made after the document was deleted
        return
    except _Moved:
        run(document_id, cancelled=cancelled, progressed=progressed)
        return
    except SparrowError as error:
        work.fail(error.code, error.message)
    except OSError as error:
        full = error.errno == 28
        work.fail("disk_full" if full else "io_error",
                  "The disk is full. Delete documents or backups, or use a larger disk, then try again."
                  if full else f"A file could not be read or written: {error.strerror or error}.")
    except MemoryError:
        work.fail("out_of_memory", "There was not enough memory to index the document. Split it.")
    except Exception as error:
        log.exception("indexing of %s failed", document_id)
        work.fail("internal_error", f"The document could not be indexed ({type(error).__name__}: {error}).")
        return
    try:
        chroma.sync(work.dataset["id"])
    except chroma.Down:
        syncing.submit(work.dataset["id"])


def _gone(document_id: str) -> bool:
    with db.read() as tx:
        return tx.execute(sa.select(t.documents.c.id).where(t.documents.c.id == document_id)).first() is None


class _Moved(Exception):
    """The base was switched to another embedding model meanwhile, or vectors that were there went with another
    document; the run begins again behind what is stored."""


class _Work:
    """One run over one document."""

    def __init__(self, document: Any, dataset: Any, cancelled: Callable[[], bool],
                 progressed: Callable[[Connection], None]):
        self.document, self.dataset, self._cancelled, self._progressed = document, dataset, cancelled, progressed
        self.id: str = document["id"]
        self.rule = chunk.rules.parse(document["process_rule"], document["doc_form"])
        self.embedder: Embedder | None = None
        if dataset["indexing_technique"] != "economy":
            self.embedder = embedder(dataset["embedding_model_provider"], dataset["embedding_model"])
        self._taken = settings.get().db_dir / "spool" / f"{self.id}{_TAKEN}"
        self._next_look = 0.0

    @classmethod
    def begin(cls, document_id: str, cancelled: Callable[[], bool],
              progressed: Callable[[Connection], None]) -> _Work | None:
        """Load the document and mark it as being worked on; None if there is nothing to do."""
        with db.write() as tx:
            document = tx.execute(t.documents.select().where(
                t.documents.c.id == document_id).with_for_update()).mappings().first()
            if document is None or document["archived"] or document["indexing_status"] in _SETTLED:
                return None
            dataset = tx.execute(t.datasets.select().where(
                t.datasets.c.id == document["dataset_id"])).mappings().first()
            if dataset is None:
                return None
            if document["control"]:
                settle(tx, document_id, document["control"])
                return None
            now = clock.now()
            tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(
                indexing_status="parsing", stage="parsing", error=None, error_code=None, done=0, total=0, speed=0,
                processing_started_at=document["processing_started_at"] or now, updated_at=now))
        try:
            return cls(document, dataset, cancelled, progressed)
        except SparrowError as error:
            with db.write() as tx:
                tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(
                    indexing_status="error", stage="error", error=error.message, error_code=error.code,
                    stopped_at=clock.now(), updated_at=clock.now()))
            return None

    # The first half: parse and split into the spool.

    def spool(self) -> Path:
        """Return the file of the document's chunks, one JSON line each, made now or by an earlier run."""
        folder = settings.get().db_dir / "spool"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{self.id}.{self.document['revision']}"
        if target.exists():
            return target
        remove_spool(self.id)
        encode = msgspec.json.Encoder().encode
        part = target.with_name(target.name + ".part")
        try:
            with open(part, "wb") as out, tempfile.TemporaryDirectory(
                    prefix=f"{self.id}.", dir=folder, ignore_cleanup_errors=True) as pictures:
                told = self._transcribe(pictures)
                for piece in chunk.cut(self._blocks(pictures, told), self.rule, self.document["doc_form"],
                                       ask=asker(), language=self.document["doc_language"]):
                    out.write(encode(piece) + b"\n")
                out.flush()
                os.fsync(out.fileno())
            os.replace(part, target)
            self._taken.unlink(missing_ok=True)
        finally:
            part.unlink(missing_ok=True)
        now = clock.now()
        self._note(indexing_status="splitting", stage="splitting", parsing_completed_at=now,
                   cleaning_completed_at=now, splitting_completed_at=now)
        return target

    def _transcribe(self, folder: str) -> list[parse.Notice]:
        """Have pages that are pictures read by a vision model, if there is one; return what to tell.

        What the model has read lies in the folder then, where the parser finds it; without such pages, what the
        parser has already found.
        """
        info = files.get(self.document["file_id"])
        path = files.path(info["id"])
        if not path.exists() or (ocr.model() is None and not ocr.known(info["id"])):
            return []
        with open(path, "rb") as file:
            head = file.read(1024)
        if parse.picture_ending(head) and parse.extension(info["name"]) in parse.PICTURES:
            scanned, total = [1], 1
        elif b"%PDF-" in head:
            scanned, total = self._scanned(folder)
        else:
            return []
        if not scanned:
            return []
        self._note(stage="transcribing", done=0, total=len(scanned))
        outcome = ocr.read(info["id"], path, scanned, total, folder,
                           lambda done, total: self._look(done=done, total=total))
        ocr.write_transcripts(info["id"], scanned, folder)
        told = ocr.notices(outcome, total)
        if len(outcome.failed) == total:
            self._note(notices=_told(told))
            raise ocr.OcrError(f"None of the {total} scanned pages could be read by {outcome.model}: "
                               f"{outcome.failed[scanned[0]]}")
        self._note(stage="parsing", done=0, total=0)
        return told

    def _scanned(self, folder: str) -> tuple[list[int], int]:
        """Return the pages of a PDF that are pictures without text, and the number of all its pages."""
        record = parse.Record(folder)
        try:
            for event in record.keep(self._events(folder)):
                if isinstance(event, parse.Progress):
                    self._look(done=event.done, total=event.total)
                if isinstance(event, parse.Notice) and event.code == "pages_without_text":
                    return event.data["pages"], event.data["total"]
                self._look()
        except parse.ParseError:
            pass  # said when the document is read in earnest
        return [], 0

    def _blocks(self, pictures: str, told: list[parse.Notice]) -> Iterator[parse.Block]:
        notices: list[parse.Notice] = list(told)
        images: dict[int, str] = {}
        try:
            yield from self._read(pictures, notices, images)
        except BaseException as error:
            for picture in images.values():
                files.delete(picture)  # the next try takes them out anew
            if notices and isinstance(error, parse.ParseError):
                self._note(notices=_told(notices))  # e.g. which pages are scanned, where all are
            raise
        if notices or images:
            info = self.document["data_source_info"] or {}
            self._note(notices=_told(notices),
                       data_source_info={**info, "images": list(images.values())} if images else info)
            for old in info.get("images") or []:  # of a try that failed later
                files.delete(old)

    def _read(self, pictures: str, notices: list[parse.Notice], images: dict[int, str]) -> Iterator[parse.Block]:
        found = False
        for event in self._events(pictures):
            if isinstance(event, parse.Block):
                found = True
                if "](image:" in event.text:
                    event.text = _link(event.text, images)
                yield event
            elif isinstance(event, parse.Notice):
                if event.code != "pages_without_text" or not any(one.code in ocr.TOLD for one in notices):
                    notices.append(event)
            elif isinstance(event, parse.Image):
                with open(event.path, "rb") as picture:
                    images[event.number] = files.save(picture, event.name)["id"]
                with open(self._taken, "a") as taken:
                    taken.write(images[event.number] + "\n")
                os.unlink(event.path)
            self._look(done=event.done, total=event.total) if isinstance(event, parse.Progress) else self._look()
        if not found:
            raise parse.ParseError("No text was found in the document.", code="no_text")

    def _events(self, pictures: str) -> Iterator[parse.Event]:
        if pictures and (record := parse.Record(pictures)):
            yield from record.events()
            return
        file = files.get(self.document["file_id"])
        path = files.path(file["id"])
        if not path.exists():
            raise parse.ParseError("The original file is missing. Upload the document again.", code="file_missing")
        limit = settings.get().max_upload_mb << 20
        # A worker's child has no thread but the database's, which the parser does not use.
        yield from parse.read(path, file["name"], pictures, max_bytes=limit, fork=threading.active_count() <= 2)

    # The second half: embed and store.

    def index(self, spool: Path) -> None:
        """Store the chunks that are not stored yet, batch by batch."""
        decoder = msgspec.json.Decoder(chunk.Chunk)
        children = self.document["doc_form"] == "hierarchical_model"
        start, total, vectors = self._stored(), 0, 0  # vectors: that are not there yet
        with open(spool, "rb") as lines:
            for line in lines:
                total += 1
                if total > start:
                    vectors += max(len(decoder.decode(line).children), 1) if children else 1
        if total == 0:
            raise parse.ParseError("No text was found in the document.", code="no_text")
        if self.embedder is not None:
            capacity.check(self.dataset, vectors)
        self._note(indexing_status="indexing", stage="indexing", done=start, total=total)
        began, position, kept = clock.monotonic(), 0, summaries.kept(self.id)
        batch: list[units.Draft] = []
        with open(spool, "rb") as lines:
            for line in lines:
                position += 1
                if position <= start:
                    continue
                batch.append(units.draft(self.dataset["id"], decoder.decode(line), position))
                units.summarise(batch[-1], kept.get(batch[-1].hash))
                if len(batch) >= BATCH:
                    self._store(batch, position, start, began)
                    batch = []
        if batch:
            self._store(batch, position, start, began)

    def _stored(self) -> int:
        """Return up to which position the chunks of this revision are stored."""
        with db.read() as tx:
            return tx.execute(sa.select(sa.func.max(t.segments.c.position)).where(
                t.segments.c.document_id == self.id, t.segments.c.origin == "file")).scalar() or 0

    @mending.healing
    def _store(self, batch: list[units.Draft], position: int, start: int, began: float) -> None:
        vectors = self._embed(batch)
        speed = (position - start) / max(clock.monotonic() - began, 0.001)
        words = sum(len(draft.chunk.content) + len(draft.chunk.answer or "") for draft in batch)
        with db.write() as tx:
            self._still_wanted(tx)
            if tx.execute(sa.select(t.datasets.c.index_epoch).where(
                    t.datasets.c.id == self.dataset["id"])).scalar() != self.dataset["index_epoch"]:
                raise _Moved
            if self.embedder is not None:
                units.store_vectors(tx, self.embedder.key, vectors)
                if units.missing_vectors(tx, self.embedder.key, [name for draft in batch for name in draft.hashes]):
                    raise _Moved
            rows = units.store(tx, self.dataset["id"], self.id, batch, vectors=self.embedder is not None)
            tx.execute(t.documents.update().where(t.documents.c.id == self.id).values(
                done=position, speed=round(speed, 1), updated_at=clock.now(),
                word_count=t.documents.c.word_count + words,
                tokens=t.documents.c.tokens + sum(row["tokens"] for row in rows)))
            self._progressed(tx)
        self._look()

    def _embed(self, batch: list[units.Draft]) -> dict[str, bytes]:
        if self.embedder is None:
            return {}
        texts = {name: text for draft in batch for name, text in zip(draft.hashes, draft.texts, strict=True)}
        with db.read() as tx:
            missing = units.missing_vectors(tx, self.embedder.key, list(texts))
        wanted = [name for name in texts if name in missing]
        out: dict[str, bytes] = {}
        for at in range(0, len(wanted), BATCH):
            part = wanted[at:at + BATCH]
            array = self.embedder.encode_patiently([texts[name] for name in part], self._rest)
            self._check_dimension(int(array.shape[1]))
            out.update((name, row.astype("<f4").tobytes()) for name, row in zip(part, array, strict=True))
            self._look()
        return out

    def _check_dimension(self, dimension: int) -> None:
        known = self.dataset["embedding_dimension"]
        if known is None:
            with db.write() as tx:
                tx.execute(t.datasets.update().where(
                    t.datasets.c.id == self.dataset["id"], t.datasets.c.embedding_dimension.is_(None))
                    .values(embedding_dimension=dimension))
                known = tx.execute(sa.select(t.datasets.c.embedding_dimension).where(
                    t.datasets.c.id == self.dataset["id"])).scalar()
            self.dataset = {**self.dataset, "embedding_dimension": known}
        if dimension != known:
            raise EmbedderError(
                f"The embedding model returned vectors of {dimension} numbers, but this knowledge base has {known}. "
                "Choose the model it was made with, or re-index the whole base with the new one.",
                code="embedding_dimension")

    def finish(self) -> None:
        """Mark the document as completed and remove its spool."""
        now = clock.now()
        with db.write() as tx:
            self._still_wanted(tx)
            tx.execute(t.documents.update().where(t.documents.c.id == self.id).values(
                indexing_status="completed", stage="done", error=None, error_code=None, completed_at=now,
                updated_at=now))
            summaries.after_indexing(tx, self.document)
        remove_spool(self.id, pictures=False)

    def fail(self, code: str, message: str) -> None:
        """Write the error into the document's row; what is stored stays for a retry."""
        with db.write() as tx:
            tx.execute(t.documents.update().where(
                t.documents.c.id == self.id, t.documents.c.revision == self.document["revision"]).values(
                indexing_status="error", stage="error", error=message, error_code=code, stopped_at=clock.now(),
                updated_at=clock.now()))
        if code in ("no_text", "model_needed"):
            remove_spool(self.id, pictures=False)

    # What the user asks meanwhile.

    def _note(self, **values: Any) -> None:
        with db.write() as tx:
            self._still_wanted(tx)
            tx.execute(t.documents.update().where(t.documents.c.id == self.id).values(
                updated_at=clock.now(), **values))

    def _look(self, **progress: int) -> None:
        """Every now and then write the progress and end the run if it is not wanted any more."""
        now = clock.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + TICK
        if self._cancelled():
            raise _Stop
        if progress:
            self._note(**progress)
        else:
            with db.read() as tx:
                row = tx.execute(sa.select(t.documents.c.control, t.documents.c.revision).where(
                    t.documents.c.id == self.id)).first()
            if row is None or row[0] or row[1] != self.document["revision"]:
                with db.write() as tx:
                    self._still_wanted(tx)

    def _rest(self, seconds: float) -> None:
        until = clock.monotonic() + seconds
        while (left := until - clock.monotonic()) > 0:
            time.sleep(min(left, TICK))
            self._look()

    def _still_wanted(self, tx: Connection) -> None:
        row = _asked(tx, self.id)
        if row is None or row[1] != self.document["revision"]:
            raise _Stop
        if row[0]:
            raise _Stop(row[0])


def _asked(tx: Connection, document_id: str) -> Any:
    """Return a document's control and revision as they stay until the open write transaction ends, None if it is gone.
    """
    d = t.documents.c
    return tx.execute(sa.select(d.control, d.revision).where(d.id == document_id).with_for_update()).first()


def settle(tx, document_id: str, control: str) -> None:
    """Write what the user asked as the document's state."""
    now = clock.now()
    if control == "pause":
        values: dict[str, Any] = {"indexing_status": "paused", "stage": "paused", "paused_at": now}
    else:
        values = {"indexing_status": "error", "stage": "error", "error": "Cancelled.", "error_code": "cancelled",
                  "stopped_at": now}
    tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(
        control="", updated_at=now, **values))


def _told(notices: list[parse.Notice]) -> list[dict[str, Any]] | None:
    return [{"code": notice.code, "message": notice.message, **notice.data}
            | ({"pages": notice.data["pages"][:2000]} if "pages" in notice.data else {})
            for notice in notices] or None


def _link(text: str, images: dict[int, str]) -> str:
    for number, file_id in images.items():
        text = text.replace(f"](image:{number})", f"](/files/{file_id}/image-preview)")
    return text


def asker() -> Callable[[str], str] | None:
    """Return a function that asks the default language model, None where there is none."""
    try:
        from sparrow.messages import Message
        from sparrow.providers.store import hub

        model = hub().default("llm")
    except Exception:  # only Q&A documents of running text need one, and they say so
        return None
    if model is None:
        return None
    return lambda prompt: "".join(
        part.text for part in hub().chat(model, [Message("user", prompt)], stream=False))
