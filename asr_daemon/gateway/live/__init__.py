"""Live captions: a speaker's sound in, captions out to everybody who reads along.

A ``session`` lives apart from the connections of its speaker and readers. Sound is in its ``spool`` before
anything else is done with it; ``listener`` has it recognised; ``captions`` keeps what was said, by number;
``sessions`` holds all of them and finds those that a restart left. ``speaking`` is the speaker's WebSocket,
``reading`` the readers' link.
"""
