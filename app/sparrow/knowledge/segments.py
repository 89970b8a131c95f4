"""Passages and their child chunks: look up, add, change, delete, switch off; neighbours of a passage."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sparrow import clock, ids
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

from . import attachments, chunk, documents, indexing, mending, summaries, syncing, units
from .embed import embedder

MAX_CHARS = 40_000
MAX_CSV = 20 << 20
_COLUMNS = {"content": "content", "question": "content", "内容": "content", "分段内容": "content", "问题": "content",
            "segment content": "content", "answer": "answer", "答案": "answer", "回答": "answer",
            "keywords": "keywords", "关键词": "keywords"}


class NewSegment(msgspec.Struct, kw_only=True):
    """A passage to add; a pair's question is its content."""

    content: str
    answer: str | None = None
    keywords: list[str] | None = None
    attachment_ids: list[str] | None = None
    summary: str | None = None


def get(dataset_id: str, segment_id: str, document_id: str | None = None) -> dict[str, Any]:
    """Return a passage's row; raise NotFound."""
    s = t.segments.c
    where = [s.id == segment_id, s.dataset_id == dataset_id]
    if document_id:
        where.append(s.document_id == document_id)
    with db.read() as tx:
        row = tx.execute(t.segments.select().where(*where)).mappings().first()
    if row is None:
        raise NotFound("Segment not found.")
    return dict(row)


def search(document_id: str, *, page: int = 1, limit: int = 20, keyword_: str = "",
           status: list[str] | None = None, enabled: bool | None = None) -> tuple[list[dict[str, Any]], int]:
    """Return one page of a document's passages in order, and their number."""
    s = t.segments.c
    where = [s.document_id == document_id]
    if keyword_:
        where.append(sa.or_(s.content.icontains(keyword_, autoescape=True),
                            s.answer.icontains(keyword_, autoescape=True)))
    if status:
        where.append(s.status.in_(status))
    if enabled is not None:
        where.append(s.enabled.is_(enabled))
    with db.read() as tx:
        total = tx.execute(sa.select(sa.func.count()).select_from(t.segments).where(*where)).scalar() or 0
        rows = tx.execute(t.segments.select().where(*where).order_by(s.position)
                          .limit(limit).offset((page - 1) * limit)).mappings().all()
    return [dict(row) for row in rows], total


