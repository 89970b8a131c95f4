"""The errors that reach a client: one root class, Dify's codes and statuses."""


class SparrowError(Exception):
    """An error with a message for people, a stable code for programs and an HTTP status.

    Subclasses set `code` and `status`; `params` names the field at fault where there is one.
    """

    code = "internal_server_error"
    status = 500

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None,
                 params: str | None = None):
        super().__init__(message)
        self.message = message
        self.params = params
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status


class BadRequest(SparrowError):
    """The request cannot be understood or breaks a rule."""

    code, status = "invalid_param", 400


class Unauthorized(SparrowError):
    """No credentials, or wrong ones."""

    code, status = "unauthorized", 401


class Forbidden(SparrowError):
    """The credentials are good, and do not allow this."""

    code, status = "forbidden", 403


class NotFound(SparrowError):
    """The thing named does not exist."""

    code, status = "not_found", 404


class Conflict(SparrowError):
    """The request does not fit the present state of the thing."""

    code, status = "conflict", 409


class TooLarge(SparrowError):
    """The body or file is over its limit."""

    code, status = "file_too_large", 413


class TooManyRequests(SparrowError):
    """Try again later; `retry_after` says in how many seconds."""

    code, status = "too_many_requests", 429

    def __init__(self, message: str, *, retry_after: float = 1.0, **kwargs):
        super().__init__(message, **kwargs)
        self.retry_after = retry_after


class Unavailable(SparrowError):
    """A part of the box is not ready, or is out of space."""

    code, status = "service_unavailable", 503
