"""Chroma as an index over the vectors in the database: a thin HTTP client, and how the two are kept alike.

Chroma is a cache. Only serial numbers and vectors go there, never a text. Every vector is sent at most once
(`knowledge_units.synced`), upserts make a repeat harmless, and a collection that lost something is dropped and made
anew from the database. Collections are always cosine.
"""

from __future__ import annotations

import base64
import random
import threading
import time
from array import array
from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa

from sparrow import settings
from sparrow.providers.dial import Call, Timeouts, WireError, route_of
from sparrow.providers.wire import Client, head_of
from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

_BASE = "/api/v2/tenants/default_tenant/databases/default_database/collections"
_BATCH = 200
_CONNECT_SECONDS = 0.5
_REST = 3.0  # seconds without asking after it could not be reached
_PROBES = 32  # vectors of a base that are looked for to see whether its collection is whole
_FOUND = 0.85  # the part of them that must be found: the search is approximate
_AGAIN = 600.0  # seconds after which a collection that is being asked is tried anew, beside its questions
_CHECKED = 3  # of the vectors an answer names, how many are compared with the database's
_TOLERANCE = 0.01  # between the cosine Chroma tells and that of the database's vector

_VECTOR = db.Lookup(
    sa.select(t.embeddings.c.vector)
    .join(t.units, sa.and_(t.embeddings.c.hash == t.units.c.hash, t.embeddings.c.model == sa.bindparam("model")))
    .where(t.units.c.serial == sa.bindparam("serial")))

_client = Client()
_url = ""  # of the server that the rest is known of
_down_until = 0.0
_ids: dict[str, str] = {}
# The ids of collections that have been found sound by this process, and when, by their names.
_sound: dict[str, tuple[str, float]] = {}
_models: dict[str, str] = {}  # whose vectors a collection holds: a base's next model has another epoch


class Down(Exception):
    """Chroma cannot be reached, or failed."""


class Failed(Down):
    """Chroma is there, but cannot do what it was asked: its files may be damaged."""


class Missing(Exception):
    """The collection does not exist."""


def up() -> bool:
    """Tell whether Chroma answers now."""
    try:
        _request("GET", "/api/v2/heartbeat", timeout=1.0)
    except (Down, Missing):
        return False
    return True


def collection_name(dataset_id: str, epoch: int) -> str:
    """Return the name of a base's collection; a new epoch is a new collection."""
    return f"s-{dataset_id}-{epoch}"


def query(dataset_id: str, epoch: int, vector: Any, limit: int) -> Callable[[], list[tuple[int, float]]]:
    """Ask for the nearest vectors; return what waits for (serial, cosine) of them, best first. Both raise Down or
    Missing.

    Failed is raised also for an answer that does not agree with the database's vectors: Chroma's files may be damaged
    while it runs.
    """
    name = collection_name(dataset_id, epoch)
    body = {"query_embeddings": [vector.tolist()], "n_results": limit, "include": ["distances"]}
    asked = _ask("POST", f"{_BASE}/{_collection(name)}/query", body, timeout=5.0, forget=name)

    def answer() -> list[tuple[int, float]]:
        reply = asked()
        ids, distances = reply["ids"][0], reply["distances"][0]
        found = [(int(serial), 1.0 - distance) for serial, distance in zip(ids, distances, strict=True)]
        _compare(dataset_id, name, vector, found)
        return found

    return answer


