"""When and in what order answers are streamed.

Each reply node (answer, end) has a session. It opens when a way from the root to the node is clear: all edges
on it that leave branches, containers, other replies or writers of its variables have been taken. One session
streams at a time, the others queue. Literal text goes out at once; a variable forwards its stream's chunks, or
its value once there is one; a variable of a skipped node is dropped; a variable that never gets a value stops
the session (as in Dify, whose clients compare what was streamed).
"""

from __future__ import annotations

from collections import deque
from typing import Any

from sparrow.engine.events import TextChunk
from sparrow.engine.graph import Reply, Scope
from sparrow.engine.pool import Pool
from sparrow.engine.values import MISSING, markdown

TAKEN, SKIPPED = 1, 2


class _Stream:
    """What has been streamed of one variable so far, and how much of it has been passed on."""

    __slots__ = ("chunks", "closed", "read")

    def __init__(self) -> None:
        self.chunks: list[str] = []
        self.read = 0
        self.closed = False


class Streamer:
    """The streaming sessions of one frame; used from the frame's own thread only."""

    __slots__ = ("_active", "_edges", "_index", "_nodes", "_opened", "_pending", "_pool", "_root", "_scope",
                 "_streams", "_waiting", "_wanted")

    def __init__(self, scope: Scope, root: str, pool: Pool, edges: bytearray, nodes: dict[str, str]):
        self._scope = scope
        self._root = root
        self._pool = pool
        self._edges = edges
        self._nodes = nodes
        self._pending: list[Reply] = list(scope.replies)
        self._opened = False
        self._active: Reply | None = None
        self._index = 0
        self._waiting: deque[Reply] = deque()
        self._streams: dict[tuple[str, ...], _Stream] = {}
        self._wanted = {
            part for reply in scope.replies for part in reply.segments if isinstance(part, tuple)
        }

    def chunk(self, node: str, name: str, text: str, final: bool) -> list[TextChunk]:
        """Take a chunk a node streams; return what may go out now."""
        selector = (node, name)
        if selector not in self._wanted:
            return []
        stream = self._streams.get(selector)
        if stream is None:
            stream = self._streams[selector] = _Stream()
        stream.chunks.append(text)
        stream.closed = stream.closed or final
        return self.flush()

    def edge_taken(self, edge: int) -> list[TextChunk]:
        """Open the sessions this edge was the last obstacle of; return what may go out now."""
        if not self._pending:
            return []
        first, self._opened = not self._opened, True
        ready = [
            reply for reply in self._pending if (first or edge in reply.blocking) and self._clear(reply)
        ]
        out: list[TextChunk] = []
        for reply in ready:
            self._pending.remove(reply)
            if self._active is None:
                self._active, self._index = reply, 0
                out += self.flush()
            else:
                self._waiting.append(reply)
        return out

    def _clear(self, reply: Reply) -> bool:
        """Tell whether the reply can be reached from the root over edges that are taken or do not block."""
        seen = {self._root}
        todo = [self._root]
        while todo:
            node = todo.pop()
            if node == reply.node_id:
                return True
            for edge in self._scope.out.get(node, ()):
                if edge.target in seen or (edge.index in reply.blocking and self._edges[edge.index] != TAKEN):
                    continue
                seen.add(edge.target)
                todo.append(edge.target)
        return False

    def flush(self) -> list[TextChunk]:
        """Return what may go out now."""
        out: list[TextChunk] = []
        while self._active is not None:
            segments = self._active.segments
            if self._index >= len(segments):
                self._active = self._waiting.popleft() if self._waiting else None
                self._index = 0
                continue
            part = segments[self._index]
            if isinstance(part, str):
                out.append(TextChunk(part, [self._active.node_id, "answer"]))
            elif self._nodes.get(part[0]) != "skipped" and not self._variable(part, out):
                break
            self._index += 1
        return out

    def _variable(self, selector: tuple[str, ...], out: list[TextChunk]) -> bool:
        """Pass on what there is of a variable; return whether that was all."""
        stream = self._streams.get(selector)
        if stream is not None:
            while stream.read < len(stream.chunks):
                out.append(TextChunk(stream.chunks[stream.read], list(selector)))
                stream.read += 1
            if stream.closed:
                return True
        value = self._pool.get(selector)
        if value is MISSING:
            return False
        out.append(TextChunk(markdown(value), list(selector)))
        return True

    def save(self) -> dict[str, Any]:
        """Return the sessions' state as JSON."""
        return {
            "pending": [reply.node_id for reply in self._pending],
            "opened": self._opened,
            "active": self._active.node_id if self._active else None,
            "index": self._index,
            "waiting": [reply.node_id for reply in self._waiting],
            "streams": [
                [list(selector), stream.chunks, stream.read, stream.closed]
                for selector, stream in self._streams.items()
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a saved state."""
        replies = {reply.node_id: reply for reply in self._scope.replies}
        self._pending = [replies[name] for name in state["pending"] if name in replies]
        self._opened = state["opened"]
        self._active = replies.get(state["active"])
        self._index = state["index"]
        self._waiting = deque(replies[name] for name in state["waiting"] if name in replies)
        for selector, chunks, read, closed in state["streams"]:
            stream = self._streams[tuple(selector)] = _Stream()
            stream.chunks, stream.read, stream.closed = chunks, read, closed
