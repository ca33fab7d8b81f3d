"""Text that nobody can have said is doubted; what people do say is not."""

from __future__ import annotations

import wave

import numpy as np
import pytest
from sounds import noise, speech

from asr_daemon.recogniser.suspicion import (
    ON_SILENCE,
    REPETITION,
    TOO_FAST,
    is_silence,
    reasons,
    spoken_characters,
)
from support import SAMPLES

GOOD_70 = (
    "各位同事早上好今天我们主要讨论下一个年度的预算安排以及人员的调整请财务部先说明上个季度的情况"
    "然后再由销售部介绍明年的目标最后大家一起讨论"
)


@pytest.mark.parametrize(
    "text",
    [
        "我们要继续努力" * 5,
        "好的谢谢" * 6,
        "今天的会议" + "谢谢观看请订阅" * 8,
        "哈" * 30,
        "是的" * 10,
        "thank you for watching " * 6,
        "今天讨论预算的问题" + "的" * 40,
        "2" * 30,
        "合计" + "2" * 20 + "元",
        "02" * 15,
        "0202" * 6,
        "0" * 40,
        "2.2.2.2.2.2.2.2.2.2.2.2.2.2.2.2.",
        "a" * 60,
        "嗯，" * 30,
        GOOD_70 + "嗯" * 30,
        GOOD_70 + "嗯" * 16,
        GOOD_70 + "是的" * 14,
        GOOD_70 + "谢谢大家" * 8,
        GOOD_70 + "我们要继续努力" * 5,
        GOOD_70 + "2" * 30 + GOOD_70,
        GOOD_70 + "ok " * 20,
    ],
)
def test_the_same_thing_over_and_over_is_doubted(text: str) -> None:
    """Loops of a clause, a word or a character, with and without good text before them."""
    assert reasons(text, speech(30)) == (REPETITION,)


@pytest.mark.parametrize(
    "text",
    [
        "对对对对对对",
        "哈哈哈哈哈哈哈哈",
        "加油加油加油加油",
        "好好学习天天向上好好学习天天向上",
        "不是不是不是我不是这个意思",
        "幺三八零零零零零零零零",
        "一二一一二一一二一立定",
        "研究研究再研究",
        "hello hello can you hear me can you hear me",
        "今天讨论预算的问题" * 3,
        "今天我们先看上个季度的销售情况再讨论下个季度的计划最后给大家鼓劲" + "加油" * 9,
        "13800000000",
        "电话是13888888888或者400800800转8888",
        "10000000",
        "预算总额1000000000000元",
        "卡号6222000000000000123",
        "2020年2月2日20点20分",
        "0.00000001",
        "010101010101",
        GOOD_70 + "哈哈哈哈哈哈哈哈哈哈哈哈",
        GOOD_70 + "对对对对对对对对对",
        GOOD_70 + "嗯嗯嗯嗯嗯嗯",
        GOOD_70 + "加油" * 9,
        GOOD_70 + "我们要继续努力" * 3,
        "谢谢大家" + "今天我们先看上个季度的销售情况再讨论下个季度的计划" + "谢谢谢谢谢谢",
    ],
)
def test_what_people_repeat_is_believed(text: str) -> None:
    """Agreeing, laughing, cheering, reading out numbers, saying a thing three times."""
    assert reasons(text, speech(30)) == ()


def test_more_than_a_mouth_can_say_is_doubted() -> None:
    """Fast speech of 8 characters a second, numbers in digits and English are far below the limit."""
    sentence = "各位同事早上好今天我们主要讨论下一个年度的预算安排以及人员的调整"
    assert reasons(sentence, speech(len(sentence) / 8)) == ()
    assert reasons(sentence, speech(1.0)) == (TOO_FAST,)
    assert reasons("一百二十三点五万元", speech(0.4)) == (), "a short segment lies close around its words"
    assert reasons("it was the best of times and it was the worst of times of all", speech(2.6)) == ()
    assert reasons("2025年预算1000000000元", speech(1.5)) == ()
    assert spoken_characters("二〇二五年, 100% ok!") == pytest.approx(5 + 5 / 3)


@pytest.mark.parametrize("dbfs", [-95.0, -75.0, -50.0, -30.0, -10.0])
def test_words_on_silence_or_steady_noise_are_doubted(dbfs: float) -> None:
    """Whatever the level of the hum, there are no words in it."""
    assert reasons("谢谢观看", noise(3, dbfs)) == (ON_SILENCE,)
    assert reasons("", noise(3, dbfs)) == ()


def test_digital_silence_and_tones_are_silence() -> None:
    """Samples of zero and a dialling tone hold no speech either."""
    assert is_silence(np.zeros(16_000, np.float32))
    tone = np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000).astype(np.float32) * 0.3
    assert is_silence(tone)


@pytest.mark.parametrize("snr_db", [20.0, 10.0, 0.0])
@pytest.mark.parametrize("dbfs", [-60.0, -40.0, -20.0])
def test_speech_is_no_silence_however_quiet_or_noisy(dbfs: float, snr_db: float) -> None:
    """A phone in a pocket, and a voice as loud as the fan beside it."""
    sound = speech(5, dbfs)
    assert not is_silence(sound + noise(5, dbfs - snr_db)[: len(sound)])


@pytest.mark.parametrize("snr_db", [20.0, 5.0, 0.0])
def test_real_speech_is_believed_in_noise_and_at_twice_its_speed(snr_db: float) -> None:
    """The sample lecture, cut every five seconds, with noise as loud as the voice."""
    with wave.open(str(SAMPLES / "lecture.wav")) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        assert file.getframerate() == 16_000
    sound = sound[: len(sound) // 80_000 * 80_000]
    level_dbfs = 10 * np.log10(np.mean(sound**2))
    noisy = sound + noise(len(sound) / 16_000, level_dbfs - snr_db)
    assert not [part for part in noisy.reshape(-1, 80_000) if is_silence(part)]
    said = "".join((SAMPLES / "lecture.ref.txt").read_text(encoding="utf-8").split())
    assert reasons(said, sound[::2]) == ()


def test_segments_too_short_to_tell_are_believed() -> None:
    """A fraction of a second of a steady vowel is speech."""
    assert reasons("啊", noise(0.4, -20)) == ()
    assert reasons("啊", noise(0.03, -20)) == ()
