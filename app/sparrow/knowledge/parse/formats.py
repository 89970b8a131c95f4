"""Which parser reads a file: by its content first, by its name where the content leaves it open."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from . import picture
from .blocks import Event, ParseError
from .charset import looks_binary, looks_garbled

Parser = Callable[[Path, object], Iterator[Event]]

_BY_NAME = {
    "text": "txt text log properties ini conf cfg rst tex org adoc asciidoc",
    "markdown": "md markdown mdx",
    "html": "html htm xhtml",
    "pdf": "pdf", "docx": "docx docm", "pptx": "pptx pptm", "xlsx": "xlsx xlsm", "epub": "epub",
    "mail": "eml mht mhtml",
    "delimited": "csv tsv",
    "data:parse_json": "json jsonl ndjson",
    "data:parse_xml": "xml",
    "subtitles": "vtt srt",
    "picture": "png jpg jpeg webp gif",
    "source": "py js mjs cjs ts tsx jsx c h cc cpp cxx hpp cs java kt kts go rs rb php swift scala lua pl "
              "pm r jl sh "
              "bash zsh ps1 bat sql css scss less vue svelte yaml yml toml dockerfile makefile cmake proto "
              "dart "
              "ex exs erl hs clj m mm asm s v vhdl diff patch",
}
_MODULES = {extension: module for module, extensions in _BY_NAME.items() for extension in extensions.split()}
PICTURES = frozenset(_BY_NAME["picture"].split())
EXTENSIONS = frozenset(_MODULES) - PICTURES
# What tells its character set nowhere.
_GUESSED = frozenset(("text", "markdown", "delimited", "source", "subtitles"))
_CONVERT = {"doc": "a .docx", "xls": "an .xlsx", "ppt": "a .pptx", "rtf": "a .docx", "odt": "a .docx",
            "ods": "an .xlsx", "odp": "a .pptx", "wps": "a .docx", "et": "an .xlsx", "dps": "a .pptx",
            "pages": "a .docx", "numbers": "an .xlsx", "key": "a .pptx", "mobi": "an .epub", "azw3": "an .epub",
            "msg": "an .eml"}
_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|table|body)\b", re.I)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP_PARTS = (("word/", "docx"), ("ppt/", "pptx"), ("xl/", "xlsx"), ("META-INF/container.xml", "epub"))
# Pictures, programs, archives and films, whatever follows; marks of letters alone would be words of a text ("BMW").
_BINARY = (b"\x89PNG", b"\xff\xd8\xff", b"\x7fELF", b"\x1f\x8b", b"7z\xbc\xaf", b"\xfd7zXZ", b"(\xb5/\xfd",
           b"\x1aE\xdf\xa3")


def extension(name: str) -> str:
    """Return the lower-case ending of a file name; a Makefile's is "makefile"."""
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    return base.rpartition(".")[2] if "." in base else base


def supported(name: str) -> bool:
    """Tell whether a file of this name can be read without a model."""
    return extension(name) in EXTENSIONS


def advice(name: str) -> str:
    """Return what to do with a file of a type that is not read directly, "" where there is no more to say."""
    ending = extension(name)
    if ending in PICTURES:
        return "Pictures can be read once a vision model for scanned pages is chosen."
    return _convert(ending).message if ending in _CONVERT else ""


def parser_of(path: Path, name: str) -> Parser:
    """Return the parser for a file, or raise ParseError with what to do.

    A file whose content is of another known type than its name says is read as what it is.
    """
    ending = extension(name)
    with open(path, "rb") as file:
        head = file.read(4096)
    if not head:
        raise ParseError("The file is empty.", code="empty_file")
    kind = _content(path, head, ending)
    if kind is None and ending in PICTURES and picture.ending_of(head):
        kind = "png"
    if kind is None and ending in ("pdf", "docx", "pptx", "xlsx", "epub", "docm", "pptm", "xlsm", *PICTURES):
        if not looks_binary(head) and head.strip():
            raise ParseError(f"The file is named .{ending} but its content is plain text. Rename it to "
                             f".txt, or "
                             "export it again.", code="mislabelled_file")
        raise ParseError(f"The file is named .{ending} but its content is not, or is damaged. Export it "
                         f"again.",
                         code="corrupt_file")
    if kind is None and ending in _CONVERT:
        kind = _exported(head, ending)
    if kind is None:
        if head.startswith(_BINARY) or looks_binary(head):
            if ending not in EXTENSIONS:
                raise ParseError(f"Files of type .{ending} cannot be read.", code="unsupported_type")
            if picture.ending_of(head):
                raise ParseError(f"The file is named .{ending} but contains a picture.", code="mislabelled_file")
            raise ParseError(f"The file is named .{ending} but contains no text.", code="mislabelled_file")
        kind = ending if ending in EXTENSIONS else "txt"
        if _MODULES[kind] in _GUESSED and looks_garbled(head):
            raise ParseError(f"The file is named .{ending} but contains no readable text. If it is text, save it as "
                             "UTF-8.", code="mislabelled_file")
    return _load(_MODULES[kind])


def _content(path: Path, head: bytes, ending: str) -> str | None:
    """Return the type that the first bytes prove, or None."""
    if head.startswith(b"%PDF-") or (b"%PDF-" in head[:1024] and not looks_like_code(ending)):
        return "pdf"
    if head.startswith(_OLE):
        data = path.read_bytes() if path.stat().st_size < 64 << 20 else head
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise ParseError("The file is protected by a password. Save a copy without one.",
                             code="encrypted_file")
        raise _convert(ending if ending in _CONVERT else "doc")
    if head.startswith(b"{\\rtf"):
        raise _convert("rtf")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        try:
            names = zipfile.ZipFile(path).namelist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ParseError("The file is damaged: its container cannot be opened. Copy or export it again.",
                             code="corrupt_file") from error
        for mark, kind in _ZIP_PARTS:
            if any(name.startswith(mark) for name in names):
                return kind
        if ending == "epub" and any(name.endswith("/META-INF/container.xml") for name in names):
            return "epub"
        if "content.xml" in names:
            raise _convert(ending if ending in _CONVERT else "odt")
        raise ParseError("The file is a zip archive. Unpack it and add the documents inside.",
                         code="unsupported_type")
    return None


def _exported(head: bytes, ending: str) -> str:
    """Return what a file with an old office ending is where a web program has only called it so; raise ParseError."""
    if not looks_binary(head):
        if _MARKUP.search(head):
            return "html"
        if ending in ("xls", "et") and not head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
            return "csv"
    raise _convert(ending)


def looks_like_code(ending: str) -> bool:
    """Tell whether a name says source code or Markdown, in which another format's mark may be quoted."""
    return _MODULES.get(ending) in ("source", "markdown", "text", "html")


def _convert(ending: str) -> ParseError:
    return ParseError(f"Files of type .{ending} are not read directly. Convert it first: open it in your "
                      f"office "
                      f"program and save it as {_CONVERT.get(ending, 'a PDF')} file.", code="convert_first")


def _load(module: str) -> Parser:
    module, _, function = module.partition(":")
    return getattr(import_module(f"sparrow.knowledge.parse.{module}"), function or "parse")
