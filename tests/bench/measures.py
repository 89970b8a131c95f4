"""What is measured, in the order it is measured on one stack. Goals are those of the design."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tests.bench import knowledge, workflows
from tests.bench.stack import BUILD, ROOT, Console, ImageStack, Stack


@dataclass(frozen=True)
class Row:
    """One figure; `at_least` turns the goal round."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Tell whether the goal is reached."""
        return self.goal is None or (self.value >= self.goal if self.at_least else self.value <= self.goal)

    def as_dict(self) -> dict:
        """Return the row for the JSON file."""
        return {**asdict(self), "met": self.met}


def run(stack: Stack, only: set[str]) -> Iterator[Row]:
    """Yield the figures. `only` limits them to some of: size, start, memory, idle, chat, workflow, ingest, 20k,
    guest, and what a plain run leaves out: 100k, flat."""
    def wanted(name: str) -> bool:
        return not only or name in only

    if wanted("size"):
        yield from sizes()
    wall = stack.start()
    if wanted("start"):
        time.sleep(3)
        yield Row("start: CPU of all processes", stack.cpu_seconds(), "s", 5)
        yield Row("start: wall to the first HTTPS 200", wall, "s", 6)
    if wanted("memory"):
        time.sleep(max(0, 30 - (time.monotonic() - stack.started)))
        yield from memory(stack, "30 s after start", 240)
    if wanted("idle"):
        before = stack.cpu_seconds()
        time.sleep(60)
        yield Row("idle CPU over 60 s", (stack.cpu_seconds() - before) / 60 * 100, "%", 0.3)
    if only and not only & {"chat", "workflow", "ingest", "20k", "100k", "guest", "flat"}:
        return
    with FakeModel() as model, knowledge.NoCost() as embeddings:
        console = Console(stack)
        provider(console, model.port)
        embeddings.add_to(console)
        if wanted("chat"):
            yield from chat(stack, console)
        if wanted("workflow"):
            yield from workflows.measure(stack, console, Row)
        if wanted("ingest"):
            yield from knowledge.first(stack, console, Row)
        if wanted("memory"):
            yield from memory(stack, "after the load and the ingest", 340)
        if wanted("20k") or "100k" in only:
            yield from knowledge.growing(stack, console, Row, 100_000 if "100k" in only else 20_000)
        if "flat" in only:  # takes minutes: only when asked for
            yield from flat(stack, console)
    if wanted("guest") and isinstance(stack, ImageStack):
        stack.stop()
        yield from guest(stack)


def sizes() -> Iterator[Row]:
    """Yield the sizes of what `mkimage.sh build` made, where it has."""
    for pattern, goal in (("*.img.zst", 150), ("*.qcow2", None)):
        for path in sorted((BUILD / "output").glob(pattern)):
            yield Row(f"size of {path.name}", path.stat().st_size / 1e6, "MB", goal)
    for path in sorted((BUILD / "stages").glob("*/*.squashfs")):
        yield Row(f"size of {path.name}", path.stat().st_size / 1e6, "MB")


def memory(stack: Stack, when: str, goal: float) -> Iterator[Row]:
    """Yield PSS by program and in total."""
    for name, megabytes in stack.memory().items():
        yield Row(f"PSS {when}: {name}", megabytes, "MB", goal if name == "total" else None)


def guest(stack: Stack) -> Iterator[Row]:
    """Yield what is used of the memory of a virtual machine of 512 MB, 30 s after it has become healthy."""
    sys.path.insert(0, str(ROOT / "rootfs" / "vm"))
    from machine import Machine

    image = next((BUILD / "output").glob("*.img"))
    with Machine(image, stack.folder, memory=512, shell=True) as machine:
        machine.start()
        machine.wait_healthy(900)
        time.sleep(30)
        facts = dict(line.split()[:2] for line in machine.run("cat /proc/meminfo").splitlines())
        total, free = int(facts["MemTotal:"]), int(facts["MemAvailable:"])
        yield Row("used in a booted guest of 512 MB", (total - free) * 1024 / 1e6, "MB")
        machine.stop()


