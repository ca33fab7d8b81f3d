"""What people make of a transcript, and how it lies over what was recognised."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_daemon.itn import Normaliser
from asr_daemon.transcripts.correcting import (
    Block,
    CorrectionError,
    Place,
    in_force,
    with_join,
    with_speaker,
    with_split,
    with_text,
)
from asr_daemon.transcripts.placing import placed_anew
from asr_daemon.transcripts.transcript import Segment, Token
from asr_daemon.transcripts.writers.pieces import pieces


def said(*texts: str, per_char_ms: int = 100, from_ms: int = 0) -> list[Segment]:
    """Return segments as they are recognised, a token a character, a second's pause between them."""
    made, at_ms = [], from_ms
    for number, raw in enumerate(texts):
        tokens, start_ms = [], at_ms
        for character in raw:
            tokens.append(Token(character, at_ms, at_ms + per_char_ms))
            at_ms += per_char_ms
        written = Normaliser().normalise(raw)
        made.append(Segment(number, start_ms, at_ms, raw, written.text, tuple(tokens), spans=written.spans))
        at_ms += 1000
    return made


def texts(places: list[Place]) -> list[str]:
    """Return what is in force."""
    return [place.segment.text for place in places]


def test_text_is_replaced_and_its_words_keep_their_times() -> None:
    """王晓明 was 王小明: the names' characters stand where they were spoken, so do those around."""
    recognised = said("请王晓明发言", "谢谢大家")
    block = with_text(recognised, in_force(recognised, [])[0], "请王小明发言。")
    first, second = in_force(recognised, [block])
    assert (first.segment.text, second.segment.text) == ("请王小明发言。", "谢谢大家")
    assert first.segment.raw_text == "请王晓明发言"
    assert "corrected" in first.segment.flags
    spoken = {piece.text: (piece.start_ms, piece.end_ms) for piece in pieces(first.segment)}
    assert spoken["小"] == (200, 300)
    assert spoken["言。"] == (500, 600)


def test_written_number_stays_whole_where_it_was_not_touched() -> None:
    """A correction beside a date does not tear the date, nor move it."""
    recognised = said("会议在二零二五年三月十五日召开")
    assert "2025年3月15日" in recognised[0].text
    block = with_text(recognised, in_force(recognised, [])[0], "会议于2025年3月15日召开。")
    (place,) = in_force(recognised, [block])
    found = {piece.text: piece for piece in pieces(place.segment)}
    assert found["2025年3月15日"].start_ms == 300
    assert found["2025年3月15日"].end_ms == 1300
    assert found["于"].start_ms == 200


def test_segment_is_split_where_its_words_part() -> None:
    """Times and words of both halves are those that were spoken there."""
    recognised = said("今天开会明天放假")
    block = with_split(recognised, in_force(recognised, [])[0], 4)
    first, second = (place.segment for place in in_force(recognised, [block]))
    assert (first.text, first.raw_text, first.start_ms, first.end_ms) == ("今天开会", "今天开会", 0, 400)
    assert (second.text, second.raw_text, second.start_ms, second.end_ms) == (
        "明天放假",
        "明天放假",
        400,
        800,
    )
    assert [token.text for token in second.tokens] == list("明天放假")


def test_what_was_split_is_joined_with_its_neighbour() -> None:
    """The second half goes to the segment behind it; the first stays."""
    recognised = said("今天开会明天", "放假")
    split = with_split(recognised, in_force(recognised, [])[0], 4)
    places = in_force(recognised, [split])
    block = with_join(recognised, places[1], places[2])
    first, second = (place.segment for place in in_force(recognised, [block]))
    assert (first.text, second.text) == ("今天开会", "明天 放假")
    assert (second.start_ms, second.end_ms) == (400, recognised[1].end_ms)
    assert [token.text for token in second.tokens] == list("明天放假")


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        ("今天开会明天放假", 4),
        ("今天开会，明天放假", 5),
        ("用github来写", 4),
        ("say hello world", 9),
        ("say hello world", 7),
        ("共三百五十元整", 4),
        ("我们用GPU训练", 3),
    ],
)
def test_what_was_split_and_joined_again_is_as_it_was(raw: str, at: int) -> None:
    """No blank is left where none was, and none is lost between words; other segments are parted still."""
    recognised = said(raw, "散会")
    (one, _) = in_force(recognised, [])
    block = with_split(recognised, one, at)
    first, second, _ = in_force(recognised, [block])
    again = with_join(recognised, first, second)
    assert texts(in_force(recognised, [again])) == [recognised[0].text, "散会"]
    first, other = in_force(recognised, [again])
    both = with_join(recognised, first, other)
    assert texts(in_force(recognised, [both])) == [f"{recognised[0].text} 散会"]


def test_join_across_several_corrected_stretches_keeps_every_word() -> None:
    """Joined again and again, one segment is left with all that was said."""
    recognised = said("一共三人", "到了两人", "还差一人")
    places = in_force(recognised, [])
    block = with_join(recognised, places[0], places[1])
    block = with_text(recognised, in_force(recognised, [block])[0], "一共3人，到了2人")
    places = in_force(recognised, [block])
    assert texts(places) == ["一共3人，到了2人", recognised[2].text]
    block = with_join(recognised, places[0], places[1])
    (only,) = in_force(recognised, [block])
    assert only.segment.raw_text == "一共三人 到了两人 还差一人"
    assert (only.segment.start_ms, only.segment.end_ms) == (0, recognised[2].end_ms)


