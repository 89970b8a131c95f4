"""Scanned pages that a vision model reads: what becomes of them, and of those that it does not read."""

from __future__ import annotations

import base64
import io
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib

import pytest

from sparrow.knowledge import datasets, documents, indexing, ocr, parse, segments, transfer
from sparrow.knowledge.retrieve import retrieve
from sparrow.knowledge.transfer import unpack
from sparrow.messages import ModelRateLimitError
from sparrow.storage import db, files
from sparrow.storage.tables import knowledge as t
from tests.fake_llm import FakeLLM
from tests.knowledge.test_bad_input import pdf
from tests.knowledge.test_photo import drawn, jpeg, photo, png_of

PROVIDER = "openai_api_compatible"
# A passage a page.
RULE = {"mode": "custom", "rules": {"segmentation": {"separator": "\n\n", "max_tokens": 60, "chunk_overlap": 0}}}
FILLER = "It goes on with many words that nobody has to know, so that a passage holds one page, not two of them. " * 2
TABLE = "| Part | Torque |\n| --- | --- |\n| QX-7 | 31 Nm |"


def scan(lines: list[str]) -> bytes:
    """Return a PDF whose pages are pictures of lines of text; an empty string makes an empty picture."""
    import pypdfium2 as pdfium

    printed = pdfium.PdfDocument(pdf([line or "." for line in lines]))
    scanned = pdfium.PdfDocument.new()
    for number in range(len(lines)):
        bitmap = printed[number].render(scale=1.5, grayscale=True)
        page = scanned.new_page(612, 792)
        image = pdfium.PdfImage.new(scanned)
        image.set_bitmap(bitmap)
        image.set_matrix(pdfium.PdfMatrix().scale(612, 792))
        page.insert_obj(image)
        page.gen_content()
    out = io.BytesIO()
    scanned.save(out)
    return out.getvalue()


@pytest.fixture
def base(sqlite_database) -> str:
    """An empty base."""
    return datasets.create("Scans")["id"]


@pytest.fixture
def fake(admin, monkeypatch):
    """A model that reads page N as "Page N says …", chosen to read scanned pages."""
    monkeypatch.setattr(ocr, "PAUSE", 0.01)
    with FakeLLM(answers={f"(page {number} of": f"# Page {number}\n\nIt says R-{number:02}. {FILLER}"
                          for number in range(1, 40)}) as server:
        made = admin.post(f"/model-providers/{PROVIDER}/credentials",
                          json={"name": "fake", "base_url": server.base_url, "api_key": "k"})
        assert made.status_code == 201, made.text
        added = admin.post(f"/model-providers/{PROVIDER}/models", json={"model": "fake-vision", "features": ["vision"]})
        assert added.status_code == 201, added.text
        chosen = admin.put("/datasets/settings",
                           json={"ocr_model": {"provider": PROVIDER, "model": "fake-vision"}})
        assert chosen.status_code == 200, chosen.text
        yield server


def put(base: str, *given: tuple[str, bytes]) -> list[str]:
    """Add files to a base without indexing them; return the documents' ids."""
    stored = [files.save(io.BytesIO(data), name)["id"] for name, data in given]
    return [row["id"] for row in documents.add_files(base, stored, process_rule=RULE)[0]]


def passages(document_id: str) -> list[tuple[str, str]]:
    """Return (page, text) of a document's passages in order."""
    return [(row["place"], row["content"]) for row in segments.search(document_id, limit=1000)[0]]


def pages_of(document_id: str) -> list[int]:
    """Return the pages that a document's passages stand on."""
    return sorted({int(page) for page, _ in passages(document_id)})


def asked(fake: FakeLLM) -> list[int]:
    """Return the pages the model was asked for, in order."""
    return [int(request["body"]["messages"][-1]["content"][0]["text"].partition("(page ")[2].partition(" ")[0])
            for request in fake.requests]


def ended(base: str, document_id: str) -> dict:
    indexing.run(document_id)
    return documents.get(base, document_id)


