"""Zip containers and XML parts (docx, pptx, xlsx, epub) read with a guard: no bombs, no entities, no depth."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from xml.parsers import expat

from .blocks import ParseError

MAX_PART = 512 << 20  # bytes of one unpacked part
MAX_TOTAL = 2 << 30
MAX_RATIO = 250  # real documents stay under 60
MAX_ENTRIES = 50_000
MAX_DEPTH = 400


class Archive:
    """A zip file whose parts are counted while they are read."""

    def __init__(self, source):
        try:
            self._zip = zipfile.ZipFile(source)
            infos = self._zip.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ParseError("The file is damaged: its container cannot be opened. Open it in the program that "
                             "made it and save it again.", code="corrupt_file") from error
        if any(info.flag_bits & 1 for info in infos):
            raise ParseError("The file is protected by a password. Save a copy without one.",
                             code="encrypted_file")
        total = sum(info.file_size for info in infos)
        packed = sum(info.compress_size for info in infos)
        if len(infos) > MAX_ENTRIES or total > MAX_TOTAL or (
                total > 32 << 20 and total > MAX_RATIO * max(packed, 1)):
            raise _bomb()
        self.names = {info.filename: info for info in infos}

    def read(self, name: str, limit: int = MAX_PART) -> bytes:
        """Return one part; raise ParseError where it is missing, damaged or larger than `limit`."""
        info = self.names.get(name)
        if info is None:
            raise ParseError(f"The file is damaged: its part {name} is missing.", code="corrupt_file")
        if info.file_size > limit:
            raise _bomb()
        try:
            with self._zip.open(info) as part:
                data = part.read(limit + 1)
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, NotImplementedError) as error:
            raise ParseError(f"The file is damaged: its part {name} cannot be unpacked.",
                             code="corrupt_file") from error
        except Exception as error:  # zlib.error and friends
            raise ParseError(f"The file is damaged: its part {name} cannot be unpacked.",
                             code="corrupt_file") from error
        if len(data) > limit:  # the header lied
            raise _bomb()
        return data

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def sax(self, name: str, start: Callable, end: Callable, text: Callable | None = None) -> None:
        """Feed one XML part to callbacks: start(tag, attributes), end(tag), text(data); local names only."""
        sax(self.read(name), start, end, text)

    def relations(self, part: str) -> dict[str, str]:
        """Return {relation id: target path} of an OOXML part."""
        return {key: target for key, _, target in self._relations(part)}

    def related(self, part: str, kind: str) -> str | None:
        """Return the first part that a part ("" for the package) names as its "footnotes", "styles" and the like.

        Programs differ in the names of parts, not in the last word of a relation's type; a file without relations
        has the usual names.
        """
        usual = f"{part.rpartition('/')[0]}/{kind}.xml"
        return next((target for _, found, target in self._relations(part) if found == kind and target in self),
                    usual if usual in self else None)

    def _relations(self, part: str) -> list[tuple[str, str, str]]:
        folder, _, base = part.rpartition("/")
        name = f"{folder}/_rels/{base}.rels" if folder else f"_rels/{base}.rels"
        found: list[tuple[str, str, str]] = []
        if name not in self:
            return found

        def start(tag, attributes):
            if tag == "Relationship" and attributes.get("TargetMode") != "External":
                found.append((attributes.get("Id", ""), attributes.get("Type", "").rpartition("/")[2],
                              resolve(folder, attributes.get("Target", ""))))

        self.sax(name, start, lambda tag: None)
        return found


def resolve(folder: str, target: str) -> str:
    """Return the path inside the archive that a relative target names."""
    if target.startswith("/"):
        return target.lstrip("/")
    parts = folder.split("/") if folder else []
    for step in target.split("/"):
        if step == "..":
            if parts:
                parts.pop()
        elif step not in ("", "."):
            parts.append(step)
    return "/".join(parts)


def sax(data: bytes, start: Callable, end: Callable, text: Callable | None = None, encoding: str | None = None
        ) -> None:
    """Parse XML with expat; entity declarations, damage and absurd depth raise ParseError.

    `encoding` stands in for the one that the XML declares.
    """
    parser = expat.ParserCreate(encoding, "}")
    parser.buffer_text = True
    depth = 0

    def on_start(name, attributes):
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise ParseError("The file is nested too deeply to be a document.", code="corrupt_file")
        start(name.rpartition("}")[2], {key.rpartition("}")[2]: value for key, value in attributes.items()})

    def on_end(name):
        nonlocal depth
        depth -= 1
        end(name.rpartition("}")[2])

    def on_entity(*_):
        raise ParseError("The file declares XML entities, which documents do not need and attacks use; "
                         "it was not read.", code="corrupt_file")

    parser.StartElementHandler, parser.EndElementHandler = on_start, on_end
    parser.EntityDeclHandler = on_entity
    if text is not None:
        parser.CharacterDataHandler = text
    try:
        parser.ParseFile(io.BytesIO(data))
    except expat.ExpatError as error:
        raise ParseError(f"The file is damaged: {error}.", code="corrupt_file") from error


def _bomb() -> ParseError:
    return ParseError("The file unpacks to an absurd size and was not read.", code="compression_bomb")
