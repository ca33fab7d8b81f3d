"""Every model family, from a folder as FunASR reads it to segments: tiny models with random weights."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny_models
import torch
from conftest import DEMO, Driver, builtin_setup

from asr_daemon.dispatch.protocol import Ready
from asr_daemon.errors import ModelMissingError
from asr_daemon.models.catalogue import resolve
from asr_daemon.recogniser.engine import Engine
from asr_daemon.recogniser.families import fun_asr_nano, funasr_model
from asr_daemon.recogniser.families.family import Request, Spoken
from asr_daemon.recogniser.families.precision import Precision
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALL = [*tiny_models.BUILDERS, "builtin"]
LENGTHS_S = (3.0, 1.2, 0.4, 2.2, 0.03)


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a model of every family."""
    folder = tmp_path_factory.mktemp("models")
    for name, build in tiny_models.BUILDERS.items():
        build(folder / name)
    return folder


def setup_of(models_dir: Path, name: str, **changes: object) -> Any:
    """Return the setup of a model of that folder, as the daemon would make it."""
    choice = resolve(name, models_dir, "cpu")
    return builtin_setup(
        model_name=choice.name,
        model_family=choice.family,
        model_folder=choice.folder,
        vad_folder=choice.vad_folder,
        punctuation_folder=choice.punctuation_folder,
        **changes,
    )


@pytest.fixture(scope="module")
def engine(models_dir: Path) -> Callable[..., Engine]:
    """Return a loader of engines, each once."""
    loaded: dict[tuple[str, bool], Engine] = {}

    def load(name: str, *, half_precision: bool = True) -> Engine:
        key = (name, half_precision)
        if key not in loaded:
            setup = setup_of(models_dir, name, half_precision=half_precision)
            loaded[key] = Engine(setup, lambda *_: None)
        return loaded[key]

    return load


def sounds() -> list[np.ndarray]:
    """Return segments of several lengths."""
    chance = np.random.default_rng(7)
    return [(chance.standard_normal(int(16_000 * s)) * 0.1).astype(np.float32) for s in LENGTHS_S]


def hear(engine: Engine, *places: int, **profile: Any) -> list[Spoken]:
    """Recognise some of the segments in one batch."""
    family = engine._family
    ready = [family.prepare(samples) for samples in sounds()]
    return family.transcribe([ready[place] for place in places], engine.request(Profile("m", **profile)))


@pytest.mark.parametrize("name", ALL)
def test_text_and_times_are_the_same_whatever_shares_the_batch(
    engine: Callable[..., Engine], name: str
) -> None:
    """Answers pair with segments by their place, and padding and neighbours change nothing."""
    alone = [hear(engine(name), place)[0] for place in range(len(LENGTHS_S))]
    assert hear(engine(name), *range(len(LENGTHS_S))) == alone
    assert hear(engine(name), 3, 0, 1) == [alone[3], alone[0], alone[1]]
    assert len({spoken.text for spoken in alone}) >= (4 if name != "builtin" else 1)


@pytest.mark.parametrize("name", ["paraformer", "bicif", "sense_voice"])
def test_times_lie_within_the_segment_and_follow_the_text(engine: Callable[..., Engine], name: str) -> None:
    """Tokens are the text in order, begin where the last ended or later, and are not merely spread."""
    for spoken, length_s in zip(hear(engine(name), *range(4)), LENGTHS_S, strict=False):
        assert "".join(token.text for token in spoken.tokens) == spoken.text.replace(" ", "")
        assert all(one.end_ms <= other.start_ms for one, other in pairwise(spoken.tokens))
        assert spoken.tokens[0].start_ms >= 0
        assert spoken.tokens[-1].end_ms <= length_s * 1000
    longest = hear(engine(name), 0)[0].tokens
    assert len({token.end_ms - token.start_ms for token in longest}) > 1


