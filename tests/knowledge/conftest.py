"""What tests of indexing, of Chroma and of the knowledge API share."""

from __future__ import annotations

import io

import pytest


@pytest.fixture
def call(app, admin):
    """Send a request with a knowledge key."""
    token = admin.post("/dataset-keys", json={"name": "test"}).json["token"]
    client = app.test_client()

    def send(method: str, path: str, **kwargs):
        return client.open(f"/v1{path}", method=method, headers={"Authorization": f"Bearer {token}"}, **kwargs)

    return send


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
