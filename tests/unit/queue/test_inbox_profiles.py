"""What an inbox asks of the model that lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from way import make_config

from asr_daemon.queue.inbox_profiles import InboxProfiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("model_class", ["SeacoParaformer", "SenseVoiceSmall", "FunASRNano"])
@pytest.mark.parametrize("itn", [True, False])
def test_the_inbox_decides_whether_numbers_are_written_whoever_does_it(
    tmp_path: Path, model_class: str, itn: bool
) -> None:
    """The wish reaches a model that writes numbers by itself, too: ``itn = false`` has a meaning there."""
    folder = tmp_path / "state" / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"model: {model_class}\n", encoding="utf-8")
    (folder / "model.pt").write_bytes(b"weights")
    (tmp_path / "inbox").mkdir()
    profile = InboxProfiles(make_config(tmp_path, itn=itn, language="yue")).profile("inbox")
    assert profile.model.startswith("mine@")
    assert (profile.itn, profile.language) == (itn, "yue")
