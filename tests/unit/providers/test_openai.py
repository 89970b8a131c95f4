"""Chat over OpenAI's protocol: what is sent, what is understood, and every way it can go wrong."""

import threading
import time

import pytest

from sparrow import messages as m
from sparrow.providers.types import ModelSpec, Price

REF = m.ModelRef("langgenius/openai/openai", "fake-llm")
WEATHER = m.ToolSpec("weather", "Tells the weather", {"type": "object", "properties": {"city": {"type": "string"}}})


def text(chunks):
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize("stream", [True, False])
def test_says_what_the_model_says(ask, fake, stream):
    chunks = ask("hello 世界", stream=stream)
    assert text(chunks) == "echo: hello 世界"
    assert len(chunks) == (4 if stream else 1)
    last = chunks[-1]
    assert last.finish_reason == "stop"
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (2, 3, 5)
    assert last.usage.latency > 0
    assert last.usage.time_to_first_token > 0
    request = fake.requests[-1]
    assert request["headers"]["authorization"] == "Bearer sk-test-0123456789"
    assert request["body"]["stream"] is stream
    assert ("stream_options" in request["body"]) is stream


def test_one_connection_serves_many_calls(ask, fake):
    for _ in range(5):
        ask("hi")
        ask("hi", stream=False)
    assert fake.accepted == 1


def test_a_connection_closed_by_the_server_is_replaced(ask, fake, hub):
    ask("hi")
    for connection in list(fake._open):
        connection.sock.shutdown(2)
    time.sleep(0.05)
    assert text(ask("again")) == "echo: again"
    assert fake.accepted == 2


def test_tool_calls_and_their_results(ask, fake):
    chunks = ask('<<tool:weather:{"city": "北京"}>>', model="fake-tool", tools=[WEATHER])
    assert chunks[-1].finish_reason == "tool_calls"
    [call] = chunks[-1].tool_calls
    assert (call.id, call.name, call.arguments) == ("call_1", "weather", '{"city": "北京"}')
    assert fake.requests[-1]["body"]["tools"][0]["function"]["name"] == "weather"
    answer = ask([m.Message("user", "how is it?"), m.Message("assistant", "", tool_calls=[call]),
                  m.Message("tool", "sunny", tool_call_id=call.id)], tools=[WEATHER])
    assert text(answer) == "tool said: sunny"
    sent = fake.requests[-1]["body"]["messages"]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "北京"}'}
    assert sent[2]["tool_call_id"] == "call_1"


def test_reasoning_comes_apart_from_the_text(ask):
    for stream in (True, False):
        chunks = ask("<<reason:let me see>><<say:42>>", stream=stream)
        assert text(chunks) == "42"
        assert "".join(chunk.reasoning for chunk in chunks) == "let me see"


def test_think_tags_stay_in_the_text(ask):
    assert text(ask("<<think:hm>><<say:42>>")) == "<think>hm</think>42"


def test_parts_schema_stop_and_parameters_are_sent(ask, fake, source):
    picture = m.Part("image", "data:image/png;base64,AAAA", detail="low")
    ask([m.Message("system", "be kind"), m.Message("user", [picture, m.Part("text", "see")])],
        parameters={"temperature": "0.5", "top_p": 7, "max_tokens": 12.0, "stop": ["b"], "custom": {"x": 1},
                    "presence_penalty": None, "response_format": "json_schema",
                    "json_schema": '{"name": "s", "schema": {"type": "object"}}'}, stop=["a"])
    body = fake.requests[-1]["body"]
    assert body["messages"][1]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
        {"type": "text", "text": "see"}]
    assert body["temperature"] == 0.5
    assert body["top_p"] == 1
    assert body["max_tokens"] == 12
    assert body["stop"] == ["a", "b"]
    assert body["custom"] == {"x": 1}
    assert "presence_penalty" not in body
    assert "json_schema" not in body
    assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": "s",
                                                                              "schema": {"type": "object"}}}


def test_a_parameter_that_is_no_number_is_refused(ask, fake):
    with pytest.raises(m.ModelBadRequestError, match="temperature should be a number"):
        ask("hi", parameters={"temperature": "warm"})
    assert not fake.requests


