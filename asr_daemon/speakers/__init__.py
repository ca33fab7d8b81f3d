"""Who said it, as the daemon sees it: windows' embeddings, turns, words, names. Standard library alone.

The embeddings come from the recogniser (``recogniser/speakers``); which of them are one voice is decided by a
child of its own (``asr_daemon.grouping``, numpy and scipy), that :mod:`asr_daemon.speakers.child` starts.
"""
