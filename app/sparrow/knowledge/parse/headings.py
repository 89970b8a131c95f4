"""The path of headings above the place where a parser is."""

from __future__ import annotations

MAX_TITLE = 200


class Path:
    """Headings by level; entering one drops its equals and those below."""

    def __init__(self):
        self._stack: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> None:
        """Go below a heading of a level (1 is the outermost)."""
        while self._stack and self._stack[-1][0] >= level:
            self._stack.pop()
        title = " ".join(title.split())[:MAX_TITLE]
        if title:
            self._stack.append((level, title))

    def path(self) -> list[str]:
        """Return the titles from the outermost to the innermost."""
        return [title for _, title in self._stack]
