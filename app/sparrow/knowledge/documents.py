"""Documents of a knowledge base: add, look up, change, delete; pause, resume, retry, re-chunk."""

from __future__ import annotations

import io
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sparrow import clock, ids
from sparrow.errors import BadRequest, Forbidden, NotFound
from sparrow.storage import db, files
from sparrow.storage.tables import knowledge as t

from . import attachments, chunk, datasets, indexing, mending, ocr, parse, summaries, syncing, units, vectors

UNFINISHED = ("waiting", "parsing", "cleaning", "splitting", "indexing")
MAX_NAME = 255
DISPLAY_STATUSES = ("queuing", "paused", "error", "indexing", "available", "disabled", "archived")


def add_files(dataset_id: str, file_ids: list[str], *, process_rule: dict | None = None,
              doc_form: str | None = None, doc_language: str = "English", indexing_technique: str | None = None,
              created_from: str = "web", info: dict[str, dict[str, Any]] | None = None
              ) -> tuple[list[dict[str, Any]], str]:
    """Add uploaded files as documents and queue them; return their rows and the batch.

    A file that cannot be read ends in that document's state, not here. `info` gives a file's data_source_info
    and name (`{"name", "type"}`) where it is no plain upload.
    """
    if not file_ids:
        raise BadRequest("No file was given.", code="no_file_uploaded", params="file_ids")
    rows = [files.get(file_id) for file_id in file_ids]
    dataset = datasets.get(dataset_id)
    check_new(dataset, doc_form, indexing_technique, process_rule)
    form = doc_form or dataset["doc_form"] or "text_model"
    rule = process_rule or dataset["process_rule"] or chunk.rules.default()
    _settle(dataset, form, indexing_technique)
    batch = time.strftime("%Y%m%d%H%M%S", time.gmtime(clock.now())) + ids.new_id()[-6:]
    now = clock.now()
    made = []
    with db.write() as tx:
        position = tx.execute(sa.select(sa.func.max(t.documents.c.position)).where(
            t.documents.c.dataset_id == dataset_id)).scalar() or 0
        rule_id = ids.new_id()
        for number, file in enumerate(rows, start=1):
            extra = (info or {}).get(file["id"], {})
            made.append({
                "id": ids.new_id(), "dataset_id": dataset_id, "position": position + number,
                "name": (extra.get("name") or file["name"])[:MAX_NAME], "created_from": created_from,
                "data_source_type": extra.get("type", "upload_file"),
                "data_source_info": {"upload_file_id": file["id"], **extra.get("info", {})}, "file_id": file["id"],
                "batch": batch, "doc_form": form, "doc_language": doc_language or "English", "process_rule": rule,
                "process_rule_id": rule_id, "revision": 1, "indexing_status": "waiting", "control": "",
                "stage": "waiting", "enabled": True, "archived": False, "created_at": now, "updated_at": now})
        tx.execute(t.documents.insert(), made)
        indexing.submit([row["id"] for row in made])
    datasets.want_chroma()
    return [get(dataset_id, row["id"]) for row in made], batch


def add_text(dataset_id: str, name: str, text: str, **options: Any) -> tuple[dict[str, Any], str]:
    """Add pasted text as a document; the text is kept as a file, so that it can be re-chunked and downloaded."""
    name = clean_name(name)
    check_new(datasets.get(dataset_id), *map(options.get, ("doc_form", "indexing_technique", "process_rule")))
    file = save_text(name, text)
    rows, batch = add_files(dataset_id, [file["id"]], info={file["id"]: {"name": name, "type": "upload_file"}},
                            **options)
    return rows[0], batch


def save_text(name: str, text: str) -> dict[str, Any]:
    """Store text as a file of a type that the parser reads as Markdown (plain paragraphs stay as they are)."""
    ending = parse.extension(name)
    file_name = name if ending in ("md", "markdown", "txt") else f"{name}.txt"
    return dict(files.save(io.BytesIO(text.encode("utf-8", "replace")), file_name, mime_type="text/plain"))


def get(dataset_id: str, document_id: str) -> dict[str, Any]:
    """Return a document's row; raise NotFound."""
    with db.read() as tx:
        return _row(tx, t.documents.select(), dataset_id, document_id)


def hold(tx: Connection, dataset_id: str, document_id: str) -> dict[str, Any]:
    """Return a document's row as it stays until the open write transaction ends; raise NotFound.

    Who changes a document or anything of it holds it first, so that no two wait for each other's rows.
    """
    return _row(tx, t.documents.select().with_for_update(), dataset_id, document_id)


def check_editable(row: dict[str, Any]) -> None:
    """Raise Forbidden for an archived document."""
    if row["archived"]:
        raise Forbidden("The archived document is not editable.", code="archived_document_immutable")


