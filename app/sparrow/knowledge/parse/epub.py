"""E-books (.epub): the chapters in reading order, each through the HTML parser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from . import html
from .archive import Archive, resolve
from .blocks import Event, ParseError, Progress


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the blocks and pictures of every chapter of the spine under the book's title."""
    archive = Archive(path)
    if "META-INF/encryption.xml" in archive and b"EncryptedData" in archive.read("META-INF/encryption.xml") \
            and b"obfuscation" not in archive.read("META-INF/encryption.xml"):
        raise ParseError("The book is protected (DRM) and cannot be read.", code="encrypted_file")
    package = _package(archive)
    folder = package.rpartition("/")[0]
    files: dict[str, str] = {}
    spine: list[str] = []
    title: list[str] = []
    inside = ""

    def start(tag, attributes):
        nonlocal inside
        inside = tag
        if tag == "item" and "html" in attributes.get("media-type", ""):
            files[attributes.get("id", "")] = resolve(folder, unquote(attributes.get("href", "")))
        elif tag == "itemref":
            spine.append(attributes.get("idref", ""))

    def end(tag):
        nonlocal inside
        inside = ""

    def text(data):
        if inside == "title":
            title.append(data)

    archive.sax(package, start, end, text)
    base = [" ".join("".join(title).split())[:200]] if title else []
    chapters = [files[key] for key in spine if key in files]
    for done, name in enumerate(chapters, start=1):
        if name in archive:
            yield from html.blocks(html.decode(archive.read(name)), "chapter", str(done), base,
                                   _pictures(archive, name, images))
        yield Progress(done, len(chapters))


def _pictures(archive: Archive, chapter: str, images) -> html.Picture:
    folder = chapter.rpartition("/")[0]

    def keep(address: str):
        return images.add(archive, resolve(folder, unquote(address))) if images is not None and address else None

    return keep


def _package(archive: Archive) -> str:
    found: list[str] = []

    def start(tag, attributes):
        if tag == "rootfile":
            found.append(attributes.get("full-path", ""))

    if "META-INF/container.xml" not in archive:
        raise ParseError("The file is no e-book.", code="mislabelled_file")
    archive.sax("META-INF/container.xml", start, lambda tag: None)
    if not found or found[0] not in archive:
        raise ParseError("The book is damaged: its contents list is missing.", code="corrupt_file")
    return found[0]
