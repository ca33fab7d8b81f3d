"""What commands do to the daemon that they are asked of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from way import OpenDaemon, segment

from asr_daemon.errors import (
    InternalError,
    NotDecodableError,
    OperatorError,
    UsageError,
)
from asr_daemon.history.settings import Settings
from asr_daemon.hotwords import HotwordFileError
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Asked(OpenDaemon):
    """An opened daemon that is asked."""

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Ask as the socket does."""
        return self.daemon.commands.answer({"command": command, **arguments})

    def fail(self, name: str, error: Exception) -> int:
        """Have a recording that failed; return it."""
        recording = self.put(name, name.encode())
        self.jobs.fail(self.claim().id, error)  # type: ignore[arg-type]
        return recording

    def job_of(self, recording: int) -> dict[str, object]:
        """Return the row of a recording's job."""
        return self.job(self.recording(recording)["job_id"])  # type: ignore[arg-type]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """Return the daemon."""
    asked = Asked(tmp_path)
    yield asked
    asked.close()


# ------------------------------------------------------------------ what is no command


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("dance", {}),
        ("", {}),
        ("answer", {}),
        ("pause", {"for_s": 3}),
        ("cancel", {}),
        ("submit", {"path": "a.wav"}),
    ],
)
def test_wrong_command_or_argument_is_the_user_s_error(
    asked: Asked, command: str, arguments: dict[str, Any]
) -> None:
    """Exit code 2, one sentence that names it; nothing was done."""
    with pytest.raises(UsageError, match=command or "no such command") as refused:
        asked.ask(command, **arguments)
    assert refused.value.exit_code == 2
    assert not asked.settings.is_paused