def test_scanned_pages_are_read_by_the_chosen_model(base, fake):
    fake.answers["(page 2 of"] = f"<think>a table</think>```markdown\n{TABLE}\n```"
    fake.answers["(page 4 of"] = "[no text]"
    mixed = put(base, ("mixed.pdf", pdf(["Printed words.", "", "", ""])))[0]
    row = ended(base, mixed)
    assert row["indexing_status"] == "completed", row["error"]
    assert [(notice["code"], notice["pages"], notice["total"]) for notice in row["notices"]] == [
        ("pages_transcribed", [2, 3, 4], 4)]
    found = passages(mixed)
    assert TABLE in next(text for _, text in found if "QX-7" in text)
    assert "think" not in "".join(text for _, text in found)
    assert any(page == "3" and "R-03" in text for page, text in found)
    assert "Printed words." in found[0][1]
    hit = retrieve("R-03", [base], None)[0]
    assert (hit.place, hit.heading[-1:]) == ("3", ["Page 3"])


def test_the_model_sees_the_page_as_it_is_printed(base, fake):
    row = ended(base, put(base, ("scan.pdf", scan(["Alpha", "A much longer line of words than that", ""])))[0])
    assert row["indexing_status"] == "completed", row["error"]
    dark = []
    for request in sorted(fake.requests, key=lambda one: one["body"]["messages"][0]["content"][0]["text"]):
        text, picture = request["body"]["messages"][0]["content"]
        assert "of 3)" in text["text"]
        png = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
        width, height = struct.unpack(">II", png[16:24])
        assert 1500 < height < 2200
        assert abs(width / height - 612 / 792) < 0.01
        at = png.index(b"IDAT")
        pixels = zlib.decompress(png[at + 4:at + 4 + struct.unpack(">I", png[at - 4:at])[0]])
        assert len(pixels) == (width + 1) * height
        dark.append(sum(value < 100 for value in pixels) - height)  # each row begins with its filter, 0
    assert dark[1] > 3 * dark[0] > 100 > dark[2]


def test_pages_that_fail_are_told_and_the_rest_goes_on(base, fake):
    fake.answers.update({
        "(page 1 of": "<<fail:2:one:rate_limit>><<say:" + FILLER + ">>",  # twice
        "(page 2 of": "<<error:rate_limit>>", "(page 3 of": "<<fault:garbage>>", "(page 4 of": "<<fault:empty>>",
        "(page 6 of": "<<say:" + "again and again. " * 1000 + ">>",
        "(page 7 of": f"<<say:{FILLER}>><<finish:length>>"})
    document_id = put(base, ("scan.pdf", scan(["x"] * 8)))[0]
    row = ended(base, document_id)
    assert row["indexing_status"] == "completed", row["error"]
    told = {notice["code"]: notice for notice in row["notices"]}
    assert told["pages_transcribed"]["pages"] == [1, 5, 7, 8]
    assert told["pages_cut_off"]["pages"] == [7]
    assert told["pages_not_transcribed"]["pages"] == [2, 3, 4, 6]
    errors = {entry["page"]: entry["error"] for entry in told["pages_not_transcribed"]["errors"]}
    assert "rate limit" in errors[2]
    assert "repeated itself" in errors[6]
    assert asked(fake).count(2) == ocr.TRIES
    assert pages_of(document_id) == [1, 5, 7, 8]
    # Cut anew, the pages that are there are not asked for again; those that failed are.
    for page in (2, 3, 4, 6):
        fake.answers[f"(page {page} of"] = f"Now R-{page:02} can be read. {FILLER}"
    fake.requests.clear()
    documents.reindex(base, document_id)
    row = ended(base, document_id)
    assert sorted(asked(fake)) == [2, 3, 4, 6]
    assert [notice["code"] for notice in row["notices"]] == ["pages_transcribed"]
    assert pages_of(document_id) == list(range(1, 9))


