"""A transcript in OpenAI's shapes.

Enters: what the daemon told. Leaves: bodies and events; times in seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse, PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from asr_daemon.control.messages import Transcribed
    from asr_daemon.gateway.openai.wanted import Wanted

ONE_SPEAKER = "A"  # where nobody told the voices apart
DONE = b"data: [DONE]\n\n"
STILL_HERE = b": waiting\n\n"  # a comment, for proxies that end what says nothing


@dataclass(frozen=True, slots=True)
class Told:
    """A transcript as the parts that the shapes are made of."""

    text: str
    rendered: str
    language: str
    duration_s: float
    segments: tuple[dict[str, Any], ...]  # those with a text, as in ``NAME.json``

    @classmethod
    def of(cls, whole: Transcribed) -> Told:
        """Return the daemon's answer in parts."""
        tree = json.loads(whole.json)
        language = str(tree["profile"].get("language", "zh"))
        return cls(
            whole.text,
            whole.rendered,
            "zh" if language == "auto" else language,
            tree["audio"]["duration_ms"] / 1000,
            tuple(segment for segment in tree["segments"] if segment["text"].strip()),
        )


def answer(told: Told, wanted: Wanted) -> Response:
    """Return the body of the format that is asked for."""
    usage = {"type": "duration", "seconds": told.duration_s}
    match wanted.format:
        case "text":
            return PlainTextResponse(f"{told.text}\n")
        case "srt":
            return PlainTextResponse(told.rendered, media_type="application/x-subrip")
        case "vtt":
            return PlainTextResponse(told.rendered, media_type="text/vtt")
        case "verbose_json":
            return JSONResponse({**_verbose(told, wanted), "usage": usage})
        case "diarized_json":
            return JSONResponse(
                {
                    "task": "transcribe",
                    "duration": told.duration_s,
                    "text": told.text,
                    "segments": [*_diarized(told)],
                    "usage": usage,
                }
            )
    return JSONResponse({"text": told.text, "usage": usage})


def _verbose(told: Told, wanted: Wanted) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "task": "transcribe",
        "language": told.language,
        "duration": told.duration_s,
        "text": told.text,
    }
    if "segment" in wanted.granularities:
        tree["segments"] = [
            {
                "id": number,
                "seek": 0,
                "start": segment["start_ms"] / 1000,
                "end": segment["end_ms"] / 1000,
                "text": segment["text"],
                # What Whisper's decoder says of itself, and no recogniser here; its client wants them all.
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": 0.0,
                "compression_ratio": 1.0,
                "no_speech_prob": 0.0,
            }
            for number, segment in enumerate(told.segments)
        ]
    if "word" in wanted.granularities:
        tree["words"] = [
            {"word": token["text"], "start": token["start_ms"] / 1000, "end": token["end_ms"] / 1000}
            for segment in told.segments
            for token in segment["tokens"]
        ]
    return tree


def _diarized(told: Told) -> Iterator[dict[str, Any]]:
    for number, segment in enumerate(told.segments):
        yield {
            "type": "transcript.text.segment",
            "id": f"s{number}",
            "start": segment["start_ms"] / 1000,
            "end": segment["end_ms"] / 1000,
            "speaker": str(segment.get("speaker") or ONE_SPEAKER),
            "text": segment["text"],
        }


def delta(text: str) -> bytes:
    """Return the event of a piece of text, which is appended to what came before."""
    return event({"type": "transcript.text.delta", "delta": text})


def last_events(told: Told, wanted: Wanted) -> Iterator[bytes]:
    """Yield what ends a stream: who spoke is known at the end alone."""
    if wanted.format == "diarized_json":
        yield from map(event, _diarized(told))
    usage = {"type": "duration", "seconds": told.duration_s}
    yield event({"type": "transcript.text.done", "text": told.text, "usage": usage})
    yield DONE


def event(tree: dict[str, Any]) -> bytes:
    """Return one event."""
    return b"data: " + json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"
