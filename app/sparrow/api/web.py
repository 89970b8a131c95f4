"""Routes that are typed: msgspec structs in, msgspec structs out, and an OpenAPI document for free.

A `Room` is a Flask blueprint whose routes are declared by annotations:

    console = Room("console", "/console/api", guard=require_admin)

    @console.post("/apps", status=201)
    def create_app(body: CreateApp) -> App:
        \"\"\"Create an app.\"\"\"

`body` is the JSON body, `query` the query string, `form` the text fields of a multipart body (files are in
`flask.request.files`); every other parameter is a part of the path. What a route returns is encoded as JSON,
unless it is a Flask Response already. The first line of the docstring is the summary in the document.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from sparrow.errors import BadRequest, TooLarge

_encoder = msgspec.json.Encoder(order=None)
JSON = "application/json"
PUBLIC_LIMIT = 64 << 10  # bytes of a body from somebody who has shown nothing yet


class Result(msgspec.Struct):
    """The reply of an action that has nothing to say."""

    result: str = "success"


OK = Result()


class Page(msgspec.Struct, kw_only=True):
    """The query of a list: page from 1, limit from 1 to 100."""

    page: typing.Annotated[int, msgspec.Meta(ge=1, le=99_999)] = 1
    limit: typing.Annotated[int, msgspec.Meta(ge=1, le=100)] = 20

    def offset(self) -> int:
        """Return how many rows come before this page."""
        return (self.page - 1) * self.limit


def base_url() -> str:
    """Return the box's address as this client knows it."""
    return f"{request.scheme}://{request.host}"


@dataclass(slots=True)
class Operation:
    """One route, as the OpenAPI document needs it."""

    method: str
    path: str
    function: Callable
    status: int
    summary: str
    tag: str
    public: bool
    body: Any = None
    query: Any = None
    form: Any = None
    files: tuple[str, ...] = ()
    returns: Any = None
    stream: bool = False
    refused: Any = None
    path_parameters: list[str] = field(default_factory=list)


