"""``NAME.转写失败.txt``: why a recording has no transcript, for the person who put it into the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.errors import Retry
from asr_daemon.transcripts.writers.document import printable

if TYPE_CHECKING:
    from datetime import datetime

    from asr_daemon.errors import WorkError

AGAIN = "删除这个说明文件，系统就会重新转写一次；转写成功后这个文件会自动消失。"
AGAIN_IN_VAIN = "如果确认录音没有问题，删除这个说明文件，系统就会重新转写一次；转写成功后这个文件会自动消失。"


def first_line(name: str) -> str:
    """Return what the failure file of a recording of that name begins with."""
    return f"录音“{printable(name)}”没有转写成功。"


def render_failure(name: str, error: WorkError, at: datetime) -> str:
    """Return the text of the failure file; ``at`` is aware, in the local time zone."""
    again = AGAIN_IN_VAIN if error.retry is Retry.NEVER else AGAIN
    words = " ".join(printable(str(error)).split())
    lines = [
        first_line(name),
        "",
        f"原因：{error.chinese}",
        f"怎么办：{error.remedy}",
        again,
        "",
        f"时间：{at:%Y-%m-%d %H:%M}",
        f"For the administrator ({error.code}): {words}",
    ]
    return "\n".join(lines) + "\n"
