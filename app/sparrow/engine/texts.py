"""Text of files: the plain kinds here, the rest behind the Files port."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from sparrow.engine.files import File
from sparrow.engine.ports import Files, PortError

_PLAIN = frozenset((
    ".txt", ".md", ".markdown", ".mdx", ".htm", ".html", ".xml", ".yaml", ".yml", ".json", ".log", ".ini", ".toml",
    ".conf", ".cfg", ".vtt", ".srt", ".properties", ".py", ".js", ".ts", ".tsx", ".jsx", ".java", ".c", ".h", ".cpp",
    ".hpp", ".cs", ".go", ".rs", ".rb", ".php", ".sh", ".bash", ".zsh", ".sql", ".css", ".scss", ".less", ".lua", ".pl",
    ".r", ".swift", ".kt", ".scala", ".dart", ".vue", ".tex", ".rst", ".csv", ".tsv", ".bat", ".ps1", ".env", ".diff",
    ".patch", ".tf",
))
_OTHER = frozenset((
    ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".epub", ".odt", ".eml", ".msg", ".rtf",
))


def read_text(file: File, files: Files) -> str:
    """Return a file's text; PortError for kinds that have none."""
    extension = (file.extension or "").lower()
    mime = (file.mime_type or "").split(";")[0]
    if not extension and mime.startswith("text/"):
        extension = ".csv" if mime == "text/csv" else ".txt"
    if extension not in _PLAIN and extension not in _OTHER:
        raise PortError(f"Unsupported Extension Type: {extension}", "UnsupportedFileTypeError")
    content = files.read(file)
    if extension in _OTHER:
        return _excel(content) if extension == ".xlsx" else files.extract(file, content)
    text = _decode(content)
    if extension == ".csv":
        rows = [[_one_line(cell) for cell in row] for row in csv.reader(io.StringIO(text))]
        return _table(rows) + "\n" if rows else ""
    if extension in (".yaml", ".yml"):
        return _yaml(text)
    if extension == ".properties":
        return _properties(text)
    if extension == ".json":
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except ValueError:
            return text
    return text


def _decode(content: bytes) -> str:
    marked = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ()
    for encoding in (*marked, "utf-8-sig", "gb18030", "latin-1"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8", "replace")


def _one_line(cell: str) -> str:
    return cell.replace("\n", " ").replace("\r", "")


def _yaml(text: str) -> str:
    """Return YAML as it is written anew: one style, no comments."""
    import yaml

    try:
        return yaml.dump_all(list(yaml.safe_load_all(text)), allow_unicode=True, sort_keys=False)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PortError(f"Failed to decode or parse YAML file: {error}", "TextExtractionError") from None


def _properties(text: str) -> str:
    """Return `key=value` lines as `key: value`; comments and gaps stay."""
    lines = []
    for line in map(str.strip, text.splitlines()):
        if line and line[0] not in "#!":
            key, _, value = line.partition("=" if "=" in line else ":")
            line = f"{key.strip()}: {value.strip()}"
        lines.append(line)
    return "\n".join(lines)


def _table(rows: list[list[str]]) -> str:
    """Return rows as a Markdown table; the rule under the head is as wide as its cells."""
    head, *body = rows or [[]]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["-" * len(cell) for cell in head], *body))


def _excel(content: bytes) -> str:
    """Return all sheets as Markdown tables, numbers and gaps as Dify's reader (a data frame) shows them.

    A column of numbers that has a gap holds floats (1.0, nan); so does every number of a row that is all numbers.
    """
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except Exception as error:
        raise PortError(f"Failed to extract text from Excel file: {error}", "TextExtractionError") from None
    return "".join(_sheet([list(row) for row in sheet.iter_rows(values_only=True)]) + "\n\n"
                   for sheet in book.worksheets)


def _sheet(rows: list[list[Any]]) -> str:
    while rows and all(cell is None for cell in rows[-1]):
        rows.pop()
    head, *body = rows or [[]]
    width = len(head)
    body = [[*row, *[None] * width][:width] for row in body]
    columns = [[row[place] for row in body] for place in range(width)]
    numbers = [all(cell is None or type(cell) in (int, float) for cell in column) for column in columns]
    floats = [number and any(type(cell) is not int for cell in column)
              for number, column in zip(numbers, columns, strict=True)]
    if all(numbers) and any(floats):
        floats = [True] * width
    names = [f"Unnamed: {place}" if cell is None else " ".join(str(cell).splitlines())
             for place, cell in enumerate(head)]
    return _table([names, *(
        [_cell(cell, is_float) for cell, is_float in zip(row, floats, strict=True)]
        for row in body if any(cell is not None for cell in row))])


def _cell(value: Any, is_float: bool) -> str:
    if value is None:
        return "nan"
    if isinstance(value, str):
        return " ".join(value.splitlines())
    return str(float(value)) if is_float else str(value)
