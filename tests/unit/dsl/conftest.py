"""The public app files that the tests of the format read."""

from pathlib import Path

import pytest

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"


def files() -> list[Path]:
    """Return every app file of the corpus: public exports and the golden cases."""
    return sorted(CORPUS.glob("dify-apps/*.yml")) + sorted(CORPUS.glob("dify-golden/cases/*/app.yml"))


def pytest_generate_tests(metafunc):
    """Give tests with an `app_file` argument one case a file."""
    if "app_file" in metafunc.fixturenames:
        found = files() or [pytest.param(None, marks=pytest.mark.skip(reason="the corpus is not here"))]
        names = [f"{path.parent.name}/{path.name}" if isinstance(path, Path) else "none" for path in found]
        metafunc.parametrize("app_file", found, ids=names)
