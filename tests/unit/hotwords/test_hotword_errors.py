"""What the readers of a list are told, in their language, when the whole file cannot be used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from asr_daemon.hotwords import HotwordFileError, read_hotwords, sentences
from asr_daemon.hotwords.source import MAX_FILE_BYTES

if TYPE_CHECKING:
    from pathlib import Path

CHINESE = re.compile("[\u4e00-\u9fff]{4,}")


def spoilt(folder: Path, kind: str) -> Path:
    """Return a path that is no list."""
    path = folder / f"{kind}.txt"
    if kind == "folder":
        path.mkdir()
    elif kind == "circle":
        path.symlink_to(path)
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(MAX_FILE_BYTES + 1)
    return path


@pytest.mark.parametrize("kind", ["missing", "folder", "circle", "large"])
def test_a_file_that_cannot_be_read_is_explained_in_both_languages(tmp_path: Path, kind: str) -> None:
    """Departments read why their list does not count, and which file is meant."""
    path = spoilt(tmp_path, kind)
    with pytest.raises(HotwordFileError) as raised:
        read_hotwords(path)
    (english, chinese) = sentences.unreadable(raised.value).lines("both")
    assert english.startswith(str(path))
    assert chinese.startswith(str(path))
    assert CHINESE.search(chinese)


def test_an_included_file_says_in_chinese_what_is_wrong(tmp_path: Path) -> None:
    """A line that includes a file which is not there is explained, not only refused."""
    path = tmp_path / "词表.txt"
    path.write_text("王小明\n@include 没有.txt\n", encoding="utf-8")
    (problem,) = read_hotwords(path).problems
    assert "文件不存在" in problem.chinese


@pytest.mark.parametrize(
    "remark",
    [
        sentences.no_list("财务"),
        sentences.not_tried("audio is empty"),
        sentences.no_model(ValueError("x")),
    ],
)
def test_every_refusal_has_chinese(remark: sentences.Remark) -> None:
    """Nothing that the commands refuse is said in English alone."""
    assert CHINESE.search(remark.chinese)
    assert not CHINESE.search(remark.english.replace("财务", ""))