def neighbours(row: dict[str, Any], count: int = 1) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the passages before and after one, nearest last and first."""
    s = t.segments.c
    with db.read() as tx:
        before = tx.execute(t.segments.select().where(
            s.document_id == row["document_id"], s.position < row["position"])
            .order_by(s.position.desc()).limit(count)).mappings().all()
        after = tx.execute(t.segments.select().where(
            s.document_id == row["document_id"], s.position > row["position"])
            .order_by(s.position).limit(count)).mappings().all()
    return [dict(item) for item in reversed(before)], [dict(item) for item in after]


def index(row: dict[str, Any]) -> int:
    """Return a passage's place in its document's list, counted from 0; positions have holes where some were deleted."""
    s = t.segments.c
    with db.read() as tx:
        return tx.execute(sa.select(sa.func.count()).select_from(t.segments).where(
            s.document_id == row["document_id"], s.position < row["position"])).scalar() or 0


@mending.healing
def add(dataset: dict[str, Any], document: dict[str, Any], entries: list[NewSegment]) -> list[dict[str, Any]]:
    """Add passages by hand at the end of a document; an answer counts in documents of questions and answers."""
    if not entries:
        raise BadRequest("Segments is required.", params="segments")
    _check_takes(document)
    drafts = []
    for entry in entries:
        content, answer = _checked(document, entry.content, entry.answer)
        # Positions are given inside the transaction; drafts need them only as a number to carry.
        drafts.append(units.draft(dataset["id"], chunk.Chunk(
            content, answer=answer, keywords=entry.keywords or [], children=_children(document, content)), 0,
            origin="user"))
        units.summarise(drafts[-1], summaries.clean(entry.summary))

    def chosen(tx, *, hold: bool = False) -> list[list[str]]:
        return [attachments.check(tx, entry.attachment_ids or [], hold=hold, standing=attachments.ids_of(
            item.chunk.content, item.chunk.answer, None)) for item, entry in zip(drafts, entries, strict=True)]

    with db.read() as tx:
        chosen(tx)
    vectors = _embed(dataset, drafts)
    with db.write() as tx:
        _check_takes(documents.hold(tx, dataset["id"], document["id"]))
        last = tx.execute(sa.select(sa.func.max(t.segments.c.position)).where(
            t.segments.c.document_id == document["id"])).scalar() or 0
        for number, (item, bound) in enumerate(zip(drafts, chosen(tx, hold=True), strict=True), start=1):
            item.position = last + number
            item.row = {"attachments": bound or None}
        units.store_vectors(tx, _key(dataset), vectors)
        rows = units.store(tx, dataset["id"], document["id"], drafts, vectors=_has_vectors(dataset))
        _count_words(tx, document["id"])
        lacking = [row["id"] for row in rows if not row["summary"]]
        if lacking and summaries.wanted(dataset, document["doc_form"]):
            summaries.mark(tx, document, t.segments.c.id.in_(lacking))
    syncing.submit(dataset["id"])
    return [get(dataset["id"], row["id"]) for row in rows]


def add_csv(dataset: dict[str, Any], document: dict[str, Any], data: bytes) -> int:
    """Add the rows of a CSV file as passages and return their number; raise BadRequest, naming the row.

    Columns by their head: content (or question), answer, keywords (separated by commas or semicolons). Without a
    head the first column is the content, the second the answer.
    """
    import csv
    import io

    from .parse.charset import decode, looks_binary, looks_garbled

    if len(data) > MAX_CSV:
        raise BadRequest(f"The file is larger than {MAX_CSV >> 20} MB.", params="file")
    if looks_binary(data) or looks_garbled(data):
        raise BadRequest("The file contains no readable text. If it is text, save it as UTF-8.", params="file")
    text = decode(data).lstrip("\ufeff")
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error as error:
        raise BadRequest(f"The file is not CSV: {error}.", params="file") from error
    head = [name.strip().lower() for name in rows[0]] if rows else []
    columns = {_COLUMNS[name]: number for number, name in enumerate(head) if name in _COLUMNS}
    if "content" in columns:
        body = list(enumerate(rows[1:], start=2))
    else:
        columns, body = {"content": 0, "answer": 1}, list(enumerate(rows, start=1))
    entries = []
    for number, row in body:
        if not any(cell.strip() for cell in row):
            continue
        cells = {name: row[at].strip() if at < len(row) else "" for name, at in columns.items()}
        try:
            content, answer = _checked(document, cells["content"], cells.get("answer"))
        except BadRequest as error:
            raise BadRequest(f"Row {number}: {error.message}", params="file") from error
        words = [word.strip() for word in re.split("[,，;；、]", cells.get("keywords", "")) if word.strip()]
        entries.append(NewSegment(content=content, answer=answer, keywords=words))
    if not entries:
        raise BadRequest("The file has no rows.", params="file")
    for at in range(0, len(entries), indexing.BATCH):
        add(dataset, document, entries[at:at + indexing.BATCH])
    return len(entries)


@mending.healing
def update(dataset: dict[str, Any], document: dict[str, Any], row: dict[str, Any], *, content: str | None = None,
           answer: str | None = None, keywords: list[str] | None = None, enabled: bool | None = None,
           regenerate: bool | None = None, attachment_ids: list[str] | None = None,
           summary: str | msgspec.UnsetType | None = msgspec.UNSET) -> dict[str, Any]:
    """Change a passage; a changed text is embedded and indexed anew, `attachment_ids` are bound in place of others.

    Its children are made again if `regenerate`, else kept; where it is left open, they follow a changed text. So does
    its summary, which a model writes anew where the base wants summaries; an empty `summary` takes it away.
    """
    documents.check_editable(document)
    if attachment_ids is not None:
        with db.read() as tx:
            standing = attachments.ids_of(row["content"] if content is None else content,
                                          row["answer"] if answer is None else answer, None)
            attachments.check(tx, attachment_ids, standing=standing)
    given = summary is not msgspec.UNSET
    wished = summaries.clean(summary) if given else None
    known = {}
    if wished:
        text, name, _ = units.of_summary(row["heading"], wished)
        known = _vectors(dataset, {name: text})
    changes = (content is not None and content != row["content"]) or (answer is not None and answer != row["answer"]) \
        or (keywords is not None and keywords != row["keywords"]) or regenerate
    if changes:
        text, said = _checked(document, row["content"] if content is None else content,
                              row["answer"] if answer is None else answer)
        words = row["keywords"] if keywords is None else [str(word) for word in keywords]
        kept = _stored_children(row["id"])
        if regenerate is None:
            regenerate = bool(kept) and text != row["content"]
        children = _children(document, text) if regenerate else [child["content"] for child in kept]
        draft = units.draft(dataset["id"], chunk.Chunk(
            text, row["heading"] or [], row["place_kind"], row["place"], row["kind"], said, children, words or []),
            row["position"], origin=row["origin"])
        vectors = _embed(dataset, [draft])
        with db.write() as tx:
            held = _hold(tx, row)
            draft.row = {"enabled": held["enabled"], "attachments": held["attachments"]}
            units.forget(tx)
            units.remove_segments(tx, t.segments.c.id == row["id"])
            units.store_vectors(tx, _key(dataset), vectors | known)
            made = units.store(tx, dataset["id"], document["id"], [draft], vectors=_has_vectors(dataset))[0]
            # The passage keeps its identity.
            for table in (t.units, t.child_chunks):
                tx.execute(table.update().where(table.c.segment_id == made["id"]).values(segment_id=row["id"]))
            tx.execute(t.segments.update().where(t.segments.c.id == made["id"]).values(
                id=row["id"], created_at=row["created_at"], hit_count=row["hit_count"]))
            units.set_summary(tx, row, wished if given else held["summary"], vectors=_has_vectors(dataset))
            due = not given and (held["summary_due"] or (
                text != row["content"] and summaries.wanted(dataset, document["doc_form"])))
            units.collect_vectors(tx)
            _count_words(tx, document["id"])
            if due:
                summaries.mark(tx, document, t.segments.c.id == row["id"])
        syncing.submit(dataset["id"])
    elif given:
        with db.write() as tx:
            held = _hold(tx, row)
            if wished != held["summary"] or held["summary_due"]:
                units.forget(tx)
                units.store_vectors(tx, _key(dataset), known)
                units.set_summary(tx, held, wished, vectors=_has_vectors(dataset))
                units.collect_vectors(tx)
        syncing.submit(dataset["id"])
    if attachment_ids is not None:
        with db.write() as tx:
            attachments.bind(tx, _hold(tx, row), attachment_ids)
    if enabled is not None and enabled != row["enabled"]:
        enable(document, [row["id"]], enabled)
    return get(dataset["id"], row["id"])


def enable(document: dict[str, Any], segment_ids: list[str], enabled: bool) -> None:
    """Have passages of a document found, or not; those that are not its own are left alone."""
    s, now = t.segments.c, clock.now()
    chosen = sa.select(s.id).where(s.id.in_(segment_ids), s.document_id == document["id"])
    with db.write() as tx:
        documents.check_editable(documents.hold(tx, document["dataset_id"], document["id"]))
        tx.execute(t.units.update().where(t.units.c.segment_id.in_(chosen)).values(enabled=enabled))
        tx.execute(t.segments.update().where(s.id.in_(chosen), s.enabled.is_(not enabled)).values(
            enabled=enabled, disabled_at=None if enabled else now, updated_at=now))


@mending.healing
def delete(dataset_id: str, document_id: str, segment_ids: list[str]) -> None:
    """Delete passages of a document from every store; those that are not its own are left alone."""
    chosen = sa.and_(t.segments.c.id.in_(segment_ids), t.segments.c.document_id == document_id)
    with db.write() as tx:
        documents.check_editable(documents.hold(tx, dataset_id, document_id))
        units.forget(tx)
        held = attachments.bound(tx, chosen)
        units.remove_segments(tx, chosen)
        attachments.release(tx, held)
        units.collect_vectors(tx)
        _count_words(tx, document_id)
    syncing.submit(dataset_id)


def children_of(segment_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return {passage id: child chunks in order}."""
    out: dict[str, list[dict[str, Any]]] = {segment_id: [] for segment_id in segment_ids}
    with db.read() as tx:
        for row in tx.execute(t.child_chunks.select().where(t.child_chunks.c.segment_id.in_(segment_ids))
                              .order_by(t.child_chunks.c.position)).mappings():
            out[row["segment_id"]].append(dict(row))
    return out


