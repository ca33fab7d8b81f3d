"""``NAME.docx``: minutes as offices pass them on.

A title, facts, what to beware of, and a paragraph per turn; text that the recogniser itself doubts is
highlighted; pages are numbered. Word takes fonts for Chinese from a name of their own (``w:eastAsia``). The
same transcript gives the same bytes: whether a person edited the file is told by them.
"""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timezone
from typing import TYPE_CHECKING

import docx
import structlog
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_COLOR_INDEX
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.exceptions import OpcError
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt, RGBColor

from asr_daemon.printable import HARMFUL
from asr_daemon.transcripts.writers.document import clock_time, printable
from asr_daemon.transcripts.writers.facts import DOUBTS, NO_SPEECH, facts, warnings
from asr_daemon.transcripts.writers.paragraphs import paragraphs
from asr_daemon.transcripts.writers.sections import sections

if TYPE_CHECKING:
    from docx.document import Document as WordFile
    from docx.styles.style import BaseStyle
    from docx.text.paragraph import Paragraph as WordParagraph

    from asr_daemon.transcripts.writers.document import Document, WordLook
    from asr_daemon.transcripts.writers.paragraphs import Paragraph
    from asr_daemon.transcripts.writers.sections import Section

log = structlog.get_logger()

TITLE, HEADING, TEXT = "Title", "Heading 1", "Normal"
_GREY, _AMBER = RGBColor(0x66, 0x66, 0x66), RGBColor(0x9C, 0x57, 0x00)
_NOT_XML = re.compile("[\ufffe\uffff]")  # besides what is harmful anyway
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP file knows


def render(document: Document) -> bytes:
    """Return the whole file."""
    file = _begun(document.word)
    properties = file.core_properties
    properties.title, properties.author, properties.comments = printable(document.name), "asr-daemon", ""
    properties.created = properties.modified = document.recognised_at.astimezone(timezone.utc)
    _add(file, printable(document.name), TITLE)
    for label, value in facts(document)[1:]:
        _add(file, f"{label}：{value}").paragraph_format.space_after = Pt(0)
    for warning in warnings(document.transcript):
        _add(file, warning).runs[0].font.color.rgb = _AMBER
    for section in sections(document):
        _add_section(file, section)
    return _always_the_same(file)


def _begun(look: WordLook) -> WordFile:
    """Return an empty file: with a template's styles, page and margins, or with ours."""
    if look.template is not None:
        try:
            file = docx.Document(str(look.template))
        except (OSError, OpcError, ValueError, KeyError, zipfile.BadZipFile) as error:
            log.warning("docx_template_not_used", template=str(look.template), problem=str(error))
        else:
            body = file.element.body
            for part in [each for each in body if each.tag != qn("w:sectPr")]:
                body.remove(part)
            return file
    file = docx.Document()
    relations = file.part.package.rels
    for key in [key for key, one in relations.items() if one.reltype == RELATIONSHIP_TYPE.THUMBNAIL]:
        del relations[key]  # python-docx's own first page
    for name, font in ((TEXT, look.font), (TITLE, look.heading_font), (HEADING, look.heading_font)):
        _set_font(file.styles[name], font)
    file.styles[TEXT].font.size = Pt(11)
    file.styles[TITLE].font.size = Pt(20)
    _number_pages(file)
    return file


def _set_font(style: BaseStyle, font: str) -> None:
    """Set the font for Chinese alone; Latin letters keep theirs."""
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    fonts.attrib.pop(qn("w:eastAsiaTheme"), None)  # it would win
    fonts.set(qn("w:eastAsia"), font)
    language = OxmlElement("w:lang")
    language.set(qn("w:eastAsia"), "zh-CN")
    style.element.rPr.append(language)


def _number_pages(file: WordFile) -> None:
    paragraph = file.sections[0].footer.paragraphs[0]
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = paragraph.add_run()
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        part = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            part.set(qn("w:fldCharType"), kind)
        else:
            part.text = text
        run._r.append(part)  # noqa: SLF001 (python-docx has no word for fields)


def _add(file: WordFile, text: str, style: str = TEXT) -> WordParagraph:
    """Add a paragraph; a template that lacks the style has its own for text."""
    known = {each.name for each in file.styles}
    return file.add_paragraph(_valid(text), style if style in known else None)


def _add_section(file: WordFile, section: Section) -> None:
    for missing in section.missing:
        _add(file, missing).runs[0].font.color.rgb = _AMBER
    if section.heading:
        _add(file, section.heading, HEADING)
    turns = paragraphs(section.segments)
    for turn in turns:
        _add_turn(file, turn)
    if not turns:
        _add(file, section.problem or NO_SPEECH)


def _add_turn(file: WordFile, turn: Paragraph) -> None:
    paragraph = _add(file, "")
    if turn.speaker:
        paragraph.add_run(_valid(printable(turn.speaker)) + " ").bold = True
    when = paragraph.add_run(clock_time(turn.start_ms))
    when.font.size, when.font.color.rgb = Pt(9), _GREY
    paragraph.paragraph_format.keep_with_next = True
    paragraph.paragraph_format.space_after = Pt(0)
    said = _add(file, "")
    for number, line in enumerate(turn.runs):
        if number:
            said.add_run().add_break()
        for run in line:
            added = said.add_run(_valid(run.text))
            if DOUBTS.intersection(run.flags):
                added.font.highlight_color = WD_COLOR_INDEX.YELLOW


def _valid(text: str) -> str:
    """Return a text that XML may hold."""
    return _NOT_XML.sub("\ufffd", HARMFUL.sub("\ufffd", text))


def _always_the_same(file: WordFile) -> bytes:
    """Return the file without the moment of its making in every part of it."""
    made, out = io.BytesIO(), io.BytesIO()
    file.save(made)
    with zipfile.ZipFile(made) as parts, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as same:
        for part in parts.infolist():
            fixed = zipfile.ZipInfo(part.filename, _NO_TIME)
            fixed.compress_type = zipfile.ZIP_DEFLATED
            same.writestr(fixed, parts.read(part))
    return out.getvalue()
