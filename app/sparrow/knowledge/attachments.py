"""The images of passages: those that stand in a passage's text, and those bound to it by hand.

The first were taken out of the original and are its document's; the second are uploads whose ids the passage keeps
(`segments.attachments`). An image goes with the last passage or document that uses it. A question may be an image
too: a vision model says what is on it, and that is what is searched for.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sparrow import clock, settings
from sparrow.errors import BadRequest
from sparrow.ids import is_uuid
from sparrow.messages import Message, ModelError, ModelRef, Part
from sparrow.storage import db, files
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.files import files as file_table

from . import ocr, parse

MOST = 10  # images bound to one passage, or of one question
TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
SHOWN = {**TYPES, "bmp": "image/bmp"}  # what is taken out of documents
MARK = "knowledge"  # the `created_by` of what the console uploads for passages and questions
KEPT = 86_400.0  # seconds such an upload may wait to be used
_LINK = re.compile(r"/files/([0-9a-f]{8}-[0-9a-f-]{27})/image-preview")
_FIELD = "attachment_ids"
_IN = 500  # bound values of one statement
_SEEN_CHARACTERS = 1000
_LANGUAGES = {"zh": "Chinese", "en": "English"}

PROMPT = """Somebody searches documents by the attached picture. Write down what to search for: first all text that \
stands on it, word for word, in its own language; then, in one or two sentences in {language}, what it shows, by the \
names that documents use: the thing and its parts, maker and type, signs, states, faults. Answer with that alone: no \
introduction, no Markdown."""


class Image(msgspec.Struct):
    """A stored image; size in bytes, the extension without its dot."""

    id: str
    name: str
    size: int
    extension: str
    mime_type: str


def ids_of(content: str, answer: str | None, bound: list[str] | None) -> list[str]:
    """Return the ids of a passage's images: those in its text, then those bound to it."""
    return list(dict.fromkeys([*_in_text(content, answer), *(bound or ())]))


def images(wanted: Mapping[str, list[str]]) -> dict[str, list[Image]]:
    """Return {passage: its images that are there} of {passage: ids}; nothing is asked where there are no ids."""
    ids = list(dict.fromkeys(file_id for found in wanted.values() for file_id in found))
    known: dict[str, Image] = {}
    if ids:
        f = file_table.c
        with db.read() as tx:
            for at in range(0, len(ids), _IN):
                for row in tx.execute(sa.select(f.id, f.name, f.size, f.extension).where(
                        f.id.in_(ids[at:at + _IN]), f.extension.in_(SHOWN))):
                    known[row.id] = Image(row.id, row.name, row.size, row.extension, SHOWN[row.extension])
    return {passage: [known[file_id] for file_id in found if file_id in known] for passage, found in wanted.items()}


def entry(image: Image, address: str) -> dict[str, Any]:
    """Return an image as Dify lists it with what was found; here its extension has a dot."""
    return {"id": image.id, "name": image.name, "extension": f".{image.extension}", "mime_type": image.mime_type,
            "source_url": address, "size": image.size}


def take(stream: BinaryIO, name: str, mime_type: str | None) -> Any:
    """Store an image that will be bound or asked with, and return its row; raise BadRequest as `check`, or TooLarge."""
    row = files.save(stream, name, mime_type=mime_type, created_by=MARK,
                     max_bytes=settings.get().attachment_image_file_size_limit << 20)
    try:
        with db.read() as tx:
            check(tx, [row["id"]])
    except BadRequest:
        files.delete(row["id"])
        raise
    return row


def check(tx: Connection, ids: list[str], *, standing: Iterable[str] = (), hold: bool = False) -> list[str]:
    """Return those of the ids that are to be bound, each once, without those `standing` in the text.

    Raises BadRequest, which names the file, for one that is not there, is no image, or is too large; and for more
    than `MOST`. With `hold`, in a write transaction, they stay until it ends.
    """
    there = set(standing)
    given = dict.fromkeys(file_id.lower() if is_uuid(file_id) else file_id for file_id in ids)
    chosen = [file_id for file_id in given if file_id not in there]
    if len(chosen) > MOST:
        raise BadRequest(f"Exceeded maximum attachment limit of {MOST}.", params=_FIELD)
    statement = file_table.select().where(file_table.c.id.in_([one for one in chosen if is_uuid(one)]))
    rows = {row.id: row for row in tx.execute(statement.with_for_update() if hold else statement)}
    limit = settings.get().attachment_image_file_size_limit
    for file_id in chosen:
        row = rows.get(file_id)
        if row is None or not files.path(file_id).exists():
            raise BadRequest(f"There is no uploaded file {file_id[:64]}.", params=_FIELD)
        if row.extension not in TYPES or not _is_picture(file_id):
            raise BadRequest(f"{row.name} is not an image of these types: {', '.join(TYPES)}.", params=_FIELD)
        if row.size > limit << 20:
            raise BadRequest(f"{row.name} is too large: the limit of an image is {limit} MB.", params=_FIELD)
    return chosen