def add_child(dataset: dict[str, Any], segment: dict[str, Any], content: str) -> dict[str, Any]:
    """Add a child chunk to a parent passage."""
    content = _text(content, "content")
    now = clock.now()
    name = units.text_hash(chunk.context((segment["heading"] or [])[-1:], content))
    vectors = _vectors(dataset, {name: chunk.context((segment["heading"] or [])[-1:], content)})
    child = {"id": ids.new_id(), "dataset_id": dataset["id"], "document_id": segment["document_id"],
             "segment_id": segment["id"], "content": content, "word_count": len(content), "type": "customized",
             "created_at": now, "updated_at": now}
    with db.write() as tx:
        _hold(tx, segment)
        child["position"] = (tx.execute(sa.select(sa.func.max(t.child_chunks.c.position)).where(
            t.child_chunks.c.segment_id == segment["id"])).scalar() or 0) + 1
        units.store_vectors(tx, _key(dataset), vectors)
        units.add_child(tx, segment, child, name, vectors=_has_vectors(dataset))
    syncing.submit(dataset["id"])
    return child


def child(segment_id: str, child_id: str) -> dict[str, Any]:
    """Return a child chunk; raise NotFound."""
    with db.read() as tx:
        row = tx.execute(t.child_chunks.select().where(
            t.child_chunks.c.id == child_id, t.child_chunks.c.segment_id == segment_id)).mappings().first()
    if row is None:
        raise NotFound("Child chunk not found.")
    return dict(row)