def _row(tx: Connection, select: sa.Select, dataset_id: str, document_id: str) -> dict[str, Any]:
    row = tx.execute(select.where(
        t.documents.c.id == document_id, t.documents.c.dataset_id == dataset_id)).mappings().first()
    if row is None:
        raise NotFound("Document not found.")
    return dict(row)


def search(dataset_id: str, *, page: int = 1, limit: int = 20, keyword: str = "", status: str | None = None,
           unfinished: bool = False, batch: str | None = None, sort: str = "-created_at"
           ) -> tuple[list[dict[str, Any]], int]:
    """Return one page of documents and the number of all; `sort` names a column, with a minus for the largest first."""
    d = t.documents.c
    by = _sorted_by(sort)
    where = [d.dataset_id == dataset_id]
    if keyword:
        where.append(d.name.icontains(keyword, autoescape=True))
    if status:
        where.append(_status_condition(status))
    if unfinished:
        where.append(d.indexing_status.in_((*UNFINISHED, "paused")))
    if batch:
        where.append(d.batch == batch)
    with db.read() as tx:
        total = tx.execute(sa.select(sa.func.count()).select_from(t.documents).where(*where)).scalar() or 0
        rows = tx.execute(t.documents.select().where(*where).order_by(by, d.position.desc())
                          .limit(limit).offset((page - 1) * limit)).mappings().all()
    return [dict(row) for row in rows], total


def display_status(row: dict[str, Any]) -> str:
    """Return Dify's word for a document's state."""
    status = row["indexing_status"]
    if status == "completed":
        return "archived" if row["archived"] else "available" if row["enabled"] else "disabled"
    if status == "waiting":
        return "queuing"
    return status if status in ("paused", "error") else "indexing"


def counts(document_ids: list[str]) -> dict[str, tuple[int, int]]:
    """Return {document id: (passages, hits)}."""
    s = t.segments.c
    with db.read() as tx:
        return {row[0]: (row[1], int(row[2] or 0)) for row in tx.execute(
            sa.select(s.document_id, sa.func.count(), sa.func.sum(s.hit_count))
            .where(s.document_id.in_(document_ids)).group_by(s.document_id))}


def rename(dataset_id: str, document_id: str, name: str) -> dict[str, Any]:
    """Give a document another name."""
    get(dataset_id, document_id)
    with db.write() as tx:
        tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(
            name=clean_name(name), updated_at=clock.now()))
    return get(dataset_id, document_id)


def set_status(dataset_id: str, document_ids: list[str], action: str) -> None:
    """Enable, disable, archive or un_archive documents; raise BadRequest for those still being indexed."""
    if action not in ("enable", "disable", "archive", "un_archive"):
        raise BadRequest(f"Invalid action: {action}.", code="invalid_action")
    now = clock.now()
    values = {"enable": {"enabled": True, "disabled_at": None}, "disable": {"enabled": False, "disabled_at": now},
              "archive": {"archived": True, "archived_at": now},
              "un_archive": {"archived": False, "archived_at": None}}[action]
    with db.write() as tx:
        for document_id in sorted(document_ids):  # in the same order as others who hold them
            row = hold(tx, dataset_id, document_id)
            if row["indexing_status"] in UNFINISHED:
                raise BadRequest(f"Document: {row['name']} is being indexed, please try again later.",
                                 code="document_indexing")
            if action in ("enable", "disable"):
                check_editable(row)
            tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(**values, updated_at=now))
            if action == "un_archive" and row["summary_state"] == "waiting":
                summaries.submit(document_id)


@mending.healing
def delete(dataset_id: str, document_ids: list[str]) -> None:
    """Delete documents with their passages, vectors, keyword rows and files, so that no text of them is left."""
    with db.write() as tx:
        for document_id in sorted(document_ids):
            check_editable(hold(tx, dataset_id, document_id))
        units.forget(tx)
        chosen = t.documents.c.id.in_(document_ids)
        held = datasets.files_of(tx, chosen)
        summaries.forget(tx, document_ids)
        tx.execute(t.documents.delete().where(chosen))
        units.remove_segments(tx, t.segments.c.document_id.in_(document_ids))
        units.remove(tx, t.units.c.document_id.in_(document_ids))
        ocr.forget(tx, attachments.release(tx, held))
        units.collect_vectors(tx)
    for document_id in document_ids:
        indexing.remove_spool(document_id)
    vectors.compact(dataset_id)
    units.checkpoint()
    syncing.submit(dataset_id)


def pause(dataset_id: str, document_id: str) -> None:
    """Ask a running or waiting document to stop where it is."""
    _control(dataset_id, document_id, "pause")


