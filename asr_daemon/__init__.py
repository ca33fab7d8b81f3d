"""asr-daemon: watches inbox folders and writes beside every recording its transcript.

The way of a recording, in the order of the modules: ``inbox`` (found), ``settle`` (settled),
``fingerprint`` (hashed), ``queue`` (queued, claimed), ``recogniser`` (decoded, segmented, recognised,
normalised; a process of its own), ``writers`` (written), ``history`` (recorded), ``backup`` (backed up).
``daemon`` tells the whole story.
"""

__version__ = "0.2.0"
