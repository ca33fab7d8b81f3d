"""Killed at random moments, again and again: every recording still ends with exactly one transcript."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, drop, kill_quietly, recording, several

from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

RECORDINGS = 60
LIMITS = "max_attempts = 50"  # an operator's kill is no recording's fault; here there are hundreds


def attack(folder: Path, *, kills: int, seed: int, recognisers: int = 1) -> AttackedDaemon:
    """Drop recordings while daemon and recognisers are killed; return the daemon when all is done."""
    dice = random.Random(seed)
    at_work = 0
    daemon = AttackedDaemon(folder, extra=LIMITS + several(recognisers))
    ms = 200 if kills < 50 else 250
    wanted = {
        f"{number:02}.wav": recording(number, segments=1 + number % 7, ms=ms) for number in range(RECORDINGS)
    }
    names = list(wanted)
    with daemon:
        daemon.start()
        for kill in range(kills):
            dropped = -(-RECORDINGS * (kill + 1) // kills)  # rounded up: there is work from the first
            for name in names[-(-RECORDINGS * kill // kills) : dropped]:
                drop(daemon.inbox / name, wanted[name])
            if dice.random() < 0.6:  # else it may still be starting
                wait_for_work(daemon)
            time.sleep(dice.uniform(0.0, 0.3))  # the moment is what is random
            live = daemon.live()
            at_work += bool(live["in_work"])
            running = [each["pid"] for each in live["recognisers"] if each["pid"]]
            if dice.random() < 0.5 and running:
                kill_quietly([dice.choice(running)], signal.SIGKILL)
            else:
                daemon.kill()
                daemon.check_integrity()
                daemon.check_nothing_half(wanted)
                daemon.start()
            daemon.check_integrity()
        daemon.wait_until_done(RECORDINGS)
        daemon.check_exactly_once(wanted)
        assert at_work >= kills / 3, "too few were killed at work"
        again = sum(daemon.recognised().values()) - len(daemon.recognised())
        assert again <= kills * 8 * recognisers, (
            "more was recognised again than was in hand when it was killed"
        )
        assert daemon.stop() == 0
    return daemon


def wait_for_work(daemon: AttackedDaemon) -> None:
    """Wait until a segment more is recognised, unless there is nothing to do."""
    before = sum(daemon.recognised().values())
    eventually(
        lambda: sum(daemon.recognised().values()) > before or daemon.all_settled(), what="some progress"
    )


def test_random_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    """Eight random SIGKILLs of daemon and recogniser while sixty recordings pass (long: hundreds)."""
    attack(tmp_path, kills=8, seed=4)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("recognisers", [1, 2])
def test_hundreds_of_random_kills(tmp_path: Path, recognisers: int) -> None:
    """Two hundred of them."""
    attack(tmp_path, kills=200, seed=recognisers, recognisers=recognisers)
