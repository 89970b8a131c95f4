"""Agent apps: a model that calls tools until it has an answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sparrow import clock, ids
from sparrow.apps import basic, failure, filebox, knowledge_use, moderation, opener, prompt, surroundings
from sparrow.apps import usage as usages
from sparrow.apps.order import Turn
from sparrow.engine.agent import loop
from sparrow.engine.agent.names import distinct
from sparrow.engine.ports import Cancel, PortError, ToolInfo, ToolRef
from sparrow.errors import SparrowError
from sparrow.messages import Chunk, Message, ModelInfo, ToolSpec, Usage

log = logging.getLogger(__name__)

_MAX_ROUNDS = 99
_KNOWLEDGE = "search_knowledge"


def answer(turn: Turn) -> None:
    """Answer a message of an agent app. A failure keeps the rounds that were made, the last one unfinished."""
    worker = None
    try:
        preset = basic.preset_answer(turn)
        if preset is not None:
            basic.finish(turn, preset, None)
            return
        worker = _Agent(turn)
        text, usage, messages = worker.run()
        guard = moderation.of(turn.definition.feature("sensitive_word_avoidance"), turn.order.app.id)
        verdict = guard.check_output(text) if guard is not None else None
        if verdict is not None:
            text = basic.replacement(verdict)
            turn.emit("message_replace", answer=text, reason="")
        basic.finish(turn, text, usage, prompt_messages=messages, thoughts=list(worker.thoughts.values()))
    except Exception as error:
        failure.of_message(turn, error, thoughts=worker.unfinished() if worker is not None else [])


class _Agent:
    """The engine's agent loop, with the app's model, tools and knowledge; tells the client of every round."""

    def __init__(self, turn: Turn):
        self.turn = turn
        self.config = turn.definition.content.get("agent_mode") or {}
        self.cancel = Cancel()
        turn.live.when_stopped(self.cancel.cancel)
        self.ref, self.parameters = basic.model(turn)
        self.info: ModelInfo = surroundings.hub().info(self.ref)
        self.box = surroundings.tools(filebox.FileBox(turn.order.app.id, turn.order.user, turn.order.base_url))
        self.tools = self._tools()
        self.thoughts: dict[int, dict[str, Any]] = {}
        self.usage: Usage | None = None

    def run(self) -> tuple[str, Usage | None, list[Message]]:
        """Return the answer, what it cost and the prompt of the last round."""
        messages = self._prompt()
        specs = [spec for spec, _, _ in self.tools.values()]
        rounds = min(max(int(self.config.get("max_iteration") or 5), 1), _MAX_ROUNDS)
        if self._by_function():
            steps = loop.function_calling(self._ask, self._invoke, messages, specs, rounds)
        else:
            instruction = "\n".join(message.text() for message in messages if message.role == "system").strip()
            steps = loop.react(self._ask, self._invoke, messages, specs, rounds, instruction)
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                outcome = end.value
                return outcome.answer, self.usage, outcome.messages
            if isinstance(step, loop.Thought):
                self._show(step)
            else:
                self.turn.emit("agent_message", id=self.turn.message_id, answer=step.text)

    def _by_function(self) -> bool:
        """Tell whether tools are called as functions: a model that can always does, else the app's strategy decides."""
        if self.info.features & {"tool-call", "multi-tool-call"}:
            return True
        strategy = self.config.get("strategy")
        if strategy in ("function_call", "cot", "react"):
            return strategy == "function_call"
        return "openai" in self.ref.provider

    def _prompt(self) -> list[Message]:
        turn = self.turn
        read = filebox.FileBox(turn.order.app.id, turn.order.user).address
        instruction = opener.fill(str(self.config.get("prompt") or ""), turn.inputs)
        return prompt.build(
            turn.definition.content, mode="chat", inputs=turn.inputs, query=turn.query, context=None,
            history=basic.earlier_turns(turn, self.info, read), files=prompt.parts(turn.files, self.info, read),
            info=self.info, instruction=instruction)

    def _tools(self) -> dict[str, tuple[ToolSpec, ToolRef | None, ToolInfo | None]]:
        found: dict[str, tuple[ToolSpec, ToolRef | None, ToolInfo | None]] = {}
        self.settings: dict[str, dict[str, Any]] = {}
        for tool in self.config.get("tools") or []:
            if not isinstance(tool, dict) or not tool.get("tool_name") or not tool.get("enabled", True):
                continue
            ref = ToolRef(tool.get("provider_type") or "builtin", str(tool.get("provider_id") or ""),
                          tool["tool_name"], str(tool.get("provider_name") or ""), tool.get("credential_id"))
            try:
                info = self.box.describe(ref)
            except (PortError, SparrowError) as error:  # as in Dify: a tool that is gone is not offered
                log.warning("agent app %s: %s", self.turn.order.app.id, error)
                continue
            name = distinct(info.spec.name, ref.provider_name or ref.provider_id, found)
            found[name] = replace(info.spec, name=name), ref, info
            given = tool.get("tool_parameters") or {}
            self.settings[name] = {key: value for key, value in given.items() if value not in ("", None)}
        if knowledge_use.of_config(self.turn.definition.content):
            found[_KNOWLEDGE] = ToolSpec(_KNOWLEDGE, "Search the user's documents, before answering from memory.", {
                "type": "object", "properties": {"query": {"type": "string", "description": "what to look for"}},
                "required": ["query"]}), None, None
        return found

    def unfinished(self) -> list[dict[str, Any]]:
        """Return the rounds of a failed answer: those before, and the empty one that failed."""
        return [*self.thoughts.values(), self._new_thought(len(self.thoughts) + 1)]

    def _new_thought(self, position: int) -> dict[str, Any]:
        return {"id": ids.new_id(), "chain_id": None, "message_id": self.turn.message_id, "position": position,
                "thought": "", "observation": "", "tool": "", "tool_labels": {}, "tool_input": "",
                "created_at": int(clock.now()), "files": []}

    def _show(self, step: loop.Thought) -> None:
        """Keep a round's state and tell the client."""
        thought = self.thoughts.setdefault(step.position, self._new_thought(step.position))
        thought.update(
            thought=step.text, tool=";".join(call.name for call in step.calls),
            tool_labels={call.name: self._label(call.name) for call in step.calls},
            tool_input=json.dumps(step.arguments, ensure_ascii=False) if step.calls else "",
            observation=json.dumps(step.observations, ensure_ascii=False) if step.observations else "")
        self.turn.emit("agent_thought", **{name: thought[name] for name in (
            "id", "position", "thought", "observation", "tool", "tool_labels", "tool_input")}, message_files=[])

    def _ask(self, messages: list[Message], tools: list[ToolSpec] | None, stops: list[str] | None) -> Iterator[Chunk]:
        turn, parameters = self.turn, dict(self.parameters)
        if turn.live.stopped.is_set():
            return
        stop = [*(parameters.pop("stop", None) or ()), *(stops or ())]
        # A model that cannot stream its tool calls is asked for the whole reply, as Dify does.
        streaming = not tools or bool(self.info.features & {"tool-call", "stream-tool-call", "multi-tool-call"})
        reply = surroundings.hub().chat(self.ref, messages, parameters=parameters, tools=tools or None,
                                        stop=stop or None, stream=streaming, user=turn.order.user.session_id)
        forget = turn.live.when_stopped(reply.close)
        try:
            for chunk in reply:
                if turn.live.stopped.is_set():
                    return
                self.usage = usages.add(self.usage, chunk.usage)
                if chunk.tool_calls and chunk.usage is not None:  # Dify has an empty message for each of the two
                    yield Chunk(text=chunk.text, tool_calls=chunk.tool_calls)
                    yield Chunk(usage=chunk.usage)
                else:
                    yield chunk
        except Exception:
            if not turn.live.stopped.is_set():
                raise
        finally:
            forget()
            with suppress(Exception):
                reply.close()

    def _invoke(self, name: str, arguments: dict[str, Any]) -> str:
        """Run a tool; what goes wrong is told to the model, which may try another way."""
        ref = self.tools[name][1]
        try:
            if ref is None:
                return self._search(str(arguments.get("query") or ""))
            pieces = []
            # What is not offered to the model is not its to set.
            offered = self.tools[name][0].parameters["properties"]
            given = {key: value for key, value in arguments.items() if key in offered}
            for message in self.box.invoke(ref, given, self.settings.get(name, {}), self.cancel,
                                           user=self.turn.order.user.session_id):
                if message.hidden:
                    continue
                if message.type in ("text", "link", "image"):
                    pieces.append(str(message.value))
                elif message.type == "json":
                    pieces.append(json.dumps(message.value, ensure_ascii=False))
                elif message.type == "file":
                    pieces.append(message.value.markdown())
            return "".join(pieces)
        except Exception as error:
            return f"tool invoke error: {error}"

    def _search(self, query: str) -> str:
        asked = self.turn.order.query
        self.turn.order.query = query or asked
        try:
            return basic.text_of(basic.retrieve(self.turn, self.cancel) or []) or "nothing found"
        finally:
            self.turn.order.query = asked

    def _label(self, name: str) -> dict[str, str]:
        info = self.tools[name][2] if name in self.tools else None
        return info.label if info is not None and info.label else {"en_US": name, "zh_Hans": name}
