"""What tests of indexing and of Chroma share."""

from __future__ import annotations

import io

import pytest


@pytest.fixture
def base(sqlite_database):
    """A base and a function that adds a document without indexing it."""
    return _made()


@pytest.fixture
def base_of_either(database):
    """The same, once in SQLite and once in PostgreSQL."""
    return _made()


def _made() -> dict:
    from sparrow.knowledge import datasets, documents
    from sparrow.storage import files

    dataset = datasets.create("base")

    def add(data: bytes, name: str = "doc.md", **options):
        file = files.save(io.BytesIO(data), name)
        return documents.add_files(dataset["id"], [file["id"]], **options)[0][0]

    dataset["add"] = add
    return dataset
