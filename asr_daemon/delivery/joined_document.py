"""From the parts of one recording in the history to the document that is written of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from asr_daemon.clock import from_stamp
from asr_daemon.history.in_force import transcript_in_force
from asr_daemon.history.states import JobState
from asr_daemon.transcripts.joined import joined
from asr_daemon.transcripts.part_order import MOST_MISSING
from asr_daemon.transcripts.writers import Document
from asr_daemon.transcripts.writers.document import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asr_daemon.history import History
    from asr_daemon.history.parts import Kin
    from asr_daemon.history.recordings import Recordings, Work
    from asr_daemon.transcripts.part_names import PartName
    from asr_daemon.transcripts.part_order import Run
    from asr_daemon.transcripts.writers import WordLook


def document_of_run(
    history: History, recordings: Recordings, run: Run, whole: Sequence[Kin], word: WordLook
) -> Document | None:
    """Return what every writer reads; None where no recording has its text any more."""
    parts: list[Part] = []
    works: list[Work] = []
    number = 0
    for each, missing in zip(whole, _missing(run), strict=True):
        number += 1 + len(missing)
        filed = None if each.problem else recordings.get(each.id)
        transcript, problem = None, each.problem or "waiting"
        if filed is not None and filed.work is not None and filed.work.state is JobState.DONE:
            transcript, problem = transcript_in_force(history, filed), ""
            works.append(filed.work)
        parts.append(Part(number, each.name, each.member.sha256, 0, transcript, problem, missing))
    if not works:
        return None
    transcript, placed = joined(parts)
    return Document(
        transcript=transcript,
        name=f"{whole[0].name} 等 {len(whole)} 个录音",
        sha256=hashlib.sha256("".join(each.member.sha256 for each in whole).encode()).hexdigest(),
        profile=works[0].profile,
        recognised_at=from_stamp(max(each.finished_at for each in works)).astimezone(),
        word=word,
        parts=placed,
    )


def _missing(run: Run) -> Iterator[tuple[str, ...]]:
    """Yield the names of the parts that are missing before each."""
    counts = [_missing_before(run.members[0].name), *run.missing[1:]]
    for member, count in zip(run.members, counts, strict=True):
        number = member.name.number or 0
        yield tuple(member.name.named(each) for each in range(number - count, number))


def _missing_before(first: PartName) -> int:
    """Return how many parts are missing before the first one, where its name says that it is a part."""
    begins_with = 0 if first.family.startswith("gopr/") else 1
    count = (first.number or 0) - begins_with
    return count if first.is_explicit and 0 < count <= MOST_MISSING else 0