def _compare(dataset_id: str, name: str, vector: Any, found: list[tuple[int, float]]) -> None:
    """Raise Failed where some of an answer's cosines are not those of the database's vectors.

    What disagrees is to be sent anew; the check that follows a failed answer then makes the collection anew.
    """
    import numpy as np

    sample = dict(found[::max(len(found) // _CHECKED, 1)][:_CHECKED])
    with db.read() as tx:
        if name not in _models:
            row = _dataset(tx, dataset_id)
            if row is None or name != collection_name(dataset_id, row["index_epoch"]):
                return
            _models[name] = row["model"]
        stored = {serial: _VECTOR.first(tx, {"model": _models[name], "serial": serial}) for serial in sample}
    wrong = []
    for serial, row in stored.items():
        if row is None:
            continue
        own = np.frombuffer(row.vector, dtype="<f4")
        # A text without any word the model knows has a vector of zeros, whose cosine nobody can tell.
        if len(own) != len(vector) or (own.any() and abs(float(own @ vector) - sample[serial]) > _TOLERANCE):
            wrong.append(serial)
    if wrong:
        _sound.pop(name, None)
        with db.write() as tx:
            tx.execute(t.units.update().where(t.units.c.serial.in_(wrong)).values(synced=False))
        raise Failed("Chroma's answer does not agree with the database.")


def count(dataset_id: str, epoch: int) -> int:
    """Return how many vectors a collection holds; raise Down or Missing."""
    name = collection_name(dataset_id, epoch)
    return int(_request("GET", f"{_BASE}/{_collection(name)}/count", timeout=5.0, forget=name))


def drop(name: str) -> None:
    """Delete a collection; a missing one is fine."""
    _ids.pop(name, None)
    try:
        _request("DELETE", f"{_BASE}/{name}", timeout=60.0)
    except Missing:
        pass


def sync(dataset_id: str) -> int:
    """Send what Chroma lacks and delete what it should not have; return how many vectors were sent.

    Safe to run twice at once and to be killed at any point. Raises Down.
    """
    with db.read() as tx:
        row = _dataset(tx, dataset_id)
    if row is None:
        return 0
    name, sent = collection_name(dataset_id, row["index_epoch"]), 0
    while True:
        with db.read() as tx:
            batch = tx.execute(
                sa.select(t.units.c.serial, t.embeddings.c.vector)
                .join(t.embeddings, sa.and_(t.embeddings.c.hash == t.units.c.hash,
                                            t.embeddings.c.model == row["model"]))
                .where(t.units.c.dataset_id == dataset_id, t.units.c.synced.is_(False))
                .order_by(t.units.c.serial).limit(_BATCH)).all()
        if not batch:
            break
        serials = [serial for serial, _ in batch]
        body = {"ids": [str(serial) for serial in serials],
                "embeddings": [base64.b64encode(vector).decode() for _, vector in batch]}
        try:
            _request("POST", f"{_BASE}/{_collection(name, create=True)}/upsert", body, timeout=60.0, forget=name)
        except Missing:
            continue  # it went away between; the next round makes it again
        with db.write() as tx:
            tx.execute(t.units.update().where(t.units.c.serial.in_(serials)).values(synced=True))
        sent += len(serials)
    _remove(dataset_id, name)
    return sent


def _remove(dataset_id: str, name: str) -> None:
    while True:
        with db.read() as tx:
            gone = list(tx.execute(sa.select(t.vector_removals.c.serial).where(
                t.vector_removals.c.dataset_id == dataset_id).limit(_BATCH)).scalars())
        if not gone:
            return
        try:
            _request("POST", f"{_BASE}/{_collection(name)}/delete", {"ids": [str(serial) for serial in gone]},
                     timeout=60.0, forget=name)
        except Missing:
            pass
        with db.write() as tx:
            tx.execute(t.vector_removals.delete().where(t.vector_removals.c.serial.in_(gone)))


def check(dataset_id: str, *, deep: bool = True) -> bool:
    """Compare a collection with the database and rebuild it where it lost something; return whether it was whole.

    Raises Down. Without `deep` only numbers are compared, for which Chroma need not load the collection.
    """
    with db.read() as tx:
        row = _dataset(tx, dataset_id)
        if row is None:
            return True
        expected = tx.execute(sa.select(sa.func.count()).select_from(t.units).where(
            t.units.c.dataset_id == dataset_id, t.units.c.uses.like("v%"), t.units.c.synced.is_(True))).scalar()
        pending = tx.execute(sa.select(sa.func.count()).select_from(t.vector_removals).where(
            t.vector_removals.c.dataset_id == dataset_id)).scalar()
    try:
        have = count(dataset_id, row["index_epoch"])
        whole = expected <= have <= expected + pending and (not deep or _finds(dataset_id, row))
    except (Missing, Failed):
        whole = False
    if whole:
        sync(dataset_id)
    else:
        rebuild(dataset_id)
    return whole


def sound(dataset_id: str, epoch: int) -> bool:
    """Tell whether a base's collection answers rightly, by a sample at its first use; raise Down or Missing.

    With a file cut short or missing Chroma may count as before, and find other vectors than the nearest. It is tried
    again every ten minutes while it is asked, in a thread that no question waits for.
    """
    name = collection_name(dataset_id, epoch)
    known, when = _sound.get(name, ("", 0.0))
    if known and known == _ids.get(name):
        if time.monotonic() - when > _AGAIN:
            _sound[name] = known, time.monotonic()
            threading.Thread(target=_try_again, args=(dataset_id, name), daemon=True, name="chroma-check").start()
        return True
    with db.read() as tx:
        row = _dataset(tx, dataset_id)
    if row is None or row["index_epoch"] != epoch or not _finds(dataset_id, row):
        return False
    _sound[name] = _collection(name), time.monotonic()
    return True


def _try_again(dataset_id: str, name: str) -> None:
    """Forget that a collection was sound where it is not any more; the next question sees to it."""
    try:
        with db.read() as tx:
            row = _dataset(tx, dataset_id)
        if row is None or not _finds(dataset_id, row):
            _sound.pop(name, None)
    except (Down, Missing):
        _sound.pop(name, None)


def _finds(dataset_id: str, row: dict[str, Any]) -> bool:
    """Tell whether a collection finds a sample of its own vectors."""
    u = t.units.c
    stored = sa.and_(u.dataset_id == dataset_id, u.synced.is_(True))
    with db.read() as tx:
        first, last = tx.execute(sa.select(sa.func.min(u.serial), sa.func.max(u.serial)).where(stored)).one()
        if first is None:
            return True
        sample = [tx.execute(
            sa.select(u.hash, t.embeddings.c.vector)
            .join(t.embeddings, sa.and_(t.embeddings.c.hash == u.hash, t.embeddings.c.model == row["model"]))
            .where(stored, u.uses.like("v%"), u.serial >= random.randint(first, last)).order_by(u.serial).limit(1)
        ).first() for _ in range(_PROBES)]
    sample = [probe for probe in sample if probe]
    if not sample:
        return True
    name = collection_name(dataset_id, row["index_epoch"])
    reply = _request("POST", f"{_BASE}/{_collection(name)}/query", {
        "query_embeddings": [array("f", probe.vector).tolist() for probe in sample], "n_results": 1, "include": []},
        timeout=30.0, forget=name)
    found = [int(ids[0]) for ids in reply["ids"] if ids]
    with db.read() as tx:
        # Equal texts have equal vectors, so any of them will do.
        hashes = dict(tx.execute(sa.select(u.serial, u.hash).where(u.serial.in_(found))).all())
    hits = sum(bool(ids) and hashes.get(int(ids[0])) == probe.hash
               for ids, probe in zip(reply["ids"], sample, strict=True))
    return hits >= len(sample) * _FOUND


def rebuild(dataset_id: str) -> int:
    """Make a base's collection anew from the database; return the number of vectors. Raises Down."""
    with db.read() as tx:
        row = _dataset(tx, dataset_id)
    if row is None:
        return 0
    drop(collection_name(dataset_id, row["index_epoch"]))
    with db.write() as tx:
        tx.execute(t.units.update().where(t.units.c.dataset_id == dataset_id, t.units.c.uses.like("v%"))
                   .values(synced=False))
        tx.execute(t.vector_removals.delete().where(t.vector_removals.c.dataset_id == dataset_id))
    return sync(dataset_id)


def check_all() -> dict[str, bool]:
    """Check every base, drop collections no base owns; return which were whole. Raises Down."""
    with db.read() as tx:
        rows = tx.execute(sa.select(t.datasets.c.id, t.datasets.c.index_epoch)).all()
    wanted = {collection_name(dataset_id, epoch) for dataset_id, epoch in rows}
    for entry in _request("GET", f"{_BASE}?limit=10000", timeout=10.0):
        if entry["name"].startswith("s-") and entry["name"] not in wanted:
            drop(entry["name"])
    return {dataset_id: check(dataset_id, deep=False) for dataset_id, _ in rows}


def _dataset(tx, dataset_id: str):
    from .embed import embedder

    row = tx.execute(sa.select(t.datasets.c.index_epoch, t.datasets.c.embedding_model,
                               t.datasets.c.embedding_model_provider).where(
        t.datasets.c.id == dataset_id)).mappings().first()
    if row is None:
        return None
    model = embedder(row["embedding_model_provider"], row["embedding_model"]).key
    return {"index_epoch": row["index_epoch"], "model": model}


def _collection(name: str, *, create: bool = False) -> str:
    known = _ids.get(name)
    if known:
        return known
    if create:
        reply = _request("POST", _BASE, {"name": name, "get_or_create": True,
                                         "configuration": {"hnsw": {"space": "cosine"}}}, timeout=30.0)
    else:
        reply = _request("GET", f"{_BASE}/{name}", timeout=5.0)
    _ids[name] = reply["id"]
    return reply["id"]


def _request(method: str, path: str, body: Any = None, *, timeout: float, forget: str = "") -> Any:
    return _ask(method, path, body, timeout=timeout, forget=forget)()


def _ask(method: str, path: str, body: Any = None, *, timeout: float, forget: str = "") -> Callable[[], Any]:
    """Send a request; return what waits for the reply and returns it. Both raise Down or Missing."""
    url = _server()
    _check_rested()
    content = msgspec.json.encode(body) if body is not None else None
    try:
        route, target = route_of(url + path, True, "", "")
        head = head_of(method, route, target, {"content-type": "application/json"}, content)
        exchange = _client.begin(route, Timeouts(_CONNECT_SECONDS, timeout, timeout), Call())
    except WireError as error:
        raise _failure(Down, error) from error
    try:
        exchange.send(head, content)
    except OSError as error:
        exchange.close()
        raise _failure(Failed, error) from error

    def answer() -> Any:
        try:
            _check_rested()  # of several bases that are asked at once only one is waited for in vain
            exchange.read_head(method)
            reply = exchange.read()
        except (WireError, OSError) as error:
            raise _failure(Failed, error) from error
        finally:
            exchange.close()
        if exchange.status == 404:
            _ids.pop(forget, None)
            raise Missing(path)
        if exchange.status >= 400:
            _ids.pop(forget, None)
            raise Failed(f"{exchange.status}: {reply[:300].decode(errors='replace')}")
        return msgspec.json.decode(reply) if reply else None

    return answer


def _check_rested() -> None:
    if time.monotonic() < _down_until:
        raise Down("Chroma did not answer a moment ago.")


def _failure(kind: type[Down], error: Exception) -> Down:
    """Note that Chroma could not be asked, and return what to raise: Failed where it broke off, for a damaged file may
    make it crash in the middle of an answer; Down where it was only slow."""
    global _down_until
    _down_until = time.monotonic() + _REST
    _sound.clear()  # what starts again may have been damaged meanwhile
    slow = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
    return (Down if slow else kind)(str(error))


def _server() -> str:
    """Return the server's address; forget what is known of another one."""
    global _url, _down_until
    url = settings.get().chroma_url.rstrip("/")
    if _url != url:
        _url, _down_until = url, 0.0
        _ids.clear()
    return url


def reset() -> None:
    """Forget what is known of the server (it was replaced); for tests."""
    global _url, _down_until
    _url, _down_until = "", 0.0
    _client.close()
    _ids.clear()
    _sound.clear()
    _models.clear()
