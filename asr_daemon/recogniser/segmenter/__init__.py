"""Segmentation (VAD): windows of a recording go in, stretches of speech with their samples come out."""
