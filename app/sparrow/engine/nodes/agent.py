"""The agent node: a model with tools, by function calling or ReAct."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sparrow.engine import events as ev
from sparrow.engine import prompts
from sparrow.engine.agent.loop import Outcome, Thought, function_calling, react
from sparrow.engine.agent.names import distinct
from sparrow.engine.context import Context
from sparrow.engine.models import Reply, chat
from sparrow.engine.nodes.base import Chunk, Node, NodeError, Result
from sparrow.engine.nodes.tool import arguments_of
from sparrow.engine.ports import PortError, ToolRef
from sparrow.engine.totals import add_usage
from sparrow.engine.values import jsonable, text
from sparrow.ids import new_id
from sparrow.messages import Message, ToolSpec, Usage

_ROUNDS = 99


class Agent(Node):
    """Streams `text`, tells of every round in the agent log."""

    streams = True

    def setup(self, data: dict[str, Any]) -> None:
        """Read the strategy."""
        self.strategy_name = str(data.get("agent_strategy_name") or "function_calling")

    def agent_strategy(self) -> dict[str, Any] | None:
        """Return the strategy's name."""
        return {"name": self.data.get("agent_strategy_label") or self.strategy_name, "icon": None}

    def steps(self, context: Context) -> Iterator[Any]:
        """Yield text and log entries; return text, files, json, usage."""
        if str(self.data.get("version") or "1") == "2" and self.data.get("agent_node_kind") == "dify_agent":
            raise NodeError("This agent node is bound to an agent outside the app file and cannot run here.",
                            "AgentNotSupportedError")
        given = arguments_of(self.data.get("agent_parameters"), context)
        model = given.get("model") or {}
        try:
            ref = prompts.model_of({**model, "name": model.get("model") or model.get("name")})
        except (ValueError, AttributeError):
            raise NodeError("no model selected", "AgentInputTypeError") from None
        query, instruction = text(given.get("query")), text(given.get("instruction"))
        rounds = max(1, min(_ROUNDS, int(given.get("maximum_iterations") or 5)))
        inputs = jsonable({key: value for key, value in given.items() if key != "tools"})
        specs, refs, fixed = self._tools(given.get("tools") or [], context)
        offered = {spec.name: spec.parameters.get("properties") or {} for spec in specs}
        info = context.need("models").info(ref)
        messages = [Message("system", instruction)] if instruction else []
        parameters, stop = prompts.parameters_of(model, context)
        asked = Message("user", query)
        earlier = prompts.turns_as_messages(prompts.history(context, self.data.get("memory")), info, context, None)
        messages += [*prompts.fitting(earlier, [*messages, asked], info, parameters), asked]
        files: list[Any] = []
        data: list[Any] = []

        def ask(said: list[Message], tools: list[ToolSpec] | None, stops: list[str] | None) -> Any:
            return chat(context, ref, said, parameters=parameters, stop=[*(stop or ()), *(stops or ())] or None,
                        tools=tools)

        def call(name: str, arguments: dict[str, Any]) -> str:
            words: list[str] = []
            settings, preset = fixed[name]
            try:
                # What is not offered to the model is not its to set.
                given = {key: value for key, value in arguments.items() if key in offered[name]}
                for message in context.need("tools").invoke(refs[name], {**given, **preset}, settings,
                                                            context.cancel, user=context.user,
                                                            depth=context.shared.depth + 1):
                    if message.type == "file":
                        files.append(message.value)
                    elif message.type == "json":
                        data.append(message.value)
                        if not message.hidden:
                            words.append(text(message.value))
                    elif message.type != "log" and not message.hidden:
                        words.append(text(message.value))
            except PortError as error:
                return f"tool invoke error: {error}"
            return "".join(words)

        by_react = "react" in self.strategy_name.lower() or not info.features & {"tool-call", "multi-tool-call"}
        rounds_run = (react(ask, call, messages, specs, rounds, instruction) if by_react and specs
                      else function_calling(ask, call, messages, specs, rounds))
        logs: dict[int, str] = {}
        outcome: Outcome | None = None
        said = False
        while outcome is None:
            try:
                step = next(rounds_run)
            except StopIteration as end:
                outcome = end.value
                break
            if isinstance(step, Thought):
                yield self._log(context, step, logs)
            elif step.text and not step.thinking:
                said = True
                yield Chunk("text", step.text)
        if not said and outcome.answer:
            yield Chunk("text", outcome.answer)
        yield Chunk("text", "", True)
        usage: Usage | None = None
        for one in outcome.usages:
            usage = one if usage is None else add_usage(usage, one)
        reply = Reply()
        reply.usage = usage or Usage()
        entries = [{"round": item.position, "thought": item.text, "tools": item.arguments,
                    "observations": item.observations} for item in outcome.thoughts]
        outputs = {"text": outcome.answer, "files": files, "json": [*entries, *data], "usage": reply.usage_dict()}
        return Result(outputs, inputs, {}, reply.cost(), usage=usage)

    def _log(self, context: Context, step: Thought, logs: dict[int, str]) -> ev.AgentLog:
        identity = logs.setdefault(step.position, new_id())
        return ev.AgentLog(
            identity, context.execution_id, self.id, f"ROUND {step.position}", None,
            "success" if step.done else "start",
            {"thought": step.text, "tools": step.arguments, "observations": dict(step.observations)}, None,
            {"total_tokens": step.usage.total_tokens} if step.usage else {},
        )

    def _tools(self, items: list[Any], context: Context) -> tuple[list[ToolSpec], dict[str, ToolRef], dict[str, Any]]:
        """Return the functions to offer, without the parameters that are set beforehand."""
        specs: list[ToolSpec] = []
        refs: dict[str, ToolRef] = {}
        fixed: dict[str, Any] = {}
        for item in items:
            if not isinstance(item, dict) or item.get("enabled") is False:
                continue
            ref = ToolRef(str(item.get("type") or item.get("provider_type") or "builtin"),
                          str(item.get("provider_id") or item.get("provider_name") or ""),
                          str(item.get("tool_name") or ""), str(item.get("provider_name") or ""),
                          item.get("credential_id"))
            try:
                spec = context.need("tools").describe(ref).spec
            except PortError as error:
                raise NodeError(str(error), error.error_type) from None
            preset = {}
            for key, rule in (item.get("parameters") or {}).items():
                if isinstance(rule, dict) and rule.get("auto") == 0 and rule.get("value") not in (None, ""):
                    value = rule["value"]
                    preset[key] = value.get("value") if isinstance(value, dict) and "value" in value else value
            schema = dict(spec.parameters)
            schema["properties"] = {key: value for key, value in (schema.get("properties") or {}).items()
                                    if key not in preset}
            if schema.get("required"):
                schema["required"] = [key for key in schema["required"] if key not in preset]
            extra = (item.get("extra") or {}).get("description")
            name = distinct(spec.name, ref.provider_name or ref.provider_id, refs)
            specs.append(ToolSpec(name, extra or spec.description, schema))
            refs[name] = ref
            settings = {key: rule.get("value") if isinstance(rule, dict) else rule
                        for key, rule in (item.get("settings") or {}).items()}
            fixed[name] = (settings, preset)
        return specs, refs, fixed
