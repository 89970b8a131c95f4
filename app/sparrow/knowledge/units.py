"""Passages into and out of the tables: rows, matchable units, keyword index, vectors, in one transaction."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from sparrow import clock, ids
from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

from . import keyword, mending
from .chunk import Chunk, context, estimate

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_IN = 500  # bound values of one statement


class Draft(msgspec.Struct):
    """A passage ready to be stored: what is computed before the transaction begins."""

    chunk: Chunk
    position: int
    origin: str
    texts: list[str]  # what is embedded: the passage, or its children; last its summary, if it has one
    hashes: list[str]  # of `texts`
    hash: str
    prepared: object  # what the keyword index stores
    keywords: list[str] | None = None
    summary: str | None = None
    prepared_summary: object = None
    row: dict[str, Any] = {}  # columns of the passage that are known already (an import keeps its identity)
    child_rows: list[dict[str, Any]] = []  # the same for its children, in order


def draft(dataset_id: str, chunk: Chunk, position: int, *, origin: str = "file") -> Draft:
    """Return the passage with its hashes and keyword tokens."""
    whole = context(chunk.heading, chunk.content)
    texts = [context(chunk.heading[-1:], child) for child in chunk.children] if chunk.children else [whole]
    indexed = mending.indexed(chunk.heading, chunk.content, chunk.answer, chunk.keywords)
    return Draft(chunk, position, origin, texts, [text_hash(text) for text in texts], text_hash(whole),
                 keyword.prepare(indexed), chunk.keywords or None)


def summarise(item: Draft, summary: str | None) -> None:
    """Give a passage that is ready to be stored its summary, if there is one."""
    if summary:
        text, name, item.prepared_summary = of_summary(item.chunk.heading, summary)
        item.summary = summary
        item.texts.append(text)
        item.hashes.append(name)


def of_summary(heading: list[str] | None, summary: str) -> tuple[str, str, object]:
    """Return what is embedded of a passage's summary, that text's hash, and what the keyword index stores of it."""
    text = context(heading or [], summary)
    return text, text_hash(text), keyword.prepare(mending.indexed(heading or [], summary, None, None))


def text_hash(text: str) -> str:
    """Return the name of a text among stored vectors."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def missing_vectors(tx: Connection, model: str, hashes: list[str]) -> set[str]:
    """Return those of the hashes that have no vector of a model yet."""
    wanted = list(dict.fromkeys(hashes))
    known: set[str] = set()
    for at in range(0, len(wanted), _IN):
        known.update(tx.execute(sa.select(t.embeddings.c.hash).where(
            t.embeddings.c.model == model, t.embeddings.c.hash.in_(wanted[at:at + _IN]))).scalars())
    return {value for value in wanted if value not in known}


def store_vectors(tx: Connection, model: str, vectors: dict[str, bytes]) -> None:
    """Insert vectors by hash; those already there stay."""
    if vectors:
        tx.execute(db.insert(t.embeddings).on_conflict_do_nothing(), [
            {"model": model, "hash": name, "vector": data} for name, data in vectors.items()])


def store(tx: Connection, dataset_id: str, document_id: str, drafts: list[Draft], *, vectors: bool
          ) -> list[dict[str, Any]]:
    """Insert passages with their children, units and keyword rows; return the passages' rows."""
    if not drafts:
        return []
    now = clock.now()
    rows, children, units, terms = [], [], [], []
    count = sum(1 + len(item.chunk.children) + bool(item.summary) for item in drafts)
    serials = iter(_serials(tx, count))
    for item in drafts:
        chunk = item.chunk
        segment_id = item.row.get("id") or ids.new_id()
        length = len(chunk.content) + len(chunk.answer or "")
        rows.append({
            "id": segment_id, "dataset_id": dataset_id, "document_id": document_id, "position": item.position,
            "origin": item.origin, "content": chunk.content, "answer": chunk.answer, "heading": chunk.heading,
            "place_kind": chunk.place_kind, "place": chunk.place, "kind": chunk.kind, "hash": item.hash,
            "word_count": length, "tokens": estimate(chunk.content) + estimate(chunk.answer or ""),
            "keywords": item.keywords, "summary": item.summary, "enabled": True, "status": "completed", "hit_count": 0,
            "indexing_at": now, "completed_at": now, "created_at": now, "updated_at": now,
            **item.row})
        serial = next(serials)
        of_passage = {"dataset_id": dataset_id, "document_id": document_id, "segment_id": segment_id,
                      "heading": chunk.heading, "enabled": rows[-1]["enabled"], "summary": False}
        uses = "vk" if vectors and not chunk.children else "k"
        units.append({**of_passage, "serial": serial, "child_id": None, "hash": item.hash, "uses": uses,
                      "synced": "v" not in uses})
        terms.append((serial, item.prepared))
        for number, (child, name) in enumerate(zip(chunk.children, item.hashes, strict=False), start=1):
            known = item.child_rows[number - 1] if item.child_rows else {}
            child_id = known.get("id") or ids.new_id()
            children.append({"id": child_id, "dataset_id": dataset_id, "document_id": document_id,
                             "segment_id": segment_id, "position": number, "content": child,
                             "word_count": len(child), "type": "automatic", "created_at": now, "updated_at": now,
                             **known})
            units.append({**of_passage, "serial": next(serials), "child_id": child_id, "hash": name,
                          "uses": "v" if vectors else "", "synced": not vectors})
        if item.summary:
            serial = next(serials)
            units.append({**of_passage, "serial": serial, "child_id": None, "hash": item.hashes[-1],
                          "uses": "vk" if vectors else "k", "synced": not vectors, "summary": True})
            terms.append((serial, item.prepared_summary))
    tx.execute(t.segments.insert(), rows)
    if children:
        tx.execute(t.child_chunks.insert(), children)
    tx.execute(t.units.insert(), [unit for unit in units if unit["uses"]])
    keyword.add(tx, dataset_id, terms)
    return rows


