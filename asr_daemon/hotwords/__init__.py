"""Hotwords: a department's names and terms, from its text file to the recognised text.

``read_hotwords`` reads the file; ``correction.Corrector`` repairs text after decoding; ``seaco`` brings the
words to SeACo-Paraformer; ``check`` says what the model can do with each line. Importing this package is
cheap: no torch, no dictionaries.
"""

from asr_daemon.hotwords.entry import Problem
from asr_daemon.hotwords.hotword_list import HotwordList, read_hotwords
from asr_daemon.hotwords.including import Places
from asr_daemon.hotwords.source import HotwordFileError

__all__ = ["HotwordFileError", "HotwordList", "Places", "Problem", "read_hotwords"]
