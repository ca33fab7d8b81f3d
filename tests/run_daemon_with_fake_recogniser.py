"""``asr-daemon run`` with the fake recogniser as its child: ``python THIS run -c config.toml``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from asr_daemon import log
from asr_daemon.config import load_config
from asr_daemon.daemon import Daemon


def main() -> None:
    """Run in the foreground."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["run"])
    parser.add_argument("-c", "--config", type=Path, required=True)
    path = parser.parse_args().config
    config = load_config(path)
    log.configure(config.daemon.log, config.daemon.log_level)
    fake = Path(__file__).with_name("fake_recogniser.py")
    Daemon(config, path, recogniser_program=(str(fake),)).run()


if __name__ == "__main__":
    sys.exit(main())
