"""``python -m asr_daemon.recogniser --fd N``: the daemon's child process."""

import sys

from asr_daemon.recogniser.child import main

sys.exit(main())
