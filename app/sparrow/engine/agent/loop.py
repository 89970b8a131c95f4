"""The two agent loops, function calling and ReAct, apart from who runs them: nodes and agent apps.

Both yield `Said` (text, as it comes) and `Thought` (a round's state; the same `position` again replaces it) and
return an `Outcome`. They know no tools: `call` runs one and returns its text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sparrow.characters import whole
from sparrow.engine import jsonrepair
from sparrow.engine.agent.react import Action, Reader
from sparrow.messages import Chunk, Message, ToolCall, ToolSpec, Usage

_SILENT = "I am thinking about how to help you"  # what Dify shows of a round without words
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
    """Text, as it comes; `thinking` is what a ReAct model says before its answer."""

    text: str
    thinking: bool = False


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
    """The whole answer, all rounds, the usage of each, and the prompt of the last."""

    answer: str
    thoughts: list[Thought]
    usages: list[Usage]
    messages: list[Message] = field(default_factory=list)


Ask = Callable[[list[Message], list[ToolSpec] | None, list[str] | None], Iterator[Chunk]]
Call = Callable[[str, dict[str, Any]], str]


def _arguments(text: str) -> Any:
    """Return a call's arguments; the text itself when it cannot be read."""
    try:
        return jsonrepair.loads(text or "{}")
    except ValueError:
        return text


def _use(name: str, arguments: Any, tools: dict[str, ToolSpec], call: Call) -> str:
    """Run a tool; a text that is no JSON object is the value of a tool's only parameter."""
    if name not in tools:
        return f"there is not a tool named {name}"
    if isinstance(arguments, str):
        arguments = _arguments(arguments)
    if not isinstance(arguments, dict):
        names = list(tools[name].parameters.get("properties") or ())
        if len(names) != 1:
            return f"tool invoke error: the arguments are not a JSON object: {str(arguments)[:200]}"
        arguments = {names[0]: arguments}
    return whole(call(name, arguments))


def function_calling(ask: Ask, call: Call, messages: list[Message], tools: list[ToolSpec],
                     rounds: int) -> Iterator[Said | Thought]:
    """Let the model call functions, at most `rounds` times; the last round gets no tools."""
    known = {tool.name: tool for tool in tools}
    outcome = Outcome("", [], [], list(messages))
    said: list[str] = []
    for position in range(1, rounds + 2):
        thought = Thought(position)
        pieces: list[str] = []
        offered = tools if position <= rounds and tools else None
        for chunk in ask(outcome.messages, offered, None):
            if not outcome.thoughts or outcome.thoughts[-1] is not thought:
                outcome.thoughts.append(thought)
                yield thought
            pieces.append(chunk.text)
            yield Said(chunk.text)
            thought.calls += chunk.tool_calls
            _count(chunk, thought, outcome)
        thought.text = "".join(pieces)
        said.append(thought.text)
        if not thought.calls or offered is None:
            thought.done = True
            yield thought
            break
        thought.arguments = {item.name: _arguments(item.arguments) for item in thought.calls}
        yield thought
        outcome.messages.append(Message("assistant", thought.text, list(thought.calls)))
        for item in thought.calls:
            observation = _use(item.name, item.arguments, known, call)
            thought.observations[item.name] = observation
            outcome.messages.append(Message("tool", observation, tool_call_id=item.id, name=item.name))
        thought.done = True
        yield thought
    outcome.answer = "".join(said)
    return outcome


def react(ask: Ask, call: Call, messages: list[Message], tools: list[ToolSpec], rounds: int,
          instruction: str) -> Iterator[Said | Thought]:
    """Let the model think aloud and name tools in JSON, for models without function calling.

    The answer comes as one `Said` at the end; it is empty when the model's last words were no action, and then
    what it thought aloud is the answer.
    """
    known = {tool.name: tool for tool in tools}
    rest = [message for message in messages if message.role != "system"]
    outcome = Outcome("", [], [])
    scratch = ""
    for position in range(1, rounds + 2):
        thought = Thought(position)
        outcome.thoughts.append(thought)
        yield thought
        offered = tools if position <= rounds else []
        listed = "\n".join(json.dumps({"name": tool.name, "description": tool.description,
                                       "parameters": tool.parameters}, ensure_ascii=False) for tool in offered)
        outcome.messages = [Message("system", REACT.format(instruction=instruction, tools=listed or "(none)")), *rest]
        if scratch:
            outcome.messages += [Message("assistant", scratch), Message("user", "continue")]
        action = yield from _read(ask(outcome.messages, None, ["Observation"]), thought, outcome)
        if action is None or action.final or position > rounds:
            answer = "" if action is None else _answer(action)
            thought.done = True
            outcome.answer = answer or thought.text
            yield Said(answer)
            return outcome
        arguments = action.input
        thought.text = thought.text or _SILENT
        thought.calls = [ToolCall(f"call_{position}", action.name, json.dumps(arguments, ensure_ascii=False))]
        thought.arguments = {action.name: arguments}
        yield thought
        thought.observations[action.name] = _use(action.name, arguments, known, call)
        thought.done = True
        yield thought
        scratch += (f"Thought: {thought.text}\n\nAction: {action.text()}\n\n"
                    f"Observation: {thought.observations[action.name]}\n\n")
    return outcome


def _read(chunks: Iterator[Chunk], thought: Thought, outcome: Outcome) -> Iterator[Said]:
    """Pass on what the model thinks; return the last action it names, None if there is none."""
    reader = Reader()
    pieces: list[str] = []
    action: Action | None = None
    for chunk in chunks:
        _count(chunk, thought, outcome)
        for item in reader.feed(chunk.text):
            if isinstance(item, Action):
                action = item
            else:
                pieces.append(item)
                yield Said(item, True)
    for item in reader.end():
        if isinstance(item, Action):
            action = item
        else:
            pieces.append(item)
            yield Said(item, True)
    thought.text = "".join(pieces).strip()
    return action


def _count(chunk: Chunk, thought: Thought, outcome: Outcome) -> None:
    if chunk.usage is not None:
        thought.usage = chunk.usage
        outcome.usages.append(chunk.usage)


def _answer(action: Action) -> str:
    return action.input if isinstance(action.input, str) else json.dumps(action.input, ensure_ascii=False)
