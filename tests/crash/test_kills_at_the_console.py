"""Gateway, daemon and recogniser are killed at random while people upload, correct and listen.

What was said to be there is there: every file once and whole, with its transcript; every correction that was
saved; who listens hears again as soon as there is somebody to be heard.
"""

from __future__ import annotations

import base64
import contextlib
import json
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest
from attack import AttackedDaemon, check_transcript, kill_quietly, recording
from gatewayed import Gatewayed

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

API = "/api/v1"
SLICE_BYTES = 300_000
SEGMENTS = 3
AGAIN_S = 0.1
LIMITS = "max_attempts = 50"  # an operator's kill is no recording's fault


class LostError(Exception):
    """No answer, or none that says how it went: asked again."""


@dataclass
class People:
    """Three at work, each in a thread; what they were promised."""

    site: Gatewayed
    token: str
    wanted: dict[str, bytes]
    done: list[str] = field(default_factory=list)  # uploaded, by their names
    corrected: dict[str, str] = field(default_factory=dict)  # by name: the last text that was saved
    saved: int = 0
    heard: int = 0
    listened: int = 0
    problems: list[BaseException] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def work(self, what: Callable[[httpx.Client], None]) -> threading.Thread:
        """Begin."""

        def run() -> None:
            try:
                with self.site.client(self.token) as client:
                    client.timeout = 20
                    what(client)
            except BaseException as problem:  # noqa: BLE001 (told in the test's own thread)
                self.problems.append(problem)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def ask(self, client: httpx.Client, method: str, path: str, **more: object) -> httpx.Response:
        """Return an answer that says how it went; raises :class:`LostError`."""
        try:
            answer = client.request(method, path, **more)  # type: ignore[arg-type]
        except httpx.TransportError as error:
            raise LostError from error
        if answer.status_code >= 500 or answer.status_code == 409:
            raise LostError(answer.text)
        return answer

    def persist(self, attempt: Callable[[], bool]) -> None:
        """Try until it went well."""
        while True:
            with contextlib.suppress(LostError):
                if attempt():
                    return
            time.sleep(AGAIN_S)

    # ------------------------------------------------------------------ uploading

    def upload(self, client: httpx.Client) -> None:
        """Send every file, as the page does."""
        for name, content in self.wanted.items():
            address = ""

            def send(name: str = name, content: bytes = content) -> bool:
                nonlocal address
                address = address or self.begin(client, name, len(content))
                told = self.ask(client, "HEAD", address)
                if told.status_code == 404:
                    address = ""
                    return False
                at = int(told.headers["upload-offset"])
                headers = {"Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
                piece = content[at : at + SLICE_BYTES]
                answer = self.ask(client, "PATCH", address, content=piece, headers=headers)
                assert answer.status_code == 204, answer.text
                return "x-recording-path" in answer.headers

            self.persist(send)
            self.done.append(name)

    def begin(self, client: httpx.Client, name: str, length: int) -> str:
        """Begin an upload; return its address."""
        pairs = {"inbox": "inbox", "filename": name}
        told = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
        headers = {"Upload-Length": str(length), "Upload-Metadata": told}
        answer = self.ask(client, "POST", f"{API}/uploads", headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["location"])

    # ------------------------------------------------------------------ correcting

    def edit(self, client: httpx.Client) -> None:
        """Correct what is done, one segment after the other."""
        dice = random.Random(1)
        while not self.is_over.is_set():
            with contextlib.suppress(LostError):
                listed = self.ask(client, "GET", f"{API}/recordings?state=done&limit=200").json()
                if listed["recordings"]:
                    self.correct(client, dice.choice(listed["recordings"]))
            time.sleep(AGAIN_S)

    def correct(self, client: httpx.Client, listed: dict[str, object]) -> None:
        """Give a segment another text, and make sure of it."""
        address, text = f"{API}/recordings/{listed['id']}", f"更正{self.saved}"

        def say() -> bool:
            told = self.ask(client, "GET", address)
            if told.json()["passages"][0]["text"] == text:
                return True  # it was saved, and the answer lost
            headers = {"If-Match": told.headers["etag"]}
            answer = self.ask(client, "PATCH", f"{address}/segments/0", json={"text": text}, headers=headers)
            assert answer.status_code == 200, answer.text
            return True

        self.persist(say)
        self.saved += 1
        self.corrected[str(listed["path"])] = text

    # ------------------------------------------------------------------ listening

    def listen(self, client: httpx.Client) -> None:
        """Follow what changes, and hear a recording now and then: its very bytes, or nothing."""
        while not self.is_over.is_set():
            with contextlib.suppress(httpx.TransportError):
                with client.stream("GET", f"{API}/events") as events:
                    for line in events.iter_lines():
                        self.heard += line.startswith("data: ")
                        if self.is_over.is_set():
                            return
                        if line.startswith("data: ") and self.done:
                            break
                self.hear(client)
            time.sleep(AGAIN_S)

    def hear(self, client: httpx.Client) -> None:
        """Take a recording's sound."""
        for listed in client.get(f"{API}/recordings?limit=3").json().get("recordings", ()):
            sound = client.get(f"{API}/recordings/{listed['id']}/audio")
            if sound.status_code == 200:
                assert sound.content == self.wanted[listed["path"]]
                self.listened += 1


def attack(folder: Path, *, kills: int, seed: int) -> None:
    """Kill while they are at work; fail where a promise was not kept."""
    dice = random.Random(seed)
    wanted = {
        f"录音{number:03}.wav": recording(f"{seed} {number}", segments=SEGMENTS, ms=60) + bytes(700_000)
        for number in range(2 * kills)
    }
    killed = dict.fromkeys(("gateway", "daemon", "recogniser"), 0)
    with Gatewayed(folder, before=LIMITS) as site:
        site.start()
        people = People(site, site.let_in("alle", "inbox", may="upload,edit"), wanted)
        uploading = people.work(people.upload)
        others = [people.work(people.edit), people.work(people.listen)]
        for number in range(kills):
            eventually(
                lambda at=number: people.problems or len(people.done) >= min(at, len(wanted)),
                what="some progress",
            )
            assert not people.problems, people.problems
            time.sleep(dice.uniform(0.0, 0.7))  # the moment is what is random
            killed[kill_one(site, dice)] += 1
        uploading.join(120)
        assert sorted(people.done) == sorted(wanted), people.problems
        people.is_over.set()
        for thread in others:
            thread.join(30)
        assert not people.problems, people.problems
        site.wait_until_done(len(wanted))
        check(site, people)
        print(  # noqa: T201 (how a run went)
            json.dumps(
                {"killed": killed, "saved": people.saved, "heard": people.heard, "listened": people.listened}
            )
        )
        assert people.heard
        assert people.saved
        assert people.listened
        assert site.stop_gateway() == 0


def kill_one(site: Gatewayed, dice: random.Random) -> str:
    """End one of them as a power cut would, and start it again; return which."""
    which = dice.choice(("gateway", "daemon", "recogniser"))
    running = [each["pid"] for each in site.live()["recognisers"] if each["pid"]]
    if which == "recogniser" and running:
        kill_quietly(running, signal.SIGKILL)
        return which
    if which == "gateway":
        site.kill_gateway()
        site.start_gateway()
        return which
    AttackedDaemon.kill(site)
    site.check_integrity()
    AttackedDaemon.start(site)
    return "daemon"


def check(site: Gatewayed, people: People) -> None:
    """Fail where something is lost, half, or there twice."""
    site.check_integrity()
    for name, text in people.corrected.items():
        path = site.inbox / f"{name[:-4]}.txt"
        eventually(
            lambda path=path, text=text: text in path.read_text(encoding="utf-8"), what=f"{text} in {name}"
        )
    here = {path.name for path in site.inbox.iterdir()}
    assert here == {*people.wanted, *(f"{name[:-4]}.txt" for name in people.wanted)}
    for name, content in people.wanted.items():
        assert (site.inbox / name).read_bytes() == content
        if name not in people.corrected:
            check_transcript(site.inbox / f"{name[:-4]}.txt", content)
    with site.client(people.token) as client:
        found = {}
        for listed in client.get(f"{API}/recordings?limit=200").json()["recordings"]:
            found[listed["path"]] = client.get(f"{API}/recordings/{listed['id']}").json()["passages"]
    assert {
        name: passages[0]["text"] for name, passages in found.items() if name in people.corrected
    } == people.corrected
    assert {len(passages) for passages in found.values()} == {SEGMENTS}
    steps = site.query("SELECT count(*) FROM corrections WHERE kind = 'text'")
    assert steps == [(people.saved,)]  # each once, also where the answer was lost
    spool = site.folder / "state" / "gateway" / "uploads"
    # One that was begun, and whose number nobody heard, is empty; it is forgotten after a day.
    assert not [path for path in spool.glob("*.data") if path.stat().st_size]
    for log in (site.log_text(), site.gateway_log.read_text(encoding="utf-8")):
        assert "Traceback" not in log


@pytest.mark.slow
def test_kills_at_the_console_lose_nothing(tmp_path: Path) -> None:
    """Six of them, while files come, texts are corrected and somebody listens."""
    attack(tmp_path, kills=6, seed=7)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_kills_at_the_console_lose_nothing(tmp_path: Path) -> None:
    """Sixty-four of them."""
    attack(tmp_path, kills=64, seed=11)
