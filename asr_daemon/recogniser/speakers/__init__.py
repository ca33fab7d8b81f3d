"""Whose voice is it: embeddings of windows of speech, by CAM++. What is one voice is decided elsewhere."""
