"""Apps for MCP clients: JSON-RPC 2.0 over streamable HTTP at /mcp/server/<code>/mcp.

Each message is a POST, each answer its JSON reply; there are no sessions and no stream of the server's own.
"""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response, request

from sparrow import __version__
from sparrow.api.web import base_url, read_body, reply
from sparrow.apps import mcp_server
from sparrow.errors import SparrowError

blueprint = Blueprint("mcp", __name__, url_prefix="/mcp")

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
_PARSE, _INVALID, _METHOD, _PARAMS, _INTERNAL = -32700, -32600, -32601, -32602, -32603
_MAX_BATCH = 20
_MAX_BODY = 4 << 20


class _Refused(Exception):
    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


@blueprint.post("/server/<code>/mcp")
def speak(code: str) -> Response:
    """Answer a message, or a batch of them."""
    server, app = mcp_server.by_code(code)
    if request.headers.get("MCP-Protocol-Version", VERSIONS[0]) not in VERSIONS:
        return _error(None, _INVALID, f"MCP-Protocol-Version must be one of {', '.join(VERSIONS)}", 400)
    try:
        message = msgspec.json.decode(read_body(_MAX_BODY))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _error(None, _PARSE, "The body is not JSON.", 400)
    if isinstance(message, list):
        if not 1 <= len(message) <= _MAX_BATCH:
            return _error(None, _INVALID, f"A batch holds 1 to {_MAX_BATCH} messages.", 400)
        answers = [answer for answer in (_answer(item, server, app) for item in message) if answer is not None]
        return reply(answers) if answers else Response(status=202)
    answer = _answer(message, server, app)
    if answer is None:
        return Response(status=202)
    invalid = answer.get("error", {}).get("code") == _INVALID
    return reply(answer, 400 if invalid else 200)


@blueprint.route("/server/<code>/mcp", methods=["GET", "DELETE"])
def no_stream(code: str) -> Response:
    """Say that there is no stream to listen to and no session to end."""
    mcp_server.by_code(code)
    response = _error(None, _METHOD, "Send messages with POST; this server has no stream of its own.", 405)
    response.headers["Allow"] = "POST"
    return response


def _answer(message: Any, server: Any, app: Any) -> dict[str, Any] | None:
    """Return the answer to one message; None for what wants none."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return _failure(None, _INVALID, "This is not a message of JSON-RPC 2.0.")
    method, number = message.get("method"), message.get("id")
    if not isinstance(method, str):
        if "result" in message or "error" in message:
            return None  # an answer to nothing we asked
        return _failure(number, _INVALID, "method is missing.")
    if "id" not in message:
        return None
    if not isinstance(number, str | int) or isinstance(number, bool):
        return _failure(None, _INVALID, "id must be a text or a whole number.")
    params = message.get("params", {})
    try:
        if not isinstance(params, dict):
            raise _Refused(_PARAMS, "params must be an object.")
        return {"jsonrpc": "2.0", "id": number, "result": _result(method, params, server, app)}
    except _Refused as error:
        return _failure(number, error.code, str(error))
    except SparrowError as error:
        return _failure(number, _INTERNAL if error.status >= 500 else _PARAMS, error.message)


def _result(method: str, params: dict[str, Any], server: Any, app: Any) -> dict[str, Any]:
    if method == "initialize":
        asked = params.get("protocolVersion")
        return {"protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
                "capabilities": {"tools": {"listChanged": False}},
                "serverInfo": {"name": app.name or "Sparrow", "version": __version__},
                "instructions": server.description or app.description or ""}
    if method == "ping":
        return {}
    if method == "tools/list":
        return {"tools": [mcp_server.tool(server, app)]}
    if method == "tools/call":
        return _call(params, app)
    raise _Refused(_METHOD, f"There is no method {method[:100]}.")


def _call(params: dict[str, Any], app: Any) -> dict[str, Any]:
    if params.get("name") not in (mcp_server.tool_name(app), app.name):
        raise _Refused(_PARAMS, f"There is no tool {str(params.get('name'))[:100]}.")
    arguments = params.get("arguments") or {}
    if not isinstance(arguments, dict):
        raise _Refused(_PARAMS, "arguments must be an object.")
    answer = mcp_server.call(app, arguments, base_url())
    text = answer.text
    if not text and answer.outputs is not None:
        text = msgspec.json.encode(answer.outputs).decode()
    found: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": answer.failed}
    if answer.outputs is not None:
        found["structuredContent"] = answer.outputs
    return found


def _failure(number: Any, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text}}


def _error(number: Any, code: int, text: str, status: int) -> Response:
    return reply(_failure(number, code, text), status)
