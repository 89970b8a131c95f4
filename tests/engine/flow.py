"""Small graphs for tests, and one call that runs them."""

from __future__ import annotations

from typing import Any

from sparrow.engine import events as ev
from sparrow.engine.graph import Graph
from sparrow.engine.ports import CodeLimits, PortError, Ports
from sparrow.engine.run import run
from tests.fake_model import FakeModel

SYSTEM = {"user_id": "u1", "app_id": "a", "workflow_id": "w", "workflow_run_id": "r", "files": []}


class LocalCode:
    """Runs Python code here: only for tests."""

    def run(self, language: str, code: str, inputs: dict[str, Any], limits: CodeLimits, cancel: Any) -> Any:
        space: dict[str, Any] = {}
        try:
            exec(code, space)
            return space["main"](**inputs)
        except Exception as error:
            raise PortError(f"{type(error).__name__}: {error}\nerror: exit status 1", "CodeExecutionError") from None


def node(identity: str, kind: str, **data: Any) -> dict[str, Any]:
    return {"id": identity, "type": "custom", "data": {"type": kind, "title": identity, **data}}


def llm(identity: str, prompt: str, model: str = "fake-llm", **data: Any) -> dict[str, Any]:
    return node(identity, "llm", model={"provider": "openai", "name": model, "mode": "chat", "completion_params": {}},
                prompt_template=[{"role": "user", "text": prompt}], **data)


def code(identity: str, source: str, outputs: dict[str, str], variables: dict[str, list[str]] | None = None,
         **data: Any) -> dict[str, Any]:
    return node(identity, "code", code_language="python3", code=source,
                outputs={name: {"type": kind} for name, kind in outputs.items()},
                variables=[{"variable": name, "value_selector": at} for name, at in (variables or {}).items()], **data)


def end(identity: str, **outputs: list[str]) -> dict[str, Any]:
    return node(identity, "end", outputs=[{"variable": name, "value_selector": at} for name, at in outputs.items()])


def graph(nodes: list[dict[str, Any]], edges: str) -> Graph:
    """Parse nodes and edges written as `a>b b[handle]>c`."""
    parsed = []
    for word in edges.split():
        left, _, target = word.rpartition(">")
        source, _, handle = left.partition("[")
        parsed.append({"source": source, "target": target, "sourceHandle": handle.rstrip("]") or "source"})
    return Graph.parse({"nodes": nodes, "edges": parsed})


def play(flow: Graph, inputs: dict[str, Any] | None = None, **options: Any) -> list[ev.Event]:
    """Run to the end; return all events."""
    ports = options.pop("ports", None) or Ports(models=FakeModel(), code=LocalCode())
    system = SYSTEM | options.pop("system", {})
    return list(run(flow, inputs or {}, ports, system=system, **options))


def text_of(events: list[ev.Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, ev.TextChunk))
