"""Answers read aloud by themselves: sound follows the answer in the same stream."""

from __future__ import annotations

import base64
import logging

from sparrow.apps import surroundings
from sparrow.apps.order import Turn

log = logging.getLogger(__name__)


def after(turn: Turn) -> None:
    """Send the sound of an answer in pieces, where the app's text to speech plays by itself.

    A voice is never worth a failed run: if it fails, the log says why and the stream ends as it would have.
    """
    feature = turn.definition.feature("text_to_speech")
    answer = (turn.live.result or {}).get("answer")
    if not turn.order.streaming or feature.get("autoPlay") != "enabled" or not answer or not answer.strip():
        return
    ref = surroundings.hub().default("tts")
    if ref is None:
        log.info("no sound for message %s: no text-to-speech model is set up", turn.message_id)
        return
    from sparrow.providers import speech

    try:
        for piece in speech.speak(surroundings.hub(), ref, answer, voice=feature.get("voice") or None):
            if turn.live.stopped.is_set():
                break
            turn.emit("tts_message", audio=base64.b64encode(piece).decode())
    except Exception as error:
        log.warning("no sound for message %s: %s", turn.message_id, error)
    turn.emit("tts_message_end", audio="")