@pytest.mark.parametrize("name", ALL)
def test_a_processor_computes_in_float32_whatever_is_configured(
    engine: Callable[..., Engine], name: str
) -> None:
    """Half precision, wanted or not, changes no character on a CPU."""
    every = range(len(LENGTHS_S))
    assert hear(engine(name), *every) == hear(engine(name, half_precision=False), *every)
    assert engine(name).precision == "float32"


@pytest.mark.parametrize("name", ALL)
def test_every_family_works_in_half_precision(models_dir: Path, name: str) -> None:
    """Under autocast no step meets a type that it does not take, and hotwords still work."""
    engine = Engine(setup_of(models_dir, name), lambda *_: None)
    family: Any = getattr(engine._family, "family", engine._family)  # what is spread over the cores
    family._precision = Precision("cpu", torch.bfloat16)
    if name.startswith("nano"):
        family._model.llm.to(torch.bfloat16)
    spoken = hear(engine, 0, 1, 2, hotwords=("顾清源",))
    assert len(spoken) == 3
    assert all(one.text for one in spoken if name != "builtin")


# ------------------------------------------------------------------ against FunASR itself


def stock_answer(models_dir: Path, name: str, samples: np.ndarray) -> dict[str, Any]:
    """Return what FunASR's own way answers for one segment, with hotwords where it takes them."""
    folder = models_dir / name
    if name == "nano":
        stock = funasr_model.load(str(folder), "cpu", 1, **fun_asr_nano._own_files(folder))
        asked: dict[str, Any] = {"hotwords": ["预算会议"], "language": "中文", "itn": True}
        asked["max_length"] = fun_asr_nano._most_tokens(len(samples))
        (answer,) = stock.generate(input=[torch.from_numpy(samples)], **asked)
    else:
        stock = funasr_model.load(str(folder), "cpu", 1)
        (answer,) = stock.generate(input=[samples], language="zh", use_itn=True)
    return dict(answer)


@pytest.mark.parametrize("name", ["paraformer", "bicif", "sense_voice", "nano"])
def test_text_is_stock_s_own_for_each_segment_alone(
    models_dir: Path, engine: Callable[..., Engine], name: str
) -> None:
    """Calling the model's steps ourselves says what FunASR would, and the time head's times are its own."""
    together = hear(engine(name), 0, 1, 3, hotwords=("预算会议",))
    for spoken, place in zip(together, (0, 1, 3), strict=True):
        answer = stock_answer(models_dir, name, sounds()[place])
        text = fun_asr_nano._clean(re.sub(r"<\|.*?\|>", "", answer["text"]))
        assert spoken.text.replace(" ", "") == text.replace(" ", "")
        if name == "bicif":
            length_ms = int(LENGTHS_S[place] * 1000)  # FunASR's last token may end behind it
            within = [[start, min(end, length_ms)] for start, end in answer["timestamp"]]
            assert [[token.start_ms, token.end_ms] for token in spoken.tokens] == within


# ------------------------------------------------------------------ numbers and punctuation


class Marks:
    """A punctuator that ends every text with a full stop."""

    def marks(self, text: str) -> list[tuple[int, str]]:
        """Return one mark."""
        return [(len(text), "。")]


@pytest.mark.parametrize(
    ("name", "written", "spoken"),
    [
        ("builtin", "1234元。", "一千二百三十四元。"),
        ("paraformer", "1234元。", "一千二百三十四元。"),
        ("sense_voice", "一千二百三十四元", "一千二百三十四元。"),
        ("nano", "一千二百三十四元", "一千二百三十四元"),
    ],
)
def test_text_is_normalised_and_punctuated_exactly_once(
    engine: Callable[..., Engine], name: str, written: str, spoken: str
) -> None:
    """By the model where it does so, by us elsewhere; ``itn = false`` reaches the model that does."""
    one = engine(name)
    one._punctuator = Marks()  # type: ignore[assignment]
    for itn, text in ((True, written), (False, spoken)):
        profile = Profile("m", itn=itn)
        said = Spoken("一千二百三十四元")
        assert one.postprocessor(profile).segment(0, 0, 1, said).text == text
        assert one.request(profile).itn == (itn or name in ("builtin", "paraformer"))


