"""A knowledge base out of a zip: checked whole before anything is written, visible only when all is there.

The rows go in by batches; the base's own row comes last, so that a half-made base is never seen. A run after a
crash clears what the last one left and begins again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec
import sqlalchemy as sa

from sparrow import __version__, clock, ids
from sparrow.errors import NotFound, SparrowError, Unavailable
from sparrow.storage import db, files, queue
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.files import files as file_table
from sparrow.storage.tables.jobs import jobs

from .. import chunk, datasets, indexing, mending, ocr, syncing, units
from ..embed import builtin, embedder
from . import form

KIND = "import_dataset"
_BATCH = 100
_BLOCK = 1 << 20
_LINK = re.compile(r"/files/([0-9a-f-]{36})/")
Report = Callable[[str, int, int], None]  # stage (checking | files | passages), done, total


class _Cancelled(Exception):
    """Somebody stopped the import."""


def submit(file_id: str, name: str = "") -> str:
    """Queue the import of an uploaded file and return the job's id; raise TransferError for no such file."""
    found = inspect(files.path(files.get(file_id)["id"]))
    job_id = queue.submit(KIND, {
        "file_id": file_id, "name": name.strip(), "dataset_id": None, "stage": "waiting", "done": 0,
        "total": found.segments, "finished": False})
    return job_id


def state(job_id: str) -> dict[str, Any]:
    """Return how far an import is: id, state, stage, done, total, dataset_id once it is there, error."""
    row = _job(job_id)
    given = row["payload"]
    return {"id": job_id, "state": "succeeded" if given["finished"] else row["state"], "stage": given["stage"],
            "done": given["done"], "total": given["total"], "error": row["error"],
            "dataset_id": given["dataset_id"] if given["finished"] else None}


def stop(job_id: str) -> None:
    """Stop an import; what it wrote is removed."""
    row = _job(job_id)
    if row["payload"]["finished"]:
        return
    with db.write() as tx:
        tx.execute(jobs.update().where(jobs.c.id == job_id, jobs.c.state.in_(queue.LIVE)).values(
            state="cancelled", finished_at=clock.now(), updated_at=clock.now()))
    if row["state"] == "queued":
        files.delete(row["payload"]["file_id"])


def run_job(payload: dict[str, Any], context: Any) -> None:
    """Import the file a job names (sparrow.jobs.kinds)."""
    if payload["finished"]:
        return
    noted = dict(payload)
    last = 0.0

    def report(stage: str, done: int, total: int) -> None:
        nonlocal last
        if context.cancelled():
            raise _Cancelled
        if stage != noted["stage"] or clock.monotonic() - last > 0.5:
            last = clock.monotonic()
            noted.update(stage=stage, done=done, total=total)
            with db.write() as tx:
                _note(tx, context.job_id, noted)

    path = files.path(payload["file_id"])
    try:
        found = inspect(path)
        if payload["dataset_id"]:
            _clear(payload["dataset_id"])
        noted["dataset_id"] = _free_id(path, found)
        with db.write() as tx:
            _note(tx, context.job_id, noted)
        load(path, name=payload["name"], dataset_id=noted["dataset_id"], report=report,
             done=lambda tx: _note(tx, context.job_id, {**noted, "finished": True, "stage": "done"}))
    except _Cancelled:
        pass
    finally:
        files.delete(payload["file_id"])


def inspect(path: Path) -> form.Manifest:
    """Return the manifest of a file; raise TransferError where it is none, is damaged, or of a newer form."""
    with _open(path) as archive:
        try:
            info = archive.getinfo("manifest.json")
        except KeyError:
            raise form.TransferError("This is a zip file, but not an exported knowledge base: it has no "
                                     "manifest.json.") from None
        if info.file_size > form.MAX_MANIFEST:
            raise _damaged("its manifest is too large")
        raw = b"".join(_bytes(archive, info))
        try:
            loose = msgspec.json.decode(raw)
            kind, version = loose["format"], loose["version"]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
            raise _damaged("its manifest cannot be read") from None
        if kind != form.FORMAT:
            raise form.TransferError("The file is not an exported knowledge base.")
        if not isinstance(version, int) or version > form.VERSION:
            raise form.TransferError(
                f"The file was made by a newer Sparrow ({loose.get('made_by')}, form {version}); this box has "
                f"{__version__} and reads forms up to {form.VERSION}. Update this box first.",
                code="newer_knowledge_file")
        manifest = _record(raw, msgspec.json.Decoder(form.Manifest), "manifest.json", 1)
        present = {name: info.file_size for name, info in zip(archive.namelist(), archive.infolist(), strict=True)}
        present.pop("manifest.json")
        for name, member in manifest.members.items():
            if present.pop(name, None) != member.size:
                raise _damaged(f"its part {name} is missing or cut off")
        if present:
            raise _damaged(f"it has a part the manifest does not name ({next(iter(present))[:80]})")
        for name in ("base.json", "files.jsonl", "documents.jsonl", "segments.jsonl", "vectors.bin"):
            if name not in manifest.members:
                raise _damaged(f"its part {name} is missing")
    return manifest


