"""The parameter extractor: a model reads typed values out of a text."""

from __future__ import annotations

import json
from typing import Any

from sparrow.characters import whole
from sparrow.engine import prompts, template
from sparrow.engine.context import Context
from sparrow.engine.models import ask
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.values import MISSING, empty_of, fits, jsonable, text, type_name
from sparrow.messages import Message, ModelError, ModelRef, Part, ToolSpec

FUNCTION = "extract_parameters"
_LONGEST = 100_000  # characters of a reply that are searched for the values
_BY_FUNCTION = """You read values out of a text by calling the function `{name}`. Call it exactly once, with every \
value the text or the instructions give. Do not invent values, and do not answer in words.
{more}"""
_BY_PROMPT = """You read values out of a text. Answer with one JSON object that follows the given JSON schema, and \
with nothing else: no explanation, no code fence. Do not invent values.
{more}"""


class ParameterExtractor(Node):
    """A reply that cannot be used is no failure: `__is_success` is 0 then."""

    def setup(self, data: dict[str, Any]) -> None:
        """Read the model and the parameters."""
        self.model = data.get("model") or {}
        self.ref = prompts.model_of(self.model)
        self.parameters = []
        for item in data.get("parameters") or ():
            name = str(item.get("name") or "")
            if name in ("", "__reason", "__is_success"):
                raise ValueError(f"Invalid parameter name: {name!r}")
            kind = {"bool": "boolean", "select": "string"}.get(item.get("type"), item.get("type") or "string")
            self.parameters.append({
                "name": name, "type": kind, "options": item.get("options") or None,
                "description": item.get("description") or "", "required": bool(item.get("required")),
            })

    def models(self) -> tuple[ModelRef, ...]:
        """Return its model."""
        return (self.ref,)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of all parameters."""
        properties: dict[str, Any] = {}
        for item in self.parameters:
            rule: dict[str, Any] = {"description": item["description"]}
            if item["type"].startswith("array"):
                rule |= {"type": "array", "items": {"type": item["type"][6:-1] or "string"}}
            else:
                rule["type"] = item["type"]
            if item["options"]:
                rule["enum"] = item["options"]
            properties[item["name"]] = rule
        return {"type": "object", "properties": properties,
                "required": [item["name"] for item in self.parameters if item["required"]]}

    def run(self, context: Context) -> Result:
        """Return one output a parameter, `__is_success`, `__reason` and `__usage`."""
        value = context.pool.get(self.data.get("query") or ())
        query = "" if value is MISSING else text(value)
        vision = self.data.get("vision")
        files = prompts.vision_files(vision, context)
        instruction = template.render(str(self.data.get("instruction") or ""), context.pool)
        inputs = {"query": query, "files": [jsonable(file) for file in files], "parameters": self.parameters,
                  "instruction": self.data.get("instruction")}
        info = context.need("models").info(self.ref)
        by_function = (self.data.get("reasoning_mode") != "prompt"
                       and bool(info.features & {"tool-call", "multi-tool-call"}))
        messages = self._messages(context, query, instruction, by_function)
        parts = prompts.parts_of(files, info, context, prompts.detail_of(vision))
        if parts:
            messages[-1].content = [*parts, Part("text", messages[-1].text())]
        schema = self.schema()
        spec = ToolSpec(FUNCTION, "Extract parameters from the natural language text", schema)
        parameters, stop = prompts.parameters_of(self.model, context)
        process: dict[str, Any] = {
            "model_mode": self.ref.mode, "prompts": prompts.shown(messages), "usage": None,
            "function": {"name": spec.name, "description": spec.description, "parameters": schema}
            if by_function else {}, "tool_call": None,
            "model_provider": self.ref.provider, "model_name": self.ref.name,
        }
        try:
            reply = ask(context, self.ref, messages, parameters=parameters, stop=stop,
                        tools=[spec] if by_function else None, stream=False)
        except ModelError as error:
            outputs = {"__is_success": 0, "__reason": "Failed to invoke model", "__error": str(error)}
            raise NodeError(str(error), "", inputs=inputs, process_data=process, outputs=outputs) from None
        usage = reply.usage_dict(timed=False)
        process |= {"usage": usage, "llm_text": reply.text}
        call = reply.tool_calls[0] if reply.tool_calls else None  # whatever name the model gave it
        if call is not None:
            process["tool_call"] = {"id": call.id, "type": "function",
                                    "function": {"name": call.name, "arguments": call.arguments}}
        found = _object_in(call.arguments if call is not None else reply.text)
        values, reason = self._read(found if call is None else found or {}, called=call is not None)
        outputs = {"__is_success": 0 if reason else 1, "__reason": reason, "__usage": usage, **values}
        return Result(outputs, inputs, process, reply.cost(), usage=reply.usage)

    def _messages(self, context: Context, query: str, instruction: str, by_function: bool) -> list[Message]:
        more = ""
        if instruction:
            more = f"\nInstructions:\n<instructions>\n{instruction}\n</instructions>"
        told = "\n".join(f"Human: {turn.query}\nAssistant: {turn.answer}"
                         for turn in prompts.history(context, self.data.get("memory")))
        if told:
            more += f"\nThe conversation so far:\n<histories>\n{told}\n</histories>"
        if by_function:
            return [Message("system", _BY_FUNCTION.format(name=FUNCTION, more=more)), Message("user", query)]
        schema = json.dumps(self.schema(), ensure_ascii=False)
        return [Message("system", _BY_PROMPT.format(more=more)),
                Message("user", f"<schema>\n{schema}\n</schema>\n<text>\n{query}\n</text>")]

    def _read(self, found: dict[str, Any] | None, *, called: bool) -> tuple[dict[str, Any], str | None]:
        """Return all values, typed, and why they are not good (None if they are)."""
        reason = None
        if not found and not called:
            reason = "Failed to extract result from function call or text response, using empty result."
            found = {item["name"]: empty_of(item["type"]) for item in self.parameters
                     if item["type"] in ("number", "boolean", "string")}
        reason = self._fault(found) or reason
        values: dict[str, Any] = {}
        for item in self.parameters:
            value = _typed(item["type"], found.get(item["name"]))
            values[item["name"]] = empty_of(item["type"]) if value is MISSING else value
        return values, reason

    def _fault(self, found: dict[str, Any]) -> str | None:
        """Return what is wrong with the model's values."""
        if len(found) != len(self.parameters):
            return "Invalid number of parameters"
        for item in self.parameters:
            name, kind = item["name"], item["type"]
            if item["required"] and name not in found:
                return f"Parameter {name} is required"
            value = found.get(name)
            if not _is(kind, value):
                return (f"Invalid value for parameter {name}, expected segment type: {kind}, actual_type: "
                        f"{type_name(value)}, python_type: {type(value)}, value: {value}")
            if kind == "string" and item["options"] and value not in item["options"]:
                return f"Invalid `select` value for parameter {name}"
        return None


