"""The clock of a machine without a battery for it, as early boot sets it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

STORAGE = Path(__file__).resolve().parents[3] / "rootfs/overlay/usr/libexec/sparrow/storage"
# `date`, on a clock that is a file: nobody may set this machine's.
DATE = """#!/bin/sh
case "$1" in +%s) cat "$CLOCK";; -s) echo "${2#@}" >"$CLOCK";; esac
"""


@pytest.mark.parametrize(("now", "expected"), [(0, 3000), (1500, 3000), (2500, 2500), (4000, 4000)])
def test_time_goes_on_from_what_was_written_last(tmp_path, now, expected):
    """The image is of 2000, the last write of 3000; a clock past the image's date has a battery and is believed."""
    (tmp_path / "date").write_text(DATE)
    (tmp_path / "date").chmod(0o755)
    (tmp_path / "data/db").mkdir(parents=True)
    for name, when in (("partitions", 2000), ("data/db/sparrow.db", 3000), ("data/db/old", 1000)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (when, when))
    (tmp_path / "clock").write_text(f"{now}\n")
    script = STORAGE.read_text().replace("/data/", f"{tmp_path}/data/")
    parts = [re.search(r"^no_earlier\(\) \{.*?^\}", script, re.M | re.S).group(),
             *re.findall(r"^\t(?:no_earlier|\[ \"\$battery\" = yes \]).*", script, re.M)]
    assert len(parts) == 3
    subprocess.run(["sh", "-u"], input="\n".join([f"partitions={tmp_path}/partitions", *parts]), text=True, check=False,
                   env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "CLOCK": str(tmp_path / "clock")})
    assert int((tmp_path / "clock").read_text()) == expected