def load(path: Path, *, name: str = "", dataset_id: str | None = None,
         report: Report = lambda stage, done, total: None, done: Callable[[Any], None] = lambda tx: None) -> str:
    """Import a file and return the new base's id; raise TransferError, having written nothing.

    Ids are kept where this box does not have the base yet, so that apps that name it find it; otherwise new ones
    are made. `done` runs in the transaction that makes the base visible.
    """
    manifest = inspect(path)
    with _open(path) as archive:
        _verify(archive, manifest, report)
        work = _Loader(archive, manifest, dataset_id or _free_id(path, manifest), report)
        try:
            work.run(name, done)
        except sa.exc.IntegrityError as error:
            _clear(work.id)
            raise _damaged("the same id comes twice in it") from error
        except OSError as error:
            _clear(work.id)
            if error.errno == errno.ENOSPC:
                raise _full() from error
            raise
        except BaseException:
            _clear(work.id)
            raise
    work.after()
    return work.id


class _Loader:
    def __init__(self, archive: zipfile.ZipFile, manifest: form.Manifest, dataset_id: str, report: Report):
        self.archive, self.manifest, self.id, self.report = archive, manifest, dataset_id, report
        self.base = _record(archive.read("base.json"), msgspec.json.Decoder(form.Base), "base.json", 1)
        self.model = embedder("", "") if self.base.embedding_model_provider in ("", builtin.PROVIDER) else \
            embedder(self.base.embedding_model_provider, self.base.embedding_model)
        # Vectors of another embedded model are of no use here: the base is embedded anew.
        self.reuse = manifest.model is not None and (
            not self.model.builtin or self.base.embedding_model in ("", self.model.model))
        self.files: dict[str, str] = {}
        self.unfinished: list[str] = []
        self.lacking = False

    def run(self, name: str, done: Callable[[Any], None]) -> None:
        self._take_files()
        documents = self._take_documents()
        self._take_segments(documents)
        self._finish(name, done)

    def after(self) -> None:
        """Bring the indexes up to date, in the background."""
        from .. import reindex

        datasets.want_chroma()
        if self.lacking:
            reindex.submit(self.id)
        else:
            syncing.submit(self.id)

    def _new(self, old: str) -> str:
        """Return the id an old one becomes; always the same, so that records can refer to each other."""
        return old if self.id == self.base.id else str(uuid5(UUID(self.id), old))

    def _take_files(self) -> None:
        total = sum(member.startswith("files/") for member in self.manifest.members)
        for number, record in enumerate(self._lines("files.jsonl", form.File)):
            self.report("files", number, total)
            if record.member not in self.manifest.members or not record.member.startswith("files/"):
                raise _damaged(f"the original of {record.name[:80]} is missing")
            with self.archive.open(record.member) as stream:
                self.files[record.id] = files.save(stream, record.name, mime_type=record.mime_type[:255],
                                                   created_by=_mark(self.id))["id"]
            if record.pages:
                now = clock.now()
                with db.write() as tx:
                    tx.execute(t.page_texts.insert(), [
                        {"file_id": self.files[record.id], "page": one.page, "model": one.model[:255],
                         "text": one.text, "created_at": now} for one in record.pages])

    def _take_documents(self) -> set[str]:
        rows, known = [], set()
        for record in self._lines("documents.jsonl", form.Document):
            row = msgspec.structs.asdict(record)
            known.add(record.id)
            info = dict(record.data_source_info or {})
            file_id = self.files.get(record.file_id or "")
            if file_id:
                info["upload_file_id"] = file_id
            if info.get("images"):
                info["images"] = [self.files[old] for old in info["images"] if old in self.files]
            row.update(id=self._new(record.id), dataset_id=self.id, file_id=file_id, data_source_info=info or None,
                       process_rule_id=ids.new_id(), control="", revision=1,
                       stage={"completed": "done", "error": "error"}.get(record.indexing_status, "waiting"))
            if record.indexing_status not in ("completed", "error"):
                row["indexing_status"] = "waiting"
                self.unfinished.append(row["id"])
            if record.indexing_status != "completed":
                row.update(word_count=0, tokens=0)
            rows.append(row)
            if len(rows) >= _BATCH:
                self._insert(rows)
                rows = []
        self._insert(rows)
        return known

    @staticmethod
    def _insert(rows: list[dict[str, Any]]) -> None:
        if rows:
            with db.write() as tx:
                tx.execute(t.documents.insert(), rows)

    def _take_segments(self, documents: set[str]) -> None:
        total, done, batch, document = self.manifest.segments, 0, [], ""
        dimension = self.manifest.model.dimension if self.manifest.model else None
        with self.archive.open("vectors.bin") as vectors:
            def vector(there: bool) -> bytes | None:
                if not there:
                    return None
                data = vectors.read((dimension or 0) * 4)
                if not dimension or len(data) != dimension * 4:
                    raise _damaged("it has fewer vectors than passages")
                return data

            for record in self._lines("segments.jsonl", form.Segment):
                if record.document_id not in documents:
                    raise _damaged("a passage belongs to no document")
                read = [vector(record.vector), *(vector(child.vector) for child in record.children),
                        vector(record.summary_vector)]
                # A batch is of one document: that is how passages are stored.
                if batch and (record.document_id != document or len(batch) >= _BATCH):
                    done += self._store(document, batch)
                    batch = []
                    self.report("passages", done, total)
                document = record.document_id
                batch.append((record, read))
        if batch:
            self._store(document, batch)

    @mending.healing
    def _store(self, document_id: str, batch: list[tuple[form.Segment, list[bytes | None]]]) -> int:
        high = self.base.indexing_technique != "economy"
        drafts, found = [], {}
        for record, read in batch:
            piece = chunk.Chunk(self._linked(record.content), record.heading or [], record.place_kind, record.place,
                                record.kind, record.answer, [child.content for child in record.children],
                                record.keywords or [])
            draft = units.draft(self.id, piece, record.position, origin=record.origin)
            units.summarise(draft, record.summary)
            draft.row = {
                "id": self._new(record.id), "enabled": record.enabled,
                "attachments": [self.files[old] for old in record.attachments or [] if old in self.files] or None,
                "hit_count": record.hit_count, "disabled_at": record.disabled_at, "created_at": record.created_at,
                "updated_at": record.updated_at}
            draft.child_rows = [{"id": self._new(child.id), "type": child.type} for child in record.children]
            drafts.append(draft)
            mine = (read[1:-1] if record.children else read[:1]) + (read[-1:] if record.summary else [])
            for name, data in zip(draft.hashes, mine, strict=True):
                if data is not None and self.reuse:
                    found[name] = data
                elif high:
                    self.lacking = True
        with db.write() as tx:
            units.store_vectors(tx, self.model.key, found)
            units.store(tx, self.id, self._new(document_id), drafts, vectors=high)
        return len(batch)

    def _linked(self, text: str) -> str:
        return _LINK.sub(lambda match: f"/files/{self.files.get(match[1], match[1])}/", text) \
            if "/files/" in text else text

    def _finish(self, name: str, done: Callable[[Any], None]) -> None:
        now, base = clock.now(), self.base
        row = {key: getattr(base, key) for key in form.names(form.Base)}
        row.update(
            id=self.id, provider="vendor", embedding_model=self.model.model,
            embedding_model_provider=self.model.provider, index_epoch=1, updated_at=now,
            embedding_dimension=self.manifest.model.dimension if self.reuse and self.manifest.model else None)
        if self.lacking:
            row.update(next_embedding_model=self.model.model, next_embedding_provider=self.model.provider)
        with db.write() as tx:
            row["name"] = _free_name(tx, datasets.clean_name(name or base.name))
            tx.execute(t.datasets.insert(), row)
            if base.fields:
                tx.execute(t.metadata_fields.insert(), [
                    {"id": ids.new_id(), "dataset_id": self.id, "name": field.name, "type": field.type,
                     "created_at": now + number / 1000, "updated_at": now}
                    for number, field in enumerate(base.fields)])
            for tag in dict.fromkeys(base.tags):
                tag_id = tx.execute(sa.select(t.dataset_tags.c.id).where(t.dataset_tags.c.name == tag)).scalar()
                if tag_id is None:
                    tag_id = ids.new_id()
                    tx.execute(t.dataset_tags.insert(), {"id": tag_id, "name": tag[:50], "created_at": now})
                tx.execute(t.dataset_tag_bindings.insert(), {"tag_id": tag_id, "dataset_id": self.id,
                                                             "created_at": now})
            tx.execute(file_table.update().where(file_table.c.created_by == _mark(self.id)).values(created_by=""))
            waiting = [queue.add(tx, indexing.KIND, {"document_id": document_id}, key=f"document:{document_id}")
                       for document_id in self.unfinished]
            done(tx)
        for job in waiting:
            queue.ring(job)

    def _lines(self, name: str, struct: type) -> Iterator[Any]:
        decoder = msgspec.json.Decoder(struct)
        with self.archive.open(name) as stream:
            number = 0
            while line := stream.readline(form.MAX_LINE + 1):
                number += 1
                if len(line) > form.MAX_LINE:
                    raise _damaged(f"line {number} of {name} is too long")
                yield _record(line, decoder, name, number)


