"""What happened in an app: conversations and runs, for its owner."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow.errors import NotFound
from sparrow.storage import db
from sparrow.storage.tables.conversations import conversations, end_users, messages
from sparrow.storage.tables.runs import node_executions, workflow_runs


def conversations_of(app_id: str, *, keyword: str = "", start: float | None = None, end: float | None = None,
                     offset: int = 0, limit: int = 20) -> tuple[list[Row], int]:
    """Return a page of conversations, newest first, and how many match."""
    where = [conversations.c.app_id == app_id]
    if start is not None:
        where.append(conversations.c.created_at >= start)
    if end is not None:
        where.append(conversations.c.created_at < end)
    if keyword:
        said = sa.select(messages.c.conversation_id).where(
            messages.c.app_id == app_id, sa.or_(messages.c.query.icontains(keyword, autoescape=True),
                                                messages.c.answer.icontains(keyword, autoescape=True)))
        where.append(sa.or_(conversations.c.name.icontains(keyword, autoescape=True), conversations.c.id.in_(said)))
    return _page(conversations, where, conversations.c.updated_at.desc(), offset, limit)


def runs_of(app_id: str, *, status: str = "", keyword: str = "", before: float | None = None,
            after: float | None = None, session_id: str = "", offset: int = 0,
            limit: int = 20) -> tuple[list[Row], int]:
    """Return a page of runs, newest first, and how many match."""
    where = [workflow_runs.c.app_id == app_id]
    if status:
        where.append(workflow_runs.c.status == status)
    if before is not None:
        where.append(workflow_runs.c.created_at <= before)
    if after is not None:
        where.append(workflow_runs.c.created_at >= after)
    if session_id:
        where.append(workflow_runs.c.end_user_id.in_(
            sa.select(end_users.c.id).where(end_users.c.app_id == app_id, end_users.c.session_id == session_id)))
    if keyword:
        text = [sa.cast(workflow_runs.c[name], sa.Text).icontains(keyword, autoescape=True)
                for name in ("inputs", "outputs")]
        where.append(sa.or_(workflow_runs.c.id == keyword, *text))
    return _page(workflow_runs, where, workflow_runs.c.created_at.desc(), offset, limit)


def run_of(app_id: str, run_id: str) -> Row:
    """Return a run of an app; raise NotFound."""
    with db.read() as tx:
        row = tx.execute(sa.select(workflow_runs).where(workflow_runs.c.id == run_id)).first()
    if row is None or row.app_id != app_id:
        raise NotFound("Workflow run not found.")
    return row


def nodes_of(run_id: str) -> list[Row]:
    """Return the node executions of a run in the order they ended."""
    with db.read() as tx:
        return tx.execute(sa.select(node_executions).where(node_executions.c.run_id == run_id)
                          .order_by(node_executions.c.position)).all()


def _page(table: sa.Table, where: list, order, offset: int, limit: int) -> tuple[list[Row], int]:
    with db.read() as tx:
        total = tx.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one()
        rows = tx.execute(sa.select(table).where(*where).order_by(order, table.c.id.desc())
                          .offset(offset).limit(limit)).all()
    return rows, total
