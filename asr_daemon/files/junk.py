"""Folders and files that are no one's own: what a NAS or an operating system keeps for itself."""

from __future__ import annotations

# What a NAS or an operating system keeps for itself, in lower case; folders that begin with a dot, too.
JUNK_FOLDERS = frozenset(
    (
        *("@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@sharesnap", "@synoresource"),  # Synology
        *("@recycle", "@recently-snapshot", "@transcode", "@snapshot", "@__thumb", "@downloads"),  # QNAP
        *("network trash folder", "temporary items"),  # macOS, on shares
        *("$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx"),
    )
)
JUNK_FILES = frozenset(
    ("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r")
)  # lower case


def is_junk_folder(name: str) -> bool:
    """Return whether a sub-folder of that name holds no one's recordings."""
    return name.startswith(".") or name.lower() in JUNK_FOLDERS
