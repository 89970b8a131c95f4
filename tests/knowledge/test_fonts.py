"""PDFs that name Chinese fonts without holding them, on a machine that has no fonts, as the box."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from sparrow.knowledge.parse.blocks import TAGS, Block

from .test_columns import page

TEXT = "泵的压力传感器每四小时检查一次。"
# Hides what pdfium looks into, then becomes the parser.
BARE = """for folder in /usr/share/fonts /usr/share/X11/fonts /usr/local/share/fonts; do
[ -d "$folder" ] && { mount -t tmpfs none "$folder" || exit 77; }
done
exec "$@"
"""


@pytest.mark.parametrize("drawn", ["line by line", "letter by letter"])
def test_letters_of_a_font_that_is_not_there_are_read(tmp_path, drawn):
    items = [(50.0, 700.0, TEXT)] if drawn == "line by line" \
        else [(50.0 + 8 * at, 700.0, letter) for at, letter in enumerate(TEXT)]
    path = tmp_path / "a.pdf"
    path.write_bytes(page(items))
    unshare = shutil.which("unshare") or pytest.skip("unshare is not installed")
    done = subprocess.run(
        [unshare, "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", BARE, "sh",
         sys.executable, "-m", "sparrow.knowledge.parse.child", str(path), "a.pdf", ""],
        capture_output=True, check=False, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "app")})
    if done.returncode in (1, 77) and not done.stdout:
        pytest.skip(f"this machine allows no mounts of its own: {done.stderr.decode()[-200:]}")
    events = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    blocks = [msgspec.convert(event, Block) for tag, event in events if tag == TAGS[Block]]
    assert "".join(block.text for block in blocks).replace("\n", "") == TEXT
