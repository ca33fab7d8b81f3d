"""The history: everything that was found, recognised and written, in one SQLite file.

``connection`` opens it, ``migrations`` gives it its shape, ``sql/`` holds every statement by name,
``search`` finds words in it. The daemon is its only writer while it runs.
"""

from asr_daemon.history.connection import History, open_history, open_history_read_only

__all__ = ["History", "open_history", "open_history_read_only"]
