"""The recogniser: the one child process that decodes, segments, recognises and normalises.

``process`` is the daemon's side (no torch); ``__main__`` and everything else is the child's.
"""