def cancel(dataset_id: str, document_id: str) -> None:
    """Ask a running, waiting or paused document to stop for good; what is indexed stays until it is deleted."""
    _control(dataset_id, document_id, "cancel")


def _control(dataset_id: str, document_id: str, control: str) -> None:
    possible = UNFINISHED if control == "pause" else (*UNFINISHED, "paused")
    with db.write() as tx:
        row = hold(tx, dataset_id, document_id)
        if row["indexing_status"] not in possible:
            raise BadRequest(f"The document is not being indexed (it is {display_status(row)}).",
                             code="invalid_action")
        waiting = row["indexing_status"] in ("waiting", "paused")
        tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(
            control=control, updated_at=clock.now()))
        if waiting:
            indexing.settle(tx, document_id, control)


def resume(dataset_id: str, document_id: str) -> None:
    """Go on with a paused document."""
    _again(dataset_id, document_id, ("paused",))


def retry(dataset_id: str, document_id: str) -> None:
    """Try a failed document again, from where it failed."""
    _again(dataset_id, document_id, ("error", "paused"))


def _again(dataset_id: str, document_id: str, states: tuple[str, ...]) -> None:
    with db.write() as tx:
        row = hold(tx, dataset_id, document_id)
        if row["indexing_status"] not in states:
            raise BadRequest(f"The document is {display_status(row)}.", code="invalid_action")
        check_editable(row)
        _begin_again(tx, [document_id])


def retry_failed(dataset_id: str) -> int:
    """Try all failed documents of a base again, not those that somebody stopped; return how many."""
    d = t.documents.c
    with db.write() as tx:
        failed = list(tx.execute(sa.select(d.id).where(
            d.dataset_id == dataset_id, d.indexing_status == "error", d.archived.is_(False),
            d.error_code.is_distinct_from("cancelled")).order_by(d.id).with_for_update()).scalars())
        _begin_again(tx, failed)
    return len(failed)


def _begin_again(tx: Connection, document_ids: list[str]) -> None:
    for document_id in document_ids:
        tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(
            indexing_status="waiting", stage="waiting", control="", error=None, error_code=None, paused_at=None,
            stopped_at=None, updated_at=clock.now()))
    indexing.submit(document_ids)


def rechunk(dataset_id: str, document_ids: list[str], process_rule: dict[str, Any]) -> None:
    """Cut documents anew by a rule; raise before any is touched where one cannot be."""
    for document_id in document_ids:
        row = get(dataset_id, document_id)
        check_again(row, process_rule)
        if row["indexing_status"] in UNFINISHED:
            raise BadRequest(f"Document: {row['name']} is being indexed, please try again later.",
                             code="document_indexing")
    for document_id in document_ids:
        reindex(dataset_id, document_id, process_rule=process_rule)


@mending.healing
def reindex(dataset_id: str, document_id: str, *, process_rule: dict | None = None, doc_form: str | None = None,
            file_id: str | None = None, name: str | None = None, doc_language: str | None = None) -> dict[str, Any]:
    """Cut and index a document anew: with another rule, or another text. Its passages are replaced."""
    with db.write() as tx:
        row = hold(tx, dataset_id, document_id)
        check_again(row, process_rule, doc_form)
        form = doc_form or row["doc_form"]
        rule = process_rule or row["process_rule"]
        info = row["data_source_info"] or {}
        held = set(datasets.files_of(tx, t.documents.c.id == document_id))
        units.forget(tx)
        summaries.keep(tx, document_id)
        units.remove_segments(tx, t.segments.c.document_id == document_id)
        values: dict[str, Any] = {"name": clean_name(name)} if name else {}
        values["data_source_info"] = {key: value for key, value in info.items() if key != "images"} | (
            {"upload_file_id": file_id} if file_id else {})
        if file_id:
            values["file_id"] = file_id
        tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(
            process_rule=rule, doc_form=form, revision=row["revision"] + 1, indexing_status="waiting",
            stage="waiting", control="", done=0, total=0, speed=0, error=None, error_code=None, notices=None,
            word_count=0, tokens=0, completed_at=None, processing_started_at=None, parsing_completed_at=None,
            cleaning_completed_at=None, splitting_completed_at=None, stopped_at=None,
            doc_language=doc_language or row["doc_language"], updated_at=clock.now(), **values))
        if file_id:
            units.collect_vectors(tx)
        ocr.forget(tx, attachments.release(tx, held))  # pictures are taken out of the original anew
        indexing.submit([document_id])
    return get(dataset_id, document_id)


def check_again(row: dict[str, Any], process_rule: dict | None, doc_form: str | None = None) -> None:
    """Raise Forbidden for an archived document, BadRequest for a rule by which it cannot be cut anew."""
    check_editable(row)
    chunk.rules.parse(process_rule or row["process_rule"], doc_form or row["doc_form"])


