"""A workflow's graph, parsed once: nodes by scope, edges, roots, and when each answer may begin to stream.

A `Graph` holds no state of a run and is shared by all runs of one version; keep it in a cache.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sparrow.engine.nodes.base import Node
from sparrow.errors import BadRequest


class GraphError(BadRequest):
    """The graph cannot be run; the message names the node or edge at fault."""


@dataclass(slots=True, eq=False)
class Edge:
    """A connection; `index` is its place in its scope's list of edges."""

    index: int
    source: str
    target: str
    handle: str


@dataclass(slots=True)
class Reply:
    """A node whose text is streamed (answer, end): its segments, and the edges that hold its stream back."""

    node_id: str
    segments: tuple[str | tuple[str, ...], ...]
    blocking: frozenset[int] = frozenset()


@dataclass(slots=True)
class Scope:
    """The top level, or the inside of one container: nodes that run together."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    out: dict[str, list[Edge]] = field(default_factory=dict)
    into: dict[str, list[Edge]] = field(default_factory=dict)
    root: str | None = None
    other_roots: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)


@dataclass(slots=True)
class Graph:
    """All scopes: `scopes[None]` is the top level, `scopes[container id]` the inside of a container."""

    scopes: dict[str | None, Scope]
    nodes: dict[str, Node]
    starts: list[str]

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Graph:
        """Read Dify's `{nodes, edges}`; raise GraphError for what cannot run (unknown types, loose edges)."""
        from sparrow.engine.nodes import make

        if not isinstance(data, dict) or not isinstance(data.get("nodes"), list):
            raise GraphError("nodes not found in workflow graph")
        raw: dict[str, dict[str, Any]] = {}
        for item in data["nodes"]:
            if not isinstance(item, dict) or item.get("type") == "custom-note":
                continue
            config = item.get("data")
            identity = item.get("id")
            if not isinstance(identity, str) or not isinstance(config, dict) or not config.get("type"):
                continue
            raw[identity] = item
        nodes: dict[str, Node] = {}
        for identity, item in raw.items():
            try:
                nodes[identity] = make(identity, item["data"])
            except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
                title = item["data"].get("title") or identity
                raise GraphError(f"node {title} ({identity}): {error}") from None
        owners = {identity: _owner(identity, raw) for identity in nodes}
        scopes: dict[str | None, Scope] = {None: Scope()}
        for identity, node in nodes.items():
            scopes.setdefault(owners[identity], Scope()).nodes[identity] = node
            if node.kind == "container":
                scopes.setdefault(identity, Scope())
        _connect(data.get("edges"), scopes, owners)
        top = scopes[None]
        starts = [identity for identity, node in top.nodes.items() if node.kind == "root"]
        if not starts:
            raise GraphError("Graph must have a start node")
        for container, scope in scopes.items():
            scope.root = starts[0] if container is None else _entry(nodes[container], scope)
            if container is None:
                scope.other_roots = starts[1:]
            scope.replies = [
                Reply(identity, node.segments()) for identity, node in scope.nodes.items() if node.kind == "reply"
            ]
            for reply in scope.replies:
                reply.blocking = _blocking(scope, reply)
        return cls(scopes, nodes, starts)


def _owner(identity: str, raw: dict[str, dict[str, Any]]) -> str | None:
    """Return the container a node lives in: the inner one if it names both an iteration and a loop."""
    config = raw[identity]["data"]
    named = [config.get(key) for key in ("iteration_id", "loop_id")]
    found = [name for name in named if isinstance(name, str) and name in raw and name != identity]
    found = [name for name in found if raw[name]["data"].get("type") in ("iteration", "loop")]
    if len(found) < 2:
        return found[0] if found else None
    parent = raw[identity].get("parentId")
    if parent in found:
        return parent
    first, second = found
    return first if second in (raw[first]["data"].get("iteration_id"), raw[first]["data"].get("loop_id")) else second


def _connect(edges: Any, scopes: dict[str | None, Scope], owners: dict[str, str | None]) -> None:
    for item in edges if isinstance(edges, list) else ():
        if not isinstance(item, dict):
            continue
        source, target = item.get("source"), item.get("target")
        if not isinstance(source, str) or not isinstance(target, str):
            continue
        for end in (source, target):
            if end not in owners:
                raise GraphError(f"Edge {item.get('id') or f'{source}-{target}'} refers to unknown node {end}")
        if owners[source] != owners[target]:
            continue
        scope = scopes[owners[source]]
        edge = Edge(len(scope.edges), source, target, item.get("sourceHandle") or "source")
        scope.edges.append(edge)
        scope.out.setdefault(source, []).append(edge)
        scope.into.setdefault(target, []).append(edge)


def _entry(container: Node, scope: Scope) -> str | None:
    """Return the node a container begins with; older files have no start node of their own."""
    wanted = container.data.get("start_node_id")
    if isinstance(wanted, str) and wanted in scope.nodes:
        return wanted
    for identity, node in scope.nodes.items():
        if node.type in ("iteration-start", "loop-start"):
            return identity
    for identity, node in scope.nodes.items():
        if node.data.get("isIterationStart") or node.data.get("isLoopStart"):
            return identity
    for identity in scope.nodes:
        if not scope.into.get(identity):
            return identity
    return None


def _blocking(scope: Scope, reply: Reply) -> frozenset[int]:
    """Return the edges that must be taken before a reply may stream: those out of branches, containers,
    other replies, and nodes that write a variable the reply shows."""
    wanted = [part for part in reply.segments if isinstance(part, tuple)]
    blockers = {
        identity for identity, node in scope.nodes.items()
        if node.kind in ("branch", "container", "reply") or node.writes_any(wanted)
    }
    return frozenset(edge.index for edge in scope.edges if edge.source in blockers)