def bind(tx: Connection, passage: Mapping[str, Any], ids: list[str]) -> None:
    """Bind images to a passage (its row) in place of those it has; raise BadRequest as `check`."""
    chosen = check(tx, ids, standing=_in_text(passage["content"], passage["answer"]), hold=True)
    tx.execute(t.segments.update().where(t.segments.c.id == passage["id"]).values(
        attachments=chosen or None, updated_at=clock.now()))
    release(tx, set(passage["attachments"] or ()) - set(chosen))


def bound(tx: Connection, condition: Any) -> list[str]:
    """Return the ids of the images bound to passages; the condition is on the segments table."""
    column = t.segments.c.attachments
    return [file_id for ids in tx.execute(sa.select(column).where(column.is_not(None), condition)).scalars()
            for file_id in ids]


def release(tx: Connection, ids: Iterable[str]) -> list[str]:
    """Delete those of the files that no passage and no document uses any more, and return their ids.

    What was uploaded to an app stays the app's.
    """
    d, f = t.documents.c, file_table.c
    wanted, left = list(dict.fromkeys(ids)), []
    for at in range(0, len(wanted), _IN):  # held first: who binds one meanwhile is seen below, or waits
        left += tx.execute(sa.select(f.id).where(f.id.in_(wanted[at:at + _IN]), f.app_id.is_(None))
                           .with_for_update()).scalars()
    if not left:
        return []
    used = set(bound(tx, sa.true()))
    # As text: the type would look for JSON.
    for info in tx.execute(sa.select(d.data_source_info).where(
            sa.type_coerce(d.data_source_info, sa.Text).contains('"images"'))).scalars():
        used.update(info.get("images") or ())
    for at in range(0, len(left), _IN):
        used.update(tx.execute(sa.select(d.file_id).where(d.file_id.in_(left[at:at + _IN]))).scalars())
    gone = [file_id for file_id in left if file_id not in used]
    files.drop(tx, gone)
    return gone


def sweep() -> None:
    """Delete what was uploaded for a passage or a question and is used by none since a day."""
    f = file_table.c
    with db.write() as tx:
        release(tx, tx.execute(sa.select(f.id).where(
            f.app_id.is_(None), f.created_by == MARK, f.created_at < clock.now() - KEPT)).scalars().all())


def question(query: str, ids: list[str] | None) -> str:
    """Return what to search for: the question, and below it what a vision model reads and sees on uploaded images.

    Raises BadRequest as `check`, where nothing is asked, where no model can see, and where it fails.
    """
    if not ids:
        if not query.strip():
            raise BadRequest("Query or attachment_ids is required", params="query")
        return query
    with db.read() as tx:
        chosen = check(tx, ids)
    return asked(query, chosen)


def asked(query: str, ids: list[str]) -> str:
    """Return a question with what a vision model reads and sees on images that may be asked with; raise BadRequest."""
    return "\n".join(part for part in (query.strip(), _seen(ids)) if part)


def _seen(ids: list[str]) -> str:
    from sparrow.providers.store import hub

    ref = _seer()
    language = _LANGUAGES.get(settings.get().language, "English")
    parts = [Part("text", PROMPT.format(language=language))]
    for image in images({"": ids[:MOST]})[""]:
        data = base64.b64encode(files.path(image.id).read_bytes()).decode()
        parts.append(Part("image", f"data:{image.mime_type};base64,{data}", detail="high", mime_type=image.mime_type))
    try:
        said = "".join(chunk.text for chunk in hub().chat(ref, [Message("user", parts)], stream=False,
                                                          parameters={"temperature": 0}))
        return ocr.cleaned(said)[:_SEEN_CHARACTERS]
    except (ModelError, ocr.OcrError) as error:
        raise BadRequest(f"The model {ref.name} did not read the image: {error}", code="completion_request_error",
                         params=_FIELD) from error


def _seer() -> ModelRef:
    """Return the model that reads scanned pages, else the default model if it can see."""
    from sparrow.providers.store import hub

    chosen = ocr.model()
    if chosen is not None:
        return ModelRef(chosen["provider"], chosen["model"])
    default = hub().default("llm")
    try:
        if default is not None and "vision" in hub().info(default).features:
            return default
    except ModelError:
        pass
    raise BadRequest("To search by an image, a model with vision must read it. Choose one for scanned pages and "
                     "pictures on the page of knowledge bases.", code="provider_not_initialize", params=_FIELD)


def _in_text(content: str, answer: str | None) -> list[str]:
    return [file_id for text in (content, answer) if text and "/image-preview" in text
            for file_id in _LINK.findall(text)]


def _is_picture(file_id: str) -> bool:
    with open(files.path(file_id), "rb") as file:
        return parse.picture_ending(file.read(12)) is not None
