"""Annotations at the console: CSV in and out, and the switch that keeps its settings."""

from __future__ import annotations

import io

import pytest


@pytest.fixture
def path(admin) -> str:
    """The path of a chat app's annotations, and of what belongs to them."""
    return f"/apps/{admin.post('/apps', json={'name': '问答', 'mode': 'chat'}).json['id']}"


def bring(admin, path: str, data: bytes):
    return admin.post(f"{path}/annotations/import", data={"file": (io.BytesIO(data), "a.csv")},
                      content_type="multipart/form-data")


def test_csv_goes_in_and_comes_out(admin, path):
    text = 'question,answer\r\n"When, exactly?","At ""nine"""\r\n营业时间？,"周一至周五\n9:00"\r\n'
    assert bring(admin, path, text.encode("utf-8-sig")).json == {"added": 2}
    assert {row["question"]: row["answer"] for row in admin.get(f"{path}/annotations").json["data"]} == {
        "When, exactly?": 'At "nine"', "营业时间？": "周一至周五\n9:00"}
    out = admin.get(f"{path}/annotations/export")
    assert out.mimetype == "text/csv"
    assert out.data.startswith(b"\xef\xbb\xbf")
    other = f"/apps/{admin.post('/apps', json={'name': 'b', 'mode': 'chat'}).json['id']}"
    assert bring(admin, other, out.data).json == {"added": 2}
    assert admin.get(f"{other}/annotations/export").data == out.data


def test_rows_without_a_head_and_in_another_coding(admin, path):
    assert bring(admin, path, "地址？;世纪大道;x\n\n".encode("gb18030")).json == {"added": 1}
    assert admin.get(f"{path}/annotations").json["data"][0]["answer"] == "世纪大道"


@pytest.mark.parametrize(("data", "said"), [
    (b"question,answer\na,b\nc,\n", "Row 3: question and answer must not be empty"),
    (b"question,answer\n", "The file has no rows."),
    (b"", "The file has no rows."),
    (b'a,"b', "The file is not CSV"),
    (b"a,b\n" * 2001, "The file has more than 2000 rows."),
])
def test_a_bad_file_adds_nothing(admin, path, data, said):
    refused = bring(admin, path, data)
    assert refused.status_code == 400
    assert refused.json["message"].startswith(said)
    assert admin.get(f"{path}/annotations").json["total"] == 0


def test_switch_keeps_its_settings(admin, path):
    shown = f"{path}/annotation-reply"
    assert admin.get(shown).json["enabled"] is False
    assert admin.post(f"{shown}/enable", json={"score_threshold": 0.75}).status_code == 200
    assert admin.get(shown).json == {"enabled": True, "score_threshold": 0.75, "embedding_provider_name": "",
                                     "embedding_model_name": ""}
    assert admin.post(f"{shown}/disable").status_code == 200
    assert admin.get(shown).json["enabled"] is False
    assert admin.get(shown).json["score_threshold"] == 0.75