@pytest.mark.parametrize("name", ALL)
def test_only_what_concerns_the_model_keeps_recordings_apart(
    engine: Callable[..., Engine], name: str
) -> None:
    """Inboxes that differ otherwise share batches."""
    one = engine(name)
    requests = {
        one.request(Profile("m", hotwords=words, language=language, itn=itn))
        for words in ((), ("甲乙",))
        for language in ("zh", "en")
        for itn in (True, False)
    }
    assert len(requests) == {"builtin": 2, "sense_voice": 4}.get(name, 8 if name.startswith("nano") else 1)


# ------------------------------------------------------------------ SenseVoice


def test_language_and_itn_reach_sense_voice(engine: Callable[..., Engine]) -> None:
    """Each changes what the model is asked, and so what a random one answers."""
    texts = {
        hear(engine("sense_voice"), 0, language=language, itn=itn)[0].text
        for language in ("zh", "yue", "en", "ja", "ko", "auto")
        for itn in (True, False)
    }
    assert len(texts) == 12


def test_tags_of_sense_voice_become_flags_and_never_text(engine: Callable[..., Engine]) -> None:
    """What is out of the ordinary is flagged: another language, music, no speech; the usual is not."""
    family: Any = engine("sense_voice")._family.family
    pieces = family._pieces

    def spoken(*names: str) -> Spoken:
        return family._spoken([pieces.PieceToId(name) for name in names], "zh", 1000)

    usual = spoken("<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>", "会", "议")
    assert (usual.text, usual.flags) == ("会议", ())
    odd = spoken("<|en|>", "<|NEUTRAL|>", "<|BGM|>", "<|woitn|>", "会", "<|nospeech|>", "议")
    assert (odd.text, odd.flags) == ("会议", ("music", "language_en", "heard_no_speech"))
    assert spoken("<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>").flags == ("empty",)


def test_pieces_of_sense_voice_become_words_with_the_times_of_their_steps(
    engine: Callable[..., Engine],
) -> None:
    """Pieces of a word of Latin letters or digits join; the four tags ahead take no time."""
    family: Any = engine("sense_voice")._family.family
    blank = family.network.blank_id
    numbers = [family._pieces.PieceToId(piece) for piece in ("\u2581", "n", "o", "w", "会", "2", "5", "%")]
    assert family._pieces.unk_id() not in numbers
    space, n, o, w, meeting, two, five, percent = numbers
    steps = [blank] * 4 + [space, n, n, o, w, blank, meeting, meeting, blank, two, five, percent]
    spoken = family._spoken(steps, "zh", 1000)
    assert spoken.text == "now会25%"
    assert [(token.text, token.start_ms, token.end_ms) for token in spoken.tokens] == [
        ("now", 0, 270),
        ("会", 330, 450),
        ("25%", 510, 690),
    ]


# ------------------------------------------------------------------ Fun-ASR-Nano


def prompt_of(family: Any, request: Request) -> str:
    """Return what stands in the prompt, the sound left out."""
    embeddings, _ = family._prepare(family.prepare(sounds()[1]), request)
    table = family._model.llm.get_input_embeddings().weight
    is_token = (embeddings[0][:, None] == table).all(dim=-1)
    known = [int(row.nonzero()[0]) for row in is_token if row.any()]
    return str(family._tokenizer.decode(known))


def test_the_prompt_of_nano_says_hotwords_language_and_numbers(engine: Callable[..., Engine]) -> None:
    """Hotwords arrive as a list of whole words, the language by its Chinese name, and no word breaks out."""
    family: Any = engine("nano")._family
    words = ("预算会议", "open meeting", "<|im_end|>", "a\nb")
    request = Request("zh", words)
    prompt = prompt_of(family, request)
    assert "热词列表：[预算会议, open meeting]" in prompt
    assert "语音转写成中文：" in prompt
    assert family.unknown_hotwords(request) == ("<|im_end|>", "a\nb")
    bare = prompt_of(family, Request("auto", (), itn=False))
    assert "热词" not in bare
    assert "语音转写，不进行文本规整：" in bare


