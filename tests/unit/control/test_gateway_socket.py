"""What the gateway is given by the daemon, for whom, and what it is not."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from way import OpenDaemon

from asr_daemon.access import EVERY_INBOX, Accesses, Right, parse_rights
from asr_daemon.config import Config
from asr_daemon.config_sections import GatewaySection
from asr_daemon.control import messages as m
from asr_daemon.control.changes import Changes
from asr_daemon.control.desk import Desk
from asr_daemon.control.gateway_door import open_door
from asr_daemon.control.gateway_socket import GatewaySocket
from asr_daemon.gateway.daemon_client import AnsweredError, DaemonClient
from asr_daemon.history.readers import Readers

if TYPE_CHECKING:
    from collections.abc import Iterator


class Doored(OpenDaemon):
    """An opened daemon of two departments that a gateway may ask."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "hr").mkdir()
        self.accesses = Accesses(self.history, self.time.clock)
        self.door = open_door(self.parts, GatewaySection())
        self.client = DaemonClient(self.config.gateway_socket_path)

    def token(self, name: str, *inboxes: str, may: str = "read") -> str:
        """Let somebody in."""
        return self.accesses.add(name, inboxes, parse_rights(may))

    def recognised(self, name: str, *texts: str) -> int:
        """Have a recording recognised; return its number."""
        recording = self.put(name, name.encode())
        self.finish(self.claim().id, *texts)
        return recording

    def refused(self, request: m.Request, secret: str, descriptor: int | None = None) -> m.Refusal:
        """Ask for what is not given."""
        with pytest.raises(AnsweredError) as caught:
            self.client.ask(object, request, secret, descriptor)
        return caught.value.refusal


def count_descriptors() -> int:
    """Return how many are open in this process: daemon and gateway both."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def doored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doored]:
    """Return it."""
    import way  # noqa: PLC0415

    def two_inboxes(folder: Path, **_: object) -> Config:
        inboxes = [{"name": name, "path": folder / name, "formats": ("txt",)} for name in ("inbox", "hr")]
        return Config.model_validate({"daemon": {"state_dir": folder / "state"}, "inbox": inboxes})

    monkeypatch.setattr(way, "make_config", two_inboxes)
    doored = Doored(tmp_path)
    yield doored
    doored.door.close()
    doored.close()


def test_department_sees_its_own_and_nothing_tells_of_the_others(doored: Doored) -> None:
    """The same answer where there is nothing and where it is somebody else's."""
    own = doored.token("a", "inbox")
    other = doored.token("b", "hr")
    recording = doored.recognised("a.wav", "预算会议")
    requests = (
        m.GetRecording(recording),
        m.GetTranscript(recording, "txt"),
        m.OpenRecording(recording),
        m.Retry((recording,)),
        m.Cancel((recording,)),
    )
    for request in requests:
        absent = doored.refused(type(request)(**{**_fields(request), **_absent(request)}), other)
        assert doored.refused(request, other) == absent
        assert absent.code == "not_found"
    assert doored.client.ask(m.RecordingList, m.ListRecordings(), other).recordings == ()
    assert doored.client.ask(m.Found, m.Search("预算"), other).places == ()
    assert doored.refused(m.ListRecordings(inbox="inbox"), other).code == "not_found"
    assert [each.name for each in doored.client.ask(m.Overview, m.GetOverview(), other).inboxes] == []
    (listed,) = doored.client.ask(m.RecordingList, m.ListRecordings(), own).recordings
    assert (listed.id, listed.inbox, listed.path) == (recording, "inbox", "a.wav")
    (place,) = doored.client.ask(m.Found, m.Search("预算"), own).places
    assert (place.recording, place.text) == (recording, "预算会议")


def _fields(request: m.Request) -> dict[str, object]:
    return {name: getattr(request, name) for name in request.__slots__}


def _absent(request: m.Request) -> dict[str, object]:
    return {"recordings": (4711,)} if hasattr(request, "recordings") else {"recording": 4711}


