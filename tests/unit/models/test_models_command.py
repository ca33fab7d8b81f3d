"""`asr-daemon models`: what it prints, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from local_hub import LocalHub
from model_folders import lay

from asr_daemon.cli import cli
from asr_daemon.errors import OperatorError
from asr_daemon.models import fetching

if TYPE_CHECKING:
    from pathlib import Path


class Shell:
    """The command line with a configuration of its own."""

    def __init__(self, folder: Path, engine_model: str = "auto") -> None:
        self.models = folder / "models"
        self.config = folder / "config.toml"
        self.config.write_text(
            f'[daemon]\nstate_dir = "state"\n[models]\ndir = "models"\n[engine]\nmodel = "{engine_model}"\n'
        )

    def __call__(self, *words: str) -> Result:
        """Run `asr-daemon models ...`; an error's sentence comes as the exception."""
        return CliRunner().invoke(
            cli, ["models", *words, "-c", str(self.config)], standalone_mode=False, env={"COLUMNS": "250"}
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Return a shell."""
    return Shell(tmp_path)


def sentence(result: Result) -> str:
    """Return what goes to stderr, which is one line and ends with 1."""
    assert isinstance(result.exception, OperatorError), result
    assert result.exception.exit_code in (1, 2)
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_list_shows_what_is_here_and_what_could_be(shell: Shell) -> None:
    """The built-in model, one by hand, a damaged one, and every known one with its command."""
    lay(shell.models, "paraformer-zh")
    lay(shell.models, "fsmn-vad", "FsmnVADStreaming")
    shell("adopt", "fsmn-vad")
    lay(shell.models, "our-own", "Paraformer")
    shell("adopt", "our-own")
    (shell.models / "our-own" / "model.pt").write_bytes(b"")
    lay(shell.models / ".incoming", "ct-punc@modelscope-1", "CTTransformer")
    shown = shell("list").output
    assert "paraformer-tiny-zh" in shown
    assert "unverified, placed by hand: asr-daemon models adopt paraformer-zh" in shown
    assert "DAMAGED: model.pt has 0 bytes" in shown
    assert "not here: asr-daemon models pull sensevoice-small" in shown
    assert "@modelscope" not in shown
    assert ".incoming" not in shown
    entries = {entry["name"]: entry for entry in json.loads(shell("list", "--json").output)}
    assert entries["paraformer-zh"]["used_for"] == "recognition"
    assert entries["fsmn-vad"]["used_for"] == "voice activity"
    assert entries["paraformer-tiny-zh"]["used_for"] == ""
    assert entries["paraformer-tiny-zh"]["is_builtin"]
    states = {name: entry["state"] for name, entry in entries.items()}
    assert states["paraformer-tiny-zh"] == "manifest"
    assert (states["paraformer-zh"], states["our-own"]) == ("unverified", "damaged")
    assert states["cam++"] == states["ct-punc"] == "absent"
    assert entries["fsmn-vad"]["size_bytes"] == sum(
        path.stat().st_size for path in (shell.models / "fsmn-vad").iterdir() if path.name != "manifest.json"
    )


def test_verify_is_one_line_a_model_and_ends_with_1_for_a_damaged_one(shell: Shell) -> None:
    """The file and how it differs, and the way out; the exit code is for scripts."""
    folder = lay(shell.models, "ct-punc", "CTTransformer")
    by_hand = shell("verify")
    assert by_hand.return_value == 0
    assert "ct-punc: unverified" in by_hand.output
    shell("adopt", "ct-punc")
    sound = shell("verify")
    assert sound.return_value == 0
    assert [line.split(": ")[1] for line in sound.output.splitlines()] == ["sound", "sound"]
    (folder / "model.pt").write_bytes((folder / "model.pt").read_bytes().replace(b"p", b"q", 1))
    damaged = shell("verify", "CT-Punc")
    assert damaged.return_value == 1
    (line,) = damaged.output.splitlines()
    assert line.startswith("ct-punc: DAMAGED: model.pt differs from its SHA-256")
    assert "`asr-daemon models pull ct-punc`" in line
    assert "there is no model other" in sentence(shell("verify", "other"))


def test_export_and_import_on_the_command_line(shell: Shell, tmp_path: Path) -> None:
    """A damaged or unverified model is not carried; a sound one is, to another models folder."""
    folder = lay(shell.models, "fsmn-vad", "FsmnVADStreaming")
    archive = tmp_path / "fsmn-vad.tar"
    assert "adopt fsmn-vad" in sentence(shell("export", "fsmn-vad", str(archive)))
    shell("adopt", "fsmn-vad")
    assert "asr-daemon models import fsmn-vad.tar" in shell("export", "FSMN-VAD", str(archive)).output
    (tmp_path / "there").mkdir()
    other = Shell(tmp_path / "there")
    assert "is here, verified" in other("import", str(archive)).output
    assert (other.models / "fsmn-vad" / "model.pt").read_bytes() == (folder / "model.pt").read_bytes()
    assert "is here already" in other("import", str(archive)).output
    (folder / "model.pt").write_bytes(b"")
    assert "damaged: model.pt" in sentence(shell("export", "fsmn-vad", str(tmp_path / "b.tar")))
    assert "is not there" in sentence(other("import", str(tmp_path / "none.tar")))


def test_pull_takes_a_folder_in_place_of_a_hub(shell: Shell, tmp_path: Path) -> None:
    """`pull NAME --from DIR` names the model as asked."""
    source = lay(tmp_path, "somewhere")
    shown = shell("pull", "Paraformer-zh", "--from", str(source))
    assert shown.exception is None, shown
    assert (shell.models / "paraformer-zh" / "manifest.json").is_file()
    assert "--from" in sentence(shell("pull", "fsmn-vad", "ct-punc", "--from", str(source)))


def test_an_unreachable_hub_is_one_sentence_with_the_way_out(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody at the address: the hub and its address are named, and how to do without."""
    hub = LocalHub({})
    hub.close()
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.url)
    monkeypatch.setattr(fetching, "PAUSE_S", 0.0)
    said = sentence(shell("pull", "fsmn-vad"))
    assert f"modelscope ({hub.url}) cannot be reached" in said
    assert "models export" in said
    assert "--from FOLDER" in said


def test_unknown_names_and_hubs(shell: Shell) -> None:
    """What is known is listed; a model that a hub has not is said."""
    assert "paraformer-zh, sensevoice-small" in sentence(shell("pull", "whisper"))
    assert "without hotwords" in sentence(shell("pull", "paraformer-zh", "--hub", "huggingface"))


def test_adopting_a_folder_elsewhere(shell: Shell, tmp_path: Path) -> None:
    """A model that engine.model names by its path is adopted by its path; what is no model is not."""
    folder = lay(tmp_path / "elsewhere", "mine")
    assert "2 files are recorded" in shell("adopt", str(folder)).output
    assert "no config.yaml" in sentence(shell("adopt", f"{tmp_path}/"))