def update_child(dataset: dict[str, Any], segment: dict[str, Any], row: dict[str, Any], content: str
                 ) -> dict[str, Any]:
    """Change a child chunk's text."""
    content = _text(content, "content")
    text = chunk.context((segment["heading"] or [])[-1:], content)
    name = units.text_hash(text)
    vectors = _vectors(dataset, {name: text})
    values = {**row, "content": content, "word_count": len(content), "type": "customized",
              "updated_at": clock.now()}
    with db.write() as tx:
        _hold(tx, segment)
        child(segment["id"], row["id"])
        units.forget(tx)
        units.remove(tx, t.units.c.child_id == row["id"])
        tx.execute(t.child_chunks.delete().where(t.child_chunks.c.id == row["id"]))
        units.store_vectors(tx, _key(dataset), vectors)
        units.add_child(tx, segment, values, name, vectors=_has_vectors(dataset))
        units.collect_vectors(tx)
    syncing.submit(dataset["id"])
    return values


def delete_child(dataset_id: str, child_id: str) -> None:
    """Delete a child chunk."""
    with db.write() as tx:
        units.forget(tx)
        units.remove(tx, t.units.c.child_id == child_id)
        tx.execute(t.child_chunks.delete().where(t.child_chunks.c.id == child_id))
        units.collect_vectors(tx)
    syncing.submit(dataset_id)


def _check_takes(document: dict[str, Any]) -> None:
    if document["indexing_status"] != "completed":
        raise NotFound("Document is not completed.")
    if not document["enabled"]:
        raise NotFound("Document is disabled.")
    documents.check_editable(document)


def _hold(tx: Connection, row: dict[str, Any]) -> dict[str, Any]:
    """Return a passage's row as it is now: it may be gone, or its document archived, since its text was embedded."""
    documents.check_editable(documents.hold(tx, row["dataset_id"], row["document_id"]))
    return get(row["dataset_id"], row["id"], row["document_id"])


def _stored_children(segment_id: str) -> list[dict[str, Any]]:
    return children_of([segment_id])[segment_id]


def _checked(document: dict[str, Any], content: Any, answer: Any) -> tuple[str, str | None]:
    content = _text(content, "content")
    if document["doc_form"] == "qa_model":
        if not isinstance(answer, str) or not answer.strip():
            raise BadRequest("Answer is required.", params="answer")
        return content, answer.strip()
    return content, None


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadRequest("Content is empty.", params=name)
    if len(value) > MAX_CHARS:
        raise BadRequest(f"Content is limited to {MAX_CHARS} characters.", params=name)
    return value.strip().replace("\x00", "")


def _children(document: dict[str, Any], content: str) -> list[str]:
    if document["doc_form"] != "hierarchical_model":
        return []
    from .chunk.split import children

    return children(content, chunk.rules.parse(document["process_rule"], document["doc_form"]).child)


def _has_vectors(dataset: dict[str, Any]) -> bool:
    return dataset["indexing_technique"] != "economy"


def _key(dataset: dict[str, Any]) -> str:
    return embedder(dataset["embedding_model_provider"], dataset["embedding_model"]).key


def _embed(dataset: dict[str, Any], drafts: list[units.Draft]) -> dict[str, bytes]:
    return _vectors(dataset, {name: text for draft in drafts
                              for name, text in zip(draft.hashes, draft.texts, strict=True)})


def _vectors(dataset: dict[str, Any], texts: dict[str, str]) -> dict[str, bytes]:
    if not _has_vectors(dataset) or not texts:
        return {}
    names = list(texts)
    array = embedder(dataset["embedding_model_provider"], dataset["embedding_model"]).encode(
        [texts[name] for name in names])
    known = dataset["embedding_dimension"]
    if known and array.shape[1] != known:
        raise BadRequest(f"The embedding model returned vectors of {array.shape[1]} numbers, but this knowledge "
                         f"base has {known}.", code="embedding_dimension")
    return {name: row.astype("<f4").tobytes() for name, row in zip(names, array, strict=True)}


def _count_words(tx, document_id: str) -> None:
    s = t.segments.c
    words, tokens = tx.execute(sa.select(sa.func.sum(s.word_count), sa.func.sum(s.tokens)).where(
        s.document_id == document_id)).one()
    tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(
        word_count=int(words or 0), tokens=int(tokens or 0), updated_at=clock.now()))

