"""A copy of a recording to listen to, and its peaks to look at: made by a child of the daemon.

The copy is made of what the recogniser's own decoder hears, so that a time of the transcript is the same time
in the copy, whatever the container says: FLAC, 16 kHz, mono, 16 bits, which every browser plays and seeks
exactly, frames carrying their sample's number.
"""
