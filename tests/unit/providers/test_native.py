"""Anthropic and Gemini by their own protocols, and Azure's way of OpenAI's."""

import pytest

from sparrow import messages as m
from sparrow.providers import catalog, probe, vectors

WEATHER = m.ToolSpec("weather", "Tells the weather", {
    "type": "object", "properties": {"city": {"type": ["string", "null"], "additionalProperties": False}},
    "additionalProperties": False, "$schema": "x"})
BOTH = [("anthropic", "claude-sonnet-4-5"), ("gemini", "gemini-2.5-flash")]


@pytest.fixture(autouse=True)
def set_up(source, fake):
    for name in ("anthropic", "gemini", "azure_openai"):
        source.add(name, fake.url)


def text(chunks):
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize(("provider", "model"), BOTH)
@pytest.mark.parametrize("stream", [True, False])
def test_answers(ask, fake, provider, model, stream):
    chunks = ask([m.Message("system", "be kind"), m.Message("user", "hello 世界"), m.Message("assistant", "hi"),
                  m.Message("user", "<<reason:so so>>again")], provider, model, stream=stream,
                 parameters={"temperature": 0.3, "top_k": 5, "max_tokens": 99}, stop=["END"])
    assert text(chunks) == "echo: again"
    assert "".join(chunk.reasoning for chunk in chunks) == "so so"
    assert chunks[-1].finish_reason == "stop"
    assert chunks[-1].usage.prompt_tokens == 7
    assert chunks[-1].usage.completion_tokens == 2
    body = fake.requests[-1]["body"]
    if provider == "anthropic":
        assert body["system"] == "be kind"
        assert (body["max_tokens"], body["temperature"], body["top_k"], body["stop_sequences"]) == (99, 0.3, 5, ["END"])
        assert fake.requests[-1]["headers"]["x-api-key"].startswith("sk-")
    else:
        assert body["generationConfig"] == {"temperature": 0.3, "topK": 5, "maxOutputTokens": 99,
                                            "stopSequences": ["END"]}


@pytest.mark.parametrize(("provider", "model"), BOTH)
@pytest.mark.parametrize("stream", [True, False])
def test_tools(ask, fake, provider, model, stream):
    chunks = ask('<<tool:weather:{"city": "北京"}>>', provider, model, tools=[WEATHER], stream=stream)
    [call] = chunks[-1].tool_calls
    assert (call.name, chunks[-1].finish_reason) == ("weather", "tool_calls")
    assert "北京" in call.arguments
    assert call.id
    answer = ask([m.Message("user", "weather?"), m.Message("assistant", "", tool_calls=[call]),
                  m.Message("tool", "sunny", tool_call_id=call.id, name="weather")], provider, model,
                 tools=[WEATHER], stream=stream)
    assert text(answer) == "tool said: sunny"
    if provider == "gemini":
        schema = fake.requests[-1]["body"]["tools"][0]["functionDeclarations"][0]["parameters"]
        assert schema == {"type": "object", "properties": {"city": {"type": "string", "nullable": True}}}


@pytest.mark.parametrize(("provider", "model"), BOTH)
@pytest.mark.parametrize("stream", [True, False])
def test_signed_thoughts_go_back_with_the_result_of_the_tool(ask, fake, provider, model, stream):
    thinking = {"thinking_budget": 2000} if provider == "anthropic" else {}
    chunks = ask('<<reason:let us see>><<tool:weather:{"city": "北京"}>><<tool:weather:{"city": "Oslo"}>>', provider,
                 model, tools=[WEATHER], stream=stream, parameters=dict(thinking))
    calls = chunks[-1].tool_calls
    assert len(calls) == 2
    answer = ask([m.Message("user", "weather?"), m.Message("assistant", "I look", tool_calls=calls),
                  *(m.Message("tool", "sunny", tool_call_id=call.id, name="weather") for call in calls)],
                 provider, model, tools=[WEATHER], stream=stream, parameters=dict(thinking))
    assert text(answer).startswith("tool said: sunny")
    body = fake.requests[-1]["body"]
    if provider == "anthropic":
        said = body["messages"][1]["content"]
        assert said[:2] == [{"type": "thinking", "thinking": "let us see", "signature": "signed let us see"},
                            {"type": "redacted_thinking", "data": "hidden"}]
        assert [block["type"] for block in said[2:]] == ["text", "tool_use", "tool_use"]
    else:
        first, second = (part for part in body["contents"][1]["parts"] if "functionCall" in part)
        assert first["thoughtSignature"] == "signed let us see"
        assert "thoughtSignature" not in second


@pytest.mark.parametrize(("provider", "model"), BOTH)
def test_pictures(ask, fake, provider, model):
    picture = m.Part("image", "data:image/png;base64,AAAA")
    chunks = ask([m.Message("user", [picture, m.Part("text", "see")])], provider, model)
    assert text(chunks) == "echo: [image]\nsee"


@pytest.mark.parametrize(("provider", "model"), BOTH)
@pytest.mark.parametrize(("directive", "error"), [
    ("<<error:auth>>", m.ModelAuthorizationError), ("<<error:rate_limit>>", m.ModelRateLimitError),
    ("<<error:server>>", m.ModelServerUnavailableError), ("<<error:bad_request>>", m.ModelBadRequestError),
    ("<<fault:garbage>>", m.ModelBadRequestError), ("<<fault:reset>>", m.ModelConnectionError)])
def test_refusals(ask, provider, model, directive, error):
    with pytest.raises(error):
        ask(directive, provider, model)


def test_a_schema_for_anthropic_is_a_forced_tool(ask, fake):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    chunks = ask('<<tool:answer:{"n": 4}>>', "anthropic", "claude-sonnet-4-5",
                 response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    assert text(chunks).replace(" ", "") == '{"n":4}'
    assert chunks[-1].finish_reason == "stop"
    assert not chunks[-1].tool_calls
    assert fake.requests[-1]["body"]["tool_choice"] == {"type": "tool", "name": "answer"}


def test_thinking_budget_of_anthropic(ask, fake):
    ask("hi", "anthropic", "claude-sonnet-4-5",
        parameters={"thinking_budget": 2000, "temperature": 0.2, "max_tokens": 100})
    body = fake.requests[-1]["body"]
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert body["max_tokens"] == 3024
    assert "temperature" not in body


def test_gemini_embeddings(hub):
    rows = vectors.embed(hub, m.ModelRef("gemini", "gemini-embedding-001"), ["a b", "c"])
    assert [len(row) for row in rows] == [64, 64]


def test_azure_names_the_deployment_in_the_address(ask, fake):
    assert text(ask("hi", "azure_openai", "my-gpt")) == "echo: hi"
    request = fake.requests[-1]
    assert request["path"].startswith("/openai/deployments/my-gpt/chat/completions?api-version=20")
    assert request["headers"]["api-key"].startswith("sk-")


def test_connections_of_native_providers_are_tested(fake):
    for name in ("gemini", "anthropic"):
        found = probe.check(catalog.presets()[name], fake.url, "sk-x", model="fake-llm")
        assert found.ok, found.error
        assert "fake-llm" in [spec.model for spec in found.models]
        assert found.reply == "echo: Say OK."
