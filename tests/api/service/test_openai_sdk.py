"""The unmodified OpenAI SDK against an app."""

from __future__ import annotations

import openai
import pytest

from .conftest import MODEL


@pytest.fixture
def client(live):
    """The SDK with an app's key."""
    _, key = live.new_app(model=MODEL)
    return openai.OpenAI(api_key=key, base_url=f"{live.url}/v1", max_retries=0)


def test_models(client):
    assert [model.id for model in client.models.list()] == ["t"]


def test_whole_answer(client):
    reply = client.chat.completions.create(model="t", messages=[{"role": "user", "content": "hello there"}])
    assert reply.choices[0].message.content == "echo: hello there"
    assert reply.usage.total_tokens == 5


def test_stream(client):
    chunks = list(client.chat.completions.create(model="t", stream=True, stream_options={"include_usage": True},
                                                 messages=[{"role": "user", "content": "hello there"}]))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "echo: hello there"
    assert chunks[-1].usage.completion_tokens == 3


def test_what_was_said_before_reaches_the_app(client, live):
    client.chat.completions.create(model="t", messages=[
        {"role": "user", "content": "my name is Bob"}, {"role": "assistant", "content": "hi Bob"},
        {"role": "user", "content": "who am I?"}])
    asked = live.fake.requests[-1]["body"]["messages"][-1]["content"]
    assert "my name is Bob" in asked
    assert asked.endswith("who am I?")


def test_failures_are_the_sdks_own_errors(client, live):
    with pytest.raises(openai.BadRequestError, match="fake rate limit"):
        client.chat.completions.create(model="t", messages=[{"role": "user", "content": "<<error:rate_limit>>"}])
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(api_key="app-no", base_url=f"{live.url}/v1").models.list()
    with pytest.raises(openai.BadRequestError, match="role 'user'"):
        client.chat.completions.create(model="t", messages=[])
