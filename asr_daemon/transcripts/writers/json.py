"""``NAME.json``: everything that is known, for programs; schema 1.

Fields may be added within a schema; none is renamed, removed or given another meaning. (Once it was
otherwise: ``profile`` held the hotword list itself, which not everybody may know who reads the share.)
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from asr_daemon.transcripts.writers.document import printable

if TYPE_CHECKING:
    from asr_daemon.transcripts.profile import Profile
    from asr_daemon.transcripts.transcript import Segment
    from asr_daemon.transcripts.writers.document import Document, Part

SCHEMA = 1


def render(document: Document) -> str:
    """Return the document as JSON, a segment a line; times in ms, offsets in characters (code points).

    Where it is of several recordings, ``parts`` says which, and from when on; ``audio.sha256`` is then that
    of their contents' digests.
    """
    transcript = document.transcript
    head: dict[str, Any] = {
        "schema": SCHEMA,
        "audio": {
            "name": printable(document.name),
            "sha256": document.sha256,
            "duration_ms": transcript.duration_ms,
        },
        "recognised_at": document.recognised_at.isoformat(timespec="seconds"),
        "model": {"label": transcript.model, "builtin": transcript.model_is_builtin},
        "profile": _profile(document.profile),
        "hotwords_sha256": document.profile.hotwords_digest,
        "flags": list(transcript.flags),
        "speakers": [
            {
                "number": one.number,
                "name": one.name,
                "speaking_ms": one.speech_ms,
                "enrolled": one.is_enrolled,
            }
            for one in transcript.speakers
        ],
    }
    if document.parts:
        head["parts"] = [each for part in document.parts for each in _part(part)]
    fields = [f" {_dump(key)}: {_dump(value)}" for key, value in head.items()]
    segments = ",\n".join(f"  {_dump(_segment(segment))}" for segment in transcript.segments)
    fields.append(f' "segments": [\n{segments}\n ]' if segments else ' "segments": []')
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _profile(profile: Profile) -> dict[str, Any]:
    """Return the profile; of its hotword list no more than the digest is told to whoever reads the share."""
    fields = asdict(profile)
    for name in ("hotwords", "replacements", "list_sha256"):
        del fields[name]
    return fields


def _part(part: Part) -> list[dict[str, Any]]:
    """Return a part, and before it those that are missing."""
    first = part.number - len(part.missing)
    missing = [
        {"number": number, "name": printable(name) or None, "problem": "missing"}
        for number, name in enumerate(part.missing, first)
    ]
    told = {
        "number": part.number,
        "name": printable(part.name),
        "sha256": part.sha256,
        "start_ms": part.start_ms,
        "duration_ms": part.transcript.duration_ms if part.transcript else None,
        "problem": part.problem or None,
    }
    return [*missing, told]


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "start_ms": segment.start_ms,
        "end_ms": segment.end_ms,
        "raw_text": segment.raw_text,
        "text": segment.text,
        "speaker": segment.speaker or None,
        "tokens": [asdict(token) for token in segment.tokens],
        "spans": [asdict(span) for span in segment.spans],
        "corrections": [asdict(correction) for correction in segment.corrections],
        "hotwords_hit": list(segment.hotwords_hit),
        "flags": list(segment.flags),
    }
