"""Time: one place to ask it, so that tests can set it."""

import time


def now() -> float:
    """Return Unix time in seconds. Rows store it as a float; the API shows whole seconds."""
    return time.time()


def monotonic() -> float:
    """Return seconds of a clock that never goes back; for durations and deadlines."""
    return time.monotonic()
