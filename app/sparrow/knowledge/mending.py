"""The keyword index made anew from the passages where its tables in SQLite are damaged.

Who writes has it made anew and writes again (`healing`); who searches goes on without it and queues a check.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import sqlalchemy as sa

from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

from . import keyword
from .chunk import context

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

log = logging.getLogger(__name__)

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_BATCH = 500
_SIGNS = ("malformed", "fts5", "knowledge_fts", "knowledge_terms")


def indexed(heading: list[str], content: str, answer: str | None, keywords: list[str] | None) -> str:
    """Return the text by whose words a passage is found."""
    return "\n".join((context(heading, content), answer or "", " ".join(keywords or [])))


def is_damage(error: Exception) -> bool:
    """Tell whether an error of a statement on the keyword index says that its tables are damaged or gone."""
    if db.dialect() != "sqlite" or not isinstance(error, sa.exc.DBAPIError):
        return False
    told = str(error.orig)  # a constraint of a table of its own would be named
    return told == "constraint failed" or any(sign in told for sign in _SIGNS)


def healing(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Return a function that changes the index as one that does so again where it was damaged, once it is made anew.

    The function's own transaction is lost: SQLite takes no change in one that has met a damaged page.
    """
    @wraps(function)
    def healed(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        try:
            return function(*args, **kwargs)
        except sa.exc.DBAPIError as error:
            if not is_damage(error):
                raise
        check(thoroughly=True)
        return function(*args, **kwargs)

    return healed


def check(*, thoroughly: bool) -> None:
    """Make the index anew if it has not the rows it should have or, `thoroughly`, if anything of it is damaged."""
    if db.dialect() != "sqlite" or _is_whole(thoroughly):
        return
    log.warning("the keyword index is damaged and made anew")
    try:
        _make(_drop)
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
        _make(_disown)


def _make(clear: Callable[[Connection], None]) -> None:
    with db.write() as tx:
        clear(tx)
        for statement in t.KEYWORD_INDEX:
            tx.exec_driver_sql(statement)
        _fill(tx)


def _drop(tx: Connection) -> None:
    tx.exec_driver_sql("PRAGMA secure_delete=ON")  # no words of it are left in the file
    for name in ("knowledge_terms", "knowledge_fts"):
        tx.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")


def _disown(tx: Connection) -> None:
    """Take the index's tables out of the schema: what has damaged pages cannot be dropped. The pages stay unused."""
    tx.exec_driver_sql("PRAGMA writable_schema=ON")
    try:
        tx.exec_driver_sql("DELETE FROM sqlite_schema WHERE tbl_name = 'knowledge_terms' OR tbl_name = 'knowledge_fts' "
                           "OR tbl_name GLOB 'knowledge_fts_*'")
    finally:
        tx.exec_driver_sql("PRAGMA writable_schema=RESET")


def _fill(tx: Connection) -> None:
    u, s = t.units.c, t.segments.c
    after = -1
    while rows := tx.execute(
            sa.select(u.serial, u.summary.label("of_summary"), s.dataset_id, s.heading, s.content, s.answer, s.keywords,
                      s.summary)
            .join(t.segments, s.id == u.segment_id)
            .where(u.serial > after, u.uses.contains("k")).order_by(u.serial).limit(_BATCH)).all():
        after = rows[-1].serial
        for base in {row.dataset_id for row in rows}:
            keyword.add(tx, base, [
                (row.serial, keyword.prepare(
                    indexed(row.heading or [], row.summary or "", None, None) if row.of_summary
                    else indexed(row.heading or [], row.content, row.answer, row.keywords)))
                for row in rows if row.dataset_id == base])


def _is_whole(thoroughly: bool) -> bool:
    try:
        with db.write() if thoroughly else db.read() as tx:  # who only counts lets others write
            wanted = tx.execute(sa.select(sa.func.count()).where(t.units.c.uses.contains("k"))).scalar()
            if wanted and not db.rows(tx, "SELECT 1 FROM knowledge_terms LIMIT 1"):
                return False
            if thoroughly:
                tx.exec_driver_sql("INSERT INTO knowledge_fts(knowledge_fts) VALUES('integrity-check')")
                for base, in db.rows(tx, "SELECT id FROM datasets"):  # that looks at no more than the words
                    keyword.rank_all(tx, base)
            return db.rows(tx, "SELECT count(*) FROM knowledge_fts_docsize")[0][0] == wanted
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
        return False