def _is(kind: str, value: Any) -> bool:
    """Tell whether a value is of a parameter's type; true and false are numbers, as in Dify."""
    if kind == "number":
        return isinstance(value, int | float)
    if kind == "array[number]":
        return isinstance(value, list) and all(isinstance(item, int | float) for item in value)
    return fits(kind, value)


def _object_in(text: str) -> dict[str, Any] | None:
    """Return the first JSON object in a text that can be read; a model's near misses are not mended, as in Dify."""
    decoder = json.JSONDecoder()
    for at, char in enumerate(text[:_LONGEST]):
        if char == "{":
            try:
                return whole(decoder.raw_decode(text, at)[0])
            except (ValueError, RecursionError):
                continue
    return None


def _typed(kind: str, value: Any) -> Any:
    """Return a value converted to a parameter's type, or MISSING."""
    if kind == "number":
        if isinstance(value, int | float):
            return int(value) if isinstance(value, bool) else value
        try:
            return (float(value) if "." in value else int(value)) if isinstance(value, str) else MISSING
        except ValueError:
            return MISSING
    if kind == "boolean":
        return bool(value) if isinstance(value, int) else MISSING
    if kind == "string":
        return value if isinstance(value, str) else MISSING
    if kind.startswith("array") and isinstance(value, list):
        inner = kind[6:-1]
        if inner in ("object", "boolean"):
            return [item for item in value if isinstance(item, dict if inner == "object" else bool)]
        items = [_typed(inner, item) for item in value]
        return [item for item in items if item is not MISSING]
    return MISSING
