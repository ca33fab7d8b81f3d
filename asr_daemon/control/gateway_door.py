"""The door to the gateway, opened: desk, connections to look things up, socket; closed all together."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from asr_daemon.access import Accesses
from asr_daemon.control import messages as m
from asr_daemon.control.desk import Desk
from asr_daemon.control.gateway_socket import GatewaySocket
from asr_daemon.control.notice_desk import NoticeDesk
from asr_daemon.control.notice_messages import SettleNotices, TakeNotices
from asr_daemon.control.peers import peer
from asr_daemon.control.playbacks import Playbacks
from asr_daemon.control.transcribing import Transcribing
from asr_daemon.control.trial_messages import TryHotwords
from asr_daemon.control.trying import Trying
from asr_daemon.delivery.forgetting import PLAYBACK_FOLDER
from asr_daemon.errors import OperatorError
from asr_daemon.history.readers import Readers

if TYPE_CHECKING:
    from asr_daemon.config_sections import GatewaySection
    from asr_daemon.daemon import Parts

GB = 10**9


def open_door(parts: Parts, section: GatewaySection) -> contextlib.ExitStack:
    """Let the gateway ask from now on; closing what is returned ends that.

    Raises :class:`~asr_daemon.errors.OperatorError` where its user does not exist, or the socket cannot be.
    """
    users, group = peer(parts.config.gateway_user or section.user, "gateway.user")
    with contextlib.ExitStack() as stack:
        readers = Readers(parts.config.history_path)
        stack.callback(readers.close)
        playbacks = Playbacks(
            parts.config.state_dir / PLAYBACK_FOLDER,
            int(section.playback_cache_gb * GB),
            ffmpeg=parts.config.engine.ffmpeg,
            most_s=parts.config.engine.max_duration_h * 3600,
            on_change=parts.changes.happened,
        )
        stack.callback(playbacks.close)
        desk = Desk(parts, Accesses(parts.history, parts.clock), readers, playbacks)
        transcribing = Transcribing(parts, desk, readers)
        notices = NoticeDesk(parts)
        path = parts.config.gateway_socket_path
        try:
            server = GatewaySocket(
                path,
                desk,
                parts.changes,
                users,
                group,
                streams={
                    m.Transcribe: transcribing.serve,
                    TryHotwords: Trying(parts, desk, readers).serve,
                    TakeNotices: notices.take,
                    SettleNotices: notices.settle,
                    m.Attend: lambda ask, _: parts.changes.attendance.serve(ask, parts.changes),
                },
            )
        except OSError as error:
            raise OperatorError(f"the gateway's socket {path} cannot be made: {error.strerror}") from error
        stack.callback(server.close)
        return stack.pop_all()
