"""The question classifier: a model chooses among classes, each a way out."""

from __future__ import annotations

import json
import re
from typing import Any

from sparrow.engine import prompts, template
from sparrow.engine.context import Context
from sparrow.engine.models import NO_COST, ask
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.values import MISSING, jsonable, text
from sparrow.messages import Message, ModelError, ModelRef

_SYSTEM = """You sort texts into categories. You get a text and a list of categories, each with category_id and \
category_name, and perhaps instructions. Choose exactly one category from the list, the one that fits best.

Answer with one JSON object and nothing else, without a code fence:
{{"keywords": ["…"], "category_id": "…", "category_name": "…"}}
{histories}"""
_SAMPLES = (
    ("The parcel came broken and nobody answers my letters.", [("s1", "Praise"), ("s2", "Complaint")],
     {"keywords": ["broken", "nobody answers"], "category_id": "s2", "category_name": "Complaint"}),
    ("Which sizes do you have in blue?", [("s1", "Question about goods"), ("s2", "Return"), ("s3", "Other")],
     {"keywords": ["sizes", "blue"], "category_id": "s1", "category_name": "Question about goods"}),
)
_THOUGHTS = re.compile(r"<think[^>]*>.*?</think>", re.IGNORECASE | re.DOTALL)


def _ask_text(words: str, classes: list[tuple[str, str]], instruction: str) -> str:
    listed = [{"category_id": key, "category_name": name} for key, name in classes]
    return (f"<text>\n{words}\n</text>\n<categories>\n{json.dumps(listed, ensure_ascii=False)}\n</categories>\n"
            f"<instructions>\n{instruction}\n</instructions>")


def _choice(words: str) -> dict[str, Any]:
    """Return the JSON object of a model's answer, with or without a fence; its thoughts do not count.

    As in Dify, the kind of mark that comes first in these lists counts, wherever it is, and nothing is mended.
    """
    words = _THOUGHTS.sub("", words).strip()
    begin, end = -1, -1
    for mark in ("```json", "```", "``", "`", "{", "["):
        begin = words.find(mark)
        if begin >= 0:
            begin += 0 if mark in "{[" else len(mark)
            break
    for mark in ("```", "``", "`", "}", "]"):
        end = words.rfind(mark, begin)
        if end >= 0:
            end += 1 if mark in "}]" else 0
            break
    if begin < 0 or begin >= end:
        raise NodeError("could not find json block in the output.", "ValueError")
    try:
        found = json.loads(words[begin:end].strip())
    except (ValueError, RecursionError) as error:
        raise NodeError(f"got invalid json object. error: {error}", "OutputParserError") from None
    if isinstance(found, list):
        if len(found) != 1 or not isinstance(found[0], dict):
            raise NodeError(f"got invalid return object. obj:{found}", "OutputParserError")
        found = found[0]
    if isinstance(found, str):
        return {}
    if not isinstance(found, dict):
        raise NodeError(f"argument of type '{type(found).__name__}' is not iterable", "TypeError")
    return found


class QuestionClassifier(Node):
    """Takes the way of the chosen class; an answer that fits none takes the first."""

    kind = "branch"

    def setup(self, data: dict[str, Any]) -> None:
        """Read the model and the classes (`topics` in very old files)."""
        self.model = data.get("model") or {}
        self.ref = prompts.model_of(self.model)
        classes = data.get("classes") or data.get("topics") or ()
        self.classes = [(str(item.get("id")), str(item.get("name") or "")) for item in classes]

    def models(self) -> tuple[ModelRef, ...]:
        """Return its model."""
        return (self.ref,)

    def run(self, context: Context) -> Result:
        """Return class_name, class_id, usage; the handle is the class's id."""
        value = context.pool.get(self.data.get("query_variable_selector") or ())
        inputs = {"query": None if value is MISSING else jsonable(value)}
        query = text(value)
        if not self.classes:
            raise NodeError("no classes to choose from", inputs=inputs)
        source = self.data.get("instruction") or self.data.get("instructions") or ""
        instruction = template.render(str(source), context.pool)
        info = context.need("models").info(self.ref)
        told = "\n".join(f"Human: {turn.query}\nAssistant: {turn.answer}"
                         for turn in prompts.history(context, self.data.get("memory")))
        classes = [(key, template.render(name, context.pool)) for key, name in self.classes]
        histories = f"\nThe conversation so far:\n<histories>\n{told}\n</histories>" if told else ""
        messages = [Message("system", _SYSTEM.format(histories=histories))]
        for sample, names, reply in _SAMPLES:
            messages.append(Message("user", _ask_text(sample, names, "")))
            messages.append(Message("assistant", json.dumps(reply)))
        messages.append(Message("user", _ask_text(query, classes, instruction)))
        vision = self.data.get("vision")
        parts = prompts.parts_of(prompts.vision_files(vision, context), info, context, prompts.detail_of(vision))
        if parts:
            from sparrow.messages import Part

            messages[-1].content = [*parts, Part("text", messages[-1].text())]
        parameters, stop = prompts.parameters_of(self.model, context)
        try:
            reply = ask(context, self.ref, messages, parameters=parameters, stop=stop)
        except ModelError as error:
            raise NodeError(str(error), error.error_type, inputs=inputs, metadata=dict(NO_COST)) from None
        try:
            found = _choice(reply.text)
        except NodeError as error:
            error.inputs, error.metadata, error.usage = inputs, reply.cost(), reply.usage
            raise
        chosen = next((item for item in classes if item[0] == found.get("category_id") and "category_name" in found),
                      classes[0])
        usage = reply.usage_dict()
        process = {"model_mode": self.ref.mode, "prompts": prompts.shown(messages), "usage": usage,
                   "finish_reason": reply.finish_reason, "model_provider": self.ref.provider,
                   "model_name": self.ref.name}
        return Result({"class_name": chosen[1], "class_id": chosen[0], "usage": usage}, inputs, process, reply.cost(),
                      handle=chosen[0], usage=reply.usage)