def test_reasoning_models_of_openai_get_the_parameters_they_take(ask, fake):
    ask("hi", model="gpt-5-mini", parameters={"temperature": 0.1, "max_tokens": 9, "reasoning_effort": "low"})
    body = fake.requests[-1]["body"]
    assert "temperature" not in body
    assert "max_tokens" not in body
    assert (body["max_completion_tokens"], body["reasoning_effort"]) == (9, "low")


@pytest.mark.parametrize("stream", [True, False])
def test_completion_models(ask, fake, stream):
    chunks = ask("once upon", model="fake-completion", mode="completion", stream=stream)
    assert text(chunks) == "echo: once upon"
    assert fake.requests[-1]["path"] == "/v1/completions"
    assert fake.requests[-1]["body"]["prompt"] == "once upon"


def test_prices(ask, source):
    source.spec("openai", ModelSpec("fake-llm", price=Price("2", "10", "0.000001", "RMB")))
    usage = ask("one two three")[-1].usage
    assert (usage.prompt_price, usage.completion_price) == ("0.000006", "0.00004")
    assert (usage.total_price, usage.currency) == ("0.000046", "RMB")


@pytest.mark.parametrize(("kind", "error", "words"), [
    ("auth", m.ModelAuthorizationError, "Incorrect model credentials.*fake bad key"),
    ("rate_limit", m.ModelRateLimitError, "429.*fake rate limit"),
    ("bad_request", m.ModelBadRequestError, "400.*fake bad request"),
    ("server", m.ModelServerUnavailableError, "500.*fake server error"),
    ("connection", m.ModelServerUnavailableError, "503.*fake connection error"),
])
@pytest.mark.parametrize("stream", [True, False])
def test_refusals(ask, kind, error, words, stream):
    with pytest.raises(error, match=words):
        ask(f"<<error:{kind}>>", stream=stream)


def test_retry_after_is_kept(ask):
    with pytest.raises(m.ModelRateLimitError) as caught:
        ask("<<fault:retry_after:7>>")
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(("fault", "error", "words"), [
    ("garbage", m.ModelBadRequestError, "not the API of a model server.*欢迎.*base URL"),
    ("garbage_stream", m.ModelBadRequestError, "not JSON.*不是 JSON"),
    ("empty", m.ModelBadRequestError, "without content"),
    ("reset", m.ModelConnectionError, "connection broke"),
    ("stream_error:2", m.ModelServerUnavailableError, "fake error in the stream"),
    ("cut_json:2", m.ModelConnectionError, "broke in the middle.*after 8 characters"),
    ("cut_utf8", m.ModelConnectionError, "broke in the middle"),
    ("cut:1", m.ModelConnectionError, "broke in the middle"),
    ("huge:18", m.ModelBadRequestError, "longer than 16 MiB"),
])
def test_broken_streams(ask, fault, error, words):
    with pytest.raises(error, match=words):
        ask(f"<<say:one two three>><<fault:{fault}>>")


@pytest.mark.parametrize("fault", ["no_done", "bytewise", "crlf", "one_json", "null_fields"])
def test_odd_but_good_streams(ask, fault):
    chunks = ask(f"<<say:水 и é 😀 done>><<fault:{fault}>>")
    assert text(chunks) == "水 и é 😀 done"
    assert chunks[-1].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 5


def test_nothing_listens(ask, source):
    source.keys["openai"].clear()
    source.add("openai", "http://127.0.0.1:9/v1")
    with pytest.raises(m.ModelConnectionError, match=r"cannot connect.*refused"):
        ask("hi")


def test_a_name_that_does_not_resolve(ask, source):
    source.keys["openai"].clear()
    source.add("openai", "http://no-such-host.invalid/v1")
    with pytest.raises(m.ModelConnectionError, match="cannot be resolved"):
        ask("hi")


