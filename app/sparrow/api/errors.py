"""Every error a client sees: Dify's envelope {code, message, status[, params]}."""

from __future__ import annotations

import errno
import logging
import re

from flask import Flask, Response, request
from sqlalchemy.exc import DBAPIError, IntegrityError
from werkzeug.exceptions import HTTPException

from sparrow.api.web import reply
from sparrow.errors import SparrowError, TooManyRequests

log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Register the handlers on an app."""
    app.register_error_handler(SparrowError, _sparrow)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(OSError, _system)
    app.register_error_handler(Exception, _unexpected)


def envelope(code: str, message: str, status: int, params: str | None = None) -> Response:
    """Return Dify's error reply; 401 names the scheme that would be accepted."""
    body = {"code": code, "message": message, "status": status}
    if params:
        body["params"] = params
    response = reply(body, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="api"'
    return response


def _sparrow(error: SparrowError) -> Response:
    if error.status >= 500:
        log.error("%s %s: %s", request.method, request.path, error.message)
    response = envelope(error.code, error.message, error.status, error.params)
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return response


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response
    code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    status = error.code or 500
    text = error.description or error.name
    if status == 413:
        code = "file_too_large"
        if request.max_content_length:
            text = f"The upload is larger than {request.max_content_length >> 20} MB, the limit here."
    response = envelope(code, text, status)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _database(error: DBAPIError) -> Response:
    text = str(error.orig).lower()
    if isinstance(error, IntegrityError):
        return envelope("conflict", "This is in conflict with something that exists already.", 409)
    log.error("%s %s: %s", request.method, request.path, error.orig)
    if "full" in text or "no space" in text:
        return _disk_full()
    if "readonly" in text or "read-only" in text:
        return _read_only()
    return envelope("database_error", "The database could not do this just now. Try again.", 503)


def _system(error: OSError) -> Response:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        log.error("%s %s: %s", request.method, request.path, error)
        return _read_only() if error.errno == errno.EROFS else _disk_full()
    return _unexpected(error)


def _disk_full() -> Response:
    return envelope("disk_full", "The disk is full. Delete documents or backups, or use a larger disk.", 507)


def _read_only() -> Response:
    return envelope("read_only", "The data partition is read-only: it has a fault. See the health page.", 503)


def _unexpected(error: Exception) -> Response:
    log.exception("%s %s", request.method, request.path)
    return envelope("internal_server_error", "Something went wrong inside Sparrow; the log has the details.", 500)
