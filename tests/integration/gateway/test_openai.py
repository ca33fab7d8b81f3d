"""OpenAI's interface, spoken by OpenAI's own client to a real gateway and daemon."""

from __future__ import annotations

import hashlib
import io
import threading
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
from attack import drop, recording
from gatewayed import Gatewayed

from support import SAMPLES, eventually, reference

if TYPE_CHECKING:
    from collections.abc import Iterator


def client_of(site: Gatewayed, token: str, *, retries: int = 0, timeout_s: float = 90.0) -> openai.OpenAI:
    """Return OpenAI's client, as a program makes it."""
    return openai.OpenAI(
        base_url=f"http://127.0.0.1:{site.port}/v1", api_key=token, max_retries=retries, timeout=timeout_s
    )


def without_breaks(text: str) -> str:
    """Return the text as the reference has it."""
    return "".join(text.split())


# ---------------------------------------------------------------------- with the built-in model


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    """Return a client of a whole system with the built-in model."""
    with Gatewayed(
        tmp_path_factory.mktemp("real"),
        model="builtin",
        before='[engine]\nmodel = "builtin"\ndevice = "cpu"\n',
    ) as site:
        site.start()
        yield client_of(site, site.let_in("程序", "inbox", may="upload"))
        assert site.stop_gateway() == 0
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


