"""Files that are written whole or not at all, by several at once, and after a failure."""

from __future__ import annotations

import io
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sparrow import ids, settings
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db, durable, files, queue, secrets, uploads


def test_of_several_that_make_a_file_all_get_what_the_first_wrote(tmp_path):
    path = tmp_path / "secret.key"
    start = threading.Barrier(8)

    def make(_: int) -> bytes:
        start.wait()
        return durable.make(path, os.urandom(32))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(make, range(8))) == {path.read_bytes()}
    assert os.listdir(tmp_path) == ["secret.key"]


def test_one_file_written_by_several_threads_is_always_whole(tmp_path):
    path = tmp_path / "note"

    def write(letter: str) -> None:
        for _ in range(10):
            durable.write(path, letter.encode() * 10_000)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert len(set(path.read_bytes())) == 1
    assert os.listdir(tmp_path) == ["note"]


def test_a_failed_write_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        durable.write(tmp_path / "taken", b"x")
    assert os.listdir(tmp_path) == ["taken"]


def test_secrets_saved_at_once_can_all_be_opened(data_dir, monkeypatch):
    secrets._cipher_of.cache_clear()
    exists, start = type(data_dir).exists, threading.Barrier(4, timeout=5)

    def look(path):  # all of them see that there is no key yet
        found = exists(path)
        if path.name == "secret.key" and not found:
            start.wait()
        return found

    monkeypatch.setattr(type(data_dir), "exists", look)
    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(secrets.encrypt, "abcd"))
    secrets._cipher_of.cache_clear()
    assert [secrets.decrypt(text) for text in stored] == list("abcd")


def test_an_upload_whose_last_step_fails_can_be_ended(sqlite_database, monkeypatch):
    upload_id = uploads.begin("a.txt", 3)["id"]
    with monkeypatch.context() as broken:
        broken.setattr(db, "write", lambda: (_ for _ in ()).throw(OSError("no space")))
        with pytest.raises(OSError, match="no space"):
            uploads.append(upload_id, 0, io.BytesIO(b"abc"))
    assert uploads.state(upload_id)["offset"] == 3
    row = uploads.append(upload_id, 3, io.BytesIO(b""))["file"]
    assert files.path(row["id"]).read_bytes() == b"abc"


def test_a_piece_with_too_much_is_read_to_its_end_and_not_kept(sqlite_database):
    """The connection of a request that is answered before its end is broken, and the answer with it."""
    upload_id = uploads.begin("a.txt", 3)["id"]
    piece = io.BytesIO(b"x" * (3 << 20))
    with pytest.raises(BadRequest, match="3 bytes announced"):
        uploads.append(upload_id, 0, piece)
    assert piece.read() == b""
    assert uploads.append(upload_id, 0, io.BytesIO(b"abc"))["file"]["size"] == 3



def test_an_upload_that_a_power_cut_ended_is_unknown(sqlite_database):
    """Its bytes had their place already, its facts were still there."""
    upload_id = uploads.begin("a.txt", 3)["id"]
    (settings.get().files_dir / "incoming" / upload_id).unlink()
    with pytest.raises(NotFound):
        uploads.state(upload_id)


def test_the_bell_knows_passwords_with_signs_and_a_server_that_is_away(sqlite_database, monkeypatch):
    """A job that was stored is never answered with an error because its ring was not heard."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard = []

    def answer():
        connection, _ = listener.accept()
        with connection:
            while data := connection.recv(4096):
                heard.append(data)
                connection.sendall(b"+OK\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    port = listener.getsockname()[1]
    monkeypatch.setenv("SPARROW_REDIS_URL", f"redis://:p%40ss%2F1@127.0.0.1:{port}/0")
    settings.reset()
    queue.submit("note", {})
    thread.join(5)
    listener.close()
    assert b"p@ss/1" in b"".join(heard)
    assert queue.BELL.encode() in b"".join(heard)
    monkeypatch.setenv("SPARROW_REDIS_URL", f"rediss://127.0.0.1:{port}/0")
    settings.reset()
    assert queue.submit("note", {})


def test_the_sweep_takes_what_has_no_row_and_is_old(sqlite_database):
    kept = files.save(io.BytesIO(b"abc"), "a.txt")["id"]
    lost, fresh, part = (files.path(ids.new_id()) for _ in range(3))
    part = part.with_suffix(".part")
    for path in (lost, fresh, part):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    for path in (lost, part, files.path(kept)):
        os.utime(path, (0, 0))
    assert files.sweep() == 2
    assert [path.exists() for path in (files.path(kept), fresh, lost, part)] == [True, True, False, False]
