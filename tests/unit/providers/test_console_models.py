"""Providers through the console's API: credentials, tests of a connection, models, defaults, and what is stored."""

import pytest

from sparrow.messages import Message, ModelAuthorizationError, ModelNotConfiguredError, ModelRef
from sparrow.providers import store

KEY = "sk-abcdefgh-1234567890"
REF = ModelRef("langgenius/openai_api_compatible/openai_api_compatible", "fake-llm")


@pytest.fixture(autouse=True)
def fresh_store():
    store.source.cache_clear()
    store.hub.cache_clear()
    yield
    store.source.cache_clear()
    store.hub.cache_clear()


def provider(admin, name="openai_api_compatible"):
    return admin.get(f"/model-providers/{name}").json


def add(admin, fake, name="main", **fields):
    body = {"name": name, "base_url": fake.base_url, "api_key": KEY} | fields
    return admin.post("/model-providers/openai_api_compatible/credentials", json=body)


def test_the_presets_are_listed(admin):
    data = {row["provider"]: row for row in admin.get("/model-providers").json["data"]}
    for name in ("openai", "tongyi", "deepseek", "zhipuai", "moonshot", "siliconflow", "volcengine_maas",
                 "openrouter", "azure_openai", "ollama", "xinference", "vllm", "lmstudio", "litellm", "llamacpp",
                 "openai_api_compatible", "anthropic", "gemini"):
        row = data[name]
        assert row["label"]["zh"]
        assert row["defaults"]["base_url"].startswith("http")
        assert row["configured"] is False
    assert data["sparrow"]["configured"] is True
    assert data["openai"]["defaults"]["key_required"] is True
    assert data["ollama"]["defaults"]["key_required"] is False


def test_a_credential_from_the_form_to_the_first_answer(admin, fake, sqlite_database):
    fake.key = KEY
    tested = admin.post("/model-providers/openai_api_compatible/test",
                        json={"base_url": fake.url, "api_key": KEY, "model": "fake-llm"}).json
    assert tested["ok"] is True
    assert tested["base_url"] == fake.base_url
    assert tested["latency_ms"] > 0
    assert "fake-llm" in [model["model"] for model in tested["models"]]
    assert tested["reply"] == "echo: Say OK."

    reply = add(admin, fake)
    assert reply.status_code == 201
    assert reply.json["key_masked"] == "sk-a******7890"
    assert KEY not in reply.text
    added = admin.post("/model-providers/openai_api_compatible/models", json={"model": "fake-llm"})
    assert added.status_code == 201
    assert added.json["context_size"] == 32768

    row = provider(admin)
    assert row["configured"] is True
    assert row["credentials"][0]["name"] == "main"
    assert [model["model"] for model in row["models"]] == ["fake-llm"]
    chosen = admin.get("/models?type=llm").json["data"]
    assert [model["model"] for model in chosen] == ["fake-llm"]
    chunks = list(store.hub().chat(REF, [Message("user", "hello")]))
    assert "".join(chunk.text for chunk in chunks) == "echo: hello"
    for file in sqlite_database.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file
    assert (sqlite_database / "config" / "secret.key").stat().st_mode & 0o007 == 0


def test_a_changed_key_serves_the_next_call(admin, fake):
    fake.key = "sk-the-right-key-9999"
    added = add(admin, fake).json
    hub = store.hub()
    with pytest.raises(ModelAuthorizationError):
        list(hub.chat(REF, [Message("user", "hi")]))
    url = f"/model-providers/openai_api_compatible/credentials/{added['id']}"
    assert admin.patch(url, json={"api_key": fake.key, "name": "new"}).json["name"] == "new"
    assert list(hub.chat(REF, [Message("user", "hi")]))
    # A masked key sent back by a form changes nothing.
    assert admin.patch(url, json={"api_key": "sk-t******9999", "base_url": fake.base_url}).status_code == 200
    assert list(hub.chat(REF, [Message("user", "hi")]))
    assert admin.patch(url, json={"enabled": False}).json["enabled"] is False
    with pytest.raises(ModelNotConfiguredError, match="no credentials"):
        list(hub.chat(REF, [Message("user", "hi")]))
    assert admin.delete(url).status_code == 200
    assert provider(admin)["credentials"] == []
    assert admin.delete(url).status_code == 404


def test_credentials_keep_their_order(admin, fake):
    ids = [add(admin, fake, name).json["id"] for name in ("a", "b", "c")]
    admin.patch(f"/model-providers/openai_api_compatible/credentials/{ids[2]}", json={"position": 0})
    assert [row["name"] for row in provider(admin)["credentials"]] == ["c", "a", "b"]


