"""The metadata every table hangs on, and the columns most of them share."""

from sqlalchemy import Column, Float, MetaData, String

# Named constraints, so that a later migration can find them on both databases.
metadata = MetaData(naming_convention={
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
})


def id_column() -> Column:
    """Return the primary key: a UUID as text."""
    return Column("id", String(36), primary_key=True)


def reference(name: str, *args, nullable: bool = False, **kwargs) -> Column:
    """Return a column that holds another row's id."""
    return Column(name, String(36), *args, nullable=nullable, **kwargs)


def times() -> tuple[Column, Column]:
    """Return created_at and updated_at, in Unix seconds."""
    return Column("created_at", Float, nullable=False), Column("updated_at", Float, nullable=False)
