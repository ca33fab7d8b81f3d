"""``asr-daemon run`` with another recogniser as its child: ``python THIS PROGRAM.py run -c config.toml``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from asr_daemon.config import load_config
from asr_daemon.life import Daemon
from asr_daemon.telemetry import log


def main() -> None:
    """Run in the foreground."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recogniser", type=Path)
    parser.add_argument("command", choices=["run"])
    parser.add_argument("-c", "--config", type=Path, required=True)
    given = parser.parse_args()
    config = load_config(given.config)
    log.configure(config.daemon.log, config.daemon.log_level)
    Daemon(config, given.config, recogniser_program=(str(given.recogniser),)).run()


if __name__ == "__main__":
    sys.exit(main())
