"""A knowledge base into a zip that is made while it is sent: flat memory, no copy on the disk."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from sparrow import __version__, clock
from sparrow.errors import BadRequest
from sparrow.storage import db, files
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.files import files as file_table

from .. import datasets
from ..embed import embedder
from . import form

_ROWS = 200  # passages read at once
_BLOCK = 1 << 20
_PACKED, _ROW_BYTES = 0.4, 90  # of text, what is left when it is packed; of a passage, what is written beside its text
_SUMMARY = "summary"  # in the place of a child's id: the unit of a passage's summary
_encode = msgspec.json.Encoder().encode


def export(dataset_id: str, report: Callable[[int, int], None] = lambda done, total: None
           ) -> tuple[str, Iterator[bytes]]:
    """Return a file name and the bytes of a base's file; raise BadRequest for an external base.

    `report` gets passages written and their number. The bytes are of one state of the database; closing the
    iterator early leaves nothing behind.
    """
    base = datasets.get(dataset_id)
    if base["provider"] == "external":
        raise _external()
    return files.clean_name(base["name"]) + form.SUFFIX, _Packer(base, report).run()


def size(dataset_id: str) -> dict[str, int]:
    """Return about how large a base's file will be: {bytes, files, segments}; raise BadRequest for an external base.

    What is packed is judged by what text usually packs to, so the true size may be a fifth off.
    """
    base = datasets.get(dataset_id)
    if base["provider"] == "external":
        raise _external()
    packer = _Packer(base, lambda done, total: None)
    s, u = t.segments.c, t.units.c
    with db.read() as tx:
        count, text = tx.execute(sa.select(sa.func.count(), sa.func.sum(
            sa.func.octet_length(s.content) + sa.func.coalesce(sa.func.octet_length(s.summary), 0)))
            .select_from(packer.passages())).one()
        children, inner = tx.execute(sa.select(sa.func.count(), sa.func.sum(sa.func.octet_length(
            t.child_chunks.c.content))).where(t.child_chunks.c.dataset_id == dataset_id)).one()
        vectors = tx.execute(sa.select(sa.func.count()).where(
            u.dataset_id == dataset_id, u.uses.like("v%"))).scalar() or 0
        stored = list(packer.files(tx))
        read = sum(tx.execute(sa.select(sa.func.sum(sa.func.octet_length(t.page_texts.c.text))).where(
            t.page_texts.c.file_id.in_([file.id for file, _ in stored[at:at + _ROWS]]))).scalar() or 0
            for at in range(0, len(stored), _ROWS))
    held = [(path.stat().st_size, file.mime_type.startswith("text/")) for file, path in stored]
    written = int(text or 0) + int(inner or 0) + int(read)
    return {"files": len(stored), "segments": count, "bytes": int(
        sum(each * (_PACKED if packed else 1) for each, packed in held) + written * _PACKED
        + (count + children) * _ROW_BYTES + vectors * (base["embedding_dimension"] or 0) * 4)}


def _external() -> BadRequest:
    return BadRequest("An external knowledge base is on another server; there is nothing to export here.",
                      code="external_dataset")


class _Sink:
    """Collects what zipfile writes until it is sent on; it cannot seek, so zipfile streams."""

    def __init__(self):
        self.pieces: list[bytes] = []
        self.size = 0

    def write(self, data: Any) -> int:
        self.pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def take(self) -> bytes:
        """Return what came in since the last call."""
        data, self.pieces, self.size = b"".join(self.pieces), [], 0
        return data


class _Packer:
    def __init__(self, base: dict[str, Any], report: Callable[[int, int], None]):
        self.base, self.report = base, report
        self.members: dict[str, form.Member] = {}
        self.key = embedder(base["embedding_model_provider"], base["embedding_model"]).key
        self.dimension = base["embedding_dimension"]

    def run(self) -> Iterator[bytes]:
        sink = _Sink()
        with db.read() as tx, zipfile.ZipFile(sink, "w", allowZip64=True) as archive:
            if db.dialect() == "postgresql":
                tx.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            total = tx.execute(sa.select(sa.func.count()).select_from(self.passages())).scalar() or 0
            count = tx.execute(sa.select(sa.func.count()).select_from(t.documents).where(
                t.documents.c.dataset_id == self.base["id"])).scalar() or 0
            stored = list(self.files(tx))
            for name, chunks, packed in (
                    ("base.json", iter([_encode(self._settings(tx))]), True),
                    ("files.jsonl", self._file_lines(tx, stored), True),
                    *((file.member, _read(path), file.mime_type.startswith("text/")) for file, path in stored),
                    ("documents.jsonl", self._documents(tx), True),
                    ("segments.jsonl", self._passages(tx, total), True),
                    ("vectors.bin", self._vectors(tx), False)):
                yield from self._member(archive, sink, name, chunks, packed)
            manifest = form.Manifest(
                format=form.FORMAT, version=form.VERSION, made_by=__version__, created_at=clock.now(),
                name=self.base["name"], documents=count, segments=total, members=self.members,
                model=form.Model(self.base["embedding_model_provider"], self.base["embedding_model"],
                                 self.dimension) if self.dimension else None)
            archive.writestr("manifest.json", _encode(manifest))
        yield sink.take()

    def _member(self, archive: zipfile.ZipFile, sink: _Sink, name: str, chunks: Iterator[bytes], packed: bool
                ) -> Iterator[bytes]:
        digest, size = hashlib.sha256(), 0
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        with archive.open(info, "w", force_zip64=True) as out:
            for data in chunks:
                digest.update(data)
                size += len(data)
                out.write(data)
                if sink.size >= _BLOCK:
                    yield sink.take()
        self.members[name] = form.Member(size, digest.hexdigest())

    def _settings(self, tx) -> form.Base:
        chosen = t.metadata_fields.c.dataset_id == self.base["id"]
        known = [form.Field(name, kind) for name, kind in tx.execute(sa.select(
            t.metadata_fields.c.name, t.metadata_fields.c.type).where(chosen).order_by(t.metadata_fields.c.created_at))]
        tags = list(tx.execute(sa.select(t.dataset_tags.c.name).join(
            t.dataset_tag_bindings, t.dataset_tag_bindings.c.tag_id == t.dataset_tags.c.id).where(
            t.dataset_tag_bindings.c.dataset_id == self.base["id"]).order_by(t.dataset_tags.c.name)).scalars())
        return form.Base(**{name: self.base[name] for name in form.names(form.Base)}, fields=known, tags=tags)

    def files(self, tx) -> Iterator[tuple[form.File, Any]]:
        """Yield the originals and pictures that are there, with where they lie."""
        wanted = list(dict.fromkeys(datasets.files_of(tx, t.documents.c.dataset_id == self.base["id"])))
        number = 0
        for at in range(0, len(wanted), _ROWS):
            for row in tx.execute(file_table.select().where(
                    file_table.c.id.in_(wanted[at:at + _ROWS])).order_by(file_table.c.id)).mappings():
                path = files.path(row["id"])
                if path.exists():
                    number += 1
                    yield form.File(row["id"], row["name"], row["mime_type"], f"files/{number}"), path

    def _file_lines(self, tx, stored: list[tuple[form.File, Any]]) -> Iterator[bytes]:
        p = t.page_texts.c
        for file, _ in stored:
            pages = [form.PageText(*row) for row in tx.execute(
                sa.select(p.page, p.model, p.text).where(p.file_id == file.id).order_by(p.page))]
            yield _encode(msgspec.structs.replace(file, pages=pages)) + b"\n"

    def _documents(self, tx) -> Iterator[bytes]:
        d = t.documents
        for row in tx.execute(d.select().where(d.c.dataset_id == self.base["id"]).order_by(
                d.c.position, d.c.id)).mappings():
            yield _encode(form.Document(**{name: row[name] for name in form.names(form.Document)})) + b"\n"

    def passages(self):
        """Return the passages of finished documents, as what to select from."""
        return t.segments.join(t.documents, sa.and_(
            t.documents.c.id == t.segments.c.document_id, t.documents.c.dataset_id == self.base["id"],
            t.documents.c.indexing_status == "completed"))

    def _batches(self, tx) -> Iterator[list[Any]]:
        """Yield the rows of finished documents' passages, some at a time, always in the same order."""
        s = t.segments.c
        chosen = sa.select(t.documents.c.id).where(
            t.documents.c.dataset_id == self.base["id"], t.documents.c.indexing_status == "completed"
        ).order_by(t.documents.c.position, t.documents.c.id)
        for document_id in list(tx.execute(chosen).scalars()):
            after = -1
            while rows := tx.execute(t.segments.select().where(
                    s.document_id == document_id, s.position > after).order_by(s.position).limit(_ROWS)
                    ).mappings().all():
                after = rows[-1]["position"]
                yield rows

    def _children(self, tx, rows: list[Any]) -> dict[str, list[Any]]:
        out: dict[str, list[Any]] = {row["id"]: [] for row in rows}
        c = t.child_chunks
        for child in tx.execute(c.select().where(c.c.segment_id.in_(list(out))).order_by(
                c.c.segment_id, c.c.position, c.c.id)).mappings():
            out[child["segment_id"]].append(child)
        return out

    def _units(self, tx, rows: list[Any], column) -> dict[tuple[str, str | None], Any]:
        """Return a column of the stored vectors by (passage, child or `_SUMMARY`)."""
        if not self.dimension:
            return {}
        u = t.units.c
        return {(segment_id, _SUMMARY if summary else child_id): value
                for segment_id, child_id, summary, value in tx.execute(
            sa.select(u.segment_id, u.child_id, u.summary, column).join(t.embeddings, sa.and_(
                t.embeddings.c.hash == u.hash, t.embeddings.c.model == self.key)).where(
                u.segment_id.in_([row["id"] for row in rows]), u.uses.like("v%"),
                sa.func.length(t.embeddings.c.vector) == self.dimension * 4))}

    def _passages(self, tx, total: int) -> Iterator[bytes]:
        columns, done = form.names(form.Segment), 0
        for rows in self._batches(tx):
            children = self._children(tx, rows)
            known = self._units(tx, rows, t.units.c.serial)
            for row in rows:
                yield _encode(form.Segment(
                    **{name: row[name] for name in columns}, vector=(row["id"], None) in known,
                    summary_vector=(row["id"], _SUMMARY) in known,
                    children=[form.Child(child["id"], child["content"], child["type"],
                                         (row["id"], child["id"]) in known) for child in children[row["id"]]])) + b"\n"
            done += len(rows)
            self.report(done, total)

    def _vectors(self, tx) -> Iterator[bytes]:
        if not self.dimension:
            return
        for rows in self._batches(tx):
            children = self._children(tx, rows)
            known = self._units(tx, rows, t.embeddings.c.vector)
            for row in rows:
                for child_id in (None, *(child["id"] for child in children[row["id"]]), _SUMMARY):
                    vector = known.get((row["id"], child_id))
                    if vector is not None:
                        yield bytes(vector)


def _read(path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while data := file.read(_BLOCK):
            yield data