def test_speaker_is_said_by_a_person_and_taken_back() -> None:
    """The text stays as it was recognised, and is not called corrected."""
    recognised = said("大家好")
    block = with_speaker(recognised, in_force(recognised, [])[0], " 王\n主任\u202e ")
    (place,) = in_force(recognised, [block])
    assert place.segment.speaker == "王 主任"
    assert place.segment.flags == ()
    assert place.segment.spans == recognised[0].spans
    (back,) = in_force(recognised, [with_speaker(recognised, place, "")])
    assert back.segment.speaker == ""


def test_doubt_is_settled_by_whoever_wrote_the_text() -> None:
    """A text that a person wrote is not called a hallucination any more."""
    from dataclasses import replace  # noqa: PLC0415

    recognised = [replace(each, flags=("hallucination_suspected", "split")) for each in said("谢谢观看")]
    block = with_text(recognised, in_force(recognised, [])[0], "")
    (place,) = in_force(recognised, [block])
    assert (place.segment.text, place.segment.flags) == ("", ("split", "corrected"))


@pytest.mark.parametrize("at", [-1, 0, 4, 5, 99])
def test_no_segment_is_split_at_its_ends(at: int) -> None:
    """Nor outside of it: an empty half is nobody's wish."""
    recognised = said("今天开会")
    with pytest.raises(CorrectionError):
        with_split(recognised, in_force(recognised, [])[0], at)


def test_other_words_leave_a_correction_out() -> None:
    """Where something else is recognised now, that is shown, not what was written over other words."""
    recognised = said("请王晓明发言")
    block = with_text(recognised, in_force(recognised, [])[0], "请王小明发言。")
    assert texts(in_force(said("请王晓敏发言"), [block])) == ["请王晓敏发言"]


def test_correction_finds_its_words_after_another_recognition() -> None:
    """Another segment came in before them, the times moved: it lies over the same words."""
    recognised = said("今天开会", "请王晓明发言", "散会")
    block = with_text(recognised, in_force(recognised, [])[1], "请王小明发言。")
    again = said("喂", "今天开会", "请王晓明发言", "散会", per_char_ms=90)
    found = placed_anew(block, again)
    assert found is not None
    assert (found.first, found.last) == (2, 2)
    place = in_force(again, [found])[2]
    assert place.segment.text == "请王小明发言。"
    assert (place.segment.start_ms, place.segment.end_ms) == (again[2].start_ms, again[2].end_ms)
    assert placed_anew(block, said("今天开会", "请王晓敏发言")) is None


def test_same_words_elsewhere_are_not_the_same_place() -> None:
    """好 is said a hundred times: a correction of one goes to none that is not there."""
    recognised = said("好", "是", "好")
    block = with_text(recognised, in_force(recognised, [])[2], "很好")
    assert placed_anew(block, said("好", "是")) is None
    found = placed_anew(block, said("好", "是", "好"))
    assert found is not None
    assert found.first == 2


def test_joined_words_are_found_where_they_are_recognised_as_one() -> None:
    """Two segments that somebody joined are one after another recognition: the text lies over it."""
    recognised = said("今天开会", "明天放假")
    places = in_force(recognised, [])
    block = with_text(
        recognised, in_force(recognised, [with_join(recognised, *places)])[0], "今天开会，明天放假。"
    )
    again = said("今天开会明天放假", per_char_ms=200)
    found = placed_anew(block, again)
    assert found is not None
    assert texts(in_force(again, [found])) == ["今天开会，明天放假。"]


LETTERS = st.text(st.sampled_from("今天开会二零五年三月十点百分之 aB，。"), max_size=12)
STEPS = st.lists(
    st.tuples(st.sampled_from(("text", "split", "join")), st.integers(0, 5), LETTERS, st.integers(1, 12)),
    max_size=8,
)


@settings(max_examples=80, deadline=None)
@given(raws=st.lists(LETTERS.filter(str.strip), min_size=1, max_size=4), steps=STEPS)
def test_whatever_is_done_no_word_is_lost_and_time_runs_on(
    raws: list[str], steps: list[tuple[str, int, str, int]]
) -> None:
    """What was said is all there once, times never run back, and the pieces make up the text."""
    recognised = said(*raws)
    blocks: list[Block] = []
    for kind, number, text, at in steps:
        places = in_force(recognised, blocks)
        number %= len(places)  # noqa: PLW2901
        try:
            if kind == "text":
                made = with_text(recognised, places[number], text)
            elif kind == "split":
                made = with_split(recognised, places[number], at)
            elif number + 1 < len(places):
                made = with_join(recognised, places[number], places[number + 1])
            else:
                continue
        except CorrectionError:
            continue
        blocks = [each for each in blocks if each.last < made.first or each.first > made.last] + [made]
    places = in_force(recognised, blocks)
    bare = "".join("".join(raws).split())
    assert "".join("".join(place.segment.raw_text for place in places).split()) == bare
    last_ms = 0
    for place in places:
        segment = place.segment
        assert last_ms <= segment.start_ms <= segment.end_ms
        last_ms = segment.end_ms
        found = pieces(segment)
        assert "".join(piece.text for piece in found) == (segment.text if segment.text.strip() else "")
        assert all(one.end_ms <= other.start_ms for one, other in pairwise(found))
    for block in blocks:
        assert placed_anew(block, recognised) == block or len(set(raws)) < len(raws)
