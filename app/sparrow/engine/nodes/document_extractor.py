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
            raise NodeError(f"File variable not found for selector: {selector}", "DocumentExtractorError",
                            inputs=inputs)
        items: list[Any] = value if isinstance(value, list) else [value]
        process = {"documents": jsonable(items)}
        files = context.need("files")
        try:
            texts = []
            for item in items:
                if item is None:
                    continue
                if not isinstance(item, File):
                    raise NodeError(f"Variable {selector} is not an ArrayFileSegment", "DocumentExtractorError")
                texts.append(read_text(item, files))
        except PortError as error:
            raise NodeError(str(error), error.error_type, inputs=inputs, process_data=process) from None
        except NodeError as error:
            error.inputs, error.process_data = inputs, process
            raise
        if isinstance(value, File):
            return Result({"text": texts[0]}, inputs, process)
        return Result({"text": texts}, inputs, process)
