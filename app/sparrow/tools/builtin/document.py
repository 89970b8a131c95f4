"""Documents as text."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from sparrow.engine.files import File
from sparrow.engine.ports import HttpRequest
from sparrow.tools.builtin import Provider, label
from sparrow.tools.outbound import Client
from sparrow.tools.types import Parameter, Tool, Use, failure

_MAX_FILE, _MAX_TEXT = 50 << 20, 100_000


def _read(values: dict[str, Any], use: Use) -> str:
    given = values["file"]
    if use.extract is None:
        raise failure("Documents cannot be read here.")
    found = [_one(item, use) for item in (given if isinstance(given, list) else [given])]
    start = max(int(values.get("offset") or 0), 0)
    return "\n\n".join(found)[start:start + _MAX_TEXT]


def _one(given: Any, use: Use) -> str:
    if isinstance(given, dict):
        given = File.from_dict(given)
    if isinstance(given, File):
        if use.files is None:
            raise failure("Files of a run can only be read in a run.")
        return use.extract(given.filename or f"file{given.extension or ''}", use.files.read(given))
    address = str(given).strip()
    if not address.startswith(("http://", "https://")):
        raise failure("file must be a file or the http(s) address of one.")
    reply = Client().request(HttpRequest("GET", address, max_text=_MAX_FILE, max_binary=_MAX_FILE, read_timeout=60),
                             use.cancel)
    if reply.status >= 400:
        raise failure(f"The file's address answered {reply.status}.")
    return use.extract(unquote(urlsplit(reply.url).path.rpartition("/")[2]) or "file.txt", reply.content)


PROVIDERS = (Provider("document", label("Documents", "文档"),
                      label("Reads PDF, Word, Excel, PowerPoint, EPUB, HTML and text files.",
                            "读取 PDF、Word、Excel、PowerPoint、EPUB、HTML 与文本文件。"), (
    Tool("read_file", label("Read a file", "读取文件"), "Returns the text of a document.", (
        Parameter("file", "A file, or the address of one", "file", zh="文件或其地址"),
        Parameter("offset", "Characters to leave out at the beginning", "number", required=False, default=0,
                  zh="跳过开头的字符数")), _read),)),)
