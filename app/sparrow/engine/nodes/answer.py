"""The answer node: a chatflow's reply."""

from __future__ import annotations

from typing import Any

from sparrow.engine.context import Context
from sparrow.engine.files import File
from sparrow.engine.nodes.base import Node, Result
from sparrow.engine.template import parse, render_markdown


class Answer(Node):
    """Fills its template in Markdown; the files it refers to go along."""

    kind = "reply"

    def setup(self, data: dict[str, Any]) -> None:
        """Read the template."""
        self.source = str(data.get("answer") or "")

    def segments(self) -> tuple[str | tuple[str, ...], ...]:
        """Return the template's parts."""
        return parse(self.source)

    def run(self, context: Context) -> Result:
        """Return `answer` and `files`."""
        files: list[File] = []
        for part in parse(self.source):
            if isinstance(part, tuple):
                value = context.pool.get(part)
                items = value if isinstance(value, list) else [value]
                files += [item for item in items if isinstance(item, File)]
        return Result({"answer": render_markdown(self.source, context.pool), "files": files})
