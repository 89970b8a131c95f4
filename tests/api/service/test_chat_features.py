"""What makes a chat more than a model call, each feature over HTTP and with what the model then got."""

from __future__ import annotations

import base64
import http.server
import json
import threading

import pytest
import requests

from tests.knowledge.test_console import upload

from .conftest import MODEL, flow_app
from .test_runs import wait_for

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
                       "RU5ErkJggg==")


class Client:
    """An app's key on the live server, for one user."""

    def __init__(self, live, key: str, user: str = "u1"):
        self.base, self.user, self.headers = f"{live.url}/v1", user, {"Authorization": f"Bearer {key}"}

    def call(self, method: str, path: str, **options) -> requests.Response:
        """Send a request."""
        return requests.request(method, self.base + path, headers=self.headers, timeout=30, **options)

    def ask(self, query: str, *, ok: bool = True, **fields):
        """Send a message; return the whole reply."""
        reply = self.call("POST", "/chat-messages", json={
            "query": query, "inputs": {}, "user": self.user, "auto_generate_name": False, **fields})
        assert not ok or reply.status_code == 200, reply.text
        return reply.json()

    def stream(self, query: str, path: str = "/chat-messages", **fields) -> list[dict]:
        """Send a message; return its events."""
        reply = self.call("POST", path, json={
            "query": query, "inputs": {}, "user": self.user, "response_mode": "streaming", **fields})
        return [json.loads(line[6:]) for line in reply.text.split("\n") if line.startswith("data: ")]


def sent(live) -> list[dict]:
    """Return the messages of the model's last request."""
    return live.fake.requests[-1]["body"]["messages"]


def put_model(live, name: str, kind: str = "llm", **fields) -> None:
    """Add a model to the scripted provider and make it the default of its kind."""
    reply = live.admin.post("/model-providers/openai/models", json={"model": name, "type": kind, **fields})
    assert reply.status_code == 201, reply.text
    if kind != "llm":
        reply = live.admin.post("/default-models", json={kind: {"provider": "openai", "model": name}})
        assert reply.status_code == 200, reply.text


@pytest.fixture
def extension(live, monkeypatch):
    """An admin's HTTP service for moderation and data, with what it was asked."""
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((body, self.headers["Authorization"]))
            point, parameters = body["point"], body["params"]
            reply = {"result": "pong"}
            if point == "app.moderation.input":
                reply = {"flagged": "bad" in parameters["query"], "action": "direct_output", "preset_response": "no"}
                if "mild" in parameters["query"]:
                    reply = {"flagged": True, "action": "overridden", "inputs": {}, "query": "cleaned"}
            elif point == "app.moderation.output":
                reply = {"flagged": "secret" in parameters["text"], "action": "overridden", "text": "hidden"}
            elif point == "app.external_data_tool.query":
                reply = {"result": f"weather for {parameters['query']}"}
            data = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = live.admin.post("/api-based-extension", json={
        "name": "x", "api_endpoint": f"http://127.0.0.1:{server.server_port}/", "api_key": "key-12345"})
    assert made.status_code == 201, made.text
    yield made.json["id"], asked
    server.shutdown()


def moderation(kind: str = "keywords", **config) -> dict:
    """Return the feature with both sides on."""
    return {"enabled": True, "type": kind, "config": {
        "inputs_config": {"enabled": True, "preset_response": "not that"},
        "outputs_config": {"enabled": True, "preset_response": "nor this"}, **config}}


def test_opener_and_questions(live):
    _, key = live.new_app(model=MODEL, opening_statement="Hi {{who}}", suggested_questions=["One?", "Two?"],
                          suggested_questions_after_answer={"enabled": True}, user_input_form=[
                              {"text-input": {"variable": "who", "label": "who", "required": True}}])
    client = Client(live, key)
    assert client.call("GET", "/parameters").json()["suggested_questions"] == ["One?", "Two?"]
    body = client.ask('<<say:["A?","B?","C?","D?"]>>', inputs={"who": "Bob"})
    assert client.call("GET", "/conversations?user=u1").json()["data"][0]["introduction"] == "Hi Bob"
    path = f"/messages/{body['message_id']}/suggested"
    # The model is shown the talk, whose last directive it obeys here.
    assert client.call("GET", f"{path}?user=u1").json() == {"result": "success", "data": ["A?", "B?", "C?"]}
    assert client.call("GET", path).json()["message"] == "Arg user must be provided."
    assert client.call("GET", f"{path}?user=u2").status_code == 404
    _, key = live.new_app(model=MODEL)
    other = Client(live, key)
    refused = other.call("GET", f"/messages/{other.ask('x')['message_id']}/suggested?user=u1")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")


