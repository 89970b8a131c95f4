"""E-mail messages (.eml) and saved web pages (.mhtml): who, when, what about, the body, and what is attached."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.header import decode_header
from email.message import EmailMessage
from pathlib import Path

from . import charset, html
from .blocks import Block, Event, Image, Notice, ParseError
from .text import paragraphs

_ATTACHMENTS = 50
_DEPTH = 5  # of messages attached to messages
_HEADERS = ("Subject", "From", "To", "Cc", "Date")


def parse(path: Path, images) -> Iterator[Event]:
    """Yield headers, body and the attachments' blocks, each under a heading with the attachment's name."""
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    if not any(message.get_all(name) for name in (*_HEADERS, "received", "mime-version")):
        raise ParseError("The file is not an e-mail message.", code="mislabelled_file")
    yield from _message(message, [], images)


def _message(message: EmailMessage, base: list[str], images) -> Iterator[Event]:
    told = {name: text for name in _HEADERS if (text := _header(message, name))}
    base = [*base, told["Subject"]] if "Subject" in told else base
    if "<Saved by " not in told.get("From", ""):  # a browser
        yield Block("\n".join(f"{name}: {text}" for name, text in told.items()), heading=base)
    body = message.get_body(preferencelist=("html", "plain")) if message.is_multipart() else message
    if body is not None and body.get_content_maintype() in ("text", "multipart"):
        inner = {part["content-id"].strip("<> "): part for part in message.walk() if part["content-id"]} | {
            part["content-location"]: part for part in message.walk() if part["content-location"]}
        for event in _body(body, base, inner, images):
            if isinstance(event, Block):
                event.heading = event.heading or base
            yield event
    for count, part in enumerate(_attached(message)):
        yield from _attachment(part, base, images, skip=count >= _ATTACHMENTS)


def _body(part: EmailMessage, base: list[str], inner: dict[str, EmailMessage], images) -> Iterator[Event]:
    def picture(address: str) -> Image | None:
        shown = inner.get(address.removeprefix("cid:"))
        if images is None or shown is None:
            return images.inline(address) if images is not None else None
        return _keep(shown, address, images)

    data = part.get_payload(decode=True) or str(part.get_payload()).encode("utf-8", "surrogateescape")
    if part.get_content_subtype() == "html":
        yield from html.blocks(_decode(part, data) or html.decode(data), base=base, picture=picture)
    else:
        text = _decode(part, data) or charset.decode(data)
        yield from paragraphs(text.replace("\r\n", "\n"))


def _decode(part: EmailMessage, data: bytes) -> str | None:
    """Return a part's text by the character set that it declares, None where it says none that can be right."""
    declared = part.get_content_charset()
    if not declared or declared.startswith(("us-ascii", "unknown", "default")):
        return None
    try:
        return data.decode(charset.codec(declared), "replace")
    except LookupError:
        return None


def _header(message: EmailMessage, name: str) -> str:
    """Return a header's text. The library's own does not know what says to be GB 2312 and is more, nor raw bytes."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    data = raw.encode("utf-8", "surrogateescape")
    if not data.isascii():
        raw = charset.decode(data)
    pieces = []
    try:
        for piece, declared in decode_header(re.sub(r"\r?\n[ \t]", " ", raw)) if "=?" in raw else [(raw, None)]:
            if isinstance(piece, bytes):
                piece = piece.decode(charset.codec(declared) if declared else "raw-unicode-escape", "replace")
            pieces.append(piece)
    except (LookupError, ValueError):
        return " ".join(str(message[name]).split())
    return " ".join("".join(pieces).split())


def _attached(message: EmailMessage) -> Iterator[EmailMessage]:
    """Yield the parts that are attached, also where the library takes the message for a single text."""
    if message.is_multipart():
        yield from message.iter_attachments()


def _attachment(part: EmailMessage, base: list[str], images, *, skip: bool) -> Iterator[Event]:
    from .formats import parser_of

    name = part.get_filename() or ""
    if part.get_content_type() == "message/rfc822" and part.is_multipart() and not skip and len(base) < _DEPTH:
        yield from _message(part.get_payload(0), base, images)
        return
    data = part.get_payload(decode=True)
    if part.get_content_maintype() == "image":
        image = _keep(part, name or str(part["content-id"]), images) if images is not None and not skip else None
        if image is not None:
            yield image
            yield Block(f"![{image.name}](image:{image.number})", heading=base)
        return
    name = name or "attachment"
    if skip or not data or len(base) >= _DEPTH:
        yield Notice("attachment_skipped", f"The attachment {name} was not read.", {"name": name})
        return
    with tempfile.NamedTemporaryFile(dir=images.folder if images else None) as copy:
        copy.write(data)
        copy.flush()
        try:
            for event in parser_of(Path(copy.name), name)(Path(copy.name), images):
                if isinstance(event, Block):
                    event.heading = [*base, name, *event.heading]
                yield event
        except ParseError as error:
            yield Notice("attachment_skipped", f"The attachment {name} was not read: {error.message}", {"name": name})


def _keep(part: EmailMessage, key: str, images) -> Image | None:
    name = part.get_filename() or f"picture.{part.get_content_subtype()}"
    return images.keep(key, name, part.get_payload(decode=True) or b"")
