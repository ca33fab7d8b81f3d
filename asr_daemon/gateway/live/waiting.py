"""Waiting for an event with a bound, so that who is cancelled meanwhile ends at once.

``asyncio.wait_for`` of Python before 3.12 forgets a cancellation that comes together with the event.
"""

from __future__ import annotations

import asyncio


async def happens(event: asyncio.Event, within_s: float) -> bool:
    """Wait for an event; whether it happened in time."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        done, _ = await asyncio.wait((waiting,), timeout=within_s)
        return bool(done)
    finally:
        waiting.cancel()
