"""``/api/v1``: recordings, transcripts, search, uploads, changes; described by ``/api/openapi.json``."""
