"""One question on stdin, its answer on stdout."""

import sys

from asr_daemon.grouping.group import group
from asr_daemon.speakers.grouped import grouped_to_bytes, question_from_bytes

sys.stdout.buffer.write(grouped_to_bytes(group(question_from_bytes(sys.stdin.buffer.read()))))