class Room:
    """A blueprint with typed routes. `guard` runs before each route that is not `public`.

    A JSON body is read into memory, so it has a limit in bytes; files are not, and `file_limit` is None where the
    front door's own limit is enough.
    """

    limit = 32 << 20
    file_limit: int | None = None

    def __init__(self, name: str, prefix: str, *, guard: Callable[[], None] | None = None, strict: bool = True):
        self.name = name
        self.prefix = prefix
        self.guard = guard
        self.strict = strict
        self.blueprint = Blueprint(name, __name__, url_prefix=prefix)
        self.operations: list[Operation] = []

    def get(self, path: str, **options):
        """Declare a GET route."""
        return self.route("GET", path, **options)

    def post(self, path: str, **options):
        """Declare a POST route."""
        return self.route("POST", path, **options)

    def put(self, path: str, **options):
        """Declare a PUT route."""
        return self.route("PUT", path, **options)

    def patch(self, path: str, **options):
        """Declare a PATCH route."""
        return self.route("PATCH", path, **options)

    def delete(self, path: str, **options):
        """Declare a DELETE route."""
        return self.route("DELETE", path, **options)

    def route(self, method: str, path: str, *, status: int = 200, public: bool = False, tag: str = "",
              files: tuple[str, ...] = (), stream: bool = False, hidden: bool = False, reply: Any = None,
              refused: Any = None):
        """Declare a route; see the module's docstring for how parameters are bound.

        `reply` is the type of what a route that builds its own Response answers (beside a stream, if it has one),
        `refused` that of its refusals where these are not all the envelope.
        """

        def declare(function: Callable) -> Callable:
            hints = typing.get_type_hints(function)
            parameters = inspect.signature(function).parameters
            body, query, form = (hints.get(name) if name in parameters else None
                                 for name in ("body", "query", "form"))
            operation = Operation(
                method, self.prefix + path, function, status, (inspect.getdoc(function) or "").split("\n")[0],
                tag or path.strip("/").split("/")[0], public, body, query, form, files,
                reply or hints.get("return"), stream, refused,
                [name for name in parameters if name not in ("body", "query", "form")])
            if not hidden:
                self.operations.append(operation)
            endpoint = f"{method} {path}".replace(".", "-")  # Flask allows no dot in it
            self.blueprint.add_url_rule(path, endpoint, self._view(operation), methods=[method])
            return function

        return declare

    def decoder(self, body: Any, limit: int) -> Callable[[], Any]:
        """Return what reads a request's body as that type; a room may word its errors otherwise."""
        return _body_decoder(body, self.strict, limit)

    def places(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the parts of a path; a room may read them otherwise."""
        return arguments

    def convert(self, values: dict[str, Any], target: Any) -> Any:
        """Return query or form fields as a struct."""
        return _convert(values, target)

    def _view(self, operation: Operation) -> Callable:
        function, status = operation.function, operation.status
        guard = None if operation.public else self.guard
        limit = PUBLIC_LIMIT if operation.public else self.limit
        decode = self.decoder(operation.body, limit) if operation.body is not None else None
        file_limit = self.file_limit if operation.files else None
        query, form, convert = operation.query, operation.form, self.convert

        def view(**arguments):
            arguments = self.places(arguments)
            if guard is not None:
                guard()
            if file_limit is not None:
                request.max_content_length = file_limit
            if decode is not None:
                arguments["body"] = decode()
            if query is not None:
                arguments["query"] = convert(_first_values(_filled(request.args)), query)
            if form is not None:
                arguments["form"] = convert(_first_values(request.form), form)
            result = function(**arguments)
            return result if isinstance(result, Response) else reply(result, status)

        return view


def reply(value: Any, status: int = 200) -> Response:
    """Return a JSON response; `None` gives an empty body."""
    if value is None:
        return Response(status=status)
    return Response(_encoder.encode(value), status=status, mimetype=JSON)


def read_body(limit: int) -> bytes:
    """Return the whole body of the request; raise TooLarge over that many bytes, before they are in memory."""
    request.max_content_length = limit + 1  # a body of unknown length is cut there without an error
    try:
        # get_data also drains the body, which keep-alive connections need (gunicorn #3301).
        data = request.get_data(cache=False)
    except RequestEntityTooLarge:
        data = None
    if data is None or len(data) > limit:
        raise TooLarge(f"The body of this request may have {limit >> 10} KB.")
    return data


def _body_decoder(body_type: Any, strict: bool, limit: int) -> Callable[[], Any]:
    decoder = msgspec.json.Decoder(body_type, strict=strict)

    def decode():
        data = read_body(limit)
        try:
            return decoder.decode(data or b"{}")
        except msgspec.ValidationError as error:
            raise invalid(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRequest(f"The body is not valid JSON: {error}") from None
        except RecursionError:
            raise BadRequest("The body is nested too deeply.") from None

    return decode


def _filled(values: MultiDict) -> MultiDict:
    """Leave out what is empty: `?page=&limit=` asks for what is usual, as a form with empty fields does."""
    return MultiDict((name, value) for name, value in values.items(multi=True) if value != "")


def _first_values(values: MultiDict) -> dict[str, Any]:
    return {name.removesuffix("[]"): items if len(items) > 1 or name.endswith("[]") else items[0]
            for name, items in values.lists() if name}  # a part of a form may come without a name


def _convert(values: dict[str, Any], target: Any) -> Any:
    try:
        return msgspec.convert(values, target, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error) from None


def invalid(error: msgspec.ValidationError) -> BadRequest:
    """Turn msgspec's message (which names the place, as in "… - at `$.name`") into a 400."""
    text = str(error)
    message, _, place = text.partition(" - at `$")
    place = place.rstrip("`").lstrip(".")
    if "missing required field" in message:
        place = message.rsplit("`", 2)[-2] if not place else f"{place}.{message.rsplit('`', 2)[-2]}"
    return BadRequest(f"{place}: {message}" if place else message, params=place or None)
