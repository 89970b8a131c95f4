"""How much of a request is read, and from whom."""

from __future__ import annotations

import errno
import io
import os

import pytest

from sparrow.api.web import PUBLIC_LIMIT
from sparrow.apps import app as apps
from sparrow.storage import files


class Endless(io.RawIOBase):
    """A body that goes on and counts what was read of it."""

    taken = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        buffer[:] = b" " * len(buffer)
        self.taken += len(buffer)
        return len(buffer)


def _body(length: int | None):
    body = Endless()
    told = ({"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"} if length is None
            else {"CONTENT_LENGTH": str(length)})
    return body, {"wsgi.input": body, "CONTENT_TYPE": "application/json", **told}


@pytest.mark.parametrize("length", [1 << 30, None])
@pytest.mark.parametrize("path", ["/console/api/login", "/console/api/setup"])
def test_a_stranger_cannot_fill_the_memory(app, path, length):
    body, told = _body(length)
    reply = app.test_client().post(path, environ_overrides=told)
    assert (reply.status_code, reply.json["code"]) == (413, "file_too_large")
    assert "64 KB" in reply.json["message"]
    assert body.taken <= PUBLIC_LIMIT + 1


def test_a_visitor_may_send_what_an_app_takes_and_no_more(app):
    site = apps.create("Page", "chat").id
    http = app.test_client()
    token = http.get("/api/passport", headers={"X-App-Code": site}).json["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    body, told = _body(1 << 30)
    reply = http.post("/api/chat-messages", headers=headers, environ_overrides=told)
    assert (reply.status_code, body.taken) == (413, 0)
    body, told = _body(1 << 30)
    told["CONTENT_TYPE"] = "multipart/form-data; boundary=x"
    reply = http.post("/api/files/upload", headers=headers, environ_overrides=told)
    assert (reply.status_code, reply.json["code"], body.taken) == (413, "file_too_large", 0)
    assert "101 MB" in reply.json["message"]


@pytest.mark.parametrize(("number", "answer"), [(errno.ENOSPC, (507, "disk_full")), (errno.EROFS, (503, "read_only"))])
def test_a_full_or_broken_disk_is_named(admin, monkeypatch, number, answer):
    def save(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "save", save)
    reply = admin.post("/files/upload", data={"file": (io.BytesIO(b"x"), "a.txt")})
    assert (reply.status_code, reply.json["code"]) == answer
