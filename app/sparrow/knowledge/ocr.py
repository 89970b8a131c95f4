"""Scanned pages and pictures: a vision model writes down what is on them.

Off until the admin chooses the model. Each page's text is stored as soon as it is there, so that a page is paid for
once, whatever happens to the worker and however often its document is cut anew. A page that fails is reported and
the rest goes on.
"""

from __future__ import annotations

import base64
import mimetypes
import os
import re
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from sparrow import clock
from sparrow.errors import BadRequest
from sparrow.messages import (
    Message,
    ModelAuthorizationError,
    ModelError,
    ModelNotConfiguredError,
    ModelRef,
    Part,
)
from sparrow.storage import db
from sparrow.storage import providers as settings
from sparrow.storage.tables import knowledge as t

from . import parse
from .asking import AnswerError, Asker, plain

SETTING = "ocr_model"
AT_ONCE = 3  # pages the model reads at the same time
DRAWN = 6  # pages drawn by one parser; so many pictures may lie on the disk
TRIES = 3
PAUSE = 2.0  # seconds before the second try, doubled before the third
LONGEST_PAUSE = 60.0
PAGE_SECONDS = 300.0
PAGE_CHARACTERS = 40_000
GIVE_UP = 5  # failures in a row after which the pages that are left are not tried
NOTHING = "[no text]"
TOLD = ("pages_transcribed", "pages_not_transcribed")  # notices that stand in for the parser's pages_without_text

PROMPT = f"""Transcribe this scanned page (page {{page}} of {{total}}) to Markdown. Write down all of its text, in \
its own language, in reading order, word for word: do not translate, summarise, correct or explain. Headings become \
Markdown headings, lists become lists, tables become Markdown tables with a header row. Leave out running heads, page \
numbers and ornaments; say in one short line in square brackets what a figure shows. Answer with the Markdown only. \
If nothing is written on the page, answer {NOTHING}"""

_FENCED = re.compile(r"\A\s*```(?:markdown|md)?[^\S\n]*\n(.*?)\n?```\s*\Z", re.S)


class OcrError(AnswerError):
    """The model's answer for a page is of no use; the message says why."""

    code = "ocr_failed"


class Outcome(msgspec.Struct):
    """How the reading of a file's pages ended: read and failed pages (from 1), the latter with the reason."""

    model: str = ""
    read: list[int] = []
    cut: list[int] = []
    failed: dict[int, str] = {}


def model() -> dict[str, str] | None:
    """Return the model that reads scanned pages as {provider, model}; None while none is chosen."""
    return settings.value(SETTING) or None


def choose(provider: str | None, name: str | None) -> dict[str, str] | None:
    """Have a model read scanned pages from now on, none without names; raise BadRequest for one that cannot see."""
    from sparrow.providers.store import hub

    chosen = None
    if provider or name:
        try:
            native, _ = hub().resolve(ModelRef(provider or "", name or ""))
            info = hub().info(ModelRef(native, name or ""))
        except ModelError as error:
            raise BadRequest(str(error), code="provider_not_initialize", params="ocr_model") from error
        if "vision" not in info.features:
            raise BadRequest(f"The model {name} cannot see pictures. Choose a model with vision.",
                             code="model_currently_not_support", params="ocr_model")
        chosen = {"provider": native, "model": name or ""}
    with db.write() as tx:
        settings.set_value(tx, SETTING, chosen)
    return chosen


def readable(name: str) -> bool:
    """Tell whether a file of this name can be imported: pictures only while a model reads them."""
    return parse.supported(name) or (parse.extension(name) in parse.PICTURES and model() is not None)


def known(file_id: str) -> dict[int, tuple[str, str]]:
    """Return {page: (model, text)} of the pages of a file that have been read."""
    p = t.page_texts.c
    with db.read() as tx:
        return {row.page: (row.model, row.text) for row in tx.execute(
            sa.select(p.page, p.model, p.text).where(p.file_id == file_id))}


def forget(tx: Any, file_ids: list[str]) -> None:
    """Remove what was read in files that are deleted."""
    tx.execute(t.page_texts.delete().where(t.page_texts.c.file_id.in_(file_ids)))


def read(file_id: str, path: Path, pages: list[int], total: int, folder: str,
         look: Callable[[int, int], None]) -> Outcome:
    """Have the chosen model read pages (from 1) of a PDF, as far as it has not yet; store their texts.

    `look(done, total)` is called at least twice a second; what it raises ends the reading. `folder` takes the
    pictures of the pages for as long as they are needed.
    """
    chosen = model()
    if chosen is None:
        return Outcome()
    reader = _Reader(chosen, total)
    have = {page for page, (name, _) in known(file_id).items() if name == reader.key}
    outcome = Outcome(reader.key, [page for page in pages if page in have])
    left = [page for page in pages if page not in have]
    drawing = pictures = _pictures(path, left, folder, outcome)
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ocr")
    running: dict[Future, parse.Image] = {}
    failures = 0
    try:
        while True:
            while len(running) < AT_ONCE and (picture := next(pictures, None)) is not None:
                running[pool.submit(reader.page, picture)] = picture
            look(len(outcome.read) + len(outcome.failed), len(pages))
            if not running:
                return outcome
            for future in wait(running, timeout=0.4, return_when=FIRST_COMPLETED).done:
                picture = running.pop(future)
                os.unlink(picture.path)
                try:
                    text, whole = future.result()
                except (ModelError, AnswerError) as error:
                    outcome.failed[picture.number] = str(error)[:300]
                    failures += 1
                    if failures >= GIVE_UP or isinstance(error, ModelAuthorizationError | ModelNotConfiguredError):
                        pictures = _give_up(left, outcome, running, str(error)[:300])
                    continue
                failures = 0
                _store(file_id, picture.number, reader.key, text)
                outcome.read.append(picture.number)
                outcome.cut += [] if whole else [picture.number]
    finally:
        reader.stop()
        drawing.close()
        pool.shutdown(cancel_futures=True)


