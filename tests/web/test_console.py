"""The console in a real browser, from the setup code to a citation, in both languages, on a desk and a phone."""

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

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(280)]

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(__file__).resolve().parent / ".out"
PASSWORD = "brave-sparrow-7"
MANUAL = """# Pump A-40

The filter of the pump must be replaced every six weeks. Close valve B2 first.

# 水泵 A-40

水泵的滤芯应每六周更换一次。更换前请先关闭 B2 阀门。
"""


@pytest.fixture(scope="module")
def browser():
    """A Chromium, Debian's own."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A whole Sparrow on a free port, not set up yet: (address, setup code)."""
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
        for _ in range(300):
            found = re.search(r"Setup code:\s+(\S+)", Path(log.name).read_text())
            if found:
                code = found[1]
                break
            assert process.poll() is None, Path(log.name).read_text()
            time.sleep(0.2)
        assert code, Path(log.name).read_text()
        assert urllib.request.urlopen(f"{address}/health", timeout=10).status == 200
        yield address, code
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _page(browser, locale: str, width: int, **more):
    """A page that remembers what went wrong on it."""
    context = browser.new_context(viewport={"width": width, "height": 900 if width > 500 else 844}, locale=locale,
                                  accept_downloads=True, **more)
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.problems = []
    page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    return page


def _shot(page, name: str) -> None:
    OUT.mkdir(exist_ok=True)
    page.wait_for_timeout(350)
    page.screenshot(path=OUT / f"{name}.png")


def _sound(page) -> None:
    """Nothing sticks out sideways, and every control has a name."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), page.url
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, a[href], input, textarea, select')]
        .filter(e => e.offsetParent && !e.closest('[aria-hidden=true]'))
        .filter(e => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.innerText
                       || (e.labels && e.labels.length) || e.title))
        .map(e => e.outerHTML.slice(0, 160))""")
    assert nameless == [], page.url


@pytest.fixture(scope="module")
def journey(browser, box, tmp_path_factory):
    """The first hour with a box; what it leaves behind is what the other tests look at."""
    address, code = box
    manual = tmp_path_factory.mktemp("files") / "manual 手册.md"
    manual.write_text(MANUAL)
    with FakeLLM() as fake:
        page = _page(browser, "en-US", 1440)
        page.goto(address)
        page.wait_for_url("**/setup")
        page.get_by_label("Setup code").fill("WRNG-CODE")
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("textbox", name="New password").fill(PASSWORD)
        page.get_by_role("textbox", name="The same password again").fill(PASSWORD)
        page.get_by_role("button", name="Start").click()
        page.get_by_text("This is not the setup code").wait_for()
        page.problems.clear()  # the refused code is a 401 in the browser's own log
        page.get_by_label("Setup code").fill(code)
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Start").click()
        page.get_by_text("Three steps to your first answer").wait_for()
        _sound(page)

        page.goto(f"{address}/models")
        page.get_by_role("button", name=re.compile("OpenAI-compatible")).click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Address (base URL)").fill(fake.base_url)
        dialog.get_by_role("button", name="Test connection").click()
        dialog.get_by_text(re.compile(r"Works: answered")).wait_for()
        dialog.get_by_label("fake-reader", exact=True).check()
        _shot(page, "connect-en-1440")
        dialog.get_by_role("button", name=re.compile("^Save with")).click()
        dialog.wait_for(state="hidden")
        page.get_by_role("article", name=re.compile("OpenAI-compatible")).get_by_text("fake-reader").wait_for()

        page.goto(f"{address}/knowledge?create=1")
        page.get_by_label("Name").fill("Manuals")
        page.get_by_role("dialog").get_by_role("button", name="Create").click()
        page.wait_for_url("**/add")
        page.locator("input[type=file]").first.set_input_files(manual)
        page.get_by_role("button", name="Preview").click()
        page.get_by_text(re.compile(r"chunks? in the first file")).wait_for()
        page.get_by_role("button", name=re.compile("^Index 1")).click()
        page.locator("[data-status=available]").wait_for(timeout=90_000)
        _shot(page, "documents-en-1440")

        page.goto(f"{address}/apps?create=1")
        page.get_by_label("Name").fill("Pump helper")
        page.get_by_role("dialog").get_by_role("button", name="Create").click()
        page.wait_for_url("**/prompt")
        page.get_by_role("region", name="Model").locator("input").first.click()
        page.get_by_role("option", name="fake-reader").click()
        page.get_by_role("textbox", name="Instructions").fill("Answer from the documents.")
        page.get_by_role("region", name="Knowledge").get_by_role("button", name="Add").click()
        page.get_by_role("checkbox", name=re.compile("Manuals")).click()
        page.get_by_role("button", name="Done").click()
        page.get_by_text("Saved", exact=True).wait_for()
        yield page, address
        page.context.close()