class FakeModel:
    """tests/fake_llm without delay, as a process of its own."""

    def __enter__(self):
        from tests.conftest import free_port

        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fake_llm", "--port", str(self.port), "--no-record"],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.7)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def provider(console: Console, port: int) -> None:
    """Add the fake model to the box."""
    console.call("POST", "/model-providers/openai_api_compatible/credentials",
                 {"name": "bench", "base_url": f"http://127.0.0.1:{port}/v1", "api_key": "none"})
    console.call("POST", "/model-providers/openai_api_compatible/models",
                 {"model": "fake-llm", "type": "llm", "features": [], "context_size": 128000})


def chat_app(console: Console, **config) -> tuple[str, str]:
    """Create a chat app on the fake model; return its id and an API key."""
    app_id = console.call("POST", "/apps", {"name": "bench", "mode": "chat"})["id"]
    console.call("POST", f"/apps/{app_id}/model-config", {
        "model": {"provider": "openai_api_compatible", "name": "fake-llm", "mode": "chat", "completion_params": {}},
        "pre_prompt": "You are a helpful assistant.", **config})
    return app_id, console.call("POST", f"/apps/{app_id}/api-keys", {})["token"]


def chat(stack: Stack, console: Console) -> Iterator[Row]:
    """Yield the cost of a chat request through Caddy and gunicorn with a model that answers at once."""
    _, key = chat_app(console)
    client = Chat(stack, key)
    for _ in range(30):
        client.ask()
    before = stack.cpu_seconds()
    latencies = [client.ask() for _ in range(300)]
    yield Row("chat: server CPU per request (1 client)", (stack.cpu_seconds() - before) / 300 * 1000, "ms", 4)
    yield Row("chat: p50 at 1 client", statistics.median(latencies) * 1000, "ms", 6)
    first = [client.first_token() for _ in range(100)]
    yield Row("chat: first streamed token, p50", statistics.median(first) * 1000, "ms", 6)
    for clients in (8, 32):
        before, count, seconds = stack.cpu_seconds(), *load(stack, key, clients, 6.0)
        yield Row(f"chat: requests/s at {clients} clients", count / seconds, "1/s", 300, at_least=True)
        yield Row(f"chat: server CPU per request ({clients} clients)",
                  (stack.cpu_seconds() - before) / max(count, 1) * 1000, "ms", 4)


class Chat:
    """One client of the service API, on one kept-alive connection."""

    def __init__(self, stack: Stack, key: str):
        self.connection = stack.connect()
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def ask(self, mode: str = "blocking") -> float:
        """Send one chat message and return the seconds to the whole answer."""
        start = time.perf_counter()
        self._post(mode).read()
        return time.perf_counter() - start

    def first_token(self) -> float:
        """Return the seconds to the first piece of a streamed answer."""
        start = time.perf_counter()
        reply = self._post("streaming")
        while True:
            line = reply.readline()
            if line.startswith(b"data:") and json.loads(line[5:]).get("event") == "message":
                break
        elapsed = time.perf_counter() - start
        reply.read()
        return elapsed

    def _post(self, mode: str):
        self.connection.request("POST", "/v1/chat-messages", json.dumps({
            "query": "hello", "inputs": {}, "user": "bench", "response_mode": mode,
            "auto_generate_name": False}), self.headers)
        reply = self.connection.getresponse()
        if reply.status != 200:
            raise RuntimeError(f"{reply.status}: {reply.read()[:300]!r}")
        return reply


def load(stack: Stack, key: str, clients: int, seconds: float) -> tuple[int, float]:
    """Let some clients ask as fast as they can; return how many answers came in how many seconds."""
    counts = [0] * clients
    deadline = time.monotonic() + seconds

    def work(number: int) -> None:
        client = Chat(stack, key)
        while time.monotonic() < deadline:
            client.ask()
            counts[number] += 1

    start = time.monotonic()
    threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), time.monotonic() - start


def flat(stack: Stack, console: Console, chats: int = 10_000) -> Iterator[Row]:
    """Yield how much memory grows over many chats, from the 1,000th on, when all caches are warm."""
    _, key = chat_app(console)

    def ask(count: int) -> None:
        done = 0
        while done < count:
            done += load(stack, key, 8, min(10.0, (count - done) / 100))[0]

    ask(1000)
    before = stack.memory()["total"]
    ask(chats)
    after = stack.memory()["total"]
    yield Row(f"memory growth over {chats} chats", (after / before - 1) * 100, "%", 5)