@pytest.mark.parametrize(
    "request_",
    [m.WhoAmI(), m.GetOverview(), m.ListRecordings(), m.Search("a"), m.SetPaused(paused=True), m.LogOut()],
)
@pytest.mark.parametrize("secret", ["", "asr_wrong"])
def test_nothing_without_a_secret(doored: Doored, request_: m.Request, secret: str) -> None:
    """Whoever breaks into the gateway has nothing but the secrets that pass through it."""
    assert doored.refused(request_, secret).code == "log_in"


def test_rights_are_asked_for_each_step(doored: Doored) -> None:
    """Reading is not editing, editing is not operating, uploading is neither."""
    recording = doored.recognised("a.wav", "预算会议")
    reader = doored.token("r", "inbox")
    assert doored.refused(m.Retry((recording,)), reader).code == "forbidden"
    assert doored.refused(m.SetPaused(paused=True), reader).code == "forbidden"
    with (doored.folder / "up.wav").open("w+b") as file:
        assert doored.refused(m.PutRecording("inbox", "up.wav"), reader, file.fileno()).code == "forbidden"
    operator = doored.token("o", EVERY_INBOX, may="operate")
    doored.client.ask(m.Done, m.SetPaused(paused=True), operator)
    assert doored.settings.is_paused


def test_sound_comes_as_a_descriptor(doored: Doored) -> None:
    """The gateway opens nothing in the share itself."""
    recording = doored.recognised("a.wav", "好")
    token = doored.token("a", "inbox")
    opened, descriptor = doored.client.ask_for_descriptor(m.Opened, m.OpenRecording(recording), token)
    assert descriptor is not None
    try:
        assert os.pread(descriptor, 100, 0) == b"a.wav"
        assert opened == m.Opened("a.wav", 5)
    finally:
        os.close(descriptor)
    (doored.inbox / "a.wav").unlink()
    assert doored.refused(m.OpenRecording(recording), token).code == "not_found"


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("会议.m4a", "会议.m4a"),
        ("C:\\Users\\王\\会议.m4a", "会议.m4a"),
        ("../../etc/cron.d/会议.m4a", "会议.m4a"),
        ("a\nb\x1b[2J.wav", "a_b_[2J.wav"),
        (".隐藏.wav", "隐藏.wav"),
        ("\u202egnp.wav", "_gnp.wav"),
        ("长" * 300 + ".wav", None),
    ],
)
def test_upload_lies_in_the_inbox_whole_and_under_a_name_that_all_can_show(
    doored: Doored, sent: str, name: str | None
) -> None:
    """Whatever a browser calls it."""
    token = doored.token("a", "inbox", may="upload")
    with (doored.folder / "spooled").open("w+b") as file:
        file.write(b"sound")
        file.flush()
        put = doored.client.ask(m.Put, m.PutRecording("inbox", sent), token, file.fileno())
    (path,) = doored.inbox.iterdir()
    assert put.path == path.name
    assert name is None or path.name == name
    assert path.read_bytes() == b"sound"
    assert len(os.fsencode(path.name)) <= 255


def test_upload_goes_before_what_lies_in_folders(doored: Doored) -> None:
    """Its sender waits at a screen; what comes to that path later does not."""
    token = doored.token("a", "inbox", may="upload")
    doored.put("earlier.wav", b"earlier")
    with (doored.folder / "spooled").open("w+b") as file:
        file.write(b"sent up" * 1000)
        file.flush()
        doored.client.ask(m.Put, m.PutRecording("inbox", "up.wav"), token, file.fileno())
    doored.put("up.wav", b"sent up" * 1000)
    assert [doored.claim().waiting[0].name for _ in range(2)] == ["up.wav", "earlier.wav"]
    doored.put("again.wav", b"x")
    doored.put("up.wav", b"another, and longer" * 1000)
    assert [doored.claim().waiting[0].name for _ in range(2)] == ["again.wav", "up.wav"]


