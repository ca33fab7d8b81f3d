"""Queued and claimed: what is to be recognised, under which profile, and in which order."""
