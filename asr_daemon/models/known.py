"""The models that this release knows by name: what each is good for, and where exactly it comes from.

A revision is a commit wherever one could be established, else a tag of the publisher. Since a tag can be
moved, the SHA-256 of the weights is pinned beside it: `models pull` refuses what differs, on either hub.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asr_daemon.sentence import Sentence

Hub = Literal["modelscope", "huggingface"]
Role = Literal["recognition", "voice activity", "punctuation", "speakers"]
HUBS: tuple[Hub, ...] = ("modelscope", "huggingface")

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """A model's place on one hub."""

    repository: str
    revision: str
    weights_sha256: str


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be pulled by name; ``folder`` is what it is called in the models folder."""

    name: str
    folder: str
    role: Role
    family: str  # the line `model:` of its config.yaml
    good_at: str
    licence: str
    size_bytes: int  # about
    sources: dict[Hub, Source]
    weights: str = "model.pt"
    unneeded: tuple[str, ...] = ()  # patterns of large files that FunASR does not read
    not_on: str = ""  # why a hub is left out


KNOWN: tuple[KnownModel, ...] = (
    KnownModel(
        name="paraformer-zh",
        folder="paraformer-zh",
        role="recognition",
        family="SeacoParaformer",
        good_at=Sentence(
            "Mandarin meetings and calls, fast on a processor; hotwords, times of every word",
            "普通话会议和通话，在处理器上也快；支持热词，每个字都有时间",
        ),
        licence="Apache-2.0",
        size_bytes=998 * _MB,
        sources={
            # A tag: no commit of it is published.
            "modelscope": Source(
                "iic/speech_seaco_paraformer_large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
                "v2.0.9",
                "3d491689244ec5dfbf9170ef3827c358aa10f1f20e42a7c59e15e688647946d1",
            )
        },
        not_on="funasr/paraformer-zh on Hugging Face is another model, without hotwords and times",
    ),
    KnownModel(
        name="sensevoice-small",
        folder="SenseVoiceSmall",
        role="recognition",
        family="SenseVoiceSmall",
        good_at=Sentence(
            "Mandarin, Cantonese, English, Japanese, Korean; punctuates by itself, very fast",
            "普通话、粤语、英语、日语、韩语；自带标点，非常快",
        ),
        licence="FunASR model licence (its text lies in the FunASR repository)",
        size_bytes=937 * _MB,
        sources={
            "modelscope": Source(
                "iic/SenseVoiceSmall",
                "70514a3da51f1160f51d18449dab6128bbd4928b",
                "833ca2dcfdf8ec91bd4f31cfac36d6124e0c459074d5e909aec9cabe6204a3ea",
            ),
            "huggingface": Source(
                "FunAudioLLM/SenseVoiceSmall",
                "3847d57b6bdf2dd8875cb1508d2af43d80a16bf7",
                "833ca2dcfdf8ec91bd4f31cfac36d6124e0c459074d5e909aec9cabe6204a3ea",
            ),
        },
    ),
    KnownModel(
        name="fun-asr-nano-2512",
        folder="Fun-ASR-Nano-2512",
        role="recognition",
        family="FunASRNano",
        good_at=Sentence(
            "the best text: Chinese with dialects, English, Japanese; hotwords; wants a GPU",
            "文字质量最好：中文（含方言）、英语、日语；支持热词；需要显卡",
        ),
        licence="Apache-2.0",
        size_bytes=2140 * _MB,
        sources={
            # No commit of the whole is known: the branch, held to these weights (they give times of words).
            "modelscope": Source(
                "FunAudioLLM/Fun-ASR-Nano-2512",
                "master",
                "81fec8616083c69377f3ceef36aba3655660ee0ca69a5d4a1e9810cd340ca499",
            ),
            # Other, older weights: the same text, no times of words.
            "huggingface": Source(
                "FunAudioLLM/Fun-ASR-Nano-2512",
                "272c57b82523ada6fd87095e955f8e29100979ab",
                "55ae0d2fee369f0f11cce0795f6927934ad17cf11b278a7e56a51272074160bb",
            ),
        },
        unneeded=("Qwen3-0.6B/*.safetensors",),  # FunASR takes the language model's weights from model.pt
    ),
    KnownModel(
        name="fsmn-vad",
        folder="fsmn-vad",
        role="voice activity",
        family="FsmnVADStreaming",
        good_at=Sentence(
            "finds the speech in a recording, beside every recognition model",
            "找出录音里的说话声，配合各种识别模型使用",
        ),
        licence="Apache-2.0",
        size_bytes=2 * _MB,
        sources={
            "modelscope": Source(
                "iic/speech_fsmn_vad_zh-cn-16k-common-pytorch",
                "v2.0.4",
                "b3be75be477f0780277f3bae0fe489f48718f585f3a6e45d7dd1fbb1a4255fc5",
            ),
            "huggingface": Source(
                "funasr/fsmn-vad",
                "df20e6b30c653645fa4ff125cacfcabd1020a669",
                "b3be75be477f0780277f3bae0fe489f48718f585f3a6e45d7dd1fbb1a4255fc5",
            ),
        },
    ),
    KnownModel(
        name="ct-punc",
        folder="ct-punc",
        role="punctuation",
        family="CTTransformer",
        good_at=Sentence(
            "punctuates Chinese and English text; beside paraformer-zh",
            "给中英文加标点，配合 paraformer-zh 使用",
        ),
        licence="Apache-2.0",
        size_bytes=1134 * _MB,
        sources={
            "modelscope": Source(
                "iic/punc_ct-transformer_cn-en-common-vocab471067-large",
                "v2.0.4",
                "7176cae922a872e130e6b88aef9a1153581711baf79c9124c7c95be383cd6f81",
            ),
            "huggingface": Source(
                "funasr/ct-punc",
                "d0e55e2b8722a78b63705ff443d09c4f86e5d750",
                "7176cae922a872e130e6b88aef9a1153581711baf79c9124c7c95be383cd6f81",
            ),
        },
    ),
    KnownModel(
        name="cam++",
        folder="cam++",
        role="speakers",
        family="CAMPPlus",
        good_at=Sentence(
            "tells speakers apart; not used by this release",
            "区分说话人；本版本未使用",
        ),
        licence="Apache-2.0",
        size_bytes=28 * _MB,
        weights="campplus_cn_common.bin",
        sources={
            "modelscope": Source(
                "iic/speech_campplus_sv_zh-cn_16k-common",
                "v2.0.2",
                "3388cf5fd3493c9ac9c69851d8e7a8badcfb4f3dc631020c4961371646d5ada8",
            ),
            "huggingface": Source(
                "funasr/campplus",
                "e4b6ede7ce16997aff4ae69fbca1f0175e2afede",
                "3388cf5fd3493c9ac9c69851d8e7a8badcfb4f3dc631020c4961371646d5ada8",
            ),
        },
    ),
)


def find_known(name: str) -> KnownModel | None:
    """Return the known model of that name, or of that folder's name, in any case."""
    wanted = name.casefold()
    return next((each for each in KNOWN if wanted in (each.name.casefold(), each.folder.casefold())), None)


def folder_name(name: str) -> str:
    """Return what the model of that name is called in the models folder."""
    known = find_known(name)
    return known.folder if known else name


def pull_command(name: str) -> str:
    """Return the command that brings a model, "" for one that is not known."""
    known = find_known(name)
    return f"asr-daemon models pull {known.name}" if known else ""
