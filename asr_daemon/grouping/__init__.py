"""Which windows are one voice: a child process of its own, ``python -m asr_daemon.grouping``.

The one host-side part that needs numpy and scipy, so nothing else imports it (the import contracts hold
that): the daemon asks it through :mod:`asr_daemon.speakers.child`. Not a part of the recogniser, since it
needs no model and no torch: it starts in half a second, works while the recogniser goes on with the next
recording, and a recording can be grouped anew where no recogniser runs.
"""
