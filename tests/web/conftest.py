"""A browser, a box to visit with it, and manuals to give it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.fake_llm import FakeLLM
from tests.web import visit

ROOT = Path(__file__).resolve().parents[2]
# Chapter 3 of Debian's reference, "the system initialization", in the languages the box is asked in.
CHAPTER = "/usr/share/debian-reference/ch03.{}.html"


@pytest.fixture(scope="session")
def browser():
    """A Chromium, Debian's own."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=chromium, args=[
            "--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])
        yield made
        made.close()


@pytest.fixture(scope="session")
def box(tmp_path_factory):
    """A whole Sparrow on a free port, not set up yet: (address, setup code). All tests share it: each makes apps and
    knowledge bases of its own, and nothing counts on what the others left."""
    if not (ROOT / "app/web/dist/index.html").exists():
        pytest.skip("the console is not built (npm run build in app/web)")
    data = tmp_path_factory.mktemp("box")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if key != "SPARROW_ADMIN_PASSWORD"}
    log = (data / "dev.log").open("w+")
    process = subprocess.Popen([str(Path(sys.executable).parent / "sparrow"), "dev", "--data", str(data / "data"),
                                "--port", str(port)], stdout=log, stderr=subprocess.STDOUT, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        code = None
        for _ in range(900):  # of a fifth of a second: a busy machine starts slowly
            found = re.search(r"Setup code:\s+(\S+)", Path(log.name).read_text())
            if found:
                code = found[1]
                break
            assert process.poll() is None, Path(log.name).read_text()
            time.sleep(0.2)
        assert code, Path(log.name).read_text()
        assert urllib.request.urlopen(f"{address}/health", timeout=60).status == 200
        yield address, code
    finally:
        process.terminate()
        process.wait(90)  # a machine that tests much at once ends slowly
        log.close()


@pytest.fixture(scope="session")
def fake():
    """The scripted model's server that the box is connected to."""
    with FakeLLM() as server:
        yield server


@pytest.fixture(scope="session")
def owner(browser, box, fake):
    """The box set up in the browser and connected to models of every kind: (address, its owner's session)."""
    address, code = box
    page = visit.open_page(browser, "en-US", 1440)
    visit.set_up(page, address, code)
    visit.assert_sound(page)
    visit.connect(page, address, "OpenAI-compatible", fake.base_url, "fake-reader")
    visit.Console(page, address).provider(fake.base_url, {
        "fake-llm": "llm", "fake-rerank": "rerank", "fake-whisper": "speech2text", "fake-tts": "tts"})
    assert page.problems == []
    session = page.context.storage_state()
    page.context.close()
    return address, session


@pytest.fixture(scope="module")
def desk(browser, owner):
    """The owner's page in English on a desk; `address` is the box's."""
    address, session = owner
    page = visit.open_page(browser, "en-US", 1440, storage_state=session)
    page.address = address
    yield page
    page.context.close()


@pytest.fixture
def phone(browser, owner):
    """The owner's page in Chinese on a phone, in the dark."""
    address, session = owner
    page = visit.open_page(browser, "zh-CN", 390, storage_state=session, color_scheme="dark", is_mobile=True,
                           has_touch=True)
    page.address = address
    yield page
    assert page.problems == []
    page.context.close()


@pytest.fixture(scope="module")
def api(desk):
    """The console's API with the owner's session."""
    return visit.Console(desk, desk.address)


@pytest.fixture
def visitor(browser):
    """A visitor's page, with a microphone."""
    page = visit.open_page(browser, "en-US", 1440, permissions=["microphone"])
    yield page
    assert page.problems == []
    page.context.close()


@pytest.fixture(scope="session")
def manuals(browser, tmp_path_factory) -> dict[str, Path]:
    """The same real manual as a PDF in English and in Chinese: {language: file}."""
    return _print(browser, tmp_path_factory.mktemp("manuals"))


@pytest.fixture(scope="session")
def excerpts(browser, tmp_path_factory) -> dict[str, Path]:
    """The first pages of the manuals, for a machine that is emulated."""
    return _print(browser, tmp_path_factory.mktemp("excerpts"), page_ranges="1-2")


def _print(browser, folder: Path, **options: str) -> dict[str, Path]:
    made = {}
    for language, name, tag in (("en", "Debian reference.pdf", "en"), ("zh", "Debian 参考手册.pdf", "zh-cn")):
        source = Path(CHAPTER.format(tag))
        if not source.exists():
            pytest.skip(f"{source} is missing (Debian's debian-reference-{tag})")
        page = browser.new_page()
        page.goto(source.as_uri())
        page.pdf(path=folder / name, format="A4", **options)
        page.close()
        made[language] = folder / name
    return made


@pytest.fixture(scope="session")
def llama():
    """The address of a real small language model on this host."""
    pytest.importorskip("ik_llama_cpp")
    process = subprocess.Popen([sys.executable, str(ROOT / "tests/llama_server.py"), "--host", "0.0.0.0"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        found = re.search(r":(\d+)/v1", process.stdout.readline())
        assert found, "the model's server did not start"
        yield f"http://127.0.0.1:{found[1]}/v1"
    finally:
        process.kill()
        process.wait()
