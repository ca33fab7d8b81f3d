"""A folder of voice samples is what an inbox knows: filled, changed and emptied by people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from office import Office

from asr_daemon.config import Config
from asr_daemon.control.voice_samples import VoiceSamples
from asr_daemon.inboxes.voice_samples import find_samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    folder = tmp_path / "voices"
    folder.mkdir()
    section = made.config.inbox[0].model_copy(update={"speakers": folder})
    made.daemon.parts.reload(made.config.model_copy(update={"inbox": (section,)}))
    made.child.alone = True
    yield made
    made.close()


def known(office: Office) -> list[tuple[str, str]]:
    answer = office.command("speakers_enrolled", inbox="inbox")
    return [(one["name"], one["source"]) for one in answer["voices"]]


def recognise_all(office: Office, samples: VoiceSamples) -> None:
    """Let samples be queued, recognised and learnt."""
    samples.look()
    while not office.jobs.is_empty():
        office.finish_next()
    office.attributor.attribute_all()
    samples.look()


def test_samples_are_learnt_by_their_names_and_leave_with_their_files(office: Office, tmp_path: Path) -> None:
    """Two of one person; a recording's voices are not kept beside the person's; taken away, forgotten."""
    samples = VoiceSamples(office.parts)
    (tmp_path / "voices" / "顾清源.wav").write_bytes(b"first")
    (tmp_path / "voices" / "顾清源.2.m4a").write_bytes(b"second")
    (tmp_path / "voices" / "说明.txt").write_text("把样本放在这里", encoding="utf-8")
    recognise_all(office, samples)
    assert known(office) == [("顾清源", "顾清源.2.m4a"), ("顾清源", "顾清源.wav")]
    assert office.history.one("voice_models", job=1) is None
    samples.look()
    assert office.jobs.is_empty(), "what is known is not recognised again"
    for path in (tmp_path / "voices").glob("顾清源*"):
        path.unlink()
    samples.look()
    assert known(office) == []
    assert (tmp_path / "voices" / "说明.txt").exists()


def test_a_forgotten_sample_that_comes_back_is_learnt_anew(office: Office, tmp_path: Path) -> None:
    """Its embedding was deleted: it is recognised once more."""
    samples = VoiceSamples(office.parts)
    sample = tmp_path / "voices" / "林夏.wav"
    sample.write_bytes(b"first")
    recognise_all(office, samples)
    assert office.command("speakers_forget", inbox="inbox", name="林夏")["samples"] == ["林夏.wav"]
    recognise_all(office, samples)
    assert known(office) == [("林夏", "林夏.wav")]


def test_a_sample_that_cannot_be_used_says_so_beside_it(office: Office, tmp_path: Path) -> None:
    """In Chinese, and only as long as it lies there."""
    samples = VoiceSamples(office.parts)
    sample = tmp_path / "voices" / "发言人1.wav"
    sample.write_bytes(b"first")
    samples.look()
    said = tmp_path / "voices" / "发言人1.wav.样本无法使用.txt"
    assert "姓名须为" in said.read_text(encoding="utf-8")
    sample.unlink()
    samples.look()
    assert not said.exists()


def test_what_is_no_sample_is_left_alone(tmp_path: Path) -> None:
    """Links, folders, hidden files, names that nobody can read."""
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / ".b.wav").write_bytes(b"x")
    assert [sample.name for sample in find_samples(tmp_path)] == ["a"]


def test_a_folder_of_voices_lies_beside_the_inbox(tmp_path: Path) -> None:
    """Within it, samples would be transcribed as recordings."""
    section = {"name": "a", "path": tmp_path / "a", "speakers": tmp_path / "a" / "voices"}
    with pytest.raises(ValueError, match="speakers of inbox 'a'"):
        Config.model_validate({"daemon": {"state_dir": tmp_path / "s"}, "inbox": (section,)})
