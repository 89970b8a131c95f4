"""What tests of the booted image share with those of the console: the browser, the manuals, the model."""

from tests.web.conftest import browser, excerpts, llama  # noqa: F401
