"""The LLM node: prompt with context, memory and files; reasoning set apart; structured output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sparrow.engine import events as ev
from sparrow.engine import jsonrepair, prompts
from sparrow.engine.context import Context
from sparrow.engine.models import Reply, chat
from sparrow.engine.nodes.base import Chunk, Node, NodeError, Result
from sparrow.engine.values import MISSING, jsonable
from sparrow.messages import Message, ModelInfo, ModelRef

_SCHEMA_PROMPT = """Answer with one JSON value that follows this JSON schema, and with nothing else: \
no explanation, no code fence. Use null for what you do not know, and never leave out required properties.

<schema>
{schema}
</schema>"""

_GAPS = re.compile(r"\n\s*\n")
_NEXT = "\0"  # between two thoughts


class Llm(Node):
    """Asks a model and streams its text."""

    streams = True

    def setup(self, data: dict[str, Any]) -> None:
        """Read model, vision, structured output and reasoning settings."""
        self.model = data.get("model") or {}
        self.ref = prompts.model_of(self.model)
        vision = data.get("vision")
        self.vision = vision if isinstance(vision, dict) else {}
        self.detail = (self.vision.get("configs") or {}).get("detail") or "high"
        self.structured = bool(data.get("structured_output_enabled") or data.get("structured_output_switch_on"))
        self.schema = (data.get("structured_output") or {}).get("schema") if self.structured else None
        self.separated = data.get("reasoning_format") == "separated"

    def models(self) -> tuple[ModelRef, ...]:
        """Return its model."""
        return (self.ref,)

    def steps(self, context: Context) -> Iterator[Any]:
        """Yield text chunks; return text, reasoning_content, usage, finish_reason, structured_output."""
        inputs: dict[str, Any] = {}
        try:
            return (yield from self._ask(context, inputs))
        except NodeError as error:
            error.inputs = inputs
            raise
        except Exception as error:
            from sparrow.engine.frame import as_node_error

            failed = as_node_error(error)
            failed.inputs = inputs
            raise failed from error

    def _ask(self, context: Context, inputs: dict[str, Any]) -> Iterator[Any]:
        info = context.need("models").info(self.ref)
        context_text = ""
        settings = self.data.get("context") or {}
        if settings.get("enabled") and settings.get("variable_selector"):
            context_text, cited = prompts.context_text(context.pool.get(settings["variable_selector"]))
            if context_text:
                inputs["#context#"] = context_text
            if cited:
                yield ev.Citations(self.id, cited)
        files = prompts.vision_files(self.vision, context)
        if files:
            inputs["#files#"] = [jsonable(file) for file in files]
        if self.ref.mode == "completion":
            messages = prompts.completion_message(self.data, context, info, context_text)
        else:
            messages = prompts.chat_messages(self.data, context, info, context_text, files, self.detail)
        if not messages:
            raise NodeError("No prompt found in the LLM configuration. Please ensure a prompt is properly configured "
                            "before proceeding.", "NoPromptFoundError")
        visible = prompts.shown(messages)
        parameters, stop = prompts.parameters_of(self.model, context)
        response_format = None
        if self.schema is not None:
            response_format = self._structure(messages, info)
        reply = Reply()
        splitter = _Splitter(self.separated)
        for chunk in chat(context, self.ref, messages, parameters=parameters, stop=stop,
                          response_format=response_format):
            reply.add(chunk)
            for reasoning, text in splitter.feed(chunk.reasoning, chunk.text):
                yield ev.ReasoningChunk(text, self.id) if reasoning else Chunk("text", text)
        for reasoning, text in splitter.end():
            yield ev.ReasoningChunk(text, self.id) if reasoning else Chunk("text", text)
        if splitter.reasoned:
            yield ev.ReasoningChunk("", self.id, True)
        reply.settle()
        usage = reply.usage_dict()
        text = "".join(splitter.text)
        if self.separated:
            text = _GAPS.sub("\n\n", text).strip()
        outputs: dict[str, Any] = {
            "text": text, "reasoning_content": splitter.thoughts(), "usage": usage,
            "finish_reason": reply.finish_reason,
        }
        if self.schema is not None:
            outputs["structured_output"] = self._parse(text)
        # Dify ends a stream with an empty chunk for the usage and one to mark the end (one more if structured).
        for _ in range(2 if self.schema is not None else 1):
            yield Chunk("text", "")
        yield Chunk("text", "", True)
        process = {
            "model_mode": self.ref.mode, "prompts": visible, "usage": usage, "finish_reason": reply.finish_reason,
            "model_provider": self.ref.provider, "model_name": self.ref.name,
        }
        return Result(outputs, inputs, process, reply.cost(), usage=reply.usage)

    def _structure(self, messages: list[Message], info: ModelInfo) -> dict[str, Any] | None:
        """Ask for the schema: by the model's own means, or in words."""
        schema = self.schema
        if "structured-output" in info.features:
            return {"type": "json_schema",
                    "json_schema": {"name": "llm_response", "schema": schema, "strict": True}}
        words = _SCHEMA_PROMPT.format(schema=json.dumps(schema, ensure_ascii=False, indent=2))
        if messages[0].role == "system":
            messages[0] = Message("system", f"{words}\n\n{messages[0].text()}")
        else:
            messages.insert(0, Message("system", words))
        return None

    def _parse(self, text: str) -> Any:
        try:
            found = jsonrepair.loads(text)
        except ValueError:
            found = MISSING
        if isinstance(found, list) and found and isinstance(found[0], dict):
            found = found[0]
        if not isinstance(found, dict):
            raise NodeError(f"Failed to parse structured output: Failed to parse structured output: {text}",
                            "OutputParserError")
        return found


class _Splitter:
    """Parts reasoning from text, whether it comes in its own field or in `<think>` tags."""

    def __init__(self, separated: bool):
        self.separated = separated
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.reasoned = False
        self._open = False
        self._held = ""

    def feed(self, reasoning: str, text: str) -> Iterator[tuple[bool, str]]:
        """Yield (is reasoning, text) pieces."""
        if not self.separated:
            if reasoning:
                yield self._say(reasoning if self._open else f"<think>\n{reasoning}")
                self._open = True
            if text:
                if self._open:
                    self._open = False
                    text = f"\n</think>{text}"
                yield self._say(text)
            return
        if reasoning:
            yield self._think(reasoning)
        if text:
            yield from self._tags(text)

    def _tags(self, text: str) -> Iterator[tuple[bool, str]]:
        text = self._held + text
        self._held = ""
        while text:
            tag = "</think>" if self._open else "<think>"
            before, found, after = text.partition(tag)
            if not found:
                keep = next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)
                self._held = text[len(text) - keep:] if keep else ""
                before, after = text[:len(text) - keep], ""
            if before:
                yield self._think(before) if self._open else self._say(before)
            if found:
                if self._open:
                    self.reasoning.append(_NEXT)
                self._open = not self._open
            text = after

    def end(self) -> Iterator[tuple[bool, str]]:
        """Yield what was held back."""
        if self._held:
            yield self._think(self._held) if self._open else self._say(self._held)
        elif self._open and not self.separated:
            yield self._say("\n</think>")

    def thoughts(self) -> str:
        """Return the reasoning as a node's output: one paragraph for each time the model thought."""
        return "\n".join(filter(None, (thought.strip() for thought in "".join(self.reasoning).split(_NEXT))))

    def _say(self, text: str) -> tuple[bool, str]:
        self.text.append(text)
        return False, text

    def _think(self, text: str) -> tuple[bool, str]:
        self.reasoned = True
        self.reasoning.append(text)
        return True, text
