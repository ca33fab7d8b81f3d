"""Decoded: an open recording goes in, 16 kHz mono windows come out."""