def test_a_model_that_refuses_the_key_is_asked_once(base, fake):
    fake.key = "another"
    document_id = put(base, ("scan.pdf", scan(["x"] * 9)))[0]
    row = ended(base, document_id)
    assert (row["indexing_status"], row["error_code"]) == ("error", "ocr_failed")
    assert "None of the 9 scanned pages" in row["error"]
    assert len(row["notices"][0]["pages"]) == 9
    assert len(fake.requests) <= ocr.AT_ONCE
    fake.key = None
    documents.retry(base, document_id)
    assert ended(base, document_id)["indexing_status"] == "completed"


def test_a_model_that_is_down_is_not_asked_for_every_page(base, fake):
    fake.fault = "server"
    row = ended(base, put(base, ("scan.pdf", scan(["x"] * 30)))[0])
    assert row["error_code"] == "ocr_failed"
    assert len(set(asked(fake))) < ocr.GIVE_UP + ocr.AT_ONCE


def test_a_page_takes_only_so_long(base, fake, monkeypatch):
    monkeypatch.setattr(ocr, "PAGE_SECONDS", 0.5)
    fake.answers["(page 1 of"] = "<<fault:hang:60>>"
    began = time.monotonic()
    row = ended(base, put(base, ("scan.pdf", scan(["x", "y"])))[0])
    assert time.monotonic() - began < 50
    told = {notice["code"]: notice for notice in row["notices"]}
    assert (told["pages_transcribed"]["pages"], told["pages_not_transcribed"]["pages"]) == ([2], [1])
    assert "did not finish" in told["pages_not_transcribed"]["message"]


def test_pause_ends_the_reading_and_keeps_what_is_read(base, fake):
    fake.answers["(page 3 of"] = "<<fault:hang:60>>"
    document_id = put(base, ("scan.pdf", scan(["x"] * 3)))[0]
    runner = threading.Thread(target=indexing.run, args=(document_id,))
    runner.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        row = documents.get(base, document_id)
        if (row["stage"], row["done"], row["total"]) == ("transcribing", 2, 3):
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"no progress was seen: {row['stage']} {row['done']}/{row['total']}")
    documents.pause(base, document_id)
    runner.join(50)
    assert not runner.is_alive()
    assert documents.get(base, document_id)["indexing_status"] == "paused"
    fake.answers["(page 3 of"] = "The third."
    fake.requests.clear()
    documents.resume(base, document_id)
    assert ended(base, document_id)["indexing_status"] == "completed"
    assert asked(fake) == [3]


def test_a_killed_worker_pays_for_no_page_twice(base, fake):
    fake.answers["(page 9 of"] = "<<fault:hang:60>>"
    document_id = put(base, ("scan.pdf", scan(["x"] * 9)))[0]
    child = subprocess.Popen([sys.executable, "-c", "from sparrow.knowledge import indexing; "
                              f"indexing.run({document_id!r})"], env=dict(os.environ))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (
            len(ocr.known(documents.get(base, document_id)["file_id"])) < 8 or 9 not in asked(fake)):
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert sorted(asked(fake)) == list(range(1, 10))
    fake.answers["(page 9 of"] = FILLER
    fake.requests.clear()
    assert ended(base, document_id)["indexing_status"] == "completed"
    assert asked(fake) == [9]
    assert pages_of(document_id) == list(range(1, 10))


def test_a_page_that_ends_the_parser_costs_no_other_page(base, fake, monkeypatch):
    real = parse.draw

    def draw(path, pages, folder, **options):
        for picture in real(path, pages, folder, **options):
            if picture.number == 3:
                raise parse.ParseError("The document needs too much memory to be read. Split it.",
                                       code="parser_memory")
            yield picture

    monkeypatch.setattr(parse, "draw", draw)
    row = ended(base, put(base, ("scan.pdf", scan(["x"] * 8)))[0])
    told = {notice["code"]: notice for notice in row["notices"]}
    assert told["pages_transcribed"]["pages"] == [1, 2, 4, 5, 6, 7, 8]
    assert told["pages_not_transcribed"]["errors"] == [
        {"page": 3, "error": "The document needs too much memory to be read. Split it."}]