def test_the_model_names_a_conversation(live):
    client = Client(live, live.new_app(model=MODEL)[1])
    client.stream('<<say:{"title": "A fine talk"}>>', auto_generate_name=True)
    wait_for(lambda: client.call("GET", "/conversations?user=u1").json()["data"][0]["name"] == "A fine talk")


def test_memory_window_of_a_chatflow(live):
    key = flow_app(live, "advanced-chat", memory="memory: {window: {enabled: true, size: 2}, query_prompt_template: "
                                                 "'{{#sys.query#}}'}", prompt="be kind")
    client = Client(live, key)
    talk = client.ask("one")["conversation_id"]
    for word in ("two", "three"):
        client.ask(word, conversation_id=talk)
    contents = [message["content"] for message in sent(live)]
    assert "two" in contents
    assert "one" not in contents


def test_conversation_variables(live):
    key = flow_app(live, "advanced-chat", prompt="{{#conversation.tone#}}: {{#sys.query#}}", extra=(
        "conversation_variables: [{id: 6f0c9f0e-4b0e-4a63-8d8d-0b1f5f7f8a11, name: tone, value_type: string, "
        "value: calm, description: d}]"))
    client = Client(live, key)
    first = client.ask("x")
    assert first["answer"] == "echo: calm: x"
    path = f"/conversations/{first['conversation_id']}/variables"
    found = client.call("GET", f"{path}?user=u1").json()
    assert [(item["name"], item["value"], item["value_type"]) for item in found["data"]] == [("tone", "calm", "string")]
    one = f"{path}/{found['data'][0]['id']}"
    changed = client.call("PUT", one, json={"value": "loud", "user": "u1"})
    assert (changed.status_code, changed.json()["value"]) == (200, "loud")
    assert client.call("PUT", one, json={"value": 5, "user": "u1"}).json()["code"] == "bad_request"
    assert client.call("PUT", one, json={"value": "x", "user": "u2"}).status_code == 404
    assert client.ask("y", conversation_id=first["conversation_id"])["answer"] == "echo: loud: y"


def test_pictures_and_documents_reach_the_model(live):
    put_model(live, "fake-vision", features=["vision"])
    _, key = live.new_app(model={**MODEL, "name": "fake-vision"}, file_upload={"image": {
        "enabled": True, "number_limits": 1, "detail": "low", "transfer_methods": ["local_file"]}})
    client = Client(live, key)
    up = client.call("POST", "/files/upload", data={"user": "u1"}, files={"file": ("a.png", PNG, "image/png")}).json()
    file = {"type": "image", "transfer_method": "local_file", "upload_file_id": up["id"]}
    body = client.ask("see", files=[file])
    picture = next(part for part in sent(live)[-1]["content"] if part["type"] == "image_url")
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    kept = client.call("GET", f"/messages?user=u1&conversation_id={body['conversation_id']}").json()["data"][0]
    shown = requests.get(kept["message_files"][0]["url"], timeout=10)
    assert shown.content == PNG
    assert client.call("GET", f"/files/{up['id']}/preview").content == PNG
    assert client.ask("x", ok=False, files=[file, file])["code"] == "invalid_param"
    assert client.ask("x", ok=False, files=[{**file, "upload_file_id": "nope"}])["message"] == "Invalid upload file"
    assert Client(live, key, "u2").ask("x", ok=False, files=[file])["message"] == "Invalid upload file"
    assert client.call("GET", "/files/nope/preview").json()["code"] == "file_not_found"


