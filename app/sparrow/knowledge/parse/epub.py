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
    # Some books are the zip of the folder that a book should be the zip of.
    container = min((name for name in archive.names if f"/{name}".endswith("/META-INF/container.xml")), key=len,
                    default="")
    root = container.removesuffix("META-INF/container.xml")
    locks = archive.read(f"{root}META-INF/encryption.xml") if f"{root}META-INF/encryption.xml" in archive else b""
    if b"EncryptedData" in locks and b"obfuscation" not in locks:
        raise ParseError("The book is protected (DRM) and cannot be read.", code="encrypted_file")
    package = _package(archive, container, root)
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


def _package(archive: Archive, container: str, root: str) -> str:
    found: list[str] = []

    def start(tag, attributes):
        if tag == "rootfile":
            found.append(root + attributes.get("full-path", ""))

    if not container:
        raise ParseError("The file is no e-book.", code="mislabelled_file")
    archive.sax(container, start, lambda tag: None)
    if not found or found[0] not in archive:
        raise ParseError("The book is damaged: its contents list is missing.", code="corrupt_file")
    return found[0]