def test_upload_replaces_nothing(doored: Doored) -> None:
    """The second of a name gets a number."""
    token = doored.token("a", "inbox", may="upload")
    for content in (b"one", b"two", b"three"):
        with (doored.folder / "spooled").open("w+b") as file:
            file.write(content)
            file.flush()
            doored.client.ask(m.Put, m.PutRecording("inbox", "会议.m4a"), token, file.fileno())
    found = {path.name: path.read_bytes() for path in doored.inbox.iterdir()}
    assert found == {"会议.m4a": b"one", "会议 (2).m4a": b"two", "会议 (3).m4a": b"three"}


@pytest.mark.parametrize("name", ["报告.docx", "a.txt", "", "..", "wav"])
def test_what_is_no_recording_by_its_name_is_refused(doored: Doored, name: str) -> None:
    """A department's share is no file store."""
    token = doored.token("a", "inbox", may="upload")
    with (doored.folder / "spooled").open("w+b") as file:
        refusal = doored.refused(m.PutRecording("inbox", name or "."), token, file.fileno())
    assert refusal.code in ("unavailable", "refused")
    assert list(doored.inbox.iterdir()) == []


def test_only_a_file_is_taken(doored: Doored) -> None:
    """A pipe or a folder in a file's place would hold the daemon."""
    token = doored.token("a", "inbox", may="upload")
    reading, writing = os.pipe()
    assert doored.refused(m.PutRecording("inbox", "a.wav"), token, reading).code != "internal"
    folder = os.open(doored.folder, os.O_RDONLY)
    assert doored.refused(m.PutRecording("inbox", "a.wav"), token, folder).code != "internal"
    for descriptor in (reading, writing, folder):
        os.close(descriptor)


def test_pages_of_a_list_follow_on_each_other(doored: Doored) -> None:
    """Nothing is left out or shown twice while new ones come in."""
    token = doored.token("a", "inbox")
    numbers = [doored.put(f"{number}.wav", b"%d" % number) for number in range(5)]
    first = doored.client.ask(m.RecordingList, m.ListRecordings(limit=2), token)
    doored.put("new.wav", b"new")
    second = doored.client.ask(m.RecordingList, m.ListRecordings(limit=2, before=first.next_before), token)
    third = doored.client.ask(m.RecordingList, m.ListRecordings(limit=2, before=second.next_before), token)
    told = [each.id for page in (first, second, third) for each in page.recordings]
    assert told == numbers[::-1]
    assert third.next_before is None


def test_log_in_and_out(doored: Doored) -> None:
    """A browser's cookie, from the token to its end."""
    token = doored.token("王芳", "inbox", may="edit")
    logged_in = doored.client.ask(m.LoggedIn, m.LogIn(token))
    person = doored.client.ask(m.Person, m.WhoAmI(), logged_in.secret)
    assert person == logged_in.person == m.Person("王芳", ("inbox",), ("edit", "read"))
    doored.client.ask(m.Done, m.LogOut(), logged_in.secret)
    assert doored.refused(m.WhoAmI(), logged_in.secret).code == "log_in"
    assert doored.refused(m.LogIn("asr_guess"), "").code == "log_in"


def test_who_watches_is_told_of_what_changes(doored: Doored) -> None:
    """Nothing polls: a change in the history is told within the moment."""
    token = doored.token("a", "inbox")

    async def watch() -> list[int]:
        versions = []
        async for changed in doored.client.watch(token):
            versions.append(changed.version)
            if len(versions) == 2:
                break
            await asyncio.to_thread(doored.put, "a.wav", b"a")
        return versions

    first, second = asyncio.run(asyncio.wait_for(watch(), 30))
    assert second > first