@pytest.mark.parametrize(("url", "body", "place"), [
    ("openai_api_compatible", {"base_url": "ftp://x/v1"}, "base_url"),
    ("openai_api_compatible", {"base_url": "http://a b/v1"}, "base_url"),
    ("openai_api_compatible", {"name": " "}, "name"),
    ("openai_api_compatible", {"extra": {"surprise": 1}}, "extra"),
    ("openai_api_compatible", {"extra": {"timeout": -1}}, "extra.timeout"),
    ("openai_api_compatible", {"name": 5}, "name"),
    ("openai", {"api_key": " "}, "api_key"),
    ("sparrow", {}, "provider"),
])
def test_bad_credentials_are_refused(admin, fake, url, body, place):
    body = {"name": "main", "base_url": fake.base_url, "api_key": KEY} | body
    reply = admin.post(f"/model-providers/{url}/credentials", json=body)
    assert reply.status_code == 400
    assert place in reply.text
    assert admin.get("/models?type=llm").json["data"] == []


def test_names_are_unique_and_providers_known(admin, fake):
    add(admin, fake)
    assert add(admin, fake).status_code == 409
    assert admin.post("/model-providers/acme/credentials", json={"api_key": "x"}).status_code == 404


@pytest.mark.parametrize(("fault", "words"), [
    ("auth", "Incorrect model credentials"), ("garbage", "not the API of a model server"),
    ("server", "Server error (HTTP 500)"), ("reset", "connection broke"), ("empty", "without content"),
])
def test_a_failed_test_says_why(admin, fake, fault, words):
    fake.fault = fault
    tested = admin.post("/model-providers/openai/test", json={"base_url": fake.base_url, "api_key": KEY}).json
    assert tested["ok"] is False
    assert words in tested["error"]
    assert KEY not in tested["error"]


def test_a_test_of_nothing_says_so(admin):
    tested = admin.post("/model-providers/ollama/test", json={"base_url": "http://127.0.0.1:9"}).json
    assert tested["ok"] is False
    assert "cannot connect" in tested["error"]


def test_a_stored_key_is_not_sent_elsewhere(admin, fake):
    from tests.fake_llm import FakeLLM

    stored = add(admin, fake).json["id"]
    with FakeLLM() as other:
        admin.post("/model-providers/openai_api_compatible/test",
                   json={"credential_id": stored, "base_url": other.base_url})
        assert "authorization" not in other.requests[-1]["headers"]
    assert admin.post("/model-providers/openai_api_compatible/test", json={"credential_id": stored}).json["ok"]
    assert fake.requests[-1]["headers"]["authorization"] == f"Bearer {KEY}"


def test_models_are_added_changed_switched_off_and_deleted(admin, fake):
    add(admin, fake)
    base = "/model-providers/openai_api_compatible/models"
    admin.post(base, json={"model": "qwen/q:8b", "features": ["vision"], "context_size": 4096})
    admin.post(base, json={"model": "bge-m3", "type": "text-embedding"})
    [row] = [m for m in provider(admin)["models"] if m["model"] == "qwen/q:8b"]
    assert (row["features"], row["context_size"], row["custom"]) == (["vision"], 4096, True)
    assert store.hub().info(ModelRef("openai_api_compatible", "qwen/q:8b")).features == {"vision"}
    admin.post(base, json={"model": "qwen/q:8b", "enabled": False})
    assert admin.get("/models?type=llm").json["data"] == []
    with pytest.raises(ModelNotConfiguredError, match="switched off"):
        store.hub().info(ModelRef("openai_api_compatible", "qwen/q:8b"))
    assert admin.delete(f"{base}/llm/qwen/q:8b").status_code == 200
    assert admin.delete(f"{base}/llm/qwen/q:8b").status_code == 404
    assert admin.post(base, json={"model": "x", "features": ["flying"]}).status_code == 400
    assert admin.post(base, json={"model": "x", "type": "oracle"}).status_code == 400


def test_default_models(admin, fake):
    assert admin.get("/default-models").json["llm"] is None
    reply = admin.post("/default-models", json={"llm": {"provider": "langgenius/openai/openai", "model": "gpt-4o"},
                                                "text-embedding": {"provider": "sparrow", "model": "u"}}).json
    assert reply["llm"] == {"provider": "openai", "model": "gpt-4o"}
    assert reply["text-embedding"]["model"] == "u"
    assert admin.post("/default-models", json={"llm": None}).json["llm"] is None
    assert admin.get("/default-models").json["text-embedding"]["provider"] == "sparrow"
    assert store.hub().default("text-embedding") == ModelRef("sparrow", "u")
    assert admin.post("/default-models", json={"llm": {"provider": "acme", "model": "x"}}).status_code == 404


def test_parameter_rules(admin):
    rules = admin.get("/models/parameter-rules?provider=openai&model=gpt-4o").json["data"]
    temperature = next(rule for rule in rules if rule["name"] == "temperature")
    assert (temperature["min"], temperature["max"], temperature["label"]["zh"]) == (0, 2, "温度")
    assert next(rule for rule in rules if rule["name"] == "max_tokens")["max"] == 16384


def test_another_process_change_is_seen(admin, fake, monkeypatch):
    other = store.Stored()
    assert other.credentials("openai_api_compatible") == []
    add(admin, fake)
    monkeypatch.setattr(store, "_LOOK_EVERY", 0.0)
    assert len(other.credentials("openai_api_compatible")) == 1