def write_transcripts(file_id: str, pages: list[int], folder: str) -> None:
    """Lay the texts of pages where the parser looks for them."""
    for page, (_, text) in known(file_id).items():
        if page in pages:
            parse.transcript_file(folder, page).write_text(text, "utf-8")


def notices(outcome: Outcome, total: int) -> list[parse.Notice]:
    """Return what the user should know of the reading."""
    found = []
    if outcome.read:
        found.append(parse.Notice(
            "pages_transcribed", f"{len(outcome.read)} of {total} pages are scanned and were read by {outcome.model}.",
            {"pages": sorted(outcome.read), "total": total, "model": outcome.model}))
    if outcome.cut:
        found.append(parse.Notice(
            "pages_cut_off", f"The model {outcome.model} did not finish {len(outcome.cut)} of {total} pages: its "
            "answers reached their greatest length.",
            {"pages": sorted(outcome.cut), "total": total, "model": outcome.model}))
    if outcome.failed:
        failed = sorted(outcome.failed)
        found.append(parse.Notice(
            "pages_not_transcribed",
            f"{len(failed)} of {total} pages are scanned and could not be read by {outcome.model}. Cut the document "
            f"anew to try them again. Page {failed[0]}: {outcome.failed[failed[0]]}",
            {"pages": failed, "total": total, "model": outcome.model,
             "errors": [{"page": page, "error": outcome.failed[page]} for page in failed[:50]]}))
    return found


def _give_up(left: list[int], outcome: Outcome, running: dict[Future, parse.Image], reason: str
             ) -> Iterator[parse.Image]:
    """Note the pages that are not tried any more; return what is left to do: nothing."""
    busy = {picture.number for picture in running.values()}
    for page in left:
        if page not in outcome.failed and page not in outcome.read and page not in busy:
            outcome.failed[page] = reason
    return iter(())


def _store(file_id: str, page: int, key: str, text: str) -> None:
    with db.write() as tx:
        # Its document may have been deleted since the model was asked: no text of it may stay behind.
        if tx.execute(sa.select(t.documents.c.id).where(t.documents.c.file_id == file_id)
                      .with_for_update()).first() is None:
            return
        tx.execute(t.page_texts.delete().where(t.page_texts.c.file_id == file_id, t.page_texts.c.page == page))
        tx.execute(t.page_texts.insert().values(file_id=file_id, page=page, model=key, text=text,
                                                created_at=clock.now()))


def _pictures(path: Path, pages: list[int], folder: str, outcome: Outcome) -> Iterator[parse.Image]:
    """Yield the pages' pictures; note those that cannot be drawn. One that ends the parser costs no other page."""
    left = list(pages)
    while left:
        batch = left[:DRAWN]
        fault = "The page cannot be drawn; it is probably damaged."
        drawn = set()
        try:
            for picture in parse.draw(path, batch, folder, fork=threading.active_count() <= 2):
                drawn.add(picture.number)
                yield picture
        except parse.ParseError as error:
            at = next((page for page in batch if page not in drawn), None)
            if at is not None:
                outcome.failed[at] = error.message
                batch = batch[:batch.index(at) + 1]
        for page in batch:
            if page not in drawn:
                outcome.failed.setdefault(page, fault)
        left = left[len(batch):]


class _Reader(Asker):
    """Asks the model for the text of pages."""

    def __init__(self, chosen: dict[str, str], total: int):
        super().__init__(ModelRef(chosen["provider"], chosen["model"]))
        self._total = total

    def page(self, picture: parse.Image) -> tuple[str, bool]:
        """Return a page's Markdown and whether it is whole; raise ModelError or AnswerError after some tries."""
        kind = mimetypes.guess_type(picture.path)[0] or "image/png"
        url = f"data:{kind};base64," + base64.b64encode(Path(picture.path).read_bytes()).decode()
        question = [Message("user", [Part("text", PROMPT.format(page=picture.number, total=self._total)),
                                     Part("image", url, detail="high", mime_type=kind)])]
        until = clock.monotonic() + PAGE_SECONDS
        pause = PAUSE
        for left in reversed(range(TRIES)):
            try:
                text, whole = self.ask(question, until, PAGE_CHARACTERS)
                return cleaned(text), whole
            except (ModelAuthorizationError, ModelNotConfiguredError):
                raise
            except (ModelError, AnswerError) as error:
                longer = min(max(pause, getattr(error, "retry_after", None) or 0), LONGEST_PAUSE)
                if not left or clock.monotonic() + longer > until:
                    raise
            self.rest(longer)
            pause *= 2
        raise AssertionError  # the last try returns or raises


def cleaned(text: str) -> str:
    """Return the Markdown of an answer, "" for a page without text; raise OcrError for what is none."""
    text = plain(text)
    fenced = _FENCED.match(text)
    text = (fenced[1] if fenced else text).strip()
    if not text:
        raise OcrError("The model answered nothing.")
    if text.strip("[]. ").lower() == NOTHING.strip("[]"):
        return ""
    # Models that lose the thread write one line over and over.
    if len(text) > 2000 and len(zlib.compress(text.encode())) * 25 < len(text.encode()):
        raise OcrError("The model repeated itself over and over.")
    return text