def test_http_where_https_is_meant(ask, source, fake):
    source.keys["openai"].clear()
    source.add("openai", fake.base_url.replace("http:", "https:"), connect_timeout=0.3)
    with pytest.raises(m.ModelConnectionError, match=r"no TLS answer within 0.3 s; is it http://"):
        ask("hi")


@pytest.mark.parametrize(("fault", "words"), [("hang", "did not answer within 0.3 s"),
                                              ("hang_stream", "sent nothing for 0.3 s")])
def test_silence_ends_by_time(ask, fake, source, fault, words):
    source.keys["openai"].clear()
    source.add("openai", fake.base_url, timeout=0.3)
    begun = time.monotonic()
    with pytest.raises(m.ModelConnectionError, match=words):
        ask(f"<<say:one two three>><<fault:{fault}>>")
    assert time.monotonic() - begun < 10






@pytest.mark.parametrize("directive", ["<<fault:hang>>", "<<fault:hang_stream>>", "<<slow:400>><<tokens:50>>"])
def test_close_ends_the_request_at_once(hub, fake, directive):
    stream = hub.chat(REF, [m.Message("user", directive)])
    got, ended = [], threading.Event()

    def consume():
        got.extend(stream)
        ended.set()

    threading.Thread(target=consume, daemon=True).start()
    time.sleep(0.25)
    stream.close()
    assert ended.wait(10)  # of 20 s and more
    deadline = time.monotonic() + 10
    while not fake.left and time.monotonic() < deadline:
        time.sleep(0.02)
    assert fake.left == 1


def test_close_by_the_consumer_closes_the_connection(hub, fake):
    stream = hub.chat(REF, [m.Message("user", "<<slow:100>><<tokens:50>>")])
    next(stream)
    stream.close()
    assert list(stream) == []
    deadline = time.monotonic() + 2
    while not fake.left and time.monotonic() < deadline:
        time.sleep(0.02)
    assert fake.left == 1


def test_closed_before_it_began_asks_nothing(hub, fake):
    stream = hub.chat(REF, [m.Message("user", "hi")])
    stream.close()
    assert list(stream) == []
    assert not fake.requests


def test_the_key_is_never_in_an_error(ask, fake, hub):
    fake.key = "another"
    hub.source.keys["openai"].clear()
    hub.source.add("openai", fake.base_url, key="sk-very-secret-key")
    with pytest.raises(m.ModelAuthorizationError) as caught:
        ask("hi")
    assert "very-secret" not in str(caught.value)
    assert "very-secret" not in repr(hub.source.keys)


def test_a_key_with_a_line_break_is_refused(ask, hub, fake):
    hub.source.keys["openai"].clear()
    hub.source.add("openai", fake.base_url, key="sk-x\r\nhost: evil")
    with pytest.raises(m.ModelConnectionError, match="line break"):
        ask("hi")


def test_calls_without_index_go_on_by_their_id():
    from sparrow.providers.openai import Calls

    calls = Calls()
    for id_, name, arguments in [("a", "f", '{"x"'), ("a", "f", ": 1}"), ("b", "f", "{"), ("", "", "}"),
                                 ("c", "f", "")]:
        calls.add({"id": id_, "function": {"name": name, "arguments": arguments}})
    assert [(call.id, call.name, call.arguments) for call in calls.take()] == [
        ("a", "f", '{"x": 1}'), ("b", "f", "{}"), ("c", "f", "{}")]


@pytest.mark.parametrize(("data", "text"), [
    (b'{"t": "\xe6\xb0"}', "\ufffd"), (b'{"t": "\\ud83d"}', "\ufffd"), (b'{"t": "\\ud83d\\ude00"}', "\U0001f600"),
])
def test_half_a_character_of_a_stream(data, text):
    from sparrow.providers import sse

    assert sse.value(data) == {"t": text}
    with pytest.raises(ValueError, match="Expecting"):
        sse.value(b"not json \xe6")


def test_an_answer_that_failed_is_not_sent_again(ask, fake):
    ask([m.Message("user", "one"), m.Message("assistant", ""), m.Message("user", "two")])
    assert [message["role"] for message in fake.requests[-1]["body"]["messages"]] == ["user", "user"]
