"""What a job does where a provider is busy: it waits, and tries again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparrow.errors import SparrowError
from sparrow.messages import ModelError, ModelRateLimitError, ModelServerUnavailableError

PAUSES = (1.0, 3.0, 10.0, 30.0)  # seconds between the tries
LONGEST = 60.0


def busy(error: ModelError) -> float | None:
    """Return the seconds after which a provider that failed may work, 0 if it says none; None where it will not."""
    if isinstance(error, ModelRateLimitError | ModelServerUnavailableError):
        return error.retry_after or 0.0
    return None


def patiently(action: Callable[[], Any], rest: Callable[[float], None]) -> Any:
    """Return what an action returns; after an error that has `busy`, `rest` some seconds and try again."""
    for pause in PAUSES:
        try:
            return action()
        except SparrowError as error:
            wait = getattr(error, "busy", None)
            if wait is None:
                raise
            rest(min(max(wait, pause), LONGEST))
    return action()
