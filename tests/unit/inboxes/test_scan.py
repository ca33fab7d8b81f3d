"""Which files of a folder are taken for recordings, and that a scan never leaves the folder."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from asr_daemon.errors import InboxGoneError
from asr_daemon.files.temporary import hold, new_temporary_name, remove_stale_temporary, sweep
from asr_daemon.inboxes.candidate import Candidate, is_candidate, is_told_by_name, look_at
from asr_daemon.inboxes.scan import is_inside, scan
from asr_daemon.inboxes.seen import SeenFiles


def names(folder: Path, *, recursive: bool = True) -> set[str]:
    """Return the candidates' paths relative to the folder."""
    return {str(found.path.relative_to(folder)) for found in scan(folder, recursive=recursive)}


@pytest.mark.parametrize(
    "name",
    [
        "a.wav",
        "会议.M4A",
        "x.Mp3",
        "a b.FLAC",
        "-rf.ogg",
        "a\nb.opus",
        "a.amr",
        "v.MP4",
        "v.mkv",
        "b.wma",
        "a.b.webm",
        "$5000 报价.wav",
        "~.wav",
        "#1.wav",
    ],
)
def test_sound_and_video_files_are_candidates(name: str) -> None:
    """A recording is known by its suffix, in any case, whatever precedes it."""
    assert is_candidate(name)


@pytest.mark.parametrize(
    "name",
    [
        *("a.txt", "a.srt", "a.mp3.txt", "a.转写失败.txt", "a.json", "a.vtt", ".wav", "notes.docx"),
        *("a.wav.part", "a.wav.tmp", "~$a.wav", ".syncthing.a.wav.tmp", "~syncthing~a.wav", ".a.wav.Xy12ab"),
        *("._a.wav", ".a.wav", "a.wav.crdownload", "Thumbs.db", ".DS_Store", "desktop.ini"),
    ],
)
def test_outputs_temporaries_and_junk_are_no_candidates(name: str) -> None:
    """Nothing that this program, a copying program or a NAS leaves lying about is transcribed."""
    assert not is_candidate(name)


def test_what_a_name_does_not_tell_is_to_be_looked_into() -> None:
    """No suffix, one of nobody's, one that means several things."""
    names = ("wav", "a.xyz", "a.ts", "REC1", "a.wav.bak")
    assert [is_candidate(name) for name in names] == [True] * len(names)
    assert [is_told_by_name(name) for name in names] == [False] * len(names)
    assert is_told_by_name("a.WAV")


def test_scan_descends_only_where_it_is_told(tmp_path: Path) -> None:
    """Sub-folders count when the inbox is recursive, a NAS's own folders never."""
    for folder in (
        "sub/deeper",
        "@eaDir",
        "#recycle",
        ".snapshot",
        "sub/@eaDir",
        "$RECYCLE.BIN",
        "lost+found",
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "r.wav").write_bytes(b"x")
    (tmp_path / "top.wav").write_bytes(b"x")
    assert names(tmp_path) == {"top.wav", "sub/deeper/r.wav"}
    assert names(tmp_path, recursive=False) == {"top.wav"}


def test_strange_names_come_out_as_they_are(tmp_path: Path) -> None:
    """Newlines, dashes, 255 bytes, invalid UTF-8, composed and decomposed twins: each is a candidate."""
    raw = [
        *(b"a\nb.wav", b"-rf.wav", b" .wav", "é.wav".encode(), "e\u0301.wav".encode(), b"A.wav", b"a.wav"),
        *(b"\xff\xfe.wav", "录".encode() * 83 + b"ab.wav", b"x" * 251 + b".wav", b"*?[.wav", b"\\.wav"),
    ]
    for name in raw:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    found = list(scan(tmp_path, recursive=True))
    assert sorted(os.fsencode(candidate.path.name) for candidate in found) == sorted(raw)
    assert all(look_at(candidate.path) == candidate for candidate in found)


def test_only_regular_files_are_candidates(tmp_path: Path) -> None:
    """Links, folders, FIFOs and sockets named like recordings are passed over; a hard link is a file."""
    real = tmp_path / "real.wav"
    real.write_bytes(b"x")
    (tmp_path / "link.wav").symlink_to(real)
    (tmp_path / "dangling.wav").symlink_to("nowhere")
    os.link(real, tmp_path / "hard.wav")
    os.mkfifo(tmp_path / "fifo.wav")
    (tmp_path / "folder.wav").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.wav"))
        assert names(tmp_path) == {"real.wav", "hard.wav"}
        for other in ("link.wav", "dangling.wav", "fifo.wav", "folder.wav", "s.wav", "absent.wav"):
            assert look_at(tmp_path / other) is None


def test_linked_folders_are_not_entered(tmp_path: Path) -> None:
    """A link to a folder outside shows nothing of it."""
    inbox, outside = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    outside.mkdir()
    (outside / "secret.wav").write_bytes(b"x")
    (inbox / "link").symlink_to(outside)
    assert names(inbox) == set()


