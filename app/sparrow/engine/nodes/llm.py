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
from sparrow.engine.nodes.base import Chunk, Node, NodeError, Result, as_node_error
from sparrow.engine.values import MISSING, jsonable
from sparrow.messages import Message, ModelInfo, ModelRef

_SCHEMA_PROMPT = """Answer with one JSON value that follows this JSON schema, and with nothing else: \
no explanation, no code fence. Use null for what you do not know, and never leave out required properties.

<schema>
{schema}
</schema>"""

_GAPS = re.compile(r"\n\s*\n")
_THOUGHT = re.compile(r"<think[^>]*>(.*?)</think>", re.IGNORECASE | re.DOTALL)


class Llm(Node):
    """Asks a model and streams its text."""

    streams = True
    retries = True

    def setup(self, data: dict[str, Any]) -> None:
        """Read model, vision, structured output and reasoning settings."""
        self.model = data.get("model") or {}
        self.ref = prompts.model_of(self.model)
        vision = data.get("vision")
        self.vision = vision if isinstance(vision, dict) else {}
        self.detail = prompts.detail_of(self.vision)
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
            failed = as_node_error(error)
            failed.inputs = inputs
            raise failed from error

    def _ask(self, context: Context, inputs: dict[str, Any]) -> Iterator[Any]:
        info = context.need("models").info(self.ref)
        context_text, pictures = "", []
        settings = self.data.get("context") or {}
        if settings.get("enabled") and settings.get("variable_selector"):
            passages = context.pool.get(settings["variable_selector"])
            context_text, cited = prompts.context_text(passages)
            if context_text:
                inputs["#context#"] = context_text
            if cited:
                yield ev.Citations(self.id, cited)
            if cited and self.vision.get("enabled"):
                pictures = prompts.context_pictures(passages, info, lambda file: prompts.data_url(file, context),
                                                    self.detail)
        files = prompts.vision_files(self.vision, context)
        if files:
            inputs["#files#"] = [jsonable(file) for file in files]
        if self.ref.mode == "completion":
            messages = prompts.completion_message(self.data, context, info, context_text)
        else:
            messages = prompts.chat_messages(self.data, context, info, context_text, files, self.detail, pictures)
        if not messages:
            raise NodeError("No prompt found in the LLM configuration. Please ensure a prompt is properly configured "
                            "before proceeding.", "NoPromptFoundError")
        visible = prompts.shown(messages)
        parameters, stop = prompts.parameters_of(self.model, context)
        response_format = None
        if self.schema is not None:
            response_format = self._structure(messages, info)
        reply = Reply()
        told = _Told()
        for chunk in chat(context, self.ref, messages, parameters=parameters, stop=stop,
                          response_format=response_format):
            reply.add(chunk)
            for text in told.feed(chunk.reasoning, chunk.text):
                yield Chunk("text", text)
        for text in told.end():
            yield Chunk("text", text)
        reply.settle()
        usage = reply.usage_dict()
        text, reasoning = "".join(told.text), ""
        if self.separated:
            text, reasoning = _set_apart(text)
        outputs: dict[str, Any] = {
            "text": text, "reasoning_content": reasoning, "usage": usage,
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
        if isinstance(found, list):
            found = next((item for item in found if isinstance(item, dict)), {})
        if not isinstance(found, dict):
            raise NodeError(f"Failed to parse structured output: Failed to parse structured output: {text}",
                            "OutputParserError")
        return found


def _set_apart(text: str) -> tuple[str, str]:
    """Return a text without its thoughts, and the thoughts. Like Dify's, the stream has had both."""
    thoughts = "\n".join(thought.strip() for thought in _THOUGHT.findall(text))
    return _GAPS.sub("\n\n", _THOUGHT.sub("", text)).strip(), thoughts


class _Told:
    """What a model told, with tags around what it reasoned in a field of its own."""

    def __init__(self):
        self.text: list[str] = []
        self._open = False

    def feed(self, reasoning: str, text: str) -> Iterator[str]:
        """Yield the pieces of a chunk."""
        if reasoning:
            yield self._say(reasoning if self._open else f"<think>\n{reasoning}")
            self._open = True
        if text:
            if self._open:
                self._open = False
                text = f"\n</think>{text}"
            yield self._say(text)

    def end(self) -> Iterator[str]:
        """Yield the tag that is still open."""
        if self._open:
            yield self._say("\n</think>")

    def _say(self, text: str) -> str:
        self.text.append(text)
        return text