def add_child(tx: Connection, segment: Any, child: dict[str, Any], name: str, *, vectors: bool) -> None:
    """Insert one child chunk made by hand, with its unit."""
    tx.execute(t.child_chunks.insert(), child)
    if vectors:
        # Whether the passage is enabled now: the row that was given may be older than this transaction.
        enabled = sa.select(t.segments.c.enabled).where(t.segments.c.id == segment["id"]).scalar_subquery()
        tx.execute(t.units.insert().values(
            serial=_serials(tx, 1)[0], dataset_id=segment["dataset_id"], document_id=segment["document_id"],
            segment_id=segment["id"], child_id=child["id"], hash=name, uses="v", synced=False,
            heading=segment["heading"], enabled=enabled))


def set_summary(tx: Connection, segment: Any, summary: str | None, *, vectors: bool) -> None:
    """Give a stored passage another summary, with its unit and keyword row, or none."""
    u, s = t.units.c, t.segments.c
    remove(tx, sa.and_(u.segment_id == segment["id"], u.summary.is_(True)))
    tx.execute(t.segments.update().where(s.id == segment["id"]).values(
        summary=summary, summary_due=False, updated_at=clock.now()))
    if not summary:
        return
    _, name, prepared = of_summary(segment["heading"], summary)
    serial = _serials(tx, 1)[0]
    tx.execute(t.units.insert().values(
        serial=serial, dataset_id=segment["dataset_id"], document_id=segment["document_id"], segment_id=segment["id"],
        child_id=None, hash=name, uses="vk" if vectors else "k", synced=not vectors, heading=segment["heading"],
        enabled=sa.select(s.enabled).where(s.id == segment["id"]).scalar_subquery(), summary=True))
    keyword.add(tx, segment["dataset_id"], [(serial, prepared)])


def remove(tx: Connection, condition) -> None:
    """Delete the units that fulfil a condition from every index, and note them for Chroma."""
    found = tx.execute(sa.select(t.units.c.serial, t.units.c.dataset_id, t.units.c.uses).where(condition)).all()
    if not found:
        return
    keyword.remove(tx, [serial for serial, _, uses in found if "k" in uses])
    gone = [{"serial": serial, "dataset_id": dataset_id} for serial, dataset_id, uses in found if "v" in uses]
    if gone:
        tx.execute(db.insert(t.vector_removals).on_conflict_do_nothing(), gone)
    tx.execute(t.units.delete().where(condition))


def remove_segments(tx: Connection, condition) -> None:
    """Delete passages with everything that belongs to them; the condition is on the segments table."""
    chosen = sa.select(t.segments.c.id).where(condition)
    remove(tx, t.units.c.segment_id.in_(chosen))
    tx.execute(t.child_chunks.delete().where(t.child_chunks.c.segment_id.in_(chosen)))
    tx.execute(t.segments.delete().where(condition))


def forget(tx: Connection) -> None:
    """Overwrite what this transaction deletes (SQLite otherwise only unlinks it from the pages)."""
    if db.dialect() == "sqlite":
        tx.exec_driver_sql("PRAGMA secure_delete=ON")


def collect_vectors(tx: Connection) -> int:
    """Delete vectors that no unit uses any more; return how many."""
    return tx.execute(t.embeddings.delete().where(
        ~sa.exists().where(t.units.c.hash == t.embeddings.c.hash))).rowcount


def _serials(tx: Connection, count: int) -> list[int]:
    """Return serial numbers never used before; the sequence moves on with the insert."""
    if db.dialect() == "sqlite":
        last = tx.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'knowledge_units'").scalar() or 0
        return list(range(last + 1, last + count + 1))
    return list(tx.exec_driver_sql(
        "SELECT nextval(pg_get_serial_sequence('knowledge_units', 'serial')) FROM generate_series(1, %s)",
        (count,)).scalars())


@mending.healing
def checkpoint() -> None:
    """Make deleted texts unreadable: merge the keyword index, which only marks rows as deleted, and empty the log.

    PostgreSQL's own vacuum does this there.
    """
    if db.dialect() != "sqlite":
        return
    with db.write() as tx:
        forget(tx)
        tx.exec_driver_sql("INSERT INTO knowledge_fts(knowledge_fts) VALUES('optimize')")
    from pysqlite3 import dbapi2

    # A connection of its own: the one that writes must not be inside a transaction.
    connection = dbapi2.connect(str(db.engine().url.database), timeout=5, isolation_level=None)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
