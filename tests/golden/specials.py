"""The special steps of two cases: a form that people fill in, files of many types."""

from __future__ import annotations

import io
import json
from typing import Any

import requests

from tests import golden_compare as compare

from .extras import learned


def fill_form(stage: Any, key: str, calls: list[dict[str, Any]], events: list[dict[str, Any]]) -> list[str]:
    """Make the calls to a paused run's form, and look at the run afterwards; return the differences."""
    run_id = next(event["workflow_run_id"] for event in events if event.get("workflow_run_id"))
    token = next(event["data"]["form_token"] for event in events if event["event"] == "human_input_required")
    problems = []
    for call in calls:
        method, path, options = (*call["request"], {})[:3]
        reply = requests.request(
            method, stage.url + path.replace("<token>", token).replace("<run>", run_id), timeout=30,
            headers={"Authorization": f"Bearer {key}"}, params={"user": "u1"} if "/events" in path else None,
            json=options.get("json"))
        place = f"form {method} {path}"
        if "events" in call:
            found = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
            problems += [f"{place}: {line}" for line in compare.stream_differences(call["events"], found)]
        elif reply.status_code != call["status"]:
            problems.append(f"{place}: status {reply.status_code}, expected {call['status']}: {reply.text[:200]}")
        else:
            problems += [f"{place}: {line}" for line in compare.differences(
                compare.unnumbered(call["body"]), compare.unnumbered(reply.json()))]
    return problems


def upload(stage: Any, key: str, calls: list[dict[str, Any]]) -> list[str]:
    """Upload the files and run the app with each; return the differences."""
    headers, problems, contents = {"Authorization": f"Bearer {key}"}, [], _contents()
    for call in calls:
        name = call.get("upload")
        if name not in contents:
            continue
        content, mime = contents[name]
        reply = requests.post(f"{stage.url}/v1/files/upload", headers=headers, timeout=30, data={"user": "u1"},
                              files={"file": (name, content, mime)})
        if reply.status_code != call["status"]:
            problems.append(f"upload {name}: status {reply.status_code}, expected {call['status']}")
            continue
        file = {"type": "document", "transfer_method": "local_file",
                "upload_file_id": learned(call["body"], reply.json())[call["body"]["id"]]}
        run = requests.post(f"{stage.url}/v1/workflows/run", headers=headers, timeout=30, json={
            "inputs": {"f": file}, "user": "u1", "response_mode": "blocking"})
        expected = call["run"]
        if run.status_code != expected["status"]:
            problems.append(f"upload {name}: run {run.status_code}, expected {expected['status']}: {run.text[:200]}")
        else:
            problems += [f"upload {name}: {line}" for line in compare.differences(
                compare.unnumbered(expected["body"]), compare.unnumbered(run.json()))]
    return problems


def _contents() -> dict[str, tuple[bytes, str]]:
    """Return the files whose content the recorded replies tell, by name."""
    return {
        "a.txt": (b"local alpha\n", "text/plain"), "b.md": (b"# Hi\n\ntext", "text/markdown"),
        "c.csv": (b"k,v\na,1\nb,\n", "text/csv"), "e.xyz": (b"x", "application/octet-stream"),
        "f.exe": (b"MZ", "application/octet-stream"), "noext": (b"x", "text/plain"),
        "j.json": (b"{}", "application/json"), "u.txt": ("中文 é\n".encode(), "text/plain"),
        "y.yaml": (b"a: 1\n", "application/yaml"), "empty.txt": (b"", "text/plain"),
        "d.docx": (_docx(), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        "x.xlsx": (_xlsx(), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    }


def _docx() -> bytes:
    import zipfile

    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    paragraph, cell = "<w:p><w:r><w:t>{}</w:t></w:r></w:p>", "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"
    rows = "".join("<w:tr>" + "".join(cell.format(text) for text in row) + "</w:tr>" for row in ("AB", "12"))
    body = (paragraph.format("Head") + paragraph.format("Para one") + f"<w:tbl>{rows}</w:tbl>"
            + paragraph.format("After"))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as pack:
        pack.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
                      'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
                      'PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
                      'wordprocessingml.document.main+xml"/></Types>')
        pack.writestr("_rels/.rels", f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
                      f'Type="{office}/officeDocument" Target="word/document.xml"/></Relationships>')
        pack.writestr("word/document.xml", f'<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>')
    return made.getvalue()


def _xlsx() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    for row in (["n", "q"], ["apple", 1], ["pear", None]):
        book.active.append(row)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()