def _ask(page, question: str, answer: str, placeholder: str) -> None:
    page.get_by_role("textbox", name=placeholder).fill(question)
    page.keyboard.press("Enter")
    page.get_by_role("log").get_by_text(re.compile(answer)).last.wait_for(timeout=60_000)
    page.get_by_test_id("citation").first.wait_for()


def test_answer_with_a_citation_that_opens_the_passage(journey):
    page, _ = journey
    _ask(page, "How often must the filter be replaced?", "six weeks", "Ask something…")
    _shot(page, "prompt-en-1440")
    _sound(page)
    page.get_by_test_id("citation").first.click()
    source = page.get_by_test_id("source")
    source.get_by_text("manual 手册.md").wait_for()
    assert source.locator("mark").count() > 0
    _shot(page, "citation-en-1440")
    page.keyboard.press("Escape")
    assert page.problems == []


def test_key_is_shown_once_and_answers_over_the_api(journey):
    page, address = journey
    page.get_by_role("link", name="API").click()
    page.get_by_role("button", name="New key").click()
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    token = page.get_by_test_id("api-token").inner_text()
    assert token.startswith("app-")
    page.get_by_role("button", name="I have copied it").click()
    page.get_by_test_id("api-token").wait_for(state="hidden")
    assert token not in page.content()
    request = urllib.request.Request(f"{address}/v1/info", headers={"Authorization": f"Bearer {token}"})
    assert b"Pump helper" in urllib.request.urlopen(request, timeout=20).read()
    _shot(page, "api-en-1440")
    assert page.problems == []


def test_chinese_on_a_phone(browser, journey):
    desk, address = journey
    app = re.search(r"/apps/([^/]+)", desk.url)[1]
    page = _page(browser, "zh-CN", 390, storage_state=desk.context.storage_state(), color_scheme="dark",
                 is_mobile=True, has_touch=True)
    for path in ("apps", "knowledge", "models", "box", f"apps/{app}/api", f"apps/{app}/logs"):
        page.goto(f"{address}/{path}")
        page.wait_for_load_state("networkidle")
        _sound(page)
        _shot(page, f"{path.replace('/', '-').replace(app, 'app')}-zh-390-dark")
    page.goto(f"{address}/apps/{app}/prompt")
    page.get_by_text("试一试", exact=True).click()
    _ask(page, "水泵的滤芯多久更换一次？", "六周", "输入问题…")
    _shot(page, "prompt-zh-390-dark")
    page.get_by_test_id("citation").first.click()
    page.get_by_test_id("source").get_by_text("六周").first.wait_for()
    _shot(page, "citation-zh-390-dark")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert page.problems == []
    page.context.close()


def test_palette_logs_and_login_back_off(browser, journey):
    desk, address = journey
    desk.goto(f"{address}/apps")
    desk.get_by_role("link", name="Pump helper").wait_for()
    desk.keyboard.press("Control+k")
    desk.get_by_role("combobox").fill("pump")
    desk.get_by_role("option", name=re.compile("Pump helper")).wait_for()
    desk.keyboard.press("Enter")
    desk.wait_for_url("**/prompt")
    desk.get_by_role("link", name="Logs").click()
    desk.get_by_role("row").last.get_by_role("button").click()  # the newest is first
    desk.get_by_role("dialog").get_by_text("six weeks").first.wait_for()
    assert desk.problems == []

    page = _page(browser, "en-US", 1440)
    page.goto(f"{address}/login")
    for _ in range(3):
        page.get_by_role("textbox", name="Password").fill("wrong-password-1")
        page.get_by_role("button", name="Log in").click()
        page.get_by_text("The password is not right").wait_for()
        page.wait_for_timeout(300)
    page.get_by_role("textbox", name="Password").fill("wrong-password-1")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("timer").wait_for()
    assert page.get_by_role("button", name="Log in").is_disabled()
    page.context.close()
