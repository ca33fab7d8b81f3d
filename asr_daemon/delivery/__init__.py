"""The end of the way: transcripts and failure files beside the recordings, and the archive."""