def test_fault_of_ours_inside_a_command_is_not_called_the_user_s(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TypeError in the depth of `backup` stays one: it is logged with its traceback."""

    def back_up() -> None:
        raise TypeError("'NoneType' object is not callable")

    monkeypatch.setattr(type(asked.parts.upkeep), "back_up", lambda _self: back_up())
    with pytest.raises(TypeError, match="not callable"):
        asked.ask("backup")


# ------------------------------------------------------------------ pause and resume


def test_pause_holds_the_queue_and_resume_lets_it_go(asked: Asked) -> None:
    """The recogniser begins nothing while it is paused; it outlives the daemon."""
    asked.put()
    assert asked.ask("pause") == {}
    assert asked.settings.is_paused
    assert Settings(asked.history).is_paused
    asked.session.step()
    assert asked.session.state.phase == "paused"
    assert asked.job(1)["state"] == "queued"
    asked.ask("resume")
    assert not asked.settings.is_paused
    assert asked.claim().id == 1


@pytest.mark.parametrize("command", ["pause", "resume", "retry", "submit", "cancel"])
def test_recognisers_hear_of_it_at_once(asked: Asked, command: str) -> None:
    """Whoever sleeps is woken, not found out by the next look."""
    recording = asked.put()
    arguments: dict[str, dict[str, Any]] = {
        "submit": {"paths": []},
        "cancel": {"recordings": [recording]},
    }
    asked.session.wake.clear()
    asked.ask(command, **arguments.get(command, {}))
    assert asked.session.wake.is_set()


# ------------------------------------------------------------------ cancel and retry


def test_cancel_and_retry_by_number(asked: Asked) -> None:
    """`cancel ID` counts what it cancelled, `retry ID` goes on from what was recognised."""
    recording = asked.put()
    job = asked.claim()
    asked.segments.save(job.id, (segment(0, "一"),))
    asked.jobs.put_back(job.id)
    assert asked.ask("cancel", recordings=[recording]) == {"count": 1}
    assert asked.job(job.id)["state"] == "withdrawn"
    with pytest.raises(OperatorError, match=f"{recording} does not wait"):
        asked.ask("cancel", recordings=[recording])
    assert asked.ask("retry", recordings=[recording]) == {"count": 1}
    assert asked.claim().done == ((0, 0, 1000),)


def test_retry_takes_what_was_asked_for_alone(asked: Asked) -> None:
    """By number, by state, by failure class, or both states."""
    bad = asked.fail("bad.wav", NotDecodableError())
    asked.jobs.reload(
        asked.config.model_copy(update={"daemon": asked.config.daemon.model_copy(update={"max_attempts": 1})})
    )
    ill = asked.fail("ill.wav", InternalError())
    assert asked.job_of(ill)["state"] == "quarantined"
    assert asked.ask("retry", state="failed", code="no_audio") == {"count": 0}
    assert asked.ask("retry", state="failed") == {"count": 1}
    assert [asked.job_of(each)["state"] for each in (bad, ill)] == ["queued", "quarantined"]
    asked.jobs.fail(asked.claim().id, NotDecodableError())
    assert asked.ask("retry", state="any") == {"count": 2}
    assert [asked.job_of(each)["state"] for each in (bad, ill)] == ["queued", "queued"]
    with pytest.raises(OperatorError, match="99"):
        asked.ask("retry", recordings=[99])


def test_retry_with_other_hotwords_takes_what_was_done_with_others(tmp_path: Path) -> None:
    """The old text stays; the list must be readable, and the inbox must exist."""
    asked = Asked(tmp_path)
    words = tmp_path / "words.txt"
    words.write_text("程千里\n", encoding="utf-8")
    section = asked.config.inbox[0].model_copy(update={"hotwords": words})
    asked.parts.reload(asked.config.model_copy(update={"inbox": (section,)}))
    profile = asked.parts.profiles.profile("inbox")
    assert profile.hotwords == ("程千里",)
    for name, used in (("with.wav", profile), ("without.wav", Profile(profile.model))):
        asked.put(name, name.encode(), used)
        asked.finish(asked.claim().id, "你好")
    asked.history.db.execute("UPDATE recordings SET state = 'done'")
    assert asked.ask("retry_with_other_hotwords", inbox="inbox") == {"count": 1}
    assert [each.path.name for each in asked.claim().waiting] == ["without.wav"]
    words.unlink()
    with pytest.raises(HotwordFileError):
        asked.ask("retry_with_other_hotwords", inbox="inbox")
    with pytest.raises(UsageError, match="nobody"):
        asked.ask("retry_with_other_hotwords", inbox="nobody")
    asked.close()


# ------------------------------------------------------------------ submit


def test_submit_queues_files_before_others_and_says_why_not(asked: Asked) -> None:
    """Each file has its own answer, in order; one that is missing does not keep the others back."""
    asked.put("earlier.wav", b"earlier")
    named = asked.folder / "named.wav"
    named.write_bytes(b"named")
    missing = asked.folder / "missing.wav"
    first, second = asked.ask("submit", paths=[str(missing), str(named)])["results"]
    assert (first["path"], first["code"]) == (str(missing), "recording_gone")
    assert "missing.wav" in first["error"]
    assert (second["recording"], second["job"]) == (2, 2)
    job = asked.claim()
    assert [each.path for each in job.waiting] == [named]
    assert job.profile == asked.parts.profiles.profile("")


def test_submit_under_an_inbox_s_profile_or_with_another_list(asked: Asked, tmp_path: Path) -> None:
    """`--inbox` must name one; `--hotwords` takes the place of its list, "" is none."""
    named = tmp_path / "named.wav"
    named.write_bytes(b"named")
    words = tmp_path / "words.txt"
    words.write_text("程千里\n", encoding="utf-8")
    with pytest.raises(UsageError, match="nobody"):
        asked.ask("submit", paths=[str(named)], inbox="nobody")
    asked.ask("submit", paths=[str(named)], inbox="inbox", hotwords=str(words))
    assert asked.claim().profile.hotwords == ("程千里",)
    asked.ask("submit", paths=[str(named)], inbox="inbox", hotwords="")
    assert asked.claim().profile.hotwords == ()


def test_who_names_a_failed_or_cancelled_file_wants_another_try(asked: Asked) -> None:
    """Naming it again begins it anew, or goes on."""
    named = asked.folder / "named.wav"
    named.write_bytes(b"named")
    (result,) = asked.ask("submit", paths=[str(named)])["results"]
    asked.jobs.fail(asked.claim().id, NotDecodableError())
    assert asked.job(result["job"])["state"] == "failed"
    asked.ask("submit", paths=[str(named)])
    assert asked.claim().id == result["job"]
    asked.jobs.put_back(result["job"])
    asked.ask("cancel", recordings=[result["recording"]])
    asked.ask("submit", paths=[str(named)])
    assert asked.claim().id == result["job"]


def test_backup_is_taken_and_named(asked: Asked) -> None:
    """`backup now` answers with the file that lies there then."""
    made = asked.ask("backup")
    assert [made["path"]] == [str(path) for path in asked.config.backup_dir.iterdir()]


def test_status_speaks_of_each_recogniser(tmp_path: Path) -> None:
    """By their names; and of all of them together."""
    asked = Asked(tmp_path)
    engine = asked.config.engine.model_copy(update={"devices": ("cpu", "cpu")})
    asked.parts.reload(asked.config.model_copy(update={"engine": engine}))
    asked.parts.dispatcher.sessions["cpu#2"].state.restarts = 2
    told = asked.ask("status")
    assert [each["name"] for each in told["recognisers"]] == ["cpu#1", "cpu#2"]
    assert [each["restarts"] for each in told["recognisers"]] == [0, 2]
    assert told["recogniser"]["restarts"] == 2
    asked.close()
