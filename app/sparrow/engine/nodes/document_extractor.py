"""The document extractor: text of files."""

from __future__ import annotations

from typing import Any

from sparrow.engine.context import Context
from sparrow.engine.files import File
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.ports import PortError
from sparrow.engine.texts import read_text
from sparrow.engine.values import MISSING, jsonable


class DocumentExtractor(Node):
    """One file gives a text, a list of files a list of texts."""

    def run(self, context: Context) -> Result:
        """Return `text`."""
        selector = [str(part) for part in self.data.get("variable_selector") or ()]
        value = context.pool.get(selector)
        inputs = {"variable_selector": selector}
        if value is MISSING:
            raise NodeError(f"File variable not found for selector: {selector}", "")
        items: list[Any] = [item for item in value if item] if isinstance(value, list) else [value]
        process = {"documents": jsonable(items)}
        if not value or not items:
            return Result({"text": []}, inputs, process)
        if not all(isinstance(item, File) for item in items):
            raise NodeError(f"Variable {selector} is not an ArrayFileSegment", "")
        files = context.need("files")
        try:
            texts = [read_text(item, files) for item in items]
        except PortError as error:
            raise NodeError(str(error), "", inputs=inputs, process_data=process) from None
        if isinstance(value, File):
            return Result({"text": texts[0]}, inputs, process)
        return Result({"text": texts}, inputs, process)
