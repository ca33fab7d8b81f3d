"""Messages as lines: what is said arrives, whatever names hold; what is no text is no message."""

from __future__ import annotations

import pytest

from asr_daemon.dispatch.cluster_messages import Hello, decode, encode


@pytest.mark.parametrize("said", ["预算会议", "\\ud800.wav", "\U0001f600", 'a "b"\n\x00', "\\\\uDFFF"])
def test_what_is_said_arrives(said: str) -> None:
    """Also a name that looks like an escape, and is none."""
    assert decode(encode(Hello("1", said))) == Hello("1", said)


@pytest.mark.parametrize("said", [b"\\ud800", b"\\uDFFF x", b"\xed\xa0\x80", b"\xff"])
def test_what_is_no_text_is_no_message(said: bytes) -> None:
    """Neither a history nor a script could take it."""
    with pytest.raises(ValueError):  # noqa: PT011 (json's, or the codec's)
        decode(b'{"type": "Hello", "release": "1", "versions": "' + said + b'"}')


def test_pair_that_is_one_character_is_text() -> None:
    """As other programs write it."""
    line = b'{"type": "Hello", "release": "1", "versions": "\\ud83d\\ude00"}'
    assert decode(line) == Hello("1", "\U0001f600")
