"""The keyword index made anew from the passages where its tables in SQLite are damaged.

Who writes mends it in the same transaction; who searches goes on without it and queues a check.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

from . import keyword
from .chunk import context

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

log = logging.getLogger(__name__)

_BATCH = 500
_SIGNS = ("malformed", "fts5: ", "no such fts5 table", "no such table: knowledge_fts", "vtable constructor failed")


def indexed(heading: list[str], content: str, answer: str | None, keywords: list[str] | None) -> str:
    """Return the text by whose words a passage is found."""
    return "\n".join((context(heading, content), answer or "", " ".join(keywords or [])))


def is_damage(error: Exception) -> bool:
    """Tell whether an error of a statement on the keyword index says that its tables are damaged or gone."""
    return db.dialect() == "sqlite" and isinstance(error, sa.exc.DBAPIError) \
        and any(sign in str(error.orig) for sign in _SIGNS)


def mended(tx: Connection, action: Callable[[], object], *, again: bool) -> None:
    """Do something to the index; where it is damaged make it anew first, and then do it if it is still to be done."""
    try:
        action()
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
        rebuild(tx)
        if again:
            action()


def check(*, thoroughly: bool) -> None:
    """Make the index anew if it has not the rows it should have or, `thoroughly`, if anything of it is damaged."""
    if db.dialect() != "sqlite":
        return
    with db.write() if thoroughly else db.read() as tx:  # who only counts lets others write
        whole = _whole(tx, thoroughly)
    if not whole:
        with db.write() as tx:
            rebuild(tx)


def rebuild(tx: Connection) -> None:
    """Make the index anew, in an open write transaction."""
    log.warning("the keyword index is damaged and made anew")
    tx.exec_driver_sql("PRAGMA secure_delete=ON")  # no words of it are left in the file
    for name in ("knowledge_terms", "knowledge_fts"):
        tx.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    for statement in t.KEYWORD_INDEX:
        tx.exec_driver_sql(statement)
    u, s = t.units.c, t.segments.c
    after = -1
    while rows := tx.execute(
            sa.select(u.serial, s.dataset_id, s.heading, s.content, s.answer, s.keywords)
            .join(t.segments, s.id == u.segment_id)
            .where(u.serial > after, u.uses.contains("k")).order_by(u.serial).limit(_BATCH)).all():
        after = rows[-1].serial
        for base in {row.dataset_id for row in rows}:
            keyword.add(tx, base, [
                (row.serial, keyword.prepare(indexed(row.heading or [], row.content, row.answer, row.keywords)))
                for row in rows if row.dataset_id == base])


def _whole(tx: Connection, thoroughly: bool) -> bool:
    wanted = tx.execute(sa.select(sa.func.count()).where(t.units.c.uses.contains("k"))).scalar()
    try:
        if thoroughly:
            tx.exec_driver_sql("INSERT INTO knowledge_fts(knowledge_fts) VALUES('integrity-check')")
        if wanted and not db.rows(tx, "SELECT 1 FROM knowledge_terms LIMIT 1"):
            return False
        return db.rows(tx, "SELECT count(*) FROM knowledge_fts_docsize")[0][0] == wanted
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
        return False
