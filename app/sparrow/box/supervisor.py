"""A light client of supervisord: XML-RPC over its Unix socket, in place of xmlrpc.client and 15 MB."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from xml.parsers import expat

from sparrow.errors import Unavailable


class Fault(Exception):
    """supervisord refused; `code` is one of its fault codes (60 already started, 70 not running…)."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code


ALREADY_STARTED, NOT_RUNNING, ABNORMAL_TERMINATION = 60, 70, 40


def call(path: Path, method: str, *arguments: str | bool, timeout: float = 5.0) -> Any:
    """Call a method ("supervisor.getAllProcessInfo") and return its answer.

    Raises Fault if supervisord refuses, Unavailable if it cannot be reached.
    """
    body = _request(method, arguments)
    head = (f"POST /RPC2 HTTP/1.0\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    received = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            connection.sendall(head + body)
            while True:
                data = connection.recv(65536)
                if not data:
                    break
                received += data
    except OSError as error:
        raise Unavailable(f"supervisord cannot be reached at {path}: {error}.")
    header, _, content = bytes(received).partition(b"\r\n\r\n")
    if b" 200 " not in header.split(b"\r\n", 1)[0]:
        raise Unavailable(f"supervisord answered {header[:80].decode(errors='replace')!r}.")
    return _response(content)


def _request(method: str, arguments: tuple[str | bool, ...]) -> bytes:
    values = []
    for argument in arguments:
        if isinstance(argument, bool):
            values.append(f"<boolean>{int(argument)}</boolean>")
        else:
            text = argument.replace("&", "&amp;").replace("<", "&lt;")
            values.append(f"<string>{text}</string>")
    params = "".join(f"<param><value>{value}</value></param>" for value in values)
    return (f"<?xml version='1.0'?><methodCall><methodName>{method}</methodName>"
            f"<params>{params}</params></methodCall>").encode()


class _Reader:
    """Build Python values from XML-RPC's elements as they end."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.text: list[str] = []
        self.fault = False
        self.plain = False

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self.text.clear()
        if name in ("array", "struct"):
            self.marks.append(len(self.stack))
        elif name == "fault":
            self.fault = True
        self.plain = name == "value"

    def data(self, text: str) -> None:
        self.text.append(text)

    def end(self, name: str) -> None:
        text = "".join(self.text)
        if name in ("int", "i4"):
            self.stack.append(int(text))
        elif name == "boolean":
            self.stack.append(text.strip() == "1")
        elif name == "double":
            self.stack.append(float(text))
        elif name in ("string", "name") or (name == "value" and self.plain):
            self.stack.append(text)
        elif name == "nil":
            self.stack.append(None)
        elif name == "array":
            mark = self.marks.pop()
            self.stack[mark:] = [self.stack[mark:]]
        elif name == "struct":
            mark = self.marks.pop()
            flat = self.stack[mark:]
            self.stack[mark:] = [dict(zip(flat[::2], flat[1::2], strict=True))]
        self.plain = False
        self.text.clear()


def _response(content: bytes) -> Any:
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    try:
        parser.Parse(content, True)
        value = reader.stack[-1]
    except (expat.ExpatError, IndexError, ValueError) as error:
        raise Unavailable(f"supervisord sent what is not XML-RPC: {error}.")
    if reader.fault:
        raise Fault(value["faultCode"], value["faultString"])
    return value
