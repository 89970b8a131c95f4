"""The agent loops, and how ReAct replies are read."""

from __future__ import annotations

import pytest

from sparrow.engine.agent.loop import Outcome, Said, Thought, function_calling, react
from sparrow.engine.agent.react import Action, Reader
from sparrow.messages import Chunk, Message, ToolCall, ToolSpec, Usage

WEATHER = ToolSpec("weather", "the weather", {"type": "object", "properties": {"city": {"type": "string"}}})
FENCED = 'Thought: look it up\nAction:\n```json\n{"action": "weather", "action_input": {"city": "Oslo"}}\n```'


def read(*pieces):
    reader = Reader()
    found = [item for piece in pieces for item in reader.feed(piece)]
    return found + list(reader.end())


def words(found):
    return "".join(item for item in found if isinstance(item, str))


@pytest.mark.parametrize(("text", "said", "actions"), [
    (FENCED, " look it up\n\n", [("weather", {"city": "Oslo"})]),
    ('Thought: ok\nAction: {"action": "Final Answer", "action_input": "42"}', " ok\n ", [("Final Answer", "42")]),
    ("plain words, an Action hero, reaction: none", "plain words, an Action hero, reaction: none", []),
    ('see {"a": 1} and {broken', 'see {"a": 1} and {broken', []),
    ('[{"tool_name": "x", "tool_input": {}}]', "[]", [("x", {})]),
    ("use `ls` here", "use `ls` here", []),
    ("```\nno json\n```", "```\nno json\n```", []),
    ("Thought", "Thought", []),
])
def test_replies_are_read_the_same_however_they_are_cut(text, said, actions):
    for pieces in ([text], list(text)):
        found = read(*pieces)
        assert words(found) == said
        assert [(item.name, item.input) for item in found if isinstance(item, Action)] == actions
    assert all(len(item) <= 1 for item in read("only letters") if isinstance(item, str))


def test_a_reply_of_brackets_ends_soon():
    found = read("{" * 250_000, "`" * 250_000, '{"a":' * 50_000)
    assert len(words(found)) > 400_000


class Script:
    """A model that gives one scripted reply after the other."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.asked: list[tuple[list[Message], object]] = []

    def __call__(self, messages, tools, stops):
        self.asked.append((list(messages), tools))
        reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
        chunks = reply if isinstance(reply, list) else [Chunk(text=reply)]
        yield from chunks
        yield Chunk(usage=Usage())


def play(steps):
    found = []
    while True:
        try:
            found.append(next(steps))
        except StopIteration as end:
            assert isinstance(end.value, Outcome)
            return found, end.value


def test_react_calls_a_tool_and_answers():
    script = Script(FENCED, 'Thought: done\nAction: {"action": "Final Answer", "action_input": "rain"}')
    found, outcome = play(react(script, lambda name, given: f"{name} {given['city']}: rain",
                                [Message("user", "weather?")], [WEATHER], 3, "Be brief."))
    assert outcome.answer == "rain"
    assert found[-1] == Said("rain")
    assert "".join(item.text for item in found[:-1] if isinstance(item, Said)) == " look it up\n\n done\n "
    thoughts = [item for item in found if isinstance(item, Thought)]
    assert [item.position for item in thoughts] == [1, 1, 1, 2]
    assert outcome.thoughts[0].observations == {"weather": "weather Oslo: rain"}
    last = script.asked[1][0]
    assert [message.role for message in last] == ["system", "user", "assistant", "user"]
    assert "Observation: weather Oslo: rain" in last[2].text()
    assert "Be brief." in last[0].text()


def test_react_without_an_action_answers_with_what_it_thought():
    found, outcome = play(react(Script("just words"), lambda *_: "", [Message("user", "q")], [WEATHER], 3, ""))
    assert (outcome.answer, found[-1]) == ("just words", Said(""))


def test_a_model_that_loops_forever_is_ended():
    script = Script(FENCED)
    _, outcome = play(react(script, lambda *_: "again", [Message("user", "q")], [WEATHER], 2, ""))
    assert len(script.asked) == 3
    assert len(outcome.thoughts) == 3
    calling = [Chunk(tool_calls=[ToolCall("1", "weather", '{"city": "Oslo"}')])]
    script = Script(calling)
    _, outcome = play(function_calling(script, lambda *_: "again", [Message("user", "q")], [WEATHER], 2))
    assert [tools is not None for _, tools in script.asked] == [True, True, False]


@pytest.mark.parametrize(("name", "arguments", "told"), [
    ("weather", '{"city": "Oslo"}', "called Oslo"), ("weather", "Oslo", "called Oslo"),
    ("weather", '{"city": "Os', "called Os"), ("weather", "[1]", "called [1]"),
    ("gone", "{}", "there is not a tool named gone"),
])
def test_what_a_model_calls_wrongly_is_told_to_it(name, arguments, told):
    script = Script([Chunk(tool_calls=[ToolCall("1", name, arguments)])], "fine")
    _, outcome = play(function_calling(script, lambda _, given: f"called {given['city']}",
                                       [Message("user", "q")], [WEATHER], 2))
    assert outcome.thoughts[0].observations == {name: told}
    assert outcome.answer == "fine"
