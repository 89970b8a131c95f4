"""SQL over the address of a database: PostgreSQL, MySQL, or a SQLite file in the folder `databases`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sparrow import settings
from sparrow.tools import outbound
from sparrow.tools.builtin import Provider, label
from sparrow.tools.types import Parameter, Tool, Use, failure

_MAX_ROWS, _MAX_QUERY, _SECONDS = 1000, 100_000, 30
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "mysql": "mysql+pymysql",
            "mariadb": "mysql+pymysql", "sqlite": "sqlite"}
_PORTS = {"postgresql+psycopg": 5432, "mysql+pymysql": 3306}


def _execute(values: dict[str, Any], use: Use) -> str:
    import sqlalchemy as sa

    query = str(values["query"])
    if len(query) > _MAX_QUERY:
        raise failure(f"The statement is longer than {_MAX_QUERY} characters.")
    url, options = _url(str(values["db_uri"]))
    read_only = values.get("read_only") is True
    try:
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=options)
        with engine.connect() as connection:
            forget = use.cancel.on_cancel(_stopper(engine, connection.connection.driver_connection))
            try:
                _prepare(connection, engine.dialect.name, read_only)
                # As it stands: colons and percent signs in the statement are the database's.
                result = connection.exec_driver_sql(query, execution_options={"no_parameters": True})
                rows = [tuple(row) for row in result.fetchmany(_MAX_ROWS + 1)] if result.returns_rows else None
                names = list(result.keys()) if result.returns_rows else []
                count = result.rowcount
                if read_only:
                    connection.rollback()
                else:
                    connection.commit()
            finally:
                forget()
    except sa.exc.NoSuchModuleError as error:
        raise failure("This kind of database is not supported.") from error
    except ModuleNotFoundError as error:
        raise failure(f"The driver {error.name} is not part of this box.") from error
    except sa.exc.SQLAlchemyError as error:
        raise failure(f"The database refused: {getattr(error, 'orig', None) or error}") from error
    if rows is None:
        return f"Done: {max(count, 0)} rows changed."
    return _format(names, rows, str(values.get("format") or "json"))


def _stopper(engine: Any, raw: Any) -> Callable[[], object]:
    """Return what ends the statement that runs on a driver's connection, from another thread."""
    if engine.dialect.name != "mysql":
        return getattr(raw, "cancel", None) or raw.interrupt  # PostgreSQL's or SQLite's
    number = raw.thread_id()

    def stop() -> None:  # MySQL listens to another connection only
        with engine.connect() as other:
            other.exec_driver_sql(f"KILL QUERY {number}")

    return stop


def _url(text: str) -> tuple[Any, dict[str, Any]]:
    """Return the address with a driver that is here, and what the driver needs to call the checked address."""
    import sqlalchemy as sa

    try:
        url = sa.make_url(text.strip())
    except sa.exc.ArgumentError:
        raise failure("db_uri must look like postgresql://user:password@host:5432/name.") from None
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise failure(f"Databases of kind {url.get_backend_name()} are not supported; "
                      "PostgreSQL, MySQL and SQLite are.")
    if driver == "sqlite":
        return _file(url), {"timeout": 5}
    url = url.set(drivername=driver)
    if not url.host or {"host", "hostaddr", "service", "unix_socket", "read_default_file"} & set(url.query):
        raise failure("db_uri must name the host, and only once.")
    address = outbound.resolve(url.host, url.port or _PORTS[driver])
    if driver.startswith("postgresql"):
        return url, {"hostaddr": address, "connect_timeout": 10, "options": f"-c statement_timeout={_SECONDS}s"}
    return url.set(host=address), {"connect_timeout": 10, "read_timeout": _SECONDS, "write_timeout": _SECONDS,
                                   "local_infile": False}


def _file(url: Any) -> Any:
    folder = (Path(settings.get().data_dir) / "databases").resolve()
    path = (folder / (url.database or "")).resolve()
    if url.query or folder not in path.parents or not path.is_file():
        raise failure(f"SQLite files must be in the folder {folder}, named by their file name: sqlite:///name.db")
    return url.set(database=str(path))


def _prepare(connection: Any, kind: str, read_only: bool) -> None:
    if kind == "sqlite":
        import sqlite3

        raw = connection.connection.driver_connection
        denied = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH}
        raw.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action in denied else sqlite3.SQLITE_OK)
        if read_only:
            connection.exec_driver_sql("PRAGMA query_only = 1")
    elif read_only:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _format(names: list[str], rows: list[tuple], how: str) -> str:
    more = len(rows) > _MAX_ROWS
    rows = rows[:_MAX_ROWS]
    if how == "csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([names, *rows])
        return out.getvalue()
    if how == "md":
        lines = [names, ["---"] * len(names), *rows]
        return "\n".join("| " + " | ".join("" if cell is None else str(cell).replace("|", "\\|").replace("\n", " ")
                                           for cell in line) + " |" for line in lines)
    found: dict[str, Any] = {"result": [dict(zip(names, map(_plain, row), strict=True)) for row in rows]}
    if more:
        found["truncated"] = f"Only the first {_MAX_ROWS} rows are shown."
    return json.dumps(found, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    return value.hex() if isinstance(value, bytes | memoryview) else str(value)


_URI = Parameter("db_uri", "Address such as postgresql://user:password@host:5432/name", "secret", form=True,
                 zh="数据库地址，如 postgresql://user:password@host:5432/name")
PROVIDERS = (Provider("database", label("Database", "数据库"), label("Asks databases in SQL.", "用 SQL 查询数据库。"), (
    Tool("sql_execute", label("Run SQL", "执行 SQL"), "Runs one SQL statement and returns its rows.", (
        Parameter("query", "The SQL statement", zh="SQL 语句"), _URI,
        Parameter("format", "How rows are returned", "select", required=False, default="json", form=True,
                  options=("json", "csv", "md"), zh="结果格式"),
        Parameter("read_only", "Only read", "boolean", required=False, default=False, form=True, zh="只读")),
         _execute),), (_URI,)),)