@pytest.mark.slow
def test_client_gets_every_format(real: openai.OpenAI) -> None:
    """The one that most programs send by, and all the others; the same sound is recognised once."""
    sound = SAMPLES / "support.mp3"
    create = real.audio.transcriptions.create
    plain = create(model="whisper-1", file=sound)
    assert plain.usage is not None
    assert plain.usage.type == "duration"
    written = without_breaks(create(model="whisper-1", file=sound, response_format="text"))
    assert written == without_breaks(plain.text)
    verbose = create(
        model="whisper-1",
        file=sound,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert (verbose.language, verbose.text) == ("zh", plain.text)
    assert verbose.segments
    assert verbose.words
    for number, segment in enumerate(verbose.segments):
        assert set(segment.model_dump()) == set(openai.types.audio.TranscriptionSegment.model_fields)
        assert segment.id == number
        assert 0 <= segment.start < segment.end <= float(verbose.duration) + 0.1
    assert [word.start for word in verbose.words] == sorted(word.start for word in verbose.words)
    bare = create(model="whisper-1", file=sound, response_format="verbose_json")
    assert bare.segments
    assert bare.words is None
    diarized = create(model="gpt-4o-transcribe-diarize", file=sound, response_format="diarized_json")
    assert [segment.text for segment in diarized.segments] == [segment.text for segment in verbose.segments]
    assert {segment.type for segment in diarized.segments} == {"transcript.text.segment"}
    assert all(segment.speaker for segment in diarized.segments)
    assert "-->" in create(model="whisper-1", file=sound, response_format="srt")
    assert create(model="whisper-1", file=sound, response_format="vtt").startswith("WEBVTT")


@pytest.mark.slow
def test_client_hears_deltas_and_one_end(real: openai.OpenAI) -> None:
    """What is appended piece by piece is the whole text."""
    events = list(
        real.audio.transcriptions.create(model="whisper-1", file=SAMPLES / "lecture.wav", stream=True)
    )
    kinds = [event.type for event in events]
    assert kinds.count("transcript.text.done") == 1
    assert kinds[-1] == "transcript.text.done"
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert deltas
    assert "".join(deltas) == events[-1].text
    assert without_breaks(events[-1].text) == reference("lecture")


@pytest.mark.slow
def test_prompt_and_keywords_are_hotwords(real: openai.OpenAI) -> None:
    """A name that the model alone gets wrong is right with either."""
    sound = SAMPLES / "finance.m4a"
    create = real.audio.transcriptions.create
    assert "顾清源" not in create(model="whisper-1", file=sound).text
    assert "顾清源" in create(model="whisper-1", file=sound, prompt="发言人：顾清源、预算").text
    by_keyword = create(model="whisper-1", file=sound, extra_body={"keywords": ["顾清源"]})
    assert "顾清源" in by_keyword.text


@pytest.mark.slow
def test_models_are_listed(real: openai.OpenAI) -> None:
    """The one that is here, and the usual name."""
    assert [model.id for model in real.models.list()] == ["paraformer-tiny-zh", "whisper-1"]
    assert real.models.retrieve("paraformer-tiny-zh").owned_by == "asr-daemon"
    with pytest.raises(openai.NotFoundError):
        real.models.retrieve("gpt-9")


# ---------------------------------------------------------------------- with the fake recogniser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatewayed]:
    """Return a whole system with the fake recogniser."""
    with Gatewayed(
        tmp_path_factory.mktemp("fake"), gateway="keep_uploads_h = 0\nmost_upload_gb = 0.01"
    ) as site:
        site.start()
        yield site
        assert site.stop_gateway() == 0
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


@pytest.fixture(scope="module")
def token(site: Gatewayed) -> str:
    """Return the token of a program of one department."""
    return site.let_in("程序", "inbox", may="upload")


def sound(number: object, **orders: object) -> tuple[str, io.BytesIO]:
    """Return a file as the client takes it."""
    return ("会议.wav", io.BytesIO(recording(number, **orders)))


def test_who_loses_patience_and_sends_again_joins_the_running_job(site: Gatewayed, token: str) -> None:
    """The client's own time-out and retry: one job, each segment once, and the answer in the end."""
    before = len(site.rows("history", inboxes=None, state=None, since=None, limit=1000))
    client = client_of(site, token, retries=3, timeout_s=2.0)
    text = client.audio.transcriptions.create(
        model="whisper-1", file=sound("patience", segments=8, ms=600)
    ).text
    assert text.count("段") == 8
    heard = [count for segment, count in site.recognised().items() if segment.split()[0] in text]
    assert heard == [1] * 8
    assert (
        len(site.events("transcription_asked"))
        - len({each["job"] for each in site.events("transcription_asked")})
        >= 1
    )
    assert len(site.rows("history", inboxes=None, state=None, since=None, limit=1000)) == before + 1


def test_who_waits_goes_before_the_queue(site: Gatewayed, token: str) -> None:
    """A night's batch lies in the queue; the program has its answer before the batch is done."""
    for number in range(30):
        drop(site.inbox / f"nacht{number}.wav", recording(f"nacht{number}", ms=300))
    eventually(lambda: site.rows("count_queued")[0]["jobs"] >= 4, what="a queue")
    assert client_of(site, token).audio.transcriptions.create(model="whisper-1", file=sound("eilig")).text
    assert site.rows("count_queued")[0]["jobs"] >= 1
    eventually(lambda: site.rows("count_queued")[0]["jobs"] == 0, what="the rest of the batch")


def test_deltas_come_while_it_is_recognised(site: Gatewayed, token: str) -> None:
    """The first is there long before the last segment is begun."""
    stream = client_of(site, token).audio.transcriptions.create(
        model="whisper-1", file=sound("deltas", segments=6, ms=500), stream=True
    )
    first = next(iter(stream))
    assert first.type == "transcript.text.delta"
    assert sum(segment in first.delta for segment in ("第0段", "第5段")) == 1
    assert "第5段" in "".join(event.delta for event in stream if event.type == "transcript.text.delta")


@pytest.mark.parametrize(
    ("orders", "status"),
    [
        ({"response_format": "xml"}, 400),
        ({"timestamp_granularities": ["word"]}, 400),
        ({"temperature": 7}, 400),
        ({"language": "tlh"}, 400),
        ({"stream": True, "response_format": "srt"}, 400),
        ({"model": "gpt-9"}, 404),
        ({"extra_body": {"inbox": "hr"}}, 404),
    ],
)
def test_what_makes_no_sense_is_refused_in_openais_envelope(
    site: Gatewayed, token: str, orders: dict[str, object], status: int
) -> None:
    """The client raises its own error for the status, with the field's name; nothing is tried again."""
    wanted = {"model": "whisper-1", "file": sound("unsinn"), **orders}
    with pytest.raises(openai.APIStatusError) as raised:
        client_of(site, token, retries=2).audio.transcriptions.create(**wanted)
    assert raised.value.status_code == status
    assert isinstance(raised.value.body, dict)
    assert set(raised.value.body) == {"message", "type", "param", "code"}
    assert raised.value.body["type"] == "invalid_request_error"
    if "extra_body" not in orders:
        assert raised.value.param in orders


def test_failures_have_openais_status(site: Gatewayed, token: str) -> None:
    """What is no recording, what is too large, and who is nobody or may not."""
    create = client_of(site, token).audio.transcriptions.create
    with pytest.raises(openai.BadRequestError, match="无法作为录音打开"):
        create(model="whisper-1", file=("a.wav", b"text"))
    with pytest.raises(openai.BadRequestError):
        list(create(model="whisper-1", file=("b.wav", b"text, too"), stream=True))
    with pytest.raises(openai.APIStatusError) as too_large:
        create(model="whisper-1", file=("a.wav", bytes(10_000_001)))
    assert too_large.value.status_code == 413
    with pytest.raises(openai.BadRequestError):
        create(model="whisper-1", file=("a.wav", b""))
    with pytest.raises(openai.AuthenticationError):
        client_of(site, "asr_guess").audio.transcriptions.create(model="whisper-1", file=sound(1))
    reader = site.let_in("读者", "inbox", may="read")
    with pytest.raises(openai.PermissionDeniedError):
        client_of(site, reader).audio.transcriptions.create(model="whisper-1", file=sound(1))


def test_upload_goes_once_its_text_is_there(site: Gatewayed, token: str) -> None:
    """With keep_uploads_h = 0 nothing of it is left; the share has never seen it."""
    assert client_of(site, token).audio.transcriptions.create(model="whisper-1", file=sound("weg")).text
    eventually(lambda: not [*(site.folder / "state" / "uploads").glob("*/*")], what="its end")
    assert not [*site.inbox.glob("会议*")]
    assert not [*(site.folder / "state" / "gateway" / "uploads").iterdir()]


def test_paused_queue_is_said_at_once(site: Gatewayed, token: str) -> None:
    """503, to be tried again later: nobody waits ten minutes for nothing."""
    assert site.command("pause").returncode == 0
    try:
        with pytest.raises(openai.InternalServerError) as raised:
            client_of(site, token).audio.transcriptions.create(model="whisper-1", file=sound("pause"))
        assert raised.value.status_code == 503
        assert raised.value.response.headers["retry-after"]
    finally:
        assert site.command("resume").returncode == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nabc',
        b"--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--\r\n",
        b"--x\r\n" + b"A" * 100_000 + b": b\r\n\r\nabc\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n' + b"a" * 2_000_000 + b"\r\n--x--\r\n",
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 20_000) + b"--x--\r\n",
        b"\x00\xff" * 1000,
    ],
)
def test_form_that_is_none_is_refused(site: Gatewayed, token: str, body: bytes) -> None:
    """Cut short, without names, endless heads and fields: 400 in the envelope, and the gateway lives."""
    with site.client(token) as client:
        answer = client.post(
            "/v1/audio/transcriptions",
            content=body,
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert client.get("/v1/models").status_code == 200


def test_killed_daemon_is_told_and_what_was_heard_stays(site: Gatewayed, token: str) -> None:
    """The waiting client is told to come again, and its second try goes on where the first one was."""
    answers: list[object] = []

    def ask() -> None:
        client = client_of(site, token, retries=4)
        answers.append(
            client.audio.transcriptions.create(model="whisper-1", file=sound("kill", segments=6, ms=400)).text
        )

    waiting = threading.Thread(target=ask)
    waiting.start()
    eventually(lambda: any(count for count in site.recognised().values()), what="a segment")
    eventually(lambda: site.live()["in_work"], what="work")
    super(Gatewayed, site).kill()
    super(Gatewayed, site).start()
    waiting.join(60)
    assert answers
    assert str(answers[0]).count("段") == 6


def test_client_that_goes_leaves_the_work(site: Gatewayed, token: str) -> None:
    """Its recording is transcribed all the same."""
    files = {"file": sound("geht", segments=4, ms=400)}
    with pytest.raises(httpx.ReadTimeout), site.client(token) as client:
        client.post("/v1/audio/transcriptions", files=files, timeout=1.0)
    eventually(
        lambda: not site.rows("count_queued")[0]["jobs"] and not site.live()["in_work"], what="the end"
    )
    assert (
        client_of(site, token)
        .audio.transcriptions.create(model="whisper-1", file=sound("geht", segments=4, ms=400))
        .text
    )


def test_department_finds_what_its_program_sent(site: Gatewayed) -> None:
    """In lists, search and pages, to read, hear and correct; other departments, and those of all, do not."""
    mine = site.let_in("我们的程序", "inbox", may="upload,edit")
    theirs = site.let_in("别人", "hr", may="upload,edit")
    content = recording("gefunden", segments=2)
    heard = client_of(site, mine).audio.transcriptions.create(
        model="whisper-1", file=("电话.wav", io.BytesIO(content))
    )
    with site.client(mine) as ours, site.client(theirs) as others:
        found = ours.get("/api/v1/recordings", params={"text": "电话"}).json()["recordings"]
        ((number, inbox, path, state),) = [
            (each["id"], each["inbox"], each["path"], each["state"]) for each in found
        ]
        assert (inbox, path, state) == ("inbox", "电话.wav", "done")
        digest = hashlib.sha256(content).hexdigest()
        for where in ("/api/v1/search", "/search"):
            assert "电话.wav" in ours.get(where, params={"q": digest}).text
            assert "电话.wav" not in others.get(where, params={"q": digest}).text
        detail = ours.get(f"/api/v1/recordings/{number}")
        assert "".join(each["text"] for each in detail.json()["passages"]) in without_breaks(heard.text)
        assert ours.get(f"/recordings/{number}").status_code == 200
        sound = ours.get(f"/api/v1/recordings/{number}/audio")
        assert sound.status_code == 404  # keep_uploads_h = 0
        changed = ours.patch(
            f"/api/v1/recordings/{number}/segments/0",
            json={"text": "更正"},
            headers={"If-Match": detail.headers["etag"]},
        )
        assert changed.status_code == 200
        assert "更正" in ours.get(f"/api/v1/recordings/{number}/transcript.txt").text
        for way in ("", "/audio", "/transcript.txt", "/corrections", "/playback"):
            assert others.get(f"/api/v1/recordings/{number}{way}").status_code == 404
        assert others.post(f"/api/v1/recordings/{number}/retry").status_code == 404
        assert ours.delete(f"/api/v1/recordings/{number}/transcript").status_code == 200
        assert ours.get("/api/v1/search", params={"q": digest}).json()["places"] == []
    assert {path.name for path in site.inbox.iterdir()}.isdisjoint({"电话.wav", "电话.txt"})


def test_program_for_several_departments_names_the_one_that_sees_it(site: Gatewayed) -> None:
    """Where it names none nobody does."""
    both = client_of(site, site.let_in("beide", "inbox", "hr", may="upload"))
    for name, more in (("named.wav", {"inbox": "hr"}), ("unnamed.wav", {})):
        both.audio.transcriptions.create(
            model="whisper-1", file=(name, io.BytesIO(recording(name))), extra_body=more
        )
    with site.client(site.let_in("personal", "hr")) as client:
        listed = [each["path"] for each in client.get("/api/v1/recordings?limit=200").json()["recordings"]]
        assert "named.wav" in listed
        assert "unnamed.wav" not in listed