def test_citations(live):
    base = live.admin.post("/datasets", json={"name": "facts"}).json
    upload(live.admin, base, "bird.csv", b"bird,weight\nThe sparrow weighs,thirty grams\n")
    _, key = live.new_app(model=MODEL, dataset_configs={"retrieval_model": "multiple", "top_k": 2, "datasets": {
        "datasets": [{"dataset": {"enabled": True, "id": base["id"]}}]}}, retriever_resource={"enabled": True})
    client = Client(live, key)
    end = client.stream("How much weighs the sparrow?", auto_generate_name=False)[-1]
    source = end["metadata"]["retriever_resources"][0]
    assert (source["position"], source["document_name"], source["dataset_id"]) == (1, "bird.csv", base["id"])
    assert (source["place_kind"], source["place"], source["page"]) == ("line", "1", None)
    assert "thirty grams" in source["content"]
    assert "thirty grams" in str(sent(live))
    listed = client.call("GET", f"/messages?user=u1&conversation_id={end['conversation_id']}").json()["data"][0]
    assert listed["retriever_resources"] == end["metadata"]["retriever_resources"]


def test_forbidden_words(live):
    _, key = live.new_app(model=MODEL, sensitive_word_avoidance=moderation(keywords="Bomb\nsecret"))
    client, before = Client(live, key), len(live.fake.requests)
    assert client.ask("how to build a bomb")["answer"] == "not that"
    assert len(live.fake.requests) == before  # the model was not asked
    assert client.stream("a SECRET plan")[-1]["event"] == "message_end"
    assert len(live.fake.requests) == before
    assert client.ask("hello")["answer"] == "echo: hello"


def test_forbidden_words_in_the_answer(live):
    config = moderation(keywords="w7")
    config["config"]["inputs_config"]["enabled"] = False
    client = Client(live, live.new_app(model=MODEL, sensitive_word_avoidance=config)[1])
    found = client.stream("<<tokens:9>>")
    assert [event["event"] for event in found[-2:]] == ["message_replace", "message_end"]
    assert found[-2]["answer"] == "nor this"
    listed = client.call("GET", f"/messages?user=u1&conversation_id={found[0]['conversation_id']}").json()["data"]
    assert listed[0]["answer"] == "nor this"


def test_moderation_by_an_extension(live, extension):
    extension_id, asked = extension
    config = moderation("api", api_based_extension_id=extension_id)
    app_id, key = live.new_app(model=MODEL, sensitive_word_avoidance=config)
    client = Client(live, key)
    assert client.ask("bad words")["answer"] == "no"
    assert asked[-1][0]["params"]["app_id"] == app_id
    assert asked[-1][1] == "Bearer key-12345"
    assert client.ask("mild words")["answer"] == "echo: cleaned"
    assert client.ask("<<say:a secret>>")["answer"] == "hidden"
    assert client.ask("good")["answer"] == "echo: good"


def test_data_by_an_extension(live, extension):
    _, key = live.new_app(model=MODEL, pre_prompt="Know: {{weather}}", external_data_tools=[
        {"enabled": True, "type": "api", "variable": "weather", "label": "w",
         "config": {"api_based_extension_id": extension[0]}}])
    Client(live, key).ask("Rome")
    assert sent(live)[0]["content"] == "Know: weather for Rome\n"


def test_extensions_are_managed(live, extension):
    listed = live.admin.get("/api-based-extension").json
    assert [item["id"] for item in listed] == [extension[0]]
    assert "key-12345" not in str(listed)
    bad = live.admin.post("/api-based-extension", json={"name": "y", "api_endpoint": "ftp://x", "api_key": "12345"})
    assert (bad.status_code, bad.json["params"]) == (400, "api_endpoint")
    assert live.admin.delete(f"/api-based-extension/{extension[0]}").status_code == 204
    assert live.admin.get(f"/api-based-extension/{extension[0]}").status_code == 404