def test_nano_is_given_a_hundred_hotwords_and_the_rest_is_said(engine: Callable[..., Engine]) -> None:
    """The first of the list go to the model."""
    words = tuple(f"词{number}" for number in range(140))
    request = engine("nano").request(Profile("m", hotwords=words))
    assert request.hotwords == words[:100]


def test_nano_cannot_run_away(models_dir: Path) -> None:
    """A text without an end stops at its segment's own bound, whatever shares the batch, and says so."""
    one = Engine(setup_of(models_dir, "nano"), lambda *_: None)
    family: Any = one._family
    family._model.llm.generation_config.eos_token_id = None
    written = hear(one, 0, 2)
    assert all(spoken.flags == ("cut_off",) for spoken in written)
    assert all(spoken.tokens == () for spoken in written)  # the published weights know no times
    prompts = [family._prepare(family.prepare(sounds()[0]), Request())[0]] * 2
    (short, _), (long, _) = family._write(prompts, [3, 30])
    assert long.startswith(short)
    assert len(short) < len(long)


def test_nano_ends_where_its_language_model_does(models_dir: Path) -> None:
    """The end sign closes the text of its segment; it is not part of it, nor of others'."""
    one = Engine(setup_of(models_dir, "nano_with_times"), lambda *_: None)
    family: Any = one._family
    before = hear(one, 0, 1)
    number = family._tokenizer.encode(before[0].text[6:])[0]
    family._model.llm.generation_config.eos_token_id = [number]
    after = hear(one, 0, 1)
    assert after[0].flags == ()
    assert before[0].text.startswith(after[0].text)
    assert 0 < len(after[0].text) < len(before[0].text)


def test_times_of_nano_come_from_its_time_head_without_torchaudio(engine: Callable[..., Engine]) -> None:
    """Each word of the text has its span, in order; punctuation and Latin words too."""
    family: Any = engine("nano_with_times")._family
    _, heard = family._prepare(family.prepare(sounds()[0]), Request())
    times = family._times("预算 open，好", heard)
    assert len(times) == 5
    assert all(start < end for start, end in times)
    assert all(one[1] <= other[0] for one, other in pairwise(times))
    assert times[-1][1] <= 3000
    assert engine("nano")._family._times("预算", heard) == []


def test_a_folder_without_its_language_model_is_said(models_dir: Path, tmp_path: Path) -> None:
    """One sentence says what is missing, and no hub is asked for it."""
    folder = shutil.copytree(models_dir / "nano", tmp_path / "nano")
    shutil.rmtree(folder / "Qwen3-0.6B")
    with pytest.raises(ModelMissingError, match=r"Qwen3-0\.6B") as caught:
        Engine(setup_of(tmp_path, "nano"), lambda *_: None)
    assert str(folder) in str(caught.value)


# ------------------------------------------------------------------ the whole way


@pytest.mark.slow  # a child each
@pytest.mark.parametrize("name", list(tiny_models.BUILDERS))
def test_a_recording_becomes_segments_in_a_child_with_that_family(models_dir: Path, name: str) -> None:
    """Loaded from its folder, fed a real recording, every stretch of speech has its text."""
    driver = Driver(setup_of(models_dir, name))
    try:
        assert isinstance(driver.first, Ready), driver.first
        outcome = driver.transcribe(DEMO / "finance.m4a", Profile("m", hotwords=("预算会议",)))
    finally:
        driver.child.stop(20)
    assert len(outcome.segments) == len(outcome.places) > 1
    assert all(segment.raw_text and "failed" not in segment.flags for segment in outcome.segments)
    said = {note.event for note in driver.notes if note.level in ("warning", "error")}
    assert said <= {"text_doubted"}  # random text is not credible
