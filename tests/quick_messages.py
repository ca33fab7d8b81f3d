"""Daemon, and gateway, that lose no time with messages, and whose robots are on this machine.

``python quick_messages.py RECOGNISER.py run -c config.toml``, ``python quick_messages.py serve -c ...``.
``$RECEIVERS`` is where every robot's host is.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from run_daemon_with_recogniser import main as run_daemon

from asr_daemon.cli import main
from asr_daemon.gateway.notifications import robots, serving
from asr_daemon.history import outbox


def hurry() -> None:
    """Wait for nothing."""
    outbox.FIRST_RETRY_S = 0.2
    serving.FIRST_REST_S, serving.LONGEST_REST_S, serving.ASK_AGAIN_S = 0.02, 0.2, 0.1
    robots.HOSTS = dict.fromkeys(robots.HOSTS, os.environ.get("RECEIVERS", ""))
    robots.ROBOTS = {kind: replace(robot, pause_s=0.0) for kind, robot in robots.ROBOTS.items()}


if __name__ == "__main__":
    hurry()
    sys.exit(main() if sys.argv[1] == "serve" else run_daemon())
