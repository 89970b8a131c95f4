"""A chat model that a job asks, from several threads: ended at once with the job, and never longer than it should."""

from __future__ import annotations

import re
import threading
from typing import Any

from sparrow import clock
from sparrow.errors import BadRequest
from sparrow.messages import Message, ModelRef

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.S)


class AnswerError(BadRequest):
    """A model's answer is of no use; the message says why."""

    code = "answer_unusable"


class Stopped(Exception):
    """The job was paused or ended while the model was asked."""


def plain(text: str) -> str:
    """Return a reply without the model's thoughts and without what cannot be stored."""
    return _THOUGHT.sub("", text).strip().replace("\x00", "").encode("utf-8", "replace").decode()


class Asker:
    """Asks one model. `key` names it."""

    def __init__(self, ref: ModelRef):
        self._ref = ref
        self.key = f"{ref.provider}/{ref.name}"[:255]
        self._stopped = threading.Event()
        self._streams: set[Any] = set()

    def stop(self) -> None:
        """End all requests at once."""
        self._stopped.set()
        for stream in list(self._streams):
            stream.close()

    def rest(self, seconds: float) -> None:
        """Wait, unless the job ends; raise Stopped then."""
        if self._stopped.wait(seconds):
            raise Stopped

    def ask(self, question: list[Message], until: float, longest: int) -> tuple[str, bool]:
        """Return a reply without the model's thoughts, and whether it is whole; raise ModelError, AnswerError, Stopped.

        `until` is a moment of the monotonic clock, `longest` a number of characters.
        """
        from sparrow.providers.store import hub

        began = clock.monotonic()
        stream = hub().chat(self._ref, question, parameters={"temperature": 0})
        self._streams.add(stream)
        late = threading.Timer(max(until - began, 0.1), stream.close)
        late.daemon = True
        late.start()
        pieces, length, finish = [], 0, None
        try:
            for chunk in () if self._stopped.is_set() else stream:
                pieces.append(chunk.text)
                length += len(chunk.text)
                finish = chunk.finish_reason or finish
                if length > longest:
                    raise AnswerError(f"The model wrote more than {longest} characters.")
        finally:
            late.cancel()
            self._streams.discard(stream)
            stream.close()
        if self._stopped.is_set():
            raise Stopped
        if clock.monotonic() >= until:
            raise AnswerError(f"The model did not finish within {until - began:.0f} seconds.")
        return plain("".join(pieces)), finish != "length"
