"""The tests of knowledge in the box's own root: its C library, Python and wheels, what is not on it (fonts, codecs)."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from .builder import ORDINARY, TOP, Build

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(3600)]

#: pytest and what it imports, all of it Python.
RUNNER = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments", "pytest_timeout")

#: What is compared with packages that the image was made of and does not hold.
ELSEWHERE = ("test_bilingual.py::test_what_programs_say_goes_before_the_dictionary",
             "test_documents.py::test_the_embedded_model_is_the_packages_own")


def test_the_tests_of_knowledge_pass_on_the_box(tmp_path):
    site = tmp_path / "site"
    for name in RUNNER:
        origin = Path(importlib.util.find_spec(name).origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, site / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, site)
    here = tmp_path / "sparrow"
    shutil.copytree(TOP / "tests", here / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE", "supervisord.conf"):
        shutil.copy(TOP / name, here)
    done = subprocess.run(
        Build(ORDINARY).command("shell", "--data", str(tmp_path), "sh", "-c",
                           "cd /data/sparrow && PYTHONPATH=/data/site:. SPARROW_DEV=1 OPENBLAS_NUM_THREADS=1 "
                           "python3 -m pytest -q -p pytest_timeout -p no:cacheprovider tests/knowledge "
                           + " ".join(f"--deselect tests/knowledge/{name}" for name in ELSEWHERE)),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
    assert int(done.stdout.rpartition(" passed")[0].split()[-1]) > 400