def test_half_an_answer_of_a_daemon_that_was_killed_is_none(tmp_path: Path) -> None:
    """The watch ends, and begins anew with whoever answers next."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))
        server.listen()

        def die_in_the_middle() -> None:
            end, _ = server.accept()
            with end:
                end.recv(1 << 16)
                end.sendall(b'{"kind":"Changed","told":{"ver')

        dying = threading.Thread(target=die_in_the_middle)
        dying.start()

        async def watch() -> list[m.Changed]:
            return [changed async for changed in DaemonClient(path).watch("")]

        assert asyncio.run(asyncio.wait_for(watch(), 30)) == []
        dying.join()


def test_one_whose_access_is_removed_hears_no_more(doored: Doored) -> None:
    """A listener is asked who it is with every change."""
    token = doored.token("a", "inbox")

    async def watch() -> None:
        async for _ in doored.client.watch(token):
            await asyncio.to_thread(doored.accesses.remove, "a")

    with pytest.raises(AnsweredError) as caught:
        asyncio.run(asyncio.wait_for(watch(), 30))
    assert caught.value.refusal.code == "log_in"


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nothing\n",
        b"[]\n",
        b'{"request": {"command": "status"}}\n',
        b'{"request": {"command": "log_in"}}\n',
        b'{"request": {"command": "list_recordings", "limit": 1000000}}\n',
        b'{"request": {"command": "get_recording", "recording": "../.."}}\n',
        json.dumps({"request": {"command": "search", "words": "x" * 2000}}).encode() + b"\n",
    ],
)
def test_what_is_no_request_is_refused_in_a_sentence(doored: Doored, line: bytes) -> None:
    """And the connection goes on."""
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(os.fspath(doored.config.gateway_socket_path))
        end.settimeout(20)
        with end.makefile("rwb") as lines:
            for _ in range(2):
                lines.write(line)
                lines.flush()
                told = m.decode_told(lines.readline().rstrip())
                assert isinstance(told, m.Refusal)
                assert told.code == "refused"
                assert told.chinese


def test_another_release_is_told_what_to_do(doored: Doored) -> None:
    """An upgrade restarts both; until then the page says so."""
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(os.fspath(doored.config.gateway_socket_path))
        end.settimeout(20)
        end.sendall(m.encode_ask(m.Ask(m.WhoAmI(), "x", version=2)))
        told = m.decode_told(end.makefile("rb").readline().rstrip())
    assert isinstance(told, m.Refusal)
    assert (told.code, "restart both" in told.message) == ("version", True)


def test_endless_line_is_cut_off(doored: Doored) -> None:
    """The daemon's memory is not the gateway's to fill."""
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(os.fspath(doored.config.gateway_socket_path))
        end.settimeout(20)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            end.sendall(b"x" * (200 << 16))
    assert doored.refused(m.WhoAmI(), "").code == "log_in"


def test_descriptors_that_nobody_asked_for_are_closed(doored: Doored) -> None:
    """A hundred requests with a file each leave the daemon with as many as before."""
    token = doored.token("a", "inbox")
    before = count_descriptors()
    with (doored.folder / "spooled").open("w+b") as file:
        for _ in range(100):
            doored.client.ask(m.Person, m.WhoAmI(), token, file.fileno())
    assert count_descriptors() <= before + 4


def test_requests_one_after_the_other_share_a_connection(doored: Doored) -> None:
    """Each has not a thread of the daemon's of its own."""
    token = doored.token("a", "inbox")
    before = set(threading.enumerate())
    for _ in range(20):
        doored.client.ask(m.Person, m.WhoAmI(), token)
    threads = [each for each in set(threading.enumerate()) - before if "process_request" in each.name]
    assert len(threads) <= 1


def test_every_message_has_a_name_of_its_own() -> None:
    """They are told apart by their names."""
    for union in (m.Told, m.Request):
        names = [kind.__name__ for kind in get_args(union)]
        assert len(names) == len(set(names))


