"""``python -m asr_daemon``: the command line."""

from asr_daemon.cli import main

main()
