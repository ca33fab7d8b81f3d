"""What an office finds in ``NAME.docx``; read with python-docx, and as Word's own XML where fonts matter."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import docx
import pytest
import structlog
from docx.enum.text import WD_COLOR_INDEX

from asr_daemon.transcripts.writers import WordLook, rendered
from asr_daemon.transcripts.writers.facts import DOUBTED, NO_SPEECH

OFFICE = shutil.which("soffice")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from docx.document import Document as WordFile

    from asr_daemon.transcripts.transcript import Segment
    from asr_daemon.transcripts.writers import Document

    Speak = Callable[..., Segment]
    Make = Callable[..., Document]


def opened(document: Document) -> WordFile:
    """Return the file as Word has it."""
    return docx.Document(io.BytesIO(rendered(document, "docx")))


def xml(document: Document, part: str) -> str:
    """Return a part of the file."""
    with zipfile.ZipFile(io.BytesIO(rendered(document, "docx"))) as parts:
        return parts.read(part).decode()


def test_title_facts_and_a_paragraph_per_turn(speak: Speak, document: Make) -> None:
    """Who speaks and when stands above what they say."""
    first = replace(speak("大家好。"), speaker="顾清源")
    second = replace(speak("开始吧。", start_ms=5000), speaker="发言人2")
    file = opened(document(first, second, duration_ms=61_000))
    assert file.paragraphs[0].style is not None
    assert file.paragraphs[0].style.name == "Title"
    assert [paragraph.text for paragraph in file.paragraphs] == [
        "预算会议.m4a",
        "时长：00:01:01",
        "转写时间：2026-03-15 09:30",
        "识别模型：paraformer-zh",
        "顾清源 00:00:00",
        "大家好。",
        "发言人2 00:00:05",
        "开始吧。",
    ]
    assert file.core_properties.title == "预算会议.m4a"


def test_doubts_are_highlighted_where_they_are(speak: Speak, document: Make) -> None:
    """The rest of the paragraph is not."""
    doubted = replace(speak("谢谢观看。", start_ms=1500), flags=("hallucination_suspected",))
    file = opened(document(speak("大家好。"), doubted))
    assert any(paragraph.text.startswith(DOUBTED) for paragraph in file.paragraphs)
    said = [(run.text, run.font.highlight_color) for run in file.paragraphs[-1].runs]
    assert said == [("大家好。", None), ("谢谢观看。", WD_COLOR_INDEX.YELLOW)]


def test_chinese_has_its_fonts_and_pages_their_numbers(speak: Speak, document: Make) -> None:
    """Word takes the font of Chinese from a name of its own; without it each machine has another."""
    made = document(speak("大家好。"))
    styles = xml(made, "word/styles.xml")
    assert 'w:eastAsia="宋体"' in styles
    assert 'w:eastAsia="黑体"' in styles
    assert "PAGE" in "".join(xml(made, name) for name in ("word/footer1.xml",))
    other = replace(made, word=WordLook(font="仿宋", heading_font="楷体"))
    assert 'w:eastAsia="仿宋"' in xml(other, "word/styles.xml")
    assert 'w:eastAsia="楷体"' in xml(other, "word/styles.xml")


def test_the_same_transcript_gives_the_same_bytes(
    speak: Speak, document: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the time is: by its bytes it is told whether a person edited the file."""
    made = document(speak("大家好。"))
    first = rendered(made, "docx")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    assert rendered(made, "docx") == first


def test_what_xml_cannot_hold_does_not_end_it(speak: Speak, document: Make) -> None:
    """A name in a share is anybody's; a text may hold what nobody can say."""
    hostile = document(
        replace(speak("好"), text="好\x00\x0b\ufffe\ud800吗", speaker="\x1b[31m红"), name="会\udcff议\x07.wav"
    )
    file = opened(hostile)
    assert "好" in file.paragraphs[-1].text
    assert "吗" in file.paragraphs[-1].text


def test_a_template_brings_its_styles_and_page(speak: Speak, document: Make, tmp_path: Path) -> None:
    """What is written in it is left out; a style that it lacks is its text's."""
    template = docx.Document()
    template.add_paragraph("这是模板里的说明")
    template.sections[0].header.paragraphs[0].text = "某某局会议记录"
    title = template.styles["Title"]
    title.element.getparent().remove(title.element)
    path = tmp_path / "template.docx"
    template.save(str(path))
    file = opened(replace(document(speak("大家好。")), word=WordLook(template=path)))
    assert file.sections[0].header.paragraphs[0].text == "某某局会议记录"
    assert "这是模板里的说明" not in [paragraph.text for paragraph in file.paragraphs]
    assert file.paragraphs[0].text == "预算会议.m4a"


@pytest.mark.parametrize("content", [None, b"", b"no ZIP at all", b"PK\x03\x04 half"])
def test_a_template_that_is_none_keeps_no_transcript_back(
    speak: Speak, document: Make, tmp_path: Path, content: bytes | None
) -> None:
    """Ours is taken, and the log says why."""
    path = tmp_path / "template.docx"
    if content is not None:
        path.write_bytes(content)
    made = replace(document(speak("大家好。")), word=WordLook(template=path))
    with structlog.testing.capture_logs() as records:
        file = opened(made)
    assert file.paragraphs[-1].text == "大家好。"
    assert [record["event"] for record in records] == ["docx_template_not_used"]


@pytest.mark.slow
@pytest.mark.skipif(OFFICE is None, reason="there is no LibreOffice here: apt-get install libreoffice-writer")
def test_an_office_program_opens_it(speak: Speak, document: Make, tmp_path: Path) -> None:
    """LibreOffice reads the text, in order, and numbers the pages."""
    turns = [
        replace(speak(f"第{number}段话。", start_ms=number * 5000), speaker=f"发言人{number % 2 + 1}")
        for number in range(60)
    ]
    path = tmp_path / "预算会议.docx"
    path.write_bytes(rendered(document(*turns, duration_ms=300_000), "docx"))
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [
        OFFICE,
        profile,
        "--headless",
        "--convert-to",
        "txt:Text (encoded):UTF8",
        path,
        "--outdir",
        tmp_path,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    text = path.with_suffix(".txt").read_text(encoding="utf-8-sig")
    places = [text.index(f"第{number}段话。") for number in range(60)]
    assert places == sorted(places)
    assert text.startswith("预算会议.m4a\n时长：00:05:00\n")


def test_nothing_was_said(document: Make) -> None:
    """That is said."""
    assert opened(document()).paragraphs[-1].text == NO_SPEECH