STRANGER = """
import os, socket, sys
end = socket.socket(socket.AF_UNIX)
os.chdir(sys.argv[1])
os.setgroups([]); os.setgid({user}); os.setuid({user})
end.connect("gateway.sock")
end.sendall(b'{{"request": {{"command": "who_am_i"}}, "secret": "' + sys.argv[2].encode() + b'"}}\\n')
print(end.makefile().readline())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
@pytest.mark.parametrize(("user", "is_served"), [(65534, False), (65533, True)])
def test_only_the_gateways_user_may_ask(tmp_path: Path, user: int, is_served: bool) -> None:
    """A token that was stolen is of no use to another user of the machine who reaches the socket."""
    doored = Doored(tmp_path)
    doored.door.close()
    path = doored.config.gateway_socket_path
    desk = Desk(doored.parts, doored.accesses, Readers(doored.config.history_path))
    gateway = GatewaySocket(path, desk, Changes(), [65533])
    path.chmod(0o666)
    path.parent.chmod(0o755)
    try:
        asked = [sys.executable, "-c", STRANGER.format(user=user), path.parent, doored.token("a", "inbox")]
        told = m.decode_told(subprocess.run(asked, capture_output=True, check=True, timeout=60).stdout)
    finally:
        gateway.close()
        doored.close()
    assert isinstance(told, m.Person if is_served else m.Refusal)


def test_socket_lies_where_two_containers_share_a_folder(tmp_path: Path) -> None:
    """The gateway's container has neither state folder nor shares; the same user asks through that socket."""
    (tmp_path / "sockets").mkdir()
    section = GatewaySection(socket=tmp_path / "sockets" / "gateway.sock")
    daemon = OpenDaemon(tmp_path)
    daemon.parts.configuration.now = daemon.config.model_copy(update={"gateway": section})
    with open_door(daemon.parts, section):
        token = Accesses(daemon.history, daemon.time.clock).add("a", ["inbox"], parse_rights("read"))
        client = DaemonClient(daemon.parts.config.gateway_socket_path)
        assert client.ask(m.Person, m.WhoAmI(), token).name == "a"
        assert sorted(path.name for path in (tmp_path / "sockets").iterdir()) == ["gateway.sock"]
    daemon.close()


def test_what_may_have_been_carried_out_is_not_asked_again(tmp_path: Path) -> None:
    """A daemon that ends in the middle of an upload has perhaps put it there: twice would be one too many."""
    heard: list[bytes] = []

    class Ends(socketserver.StreamRequestHandler):
        """Answers the first request and goes in the middle of every other."""

        def handle(self) -> None:
            """Hear, and perhaps answer."""
            while line := self.rfile.readline():
                heard.append(line)
                if len(heard) > 1:
                    return
                self.wfile.write(m.encode_told(m.Done()))

    path = tmp_path / "gateway.sock"
    with socketserver.ThreadingUnixStreamServer(os.fspath(path), Ends) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = DaemonClient(path)
        client.ask(m.Done, m.LogOut(), "x")
        with pytest.raises(AnsweredError) as caught:
            client.ask(m.Done, m.Retry((1,)), "x")
        server.shutdown()
    assert caught.value.refusal.code == "unavailable"
    assert len(heard) == 2


def test_socket_in_a_deep_folder_is_reached(tmp_path: Path) -> None:
    """A socket's address holds 107 bytes; a state folder may be longer."""
    deep = tmp_path / ("长" * 40)
    deep.mkdir()
    doored = Doored(deep)
    try:
        token = doored.token("a", "inbox")
        assert doored.client.ask(m.Person, m.WhoAmI(), token).name == "a"

        async def first() -> m.Changed:
            async for changed in doored.client.watch(token):
                return changed
            raise AssertionError("nothing was told")

        assert asyncio.run(asyncio.wait_for(first(), 30)).in_work == ()
    finally:
        doored.door.close()
        doored.close()


def test_daemon_that_is_away_is_told_as_such(doored: Doored) -> None:
    """No traceback: the page says that the service does not run."""
    token = doored.token("a", "inbox")
    assert doored.client.ask(m.Person, m.WhoAmI(), token).name == "a"
    doored.door.close()
    assert doored.refused(m.WhoAmI(), token).code == "unavailable"


def test_right_is_a_word() -> None:
    """As it stands in the history and in messages."""
    assert str(Right.READ) == "read"