def test_no_text_of_a_deleted_document_is_left(base, fake):
    first, second = put(base, ("a.pdf", scan(["x"])), ("b.pdf", scan(["x"])))
    for document_id in (first, second):
        assert ended(base, document_id)["indexing_status"] == "completed"

    def left() -> int:
        with db.read() as tx:
            return len(tx.execute(t.page_texts.select()).all())

    assert left() == 2
    documents.delete(base, [first])
    assert left() == 1
    datasets.delete(base)
    assert left() == 0


def test_a_page_read_after_its_document_was_deleted_is_forgotten(base, fake, monkeypatch):
    document_id = put(base, ("a.pdf", scan(["x"] * 6)))[0]
    real = ocr._store

    def store(*given):
        if documents.search(base)[1]:
            documents.delete(base, [document_id])
        real(*given)

    monkeypatch.setattr(ocr, "_store", store)
    indexing.run(document_id)
    with db.read() as tx:
        assert tx.execute(t.page_texts.select()).first() is None


def test_it_is_off_until_a_model_that_sees_is_chosen(admin, base, fake):
    assert admin.get("/datasets/settings").json == {"ocr_model": {"provider": PROVIDER, "model": "fake-vision"}}
    admin.post(f"/model-providers/{PROVIDER}/models", json={"model": "blind", "features": []})
    for chosen, code in (({"provider": PROVIDER, "model": "blind"}, "model_currently_not_support"),
                         ({"provider": "nowhere", "model": "x"}, "provider_not_initialize"),
                         ({"provider": "anthropic", "model": "claude-sonnet-4"}, "provider_not_initialize")):
        refused = admin.put("/datasets/settings", json={"ocr_model": chosen})
        assert (refused.status_code, refused.json["code"]) == (400, code)
    read = put(base, ("a.pdf", scan(["x", "y"])))[0]
    assert ended(base, read)["indexing_status"] == "completed"
    assert admin.put("/datasets/settings", json={"ocr_model": None}).json == {"ocr_model": None}
    fake.requests.clear()
    row = ended(base, put(base, ("b.pdf", scan(["x", "y"])))[0])
    assert (row["error_code"], len(fake.requests)) == ("no_text", 0)
    documents.reindex(base, read)  # what was read stays, also without the model
    row = ended(base, read)
    assert (row["indexing_status"], len(fake.requests)) == ("completed", 0)
    assert any("R-02" in text for _, text in passages(read))


def test_a_wait_that_the_provider_asks_for_is_kept(monkeypatch):
    waits = []
    reader = ocr._Reader({"provider": "p", "model": "m"}, 1)

    def ask(question, until, longest):
        raise ModelRateLimitError("busy", retry_after=7)

    monkeypatch.setattr(reader, "ask", ask)
    monkeypatch.setattr(reader._stopped, "wait", waits.append)
    with pytest.raises(ModelRateLimitError):
        reader.page(parse.Image(1, __file__, "page"))
    assert waits == [7, 7]


def test_what_was_read_travels_with_the_base(admin, base, fake, tmp_path, monkeypatch):
    """On a box without the model the document can be cut anew, and keeps its text."""
    document_id = put(base, ("scan.pdf", scan(["x"] * 3)))[0]
    assert ended(base, document_id)["indexing_status"] == "completed"
    target = tmp_path / "base.zip"
    target.write_bytes(b"".join(transfer.export(base)[1]))
    before = passages(document_id)
    datasets.delete(base)
    admin.put("/datasets/settings", json={"ocr_model": None})
    assert transfer.load(target) == base
    fake.requests.clear()
    documents.reindex(base, document_id)
    row = ended(base, document_id)
    assert (row["indexing_status"], len(fake.requests)) == ("completed", 0), row["error"]
    assert passages(document_id) == before

    def broken(self, documents):
        raise OSError(5, "the stick was pulled out")

    datasets.delete(base)
    monkeypatch.setattr(unpack._Loader, "_take_segments", broken)
    with pytest.raises(OSError, match="stick"):
        transfer.load(target)
    with db.read() as tx:
        assert tx.execute(t.page_texts.select()).first() is None


