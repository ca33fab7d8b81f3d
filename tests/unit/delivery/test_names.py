"""What outputs are called: N recordings get N names of each kind, each of which a file system takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from asr_daemon.delivery.names import FAILURE_SUFFIX, NAME_BYTES, output_paths, same_name_key

if TYPE_CHECKING:
    from collections.abc import Collection


def output_path(recording: Path, suffix: str, taken: Collection[Path]) -> Path:
    """Return the name of an output of one kind."""
    return output_paths(recording, {"it": suffix}, lambda _, path: path not in taken)["it"]


def name_all(names: list[str], suffix: str = ".txt") -> list[str]:
    """Return the output names of recordings in one folder, one after the other."""
    taken: list[Path] = []
    for name in names:
        taken.append(output_path(Path("/in") / name, suffix, taken))
    return [path.name for path in taken]


def test_a_second_recording_of_the_name_keeps_its_full_name() -> None:
    """``a.wav`` and ``a.mp3`` do not share a transcript; whoever comes third gets a number."""
    assert name_all(["a.wav", "a.mp3", "b.wav"]) == ["a.txt", "a.mp3.txt", "b.txt"]
    taken = {Path("/in/a.txt"), Path("/in/a.wav.txt"), Path("/in/a.wav.2.txt")}
    assert output_path(Path("/in/a.wav"), ".txt", taken).name == "a.wav.3.txt"


def test_all_formats_of_a_recording_have_one_stem() -> None:
    """Where one of the names is taken, all go to the next: nobody has to guess which belong together."""
    suffixes = {"txt": ".txt", "srt": ".srt"}
    taken = {Path("/in/a.srt"), Path("/in/a.wav.txt")}
    paths = output_paths(Path("/in/a.wav"), suffixes, lambda _, path: path not in taken)
    assert {kind: path.name for kind, path in paths.items()} == {"txt": "a.wav.2.txt", "srt": "a.wav.2.srt"}


def test_failure_files_follow_the_same_rule() -> None:
    """A failure file does not hide another recording's."""
    taken = {Path("/in/a.转写失败.txt")}
    assert output_path(Path("/in/a.wav"), FAILURE_SUFFIX, ()).name == "a.转写失败.txt"
    assert output_path(Path("/in/a.wav"), FAILURE_SUFFIX, taken).name == "a.wav.转写失败.txt"


def test_names_too_long_are_cut_between_characters() -> None:
    """A name of 255 bytes leaves no room for a longer suffix: it is cut and gets a hash."""
    recording = Path("/in") / ("录" * 83 + "ab.wav")
    assert len(os.fsencode(recording.name)) == 255
    assert output_path(recording, ".txt", ()).name == "录" * 83 + "ab.txt"
    failure = output_path(recording, FAILURE_SUFFIX, ()).name
    assert len(os.fsencode(failure)) <= NAME_BYTES
    assert failure.endswith(".转写失败.txt")
    failure.encode()  # whole characters only
    assert output_path(Path("/in") / ("录" * 83 + "ac.wav"), FAILURE_SUFFIX, ()).name != failure


RAW_NAMES = st.binary(min_size=1, max_size=251).filter(lambda raw: b"/" not in raw and b"\0" not in raw)


@given(
    st.lists(
        st.tuples(RAW_NAMES, st.sampled_from([b".wav", b".mp3", b".WAV"])),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_every_recording_gets_a_name_of_its_own(raw: list[tuple[bytes, bytes]]) -> None:
    """Whatever bytes the names are of: as many outputs as recordings, none too long, all distinct."""
    names = [os.fsdecode(stem + suffix) for stem, suffix in raw]
    for suffix in (".txt", ".转写失败.txt"):
        outputs = name_all(names, suffix)
        assert len(set(outputs)) == len(names)
        assert all(len(os.fsencode(output)) <= NAME_BYTES for output in outputs)
        assert all(output.endswith(suffix) and "/" not in output for output in outputs)


def test_windows_sees_one_file_where_linux_sees_two() -> None:
    """Names that differ in case or composition only have one key."""
    assert same_name_key(Path("/in/A.TXT")) == same_name_key(Path("/in/a.txt"))
    assert same_name_key(Path("/in/é.txt")) == same_name_key(Path("/in/e\u0301.txt"))
    assert same_name_key(Path("/in/a.txt")) != same_name_key(Path("/in/b.txt"))
