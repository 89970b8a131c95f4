"""Embeddings, rerank, speech, moderation, and the fall-back from one credential to the next."""

import time

import pytest

from sparrow import messages as m
from sparrow.providers import catalog, speech, vectors
from sparrow.providers.types import ModelSpec
from tests.fake_llm import FakeLLM

EMBED = m.ModelRef("openai", "fake-embed")


def test_embeddings_come_in_order_and_in_batches(hub, fake):
    texts = [f"text number {i} 水" for i in range(70)] + [""]
    rows = vectors.embed(hub, EMBED, texts)
    assert len(rows) == 71
    assert {len(row) for row in rows} == {64}
    assert [len(request["body"]["input"]) for request in fake.requests] == [32, 32, 7]
    assert vectors.embed(hub, EMBED, [texts[40]])[0] == pytest.approx(rows[40])
    assert len(vectors.embed(hub, EMBED, ["a"], dimensions=16)[0]) == 16
    assert vectors.embed(hub, EMBED, []) == []


@pytest.mark.parametrize(("fault", "error"), [
    ("garbage", m.ModelBadRequestError), ("server", m.ModelServerUnavailableError),
    ("rate_limit", m.ModelRateLimitError), ("empty", m.ModelBadRequestError), ("reset", m.ModelConnectionError)])
def test_embeddings_that_fail(hub, fake, fault, error):
    fake.fault = fault
    with pytest.raises(error):
        vectors.embed(hub, EMBED, ["a"])


def test_rerank(hub):
    found = vectors.rerank(hub, m.ModelRef("openai", "fake-rerank"), "red bird",
                           ["a stone", "a red bird", "a bird"], top_n=2)
    assert [row.index for row in found] == [1, 2]
    assert found[0].score == 1.0
    assert vectors.rerank(hub, m.ModelRef("openai", "fake-rerank"), "x", []) == []


def test_speech(hub, fake):
    said = speech.transcribe(hub, m.ModelRef("openai", "whisper-1"), b"RIFF" * 100, "录音.wav")
    assert said.startswith("transcribed")
    request = fake.requests[-1]
    assert b'name="model"\r\n\r\nwhisper-1' in request["body"]
    assert b"RIFFRIFF" in request["body"]
    sound = b"".join(speech.speak(hub, m.ModelRef("openai", "tts-1"), "你好" * 3000, voice="nova"))
    assert sound[:4] == b"RIFF"
    spoken = [r["body"] for r in fake.requests if r["path"].endswith("/audio/speech")]
    assert len(spoken) == 2
    assert all(len(body["input"]) <= 4000 and body["voice"] == "nova" for body in spoken)


def test_moderation(hub):
    verdicts = speech.moderate(hub, m.ModelRef("openai", "omni-moderation-latest"), ["good day", "kill it"])
    assert verdicts == [[], ["violence"]]


def test_the_next_credential_serves_when_one_fails(ask, fake, source, hub):
    source.keys.clear()
    with FakeLLM() as second:
        source.add("openai", fake.base_url, name="first")
        source.add("openai", second.base_url, name="second")
        fake.fault = "retry_after:30"
        assert "".join(c.text for c in ask("hi")) == "echo: hi"
        assert len(fake.requests) == 1
        assert len(second.requests) == 1
        fake.fault = ""
        ask("hi")  # the first one rests
        assert len(fake.requests) == 1
        assert len(second.requests) == 2
        for target in hub._targets.values():
            target.resting = time.monotonic() - 1
        ask("hi")
        assert len(fake.requests) == 2


def test_a_bad_request_is_not_tried_elsewhere(ask, fake, source):
    with FakeLLM() as second:
        source.add("openai", second.base_url, name="second")
        with pytest.raises(m.ModelBadRequestError):
            ask("<<error:bad_request>>")
        assert not second.requests


def test_a_stream_that_broke_is_not_begun_again(ask, source):
    with FakeLLM() as second:
        source.add("openai", second.base_url, name="second")
        with pytest.raises(m.ModelConnectionError):
            ask("<<say:one two three>><<fault:cut:2>>")
        assert not second.requests


def test_when_all_fail_the_last_word_counts(ask, source):
    source.add("openai", "http://127.0.0.1:9/v1", name="second")
    with pytest.raises(m.ModelConnectionError, match="cannot connect"):
        ask("<<error:server>>")


def test_what_is_not_set_up_says_so(hub):
    for provider, name, words in [("acme/none/none", "x", "Provider acme/none/none does not exist"),
                                  ("deepseek", "deepseek-chat", "DeepSeek has no credentials yet"),
                                  ("openai", "", "No model is chosen")]:
        with pytest.raises(m.ModelNotConfiguredError, match=words):
            hub.info(m.ModelRef(provider, name))


def test_info_tells_features_and_mode(hub, source):
    assert "vision" in hub.info(m.ModelRef("langgenius/openai/openai", "gpt-4o")).features
    source.spec("openai", ModelSpec("davinci", mode="completion", context_size=99))
    info = hub.info(m.ModelRef("openai", "davinci"))
    assert (info.ref.mode, info.context_size) == ("completion", 99)


@pytest.mark.parametrize(("name", "type_", "feature"), [
    ("qwen2.5-vl:7b", "llm", "vision"), ("bge-m3", "text-embedding", None), ("Qwen3-Reranker-0.6B", "rerank", None),
    ("whisper-large-v3", "speech2text", None), ("kokoro-82m", "tts", None), ("llama3.1:8b", "llm", "tool-call"),
    ("nomic-embed-text", "text-embedding", None), ("SmolLM2-135M-Instruct", "llm", None)])
def test_guesses(name, type_, feature):
    spec = catalog.guess(name)
    assert spec.type == type_
    if feature:
        assert feature in spec.features


def test_provider_ids_of_dify_map_to_ours_and_back():
    for given, native in [("langgenius/openai/openai", "openai"), ("langgenius/gemini/google", "gemini"),
                          ("google", "gemini"), ("tongyi", "tongyi"), ("volcengine_maas", "volcengine_maas"),
                          ("langgenius/openai", "openai"), ("localai", "openai_api_compatible"),
                          ("acme/openai/openai", None), ("bedrock", None)]:
        assert catalog.native_id(given) == native
    assert catalog.plugin_id("google") == "langgenius/gemini/google"
    assert catalog.plugin_id("acme/none/none") == "acme/none/none"
