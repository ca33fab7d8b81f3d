"""Word files that the history does not know (it was lost, or restored): ours, or somebody's."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import docx

from asr_daemon.delivery import known
from asr_daemon.delivery.known import is_same_but_for_time
from asr_daemon.transcripts.profile import Profile
from asr_daemon.transcripts.transcript import Segment, Transcript
from asr_daemon.transcripts.writers import Document, rendered

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TRANSCRIPT = Transcript(
    60_000, (Segment(0, 0, 3000, "大家好", "大家好。"),), "paraformer-zh", model_is_builtin=False
)
MADE = Document(
    TRANSCRIPT, "会议.m4a", "ab" * 32, Profile("m"), datetime(2026, 3, 15, 9, 30, tzinfo=timezone.utc)
)


def lies_there(folder: Path, content: bytes) -> bool:
    """Return whether that is what is about to be written, but for its time."""
    path = folder / "会议.docx"
    path.write_bytes(content)
    later = replace(MADE, recognised_at=datetime(2027, 12, 31, 23, 59, tzinfo=timezone.utc))
    return is_same_but_for_time(path, folder, rendered(later, "docx"))


def test_another_time_makes_no_other_file(tmp_path: Path) -> None:
    """It is taken over, and not written a second time beside itself."""
    assert lies_there(tmp_path, rendered(MADE, "docx"))


def test_what_a_person_edited_is_theirs(tmp_path: Path) -> None:
    """A word is enough."""
    file = docx.Document(io.BytesIO(rendered(MADE, "docx")))
    file.paragraphs[-1].runs[0].text = "大家早。"
    saved = io.BytesIO()
    file.save(saved)
    assert not lies_there(tmp_path, saved.getvalue())
    spoken = replace(TRANSCRIPT, segments=(Segment(0, 0, 3000, "大家早", "大家早。"),))
    assert not lies_there(tmp_path, rendered(replace(MADE, transcript=spoken), "docx"))


def test_what_is_no_word_file_is_somebodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes into the share may put anything there; nothing is unpacked without a bound."""
    ours = rendered(MADE, "docx")
    without = io.BytesIO()
    with zipfile.ZipFile(without, "w") as parts:
        parts.writestr("word/other.xml", "x")
    for content in (b"", b"PK", ours[:-30], ours[:200] + bytes(300) + ours[500:], without.getvalue()):
        assert not lies_there(tmp_path, content)
    monkeypatch.setattr(known, "MOST_UNPACKED_BYTES", 1000)
    assert not lies_there(tmp_path, ours)