def check_job(payload: dict[str, Any], context: Any) -> None:
    """Queue documents whose job was lost and rebuild what the indexes lost; run when the worker starts, and with
    `damaged` when a question found the keyword index so."""
    mending.check(thoroughly=bool(payload.get("damaged")))
    sweep()
    summaries.sweep()
    syncing.check_all()


def sweep() -> int:
    """Queue the documents whose job is gone (a power cut before it was added again); return how many."""
    from sparrow.storage.queue import LIVE
    from sparrow.storage.tables.jobs import jobs

    with db.read() as tx:
        alive = sa.select(jobs.c.key).where(jobs.c.kind == indexing.KIND, jobs.c.state.in_(LIVE))
        lost = list(tx.execute(sa.select(t.documents.c.id).where(
            t.documents.c.indexing_status.in_(UNFINISHED),
            sa.literal("document:").concat(t.documents.c.id).not_in(alive))).scalars())
    if lost:
        indexing.submit(lost)
    return len(lost)


def clean_name(name: str) -> str:
    """Return a document's name fit to be shown; raise BadRequest for an empty one."""
    name = "".join(char for char in (name or "") if char >= " " and char != "\x7f").strip()
    if not name:
        raise BadRequest("The name must not be empty.", params="name")
    return name[:MAX_NAME]


def check_new(dataset: dict[str, Any], doc_form: str | None, technique: str | None, rule: dict | None) -> None:
    """Raise BadRequest where a base takes no document of such a kind; nothing of it is stored yet."""
    if dataset["provider"] == "external":
        raise BadRequest("An external knowledge base takes no documents.")
    if technique is not None and technique not in datasets.TECHNIQUES:
        raise BadRequest("indexing_technique must be high_quality or economy.", params="indexing_technique")
    if doc_form is not None and doc_form not in chunk.rules.DOC_FORMS:
        raise BadRequest(f"doc_form must be one of {', '.join(chunk.rules.DOC_FORMS)}.", params="doc_form")
    if dataset["doc_form"] and doc_form and doc_form != dataset["doc_form"]:
        raise BadRequest(f"doc_form is different from the dataset doc_form ({dataset['doc_form']}).",
                         params="doc_form")
    if doc_form == "hierarchical_model" and (technique or dataset["indexing_technique"]) == "economy":
        raise BadRequest("Parent-child chunking needs the high-quality index.", params="doc_form")
    chunk.rules.parse(rule or dataset["process_rule"], doc_form or dataset["doc_form"] or "text_model")


def _settle(dataset: dict[str, Any], doc_form: str, technique: str | None) -> None:
    """Settle the technique and form of an empty base by its first document."""
    values = {}
    if not dataset["indexing_technique"]:
        values["indexing_technique"] = technique or "high_quality"
    if not dataset["doc_form"]:
        values["doc_form"] = doc_form
    if values:
        with db.write() as tx:
            tx.execute(t.datasets.update().where(t.datasets.c.id == dataset["id"]).values(**values))


def _sorted_by(sort: str):
    d = t.documents.c
    hits = sa.select(sa.func.coalesce(sa.func.sum(t.segments.c.hit_count), 0)).where(
        t.segments.c.document_id == d.id).scalar_subquery()
    known = {"created_at": d.position, "name": sa.func.lower(d.name), "word_count": d.word_count, "hit_count": hits}
    name = sort.removeprefix("-")
    if name not in known:
        raise BadRequest(f"sort must be one of {', '.join(known)}, or the same after a minus.", params="sort")
    return known[name].desc() if sort.startswith("-") else known[name]


def known_status(word: str) -> str | None:
    """Return the display status that a client of Dify means, None for a word that is none: Dify then lists them all."""
    word = {"active": "available", "enabled": "available"}.get(word.lower(), word.lower())
    return word if word in DISPLAY_STATUSES else None


def _status_condition(status: str):
    d = t.documents.c
    done = d.indexing_status == "completed"
    known = {
        "queuing": d.indexing_status == "waiting", "paused": d.indexing_status == "paused",
        "error": d.indexing_status == "error",
        "indexing": d.indexing_status.in_(("parsing", "cleaning", "splitting", "indexing")),
        "available": sa.and_(done, d.enabled.is_(True), d.archived.is_(False)),
        "disabled": sa.and_(done, d.enabled.is_(False), d.archived.is_(False)),
        "archived": sa.and_(done, d.archived.is_(True))}
    if status not in DISPLAY_STATUSES:
        raise BadRequest(f"status must be one of {', '.join(DISPLAY_STATUSES)}.", params="status")
    return known[status]

