"""Speech in, speech out."""

from __future__ import annotations

from itertools import chain

import msgspec
from flask import Response, request

from sparrow.api.service import service, shapes
from sparrow.api.service.who import app, end_user
from sparrow.apps import failure, message, prepared, surroundings
from sparrow.errors import BadRequest, SparrowError
from sparrow.messages import ModelError, ModelRef

TAG = "audio"
_TYPES = ("mp3", "mp4", "mpeg", "mpga", "m4a", "wav", "webm", "amr")
_MAX_BYTES = 30 << 20


class AudioForm(msgspec.Struct):
    """Who speaks."""

    user: str | None = None


class TextToAudioPayload(msgspec.Struct):
    """What is to be said: a message's answer, or a text."""

    message_id: str | None = None
    text: str | None = None
    voice: str | None = None
    user: str | None = None
    streaming: bool | None = None


@service.post("/audio-to-text", files=("file",), tag=TAG)
def audio_to_text(form: AudioForm) -> shapes.Text:
    """Write down what is said in a recording."""
    end_user(form.user, required=False)
    return heard(prepared.published(app()))


@service.post("/text-to-audio", tag=TAG)
def text_to_audio(body: TextToAudioPayload) -> Response:
    """Say a text."""
    user = end_user(body.user, required=False)
    definition, text = prepared.published(app()), body.text
    if body.message_id:
        text = message.get(app().id, body.message_id, user.id).answer
    return said(definition, text, body.voice)


def heard(definition: prepared.Definition) -> shapes.Text:
    """Return what is said in the recording that this request carries, if the app listens."""
    from sparrow.providers import speech

    part = request.files.get("file")
    if part is None:
        raise BadRequest("The browser (or proxy) sent a request that this server could not understand.",
                         code="bad_request_key_error")
    if not definition.feature("speech_to_text"):
        raise BadRequest("Speech to text is not enabled", code="speech_to_text_disabled")
    name = part.filename or "audio.mp3"
    if name.rpartition(".")[2].lower() not in _TYPES and not (part.mimetype or "").startswith("audio/"):
        raise SparrowError(f"Audio type not allowed: only {', '.join(_TYPES)}", code="unsupported_audio_type",
                           status=415)
    content = part.stream.read(_MAX_BYTES + 1)
    if not content:
        raise BadRequest("Please upload your audio.", code="no_audio_uploaded")
    if len(content) > _MAX_BYTES:
        raise SparrowError("Audio size larger than 30 MB", code="audio_too_large", status=413)
    ref = _default("speech2text", "provider_not_support_speech_to_text", "No speech-to-text model is set up.")
    try:
        return {"text": speech.transcribe(surroundings.hub(), ref, content, name,
                                          mime_type=part.mimetype or "audio/mpeg")}
    except ModelError as error:
        raise _refused(error) from error


def said(definition: prepared.Definition, text: str | None, voice: str | None = None) -> Response:
    """Return a text as sound, if the app speaks."""
    from sparrow.providers import speech

    feature = definition.feature("text_to_speech")
    if not feature:
        raise BadRequest("TTS is not enabled")
    if not text or not text.strip():
        raise BadRequest("text is required")
    ref = _default("tts", "provider_not_initialize", "No text-to-speech model is set up.")
    pieces = speech.speak(surroundings.hub(), ref, text, voice=voice or feature.get("voice") or None)
    try:
        first = next(pieces, b"")  # a refusal shows before the reply has begun
    except ModelError as error:
        raise _refused(error) from error
    return Response(chain([first], pieces), content_type="audio/mpeg")


def _default(kind: str, code: str, text: str) -> ModelRef:
    ref = surroundings.hub().default(kind)
    if ref is None:
        raise BadRequest(text, code=code)
    return ref


def _refused(error: ModelError) -> SparrowError:
    found = failure.describe(error)
    return SparrowError(found["message"], code=found["code"], status=found["status"])
