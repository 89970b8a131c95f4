"""The two agent loops, function calling and ReAct, apart from who runs them: nodes and agent apps.

`run` yields `Said` (text for the user), `Thought` (a round's state; the same `position` again replaces it) and
returns an `Outcome`. It knows no tools: `call` runs one and returns its text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sparrow.engine import jsonrepair
from sparrow.messages import Chunk, Message, ToolCall, ToolSpec, Usage

REACT = """{instruction}

You can use these tools; each takes a JSON object as its input:
{tools}

Work in rounds. In each round write

Thought: what you think
Action:
{{"action": "the tool's name", "action_input": {{…}}}}

and stop; you will then be given the Observation. When you know the answer, write

Thought: I know the answer
Action:
{{"action": "Final Answer", "action_input": "the answer for the user"}}
"""


@dataclass(slots=True)
class Said:
    """Text for the user, as it comes."""

    text: str


@dataclass(slots=True)
class Thought:
    """One round: what the model said, the tools it called, what they answered. `done` closes the round."""

    position: int
    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    arguments: dict[str, Any] = field(default_factory=dict)
    observations: dict[str, str] = field(default_factory=dict)
    usage: Usage | None = None
    done: bool = False


@dataclass(slots=True)
class Outcome:
    """The whole answer, all rounds, and the usage of each."""

    answer: str
    thoughts: list[Thought]
    usages: list[Usage]


Ask = Callable[[list[Message], list[ToolSpec] | None, list[str] | None], Iterator[Chunk]]
Call = Callable[[str, dict[str, Any]], str]


def _arguments(text: str) -> dict[str, Any]:
    try:
        value = jsonrepair.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _use(name: str, arguments: dict[str, Any], known: set[str], call: Call) -> str:
    if name not in known:
        return f"there is not a tool named {name}"
    return call(name, arguments)


def function_calling(ask: Ask, call: Call, messages: list[Message], tools: list[ToolSpec],
                     rounds: int) -> Iterator[Said | Thought]:
    """Let the model call functions, at most `rounds` times; the last round gets no tools."""
    known = {tool.name for tool in tools}
    messages = list(messages)
    outcome = Outcome("", [], [])
    said: list[str] = []
    for position in range(1, rounds + 2):
        thought = Thought(position)
        outcome.thoughts.append(thought)
        yield thought
        pieces: list[str] = []
        offered = tools if position <= rounds and tools else None
        for chunk in ask(messages, offered, None):
            if chunk.text:
                pieces.append(chunk.text)
                yield Said(chunk.text)
            thought.calls += chunk.tool_calls
            if chunk.usage is not None:
                thought.usage = chunk.usage
                outcome.usages.append(chunk.usage)
        thought.text = "".join(pieces)
        said.append(thought.text)
        if not thought.calls or offered is None:
            thought.done = True
            yield thought
            break
        thought.arguments = {item.name: _arguments(item.arguments) for item in thought.calls}
        yield thought
        messages.append(Message("assistant", thought.text, list(thought.calls)))
        for item in thought.calls:
            observation = _use(item.name, _arguments(item.arguments), known, call)
            thought.observations[item.name] = observation
            messages.append(Message("tool", observation, tool_call_id=item.id, name=item.name))
        thought.done = True
        yield thought
    outcome.answer = "".join(said)
    return outcome


def react(ask: Ask, call: Call, messages: list[Message], tools: list[ToolSpec], rounds: int,
          instruction: str) -> Iterator[Said | Thought]:
    """Let the model think aloud and name tools in JSON, for models without function calling."""
    known = {tool.name for tool in tools}
    listed = "\n".join(json.dumps({"name": tool.name, "description": tool.description,
                                   "parameters": tool.parameters}, ensure_ascii=False) for tool in tools)
    system = Message("system", REACT.format(instruction=instruction, tools=listed or "(none)"))
    rest = [message for message in messages if message.role != "system"]
    outcome = Outcome("", [], [])
    scratch = ""
    for position in range(1, rounds + 2):
        thought = Thought(position)
        outcome.thoughts.append(thought)
        yield thought
        asked = [system, *rest]
        if scratch:
            asked += [Message("assistant", scratch), Message("user", "continue")]
        pieces: list[str] = []
        for chunk in ask(asked, None, ["Observation"]):
            pieces.append(chunk.text)
            if chunk.usage is not None:
                thought.usage = chunk.usage
                outcome.usages.append(chunk.usage)
        text = "".join(pieces)
        name, value = _action(text)
        if name is None or name.lower() == "final answer" or position > rounds:
            answer = text
            if name is not None:
                answer = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            thought.text = text if name is None else _thinking(text)
            thought.done = True
            outcome.answer = answer
            yield Said(answer)
            yield thought
            return outcome
        arguments = value if isinstance(value, dict) else _arguments(str(value))
        thought.text = _thinking(text)
        thought.calls = [ToolCall(f"call_{position}", name, json.dumps(arguments, ensure_ascii=False))]
        thought.arguments = {name: arguments}
        yield thought
        thought.observations[name] = _use(name, arguments, known, call)
        thought.done = True
        yield thought
        scratch += f"{text.rstrip()}\nObservation: {thought.observations[name]}\n"
    return outcome


def _action(text: str) -> tuple[str | None, Any]:
    """Return the action a ReAct reply names and its input; None if it names none."""
    _, _, after = text.rpartition("Action:")
    found = jsonrepair.extract(after)
    if isinstance(found, list) and found and isinstance(found[0], dict):
        found = found[0]
    if not isinstance(found, dict) or not isinstance(found.get("action"), str):
        return None, None
    return found["action"], found.get("action_input", {})


def _thinking(text: str) -> str:
    before = text.partition("Action:")[0]
    return before.replace("Thought:", "", 1).strip()
