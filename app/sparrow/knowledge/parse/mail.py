"""E-mail messages (.eml): who, when, what about, the body, and attachments that can be read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

from . import html
from .blocks import Block, Event, Notice, ParseError
from .text import paragraphs

_ATTACHMENTS = 50


def parse(path: Path, images) -> Iterator[Event]:
    """Yield headers, body and the attachments' blocks, each under a heading with the attachment's name."""
    from .formats import parser_of

    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    if not any(message[name] for name in ("from", "to", "subject", "date", "received")):
        raise ParseError("The file is not an e-mail message.", code="mislabelled_file")
    subject = str(message["subject"] or "").strip()
    head = [f"{name}: {message[name]}" for name in ("Subject", "From", "To", "Cc", "Date") if message[name]]
    base = [subject] if subject else []
    yield Block("\n".join(head), heading=base)
    body = message.get_body(preferencelist=("html", "plain"))
    if body is not None:
        content = body.get_content()
        found = html.blocks(content, base=base) if body.get_content_subtype() == "html" else \
            paragraphs(content.replace("\r\n", "\n"))
        for block in found:
            block.heading = block.heading or base
            yield block
    for count, part in enumerate(message.iter_attachments()):
        name = part.get_filename() or "attachment"
        data = part.get_payload(decode=True)
        if count >= _ATTACHMENTS or not data or name.lower().endswith(".eml"):
            yield Notice("attachment_skipped", f"The attachment {name} was not read.", {"name": name})
            continue
        with tempfile.NamedTemporaryFile(dir=images.folder if images else None) as copy:
            copy.write(data)
            copy.flush()
            try:
                for event in parser_of(Path(copy.name), name)(Path(copy.name), images):
                    if isinstance(event, Block):
                        event.heading = [*base, name, *event.heading]
                    yield event
            except ParseError as error:
                yield Notice("attachment_skipped", f"The attachment {name} was not read: {error.message}",
                             {"name": name})
