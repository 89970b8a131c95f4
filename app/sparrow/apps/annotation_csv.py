"""Annotations as a CSV file with the columns question and answer, as Dify's files have them."""

from __future__ import annotations

import csv
import io

import sqlalchemy as sa

from sparrow.apps import annotation
from sparrow.errors import BadRequest
from sparrow.knowledge.parse.charset import decode
from sparrow.storage import db
from sparrow.storage.tables.apps import annotations

MAX_BYTES = 5 << 20
MAX_ROWS = 2_000


def export(app_id: str) -> bytes:
    """Return all annotations of an app, the oldest first; spreadsheet programs know the text's coding by its mark."""
    with db.read() as tx:
        rows = tx.execute(sa.select(annotations.c.question, annotations.c.answer)
                          .where(annotations.c.app_id == app_id).order_by(annotations.c.created_at)).all()
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("question", "answer"))
    writer.writerows(tuple(row) for row in rows)
    return text.getvalue().encode("utf-8-sig")


def add(app_id: str, data: bytes) -> int:
    """Add the rows of a CSV file, all or none; return how many. A first row that is no pair of names is one too."""
    if len(data) > MAX_BYTES:
        raise BadRequest(f"The file is larger than {MAX_BYTES >> 20} MB.", params="file")
    text = decode(data).lstrip("\ufeff")
    mark = max(",;\t", key=text.partition("\n")[0].count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error as error:
        raise BadRequest(f"The file is not CSV: {error}.", params="file") from error
    pairs = []
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and cells[0].lower() in ("question", "问题")):
            continue
        if len(cells) < 2 or not cells[0] or not cells[1]:
            raise BadRequest(f"Row {number}: question and answer must not be empty", params="file")
        pairs.append((cells[0], cells[1]))
    if not pairs:
        raise BadRequest("The file has no rows.", params="file")
    if len(pairs) > MAX_ROWS:
        raise BadRequest(f"The file has more than {MAX_ROWS} rows.", params="file")
    annotation.create_many(app_id, pairs)
    return len(pairs)
