"""What a person finds in ``NAME.转写失败.txt``."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from asr_daemon.errors import JobError
from asr_daemon.transcripts.writers.failure import render_failure

AT = datetime(2026, 3, 15, 9, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize("kind", [JobError, *JobError.__subclasses__()])
def test_each_failure_says_what_and_what_to_do(kind: type[JobError]) -> None:
    """Every class of failure names the recording, the reason, the remedy, and how to ask for another try."""
    text = render_failure("会议.m4a", kind("moov atom not found"), AT)
    assert "“会议.m4a”" in text
    assert f"原因：{kind.chinese}" in text
    assert f"怎么办：{kind.remedy}" in text
    assert "删除这个说明文件" in text
    assert text.endswith(f"2026-03-15 09:30\nFor the administrator ({kind.code}): moov atom not found\n")


def test_evidence_of_many_lines_stays_one_line() -> None:
    """An error's message cannot break the page, nor can a name."""
    text = render_failure("a\nb\udcff.wav", JobError("first\nsecond\udcff"), AT)
    assert "“a\ufffdb\ufffd.wav”" in text
    assert text.splitlines()[-1].startswith("For the administrator (failed): first")
    text.encode()
