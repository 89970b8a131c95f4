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
        return _table([row for row in csv.reader(io.StringIO(text)) if row])
    if extension == ".json":
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except ValueError:
            return text
    return text


def _decode(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030", "latin-1"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8", "replace")


def _table(rows: list[list[Any]]) -> str:
    """Return rows as a Markdown table; the rule under the head is as wide as its cells."""
    if not rows:
        return ""
    width = len(rows[0])
    lines = ["| " + " | ".join(str(cell) for cell in rows[0]) + " |",
             "| " + " | ".join("-" * max(3, len(str(cell))) for cell in rows[0]) + " |"]
    for row in rows[1:]:
        cells = [*row, *[""] * (width - len(row))][:width]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _excel(content: bytes) -> str:
    """Return all sheets as Markdown tables; numbers and gaps as Dify's reader shows them (1.0, nan)."""
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except Exception as error:
        raise PortError(f"Failed to extract text from Excel file: {error}", "TextExtractionError") from None
    tables = []
    for sheet in book.worksheets:
        rows = [list(row) for row in sheet.iter_rows(values_only=True)]
        rows = [row for row in rows if any(cell is not None for cell in row)]
        if not rows:
            continue
        body = [[_cell(cell) for cell in row] for row in rows[1:]]
        tables.append(_table([["" if cell is None else str(cell) for cell in rows[0]], *body]))
    return "\n".join(tables)


def _cell(value: Any) -> str:
    if value is None:
        return "nan"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(float(value))
    return str(value)