def test_folder_that_becomes_a_link_during_a_scan_is_refused(tmp_path: Path) -> None:
    """A folder that was one when its parent was read, and is a link when its turn comes, is reported."""
    inbox, outside = tmp_path / "in", tmp_path / "out"
    (inbox / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.wav").write_bytes(b"x")
    (inbox / "top.wav").write_bytes(b"x")
    problems: list[Path] = []
    scanning = scan(inbox, recursive=True, on_problem=lambda path, _: problems.append(path))
    assert next(scanning).path.name == "top.wav"
    (inbox / "sub").rmdir()
    (inbox / "sub").symlink_to(outside)
    assert list(scanning) == []
    assert problems == [inbox / "sub"]


def test_folder_swapped_for_a_link_is_not_followed(tmp_path: Path) -> None:
    """While a folder and a link to the outside change places, no scan shows a file of the outside."""
    inbox, outside, spare = tmp_path / "in", tmp_path / "out", tmp_path / "spare"
    for folder in (inbox / "sub", outside, spare):
        folder.mkdir(parents=True)
    (inbox / "sub" / "own.wav").write_bytes(b"x")
    (outside / "secret.wav").write_bytes(b"x")
    ended = threading.Event()

    def swap() -> None:
        while not ended.is_set():
            (inbox / "sub").rename(spare / "sub")
            (inbox / "sub").symlink_to(outside)
            (inbox / "sub").unlink()
            (spare / "sub").rename(inbox / "sub")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = set().union(*(names(inbox) for _ in range(200)))
    finally:
        ended.set()
        swapper.join()
    assert seen <= {"sub/own.wav"}
    assert names(inbox) == {"sub/own.wav"}


def test_missing_folder_is_said_so(tmp_path: Path) -> None:
    """An inbox that is not there is an error with a sentence, not an empty inbox."""
    with pytest.raises(InboxGoneError, match="is not there"):
        list(scan(tmp_path / "absent", recursive=True))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InboxGoneError, match="is not a folder"):
        list(scan(tmp_path / "file", recursive=True))


def test_sub_folder_that_vanishes_meanwhile_is_reported(tmp_path: Path) -> None:
    """A folder that is gone when its turn comes is told to the caller, and does not hide the others."""
    for name in ("sub", "good"):
        (tmp_path / name).mkdir()
    (tmp_path / "b.wav").write_bytes(b"x")
    (tmp_path / "good" / "a.wav").write_bytes(b"x")
    problems: list[tuple[Path, type[OSError]]] = []
    scanning = scan(
        tmp_path, recursive=True, on_problem=lambda path, error: problems.append((path, type(error)))
    )
    assert next(scanning).path.name == "b.wav"
    (tmp_path / "sub").rmdir()
    assert [found.path.name for found in scanning] == ["a.wav"]
    assert problems == [(tmp_path / "sub", FileNotFoundError)]


def test_seen_files_are_passed_over_until_they_change(tmp_path: Path) -> None:
    """A finished recording costs a rescan nothing, and a longer version of it is found again."""
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"short")
    seen = SeenFiles()
    (candidate,) = scan(tmp_path, recursive=True, is_known=seen.is_known)
    seen.add(candidate)
    assert list(scan(tmp_path, recursive=True, is_known=seen.is_known)) == []
    recording.write_bytes(b"longer than before")
    assert [found.path for found in scan(tmp_path, recursive=True, is_known=seen.is_known)] == [recording]
    seen.forget(candidate.path)
    assert len(seen) == 0


def test_signature_survives_a_remount() -> None:
    """The same file under new inode and device numbers is unchanged; another size or mtime is a change."""
    before = Candidate(Path("a.wav"), 10, 20, inode=1, device=2)
    assert before.signature == Candidate(Path("a.wav"), 10, 20, inode=8, device=9).signature
    assert before.signature != Candidate(Path("a.wav"), 11, 20, inode=1, device=2).signature
    assert before.signature != Candidate(Path("a.wav"), 10, 21, inode=1, device=2).signature


def test_events_count_only_where_a_scan_would_look() -> None:
    """An event in a junk folder, in a sub-folder of a flat inbox or outside is none of the inbox's."""
    folder = Path("/in")
    assert is_inside(Path("/in/a.wav"), folder, recursive=False)
    assert is_inside(Path("/in/sub/a.wav"), folder, recursive=True)
    assert not is_inside(Path("/in/sub/a.wav"), folder, recursive=False)
    assert not is_inside(Path("/in/@eaDir/a.wav"), folder, recursive=True)
    assert not is_inside(Path("/inner/a.wav"), folder, recursive=True)


def test_what_a_killed_daemon_left_is_found_and_removed(tmp_path: Path) -> None:
    """A half-written file of ours is told apart from people's; it is removed once nobody writes it."""
    ours = tmp_path / new_temporary_name()
    ours.write_bytes(b"half")
    theirs = tmp_path / ".asr-daemon-notes.tmp"
    theirs.write_bytes(b"")
    left: list[Path] = []
    assert list(scan(tmp_path, recursive=True, on_temporary=left.append)) == []
    assert left == [ours]
    os.utime(ours, (0, 0))  # as a copy into the archive has it
    begun_s = ours.stat().st_ctime
    assert not remove_stale_temporary(ours, now_s=begun_s + 10)
    with ours.open("ab") as writer:
        hold(writer.fileno())
        assert not remove_stale_temporary(ours, now_s=begun_s + 7200), "its writer lives"
    assert sweep(tmp_path, now_s=begun_s + 90) == [ours.name]
    assert not remove_stale_temporary(theirs, now_s=begun_s + 7200)
    assert theirs.exists()
    assert not ours.exists()


def test_on_a_share_what_another_machine_may_be_writing_is_left_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is not seen here: an hour, not a minute."""
    monkeypatch.setattr("asr_daemon.files.temporary.is_network", lambda _folder: True)
    ours = tmp_path / new_temporary_name()
    ours.write_bytes(b"half")
    begun_s = ours.stat().st_ctime
    assert not remove_stale_temporary(ours, now_s=begun_s + 90)
    assert remove_stale_temporary(ours, now_s=begun_s + 7200)