def test_a_preview_says_who_will_read_the_pages(base, admin, fake):
    file = files.save(io.BytesIO(scan(["Torque of the bolt"])), "scan.pdf")["id"]
    body = {"file_id": file, "process_rule": RULE}
    said = admin.post("/datasets/indexing-estimate", json=body)
    assert said.status_code == 400
    assert "fake-vision reads them" in said.json["message"]
    assert admin.put("/datasets/settings", json={"ocr_model": None}).status_code == 200
    said = admin.post("/datasets/indexing-estimate", json=body)
    assert "can only be read by a vision model" in said.json["message"]


def test_a_picture_is_a_page_of_its_own(base, admin, fake):
    picture = photo()
    document, = put(base, ("设备.png", picture))
    assert ended(base, document)["indexing_status"] == "completed"
    found = [text for _, text in passages(document)]
    assert any("R-01" in text for text in found)
    assert any("/image-preview)" in text for text in found), "the picture is shown with what it says"
    url = fake.requests[0]["body"]["messages"][-1]["content"][1]["image_url"]["url"]
    assert url == "data:image/png;base64," + base64.b64encode(picture).decode()
    reply = admin.post("/datasets/indexing-estimate", json={"file_id": documents.get(base, document)["file_id"]})
    assert "fake-vision reads them" in reply.json["message"]


def test_a_large_photo_is_made_smaller_before_a_model_sees_it(base, fake):
    picture = jpeg(2400, 1600) + os.urandom(3 << 20)
    document, = put(base, ("photo.jpg", picture))
    assert ended(base, document)["indexing_status"] == "completed"
    url = fake.requests[0]["body"]["messages"][-1]["content"][1]["image_url"]["url"]
    sent = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    width, height, _ = drawn(sent)
    assert 3_150_000 < width * height <= 3_210_000
    assert len(sent) < 200_000


@pytest.mark.parametrize(("data", "says"), [
    (lambda: jpeg(16, 16).replace(struct.pack(">HH", 16, 16), struct.pack(">HH", 60_000, 60_000)), "3600 megapixels"),
    (lambda: png_of(30_000, 30_000, 0, rows=0), "900 megapixels"),
    (lambda: png_of(300, 200, 6) + bytes(11 << 20), "up to 10 MB"),
])
def test_a_picture_too_large_to_be_read_says_so(base, fake, data, says):
    document, = put(base, ("a.png", data()))
    assert says in ended(base, document)["error"]
    assert not fake.requests


def test_a_picture_without_a_model_says_what_to_do(base, admin, fake):
    assert admin.put("/datasets/settings", json={"ocr_model": None}).status_code == 200
    document, = put(base, ("a.jpg", photo()))
    row = ended(base, document)
    assert (row["error_code"], "Choose a vision model" in row["error"]) == ("picture_unread", True)
    assert not ocr.readable("a.jpg")
    admin.put("/datasets/settings", json={"ocr_model": {"provider": PROVIDER, "model": "fake-vision"}})
    assert ocr.readable("a.jpg")
    documents.retry(base, document)
    assert ended(base, document)["indexing_status"] == "completed"


def test_text_that_is_called_a_picture_is_said_to_be_mislabelled(base, fake):
    document, = put(base, ("a.png", b"plain words"))
    assert ended(base, document)["error_code"] == "mislabelled_file"


def test_a_pdf_without_scanned_pages_is_parsed_once(base, fake, monkeypatch):
    parsed = []
    monkeypatch.setattr(parse, "read", lambda *a, read=parse.read, **k: parsed.append(a) or read(*a, **k))
    document, = put(base, ("a.pdf", pdf(["Torque of the bolt is 31 Nm, says the first page."])))
    assert ended(base, document)["indexing_status"] == "completed"
    assert "31 Nm" in passages(document)[0][1]
    assert len(parsed) == 1
