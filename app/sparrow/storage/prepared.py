"""Statements compiled once, for the few of every request."""

from __future__ import annotations

from collections import namedtuple
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection


class Prepared:
    """A statement compiled once, for the few of every request: SQLAlchemy's way to the cursor takes four times as long
    as SQLite itself. All its parameters are given at each call."""

    def __init__(self, statement: sa.sql.expression.Executable):
        self._statement = statement
        self._ready: dict[str, _Ready] = {}

    def __call__(self, tx: Connection, values: dict[str, Any]) -> None:
        """Execute with these values in an open write transaction."""
        self._execute(tx, values)

    def _execute(self, tx: Connection, values: dict[str, Any]) -> tuple[_Ready, Any]:
        ready = self._ready.get(tx.dialect.name) or self._compile(tx, values)
        given = [values[name] if process is None else process(values[name]) for name, process in ready.binds]
        if tx.dialect.name != "sqlite":
            return ready, tx.exec_driver_sql(ready.sql, dict(zip(ready.names, given, strict=True)))
        try:
            return ready, tx.connection.dbapi_connection.execute(ready.sql, given)
        except tx.dialect.loaded_dbapi.Error as error:
            raise wrapped(error, ready.sql, tx.dialect) from error

    def _compile(self, tx: Connection, values: dict[str, Any]) -> _Ready:
        dialect = tx.dialect
        compiled = self._statement.compile(dialect=dialect, column_keys=list(values))
        names = compiled.positiontup if compiled.positional else list(compiled.binds)
        binds = [(name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names]
        columns = getattr(self._statement, "selected_columns", ())
        processors = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        row = namedtuple("Row", [column.key for column in columns]) if processors else None
        ready = self._ready[dialect.name] = _Ready(str(compiled), names, binds, processors, row)
        return ready


class Lookup(Prepared):
    """A SELECT of one row at most, prepared in the same way."""

    def first(self, tx: Connection, values: dict[str, Any]) -> Any:
        """Return the row, with its columns as attributes, or None."""
        if tx.dialect.name != "sqlite":
            return tx.execute(self._statement, values).first()
        ready, result = self._execute(tx, values)
        found = result.fetchone()
        if found is None:
            return None
        return ready.row._make([value if process is None else process(value)
                                for process, value in zip(ready.processors, found, strict=True)])


def rows(tx: Connection, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a SELECT written in the words of the database in use, its values in order."""
    if tx.dialect.name != "sqlite":
        return [tuple(row) for row in tx.exec_driver_sql(sql, values or None)]
    try:
        return tx.connection.dbapi_connection.execute(sql, values).fetchall()
    except tx.dialect.loaded_dbapi.Error as error:
        raise wrapped(error, sql, tx.dialect) from error


class _Ready(NamedTuple):
    """A statement in the words of one database."""

    sql: str
    names: list[str]
    binds: list[tuple[str, Any]]
    processors: list[Any]
    row: type | None


def wrapped(error: Exception, sql: str, dialect: sa.Dialect) -> Exception:
    """Return an error of the driver as SQLAlchemy would have raised it."""
    return sa.exc.DBAPIError.instance(sql, None, error, dialect.loaded_dbapi.Error, dialect=dialect)