def _verify(archive: zipfile.ZipFile, manifest: form.Manifest, report: Report) -> None:
    """Read every member and compare it with the manifest; check that the disk has room for all."""
    total = sum(member.size for member in manifest.members.values())
    folder = files.path(manifest.members["base.json"].sha256).parent.parent
    folder.mkdir(parents=True, exist_ok=True)
    status = os.statvfs(folder)
    if status.f_bavail * status.f_frsize < 2 * total:
        raise _full()
    done = 0
    for name, member in manifest.members.items():
        digest = hashlib.sha256()
        for data in _bytes(archive, archive.getinfo(name)):
            digest.update(data)
            done += len(data)
            report("checking", done, total)
        if digest.hexdigest() != member.sha256:
            raise _damaged(f"its part {name} is not what was exported")


def _bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(info) as stream:
            while data := stream.read(_BLOCK):
                yield data
    except Exception as error:  # BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError (a password)
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: a damaged place lies before the file
            raise
        raise _damaged(f"its part {info.filename[:80]} cannot be unpacked") from error


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise NotFound("The file is gone. Upload it again.") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise form.TransferError("The file is not an exported knowledge base, or was cut off on its way. Copy it "
                                 "again.") from error


def _record(raw: bytes, decoder: msgspec.json.Decoder, name: str, number: int) -> Any:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(f"line {number} of {name}: {error}") from None