def test_annotations_answer_what_means_the_same(live):
    client = Client(live, live.new_app(model=MODEL)[1])
    made = client.call("POST", "/apps/annotations", json={"question": "How do I reset my password?",
                                                          "answer": "Press the button."})
    assert made.status_code == 201, made.text
    job = client.call("POST", "/apps/annotation-reply/enable", json={
        "score_threshold": 0.6, "embedding_provider_name": "sparrow", "embedding_model_name": "use-multilingual-v3"})
    assert (job.status_code, job.json()["job_status"]) == (200, "waiting"), job.text
    done = client.call("GET", f"/apps/annotation-reply/enable/status/{job.json()['job_id']}").json()
    assert (done["job_status"], done["error_msg"]) == ("completed", "")
    found = client.stream("how can I reset the password")
    assert "".join(event.get("answer", "") for event in found) == "Press the button."
    assert found[-1]["metadata"]["annotation_reply"] == {"id": made.json()["id"],
                                                         "account": {"id": "", "name": "Sparrow"}}
    assert client.ask("What is the weather in Rome?")["answer"].startswith("echo")
    assert client.call("GET", "/apps/annotations?keyword=RESET").json()["data"][0]["hit_count"] == 1
    path = f"/apps/annotations/{made.json()['id']}"
    changed = client.call("PUT", path, json={"question": "Where is the cat?", "answer": "On the mat."}).json()
    assert changed["answer"] == "On the mat."
    assert client.ask("where is the cat")["answer"] == "On the mat."
    assert client.call("DELETE", path).status_code == 204
    assert client.ask("where is the cat")["answer"].startswith("echo")
    assert client.call("DELETE", path).json()["code"] == "not_found"
    assert client.call("POST", "/apps/annotations", json={"question": "q"}).json()["code"] == "invalid_param"


def test_speech_both_ways(live):
    put_model(live, "fake-whisper", "speech2text")
    put_model(live, "fake-tts", "tts")
    client = Client(live, live.new_app(model=MODEL, speech_to_text={"enabled": True}, text_to_speech={
        "enabled": True, "voice": "alloy", "language": "en-US", "autoPlay": "enabled"})[1])
    said = client.call("POST", "/audio-to-text", data={"user": "u1"}, files={"file": ("a.mp3", b"ID3x", "audio/mpeg")})
    assert said.json() == {"text": "transcribed 4 bytes"} or said.json()["text"].startswith("transcribed")
    spoken = client.call("POST", "/text-to-audio", json={"text": "hello", "user": "u1"})
    assert (spoken.status_code, spoken.headers["content-type"]) == (200, "audio/mpeg")
    assert len(spoken.content) > 44
    found = client.stream("hello there")
    names = [event["event"] for event in found]
    assert names[names.index("message_end") + 1] == "tts_message"
    assert names[-1] == "tts_message_end"
    sound = b"".join(base64.b64decode(event["audio"]) for event in found if event["event"] == "tts_message")
    assert sound == spoken.content
    by_message = client.call("POST", "/text-to-audio", json={"message_id": found[0]["message_id"], "user": "u1"})
    assert by_message.content == sound
    silent = Client(live, live.new_app(model=MODEL)[1])
    refused = silent.call("POST", "/audio-to-text", files={"file": ("a.mp3", b"x", "audio/mpeg")})
    assert refused.json()["code"] == "speech_to_text_disabled"
    wrong = client.call("POST", "/audio-to-text", files={"file": ("a.txt", b"x", "text/plain")})
    assert (wrong.status_code, wrong.json()["code"]) == (415, "unsupported_audio_type")
    assert client.call("POST", "/text-to-audio", json={"text": " ", "user": "u1"}).status_code == 400


def test_feedback(live):
    client = Client(live, live.new_app(model=MODEL)[1])
    body = client.ask("x")
    path = f"/messages/{body['message_id']}/feedbacks"
    assert client.call("POST", path, json={"rating": "dislike", "content": "why", "user": "u1"}).status_code == 200
    listed = client.call("GET", "/app/feedbacks").json()["data"]
    assert [(item["rating"], item["content"], item["from_source"]) for item in listed] == [("dislike", "why", "user")]
    assert client.call("POST", path, json={"rating": None, "user": "u1"}).json() == {"result": "success"}
    assert client.call("GET", "/app/feedbacks").json()["data"] == []
    assert client.call("POST", path, json={"rating": "so-so", "user": "u1"}).json()["code"] == "invalid_param"
