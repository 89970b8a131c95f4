"""Agent apps: a model that calls tools until it has an answer."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from sparrow import clock, ids
from sparrow.apps import basic, failure, filebox, moderation, opener, prompt, surroundings
from sparrow.apps import usage as usages
from sparrow.apps.order import Turn
from sparrow.engine.ports import Cancel, PortError, ToolInfo, ToolRef
from sparrow.messages import Message, ModelInfo, ToolCall, ToolSpec, Usage

_MAX_ROUNDS = 99
_KNOWLEDGE = "search_knowledge"


def answer(turn: Turn) -> None:
    """Answer a message of an agent app."""
    try:
        preset = basic.preset_answer(turn)
        if preset is not None:
            basic.finish(turn, preset, None)
            return
        text, usage, thoughts, messages = _Loop(turn).run()
        guard = moderation.of(turn.definition.feature("sensitive_word_avoidance"), turn.order.app.id)
        verdict = guard.check_output(text) if guard is not None else None
        if verdict is not None:
            text = verdict.preset
            turn.emit("message_replace", answer=text, reason="")
        basic.finish(turn, text, usage, prompt_messages=messages, thoughts=thoughts)
    except Exception as error:
        failure.of_message(turn, error)


class _Loop:
    """Rounds of model and tools."""

    def __init__(self, turn: Turn):
        self.turn = turn
        self.config = turn.definition.content.get("agent_mode") or {}
        self.cancel = Cancel()
        turn.live.on_stop.append(self.cancel.cancel)
        self.ref, self.parameters = basic.model(turn)
        self.info: ModelInfo = surroundings.hub().info(self.ref)
        self.box = surroundings.tools()
        self.tools = self._tools()
        self.thoughts: list[dict[str, Any]] = []
        self.usage: Usage | None = None

    def run(self) -> tuple[str, Usage | None, list[dict[str, Any]], list[Message]]:
        """Return the answer, what it cost, the thoughts and the prompt of the last round."""
        messages = self._prompt()
        rounds = min(max(int(self.config.get("max_iteration") or 5), 1), _MAX_ROUNDS) + 1
        answer = ""
        for number in range(1, rounds + 1):
            offered = [spec for spec, _, _ in self.tools.values()] if number < rounds else []
            thought = self._think(number)
            text, calls = self._ask(messages, offered, thought)
            answer += text
            if not calls or self.turn.live.stopped.is_set():
                break
            messages += [Message("assistant", text, tool_calls=calls), *self._call(calls, thought)]
        return answer, self.usage, self.thoughts, messages

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
            if self.box is None:
                raise PortError("Tools cannot be used here.")
            ref = ToolRef(tool.get("provider_type") or "builtin", str(tool.get("provider_id") or ""),
                          tool["tool_name"], str(tool.get("provider_name") or ""), tool.get("credential_id"))
            info = self.box.describe(ref)
            found[info.spec.name] = info.spec, ref, info
            given = tool.get("tool_parameters") or {}
            self.settings[info.spec.name] = {name: value for name, value in given.items() if value not in ("", None)}
        if basic.dataset_ids(self.turn.definition.content):
            found[_KNOWLEDGE] = ToolSpec(_KNOWLEDGE, "Search the user's documents, before answering from memory.", {
                "type": "object", "properties": {"query": {"type": "string", "description": "what to look for"}},
                "required": ["query"]}), None, None
        return found

    def _think(self, position: int) -> dict[str, Any]:
        thought = {"id": ids.new_id(), "chain_id": None, "message_id": self.turn.message_id, "position": position,
                   "thought": "", "tool": "", "tool_labels": {}, "tool_input": "", "created_at": int(clock.now()),
                   "observation": "", "files": []}
        self.thoughts.append(thought)
        return thought

    def _show(self, thought: dict[str, Any]) -> None:
        self.turn.emit("agent_thought", **{name: thought[name] for name in (
            "id", "position", "thought", "observation", "tool", "tool_labels", "tool_input")}, message_files=[])

    def _ask(self, messages: list[Message], tools: list[ToolSpec],
             thought: dict[str, Any]) -> tuple[str, list[ToolCall]]:
        turn, parameters = self.turn, dict(self.parameters)
        stop = parameters.pop("stop", None)
        # A model that cannot stream its tool calls is asked for the whole reply, as Dify does.
        streaming = not tools or bool(self.info.features & {"tool-call", "stream-tool-call", "multi-tool-call"})
        reply = surroundings.hub().chat(self.ref, messages, parameters=parameters, tools=tools or None,
                                        stop=stop or None, stream=streaming, user=turn.order.user.session_id)
        turn.live.on_stop.append(reply.close)
        pieces: list[str] = []
        calls: list[ToolCall] = []
        begun = False
        try:
            for chunk in reply:
                if turn.live.stopped.is_set():
                    break
                if not begun:
                    begun = True
                    self._show(thought)
                calls += chunk.tool_calls
                self.usage = usages.add(self.usage, chunk.usage)
                pieces.append(chunk.text)
                turn.emit("agent_message", id=turn.message_id, answer=chunk.text)
                if chunk.tool_calls and chunk.usage is not None:  # Dify has an empty message for each of the two
                    turn.emit("agent_message", id=turn.message_id, answer="")
        except Exception:
            if not turn.live.stopped.is_set():
                raise
        finally:
            with suppress(Exception):
                reply.close()
        thought["thought"] = "".join(pieces)
        if calls:
            thought["tool"] = ";".join(call.name for call in calls)
            thought["tool_labels"] = {call.name: self._label(call.name) for call in calls}
            thought["tool_input"] = json.dumps({call.name: _arguments(call) for call in calls}, ensure_ascii=False)
        self._show(thought)
        return thought["thought"], calls

    def _call(self, calls: list[ToolCall], thought: dict[str, Any]) -> list[Message]:
        replies, seen = [], {}
        for call in calls:
            text = self._invoke(call)
            seen[call.name] = text
            replies.append(Message("tool", text, tool_call_id=call.id, name=call.name))
        thought["observation"] = json.dumps(seen, ensure_ascii=False)
        self._show(thought)
        return replies

    def _invoke(self, call: ToolCall) -> str:
        known = self.tools.get(call.name)
        if known is None:
            return f"there is not a tool named {call.name}"
        arguments = _arguments(call)
        if not isinstance(arguments, dict):
            return f"tool invoke error: the arguments are not a JSON object: {call.arguments[:200]}"
        try:
            if known[1] is None:
                return self._search(str(arguments.get("query") or ""))
            pieces = []
            for message in self.box.invoke(known[1], arguments, self.settings.get(call.name, {}), self.cancel,
                                           user=self.turn.order.user.session_id):
                if message.type in ("text", "link", "image"):
                    pieces.append(str(message.value))
                elif message.type == "json":
                    pieces.append(json.dumps(message.value, ensure_ascii=False))
                elif message.type == "file":
                    pieces.append(message.value.markdown())
            return "".join(pieces)
        except Exception as error:  # the model is told, and may try another way
            return f"tool invoke error: {error}"

    def _search(self, query: str) -> str:
        asked = self.turn.order.query
        self.turn.order.query = query or asked
        try:
            return basic.retrieve(self.turn, self.cancel) or "nothing found"
        finally:
            self.turn.order.query = asked

    def _label(self, name: str) -> dict[str, str]:
        info = self.tools[name][2] if name in self.tools else None
        return info.label if info is not None and info.label else {"en_US": name, "zh_Hans": name}


def _arguments(call: ToolCall) -> Any:
    try:
        return json.loads(call.arguments or "{}")
    except ValueError:
        return call.arguments