def _damaged(why: str) -> form.TransferError:
    return form.TransferError(f"The file is damaged: {why}. Nothing was imported. Copy or export it again.")


def _full() -> SparrowError:
    return Unavailable("The disk has no room for this knowledge base. Delete documents or backups, or use a larger "
                       "disk. Nothing was imported.", code="disk_full", status=507)


def _mark(dataset_id: str) -> str:
    """Return what names the files of an import that is not finished."""
    return f"import:{dataset_id}"


def _free_id(path: Path, manifest: form.Manifest) -> str:
    """Return the base's own id where this box has it not, else a new one."""
    with _open(path) as archive:
        raw = b"".join(_bytes(archive, archive.getinfo("base.json"))) \
            if manifest.members["base.json"].size < form.MAX_LINE else b""
    wanted = _record(raw, msgspec.json.Decoder(form.Base), "base.json", 1).id
    if not ids.is_uuid(wanted):
        raise _damaged("its base has no valid id")
    with db.read() as tx:
        taken = tx.execute(sa.select(t.datasets.c.id).where(t.datasets.c.id == wanted)).first() or \
            tx.execute(sa.select(t.documents.c.id).where(t.documents.c.dataset_id == wanted).limit(1)).first()
    return ids.new_id() if taken else wanted


def _free_name(tx, wanted: str) -> str:
    """Return a name no base has: the wanted one, or with a number behind."""
    taken = set(tx.execute(sa.select(t.datasets.c.name)).scalars())
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted[:datasets.MAX_NAME - len(str(number)) - 3]} ({number})"
    return name


@mending.healing
def _clear(dataset_id: str) -> None:
    """Remove what an unfinished import wrote; a base that is visible is left alone."""
    with db.write() as tx:
        if tx.execute(sa.select(t.datasets.c.id).where(t.datasets.c.id == dataset_id)).first():
            return
        units.forget(tx)
        units.remove(tx, t.units.c.dataset_id == dataset_id)
        for table in (t.vector_removals, t.child_chunks, t.segments, t.documents):
            tx.execute(table.delete().where(table.c.dataset_id == dataset_id))
        units.collect_vectors(tx)
        left = list(tx.execute(sa.select(file_table.c.id).where(
            file_table.c.created_by == _mark(dataset_id))).scalars())
        ocr.forget(tx, left)
    for file_id in left:
        files.delete(file_id)


def _job(job_id: str) -> Any:
    with db.read() as tx:
        row = tx.execute(jobs.select().where(jobs.c.id == job_id, jobs.c.kind == KIND)).mappings().first()
    if row is None:
        raise NotFound("There is no such import.")
    return row


def _note(tx, job_id: str, payload: dict[str, Any]) -> None:
    tx.execute(jobs.update().where(jobs.c.id == job_id).values(payload=payload, updated_at=clock.now()))
