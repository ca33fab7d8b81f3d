"""Written: from recognised segments to the texts that people read."""
