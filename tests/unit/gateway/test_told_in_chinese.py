"""Whatever a page can show of the daemon has its Chinese: walked, so that the next one is not forgotten."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest
from doored import EditedDaemon

import asr_daemon
from asr_daemon.control import answers, console_answers, corrections_messages
from asr_daemon.control import console_messages as cm
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.errors import ModelMissingError, WorkError
from asr_daemon.gateway.pages.recording import DOUBTS
from asr_daemon.gateway.pages.texts import catalogue
from asr_daemon.history.console import STATES
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.models.known import KNOWN
from asr_daemon.models.overview import State
from asr_daemon.sentence import UNTOLD, Sentence, chinese_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(asr_daemon.__file__).parent
CHINESE = re.compile("[\u4e00-\u9fff]")
TWINS = {"problem", "problems", "state_problem", "good_at", "model"}  # told in both languages, side by side
IN_BOTH = ("ToldError", "SpeakerError", "NobodyError", "UnfitNameError", "CorrectionError", "Sentence")
REFUSALS = {"RefusedError": 2, "Refusal": 2, **dict.fromkeys((*IN_BOTH, "refused"), 1)}  # which argument
# What these return is shown: none of it is a string of one language.
SENTENCES = {
    "files/writable.py": ("why_closed", "_why_read_only"),
    "service/state_health.py": ("folder_problem",),
    "backup/health.py": ("problems",),
    "inboxes/scan.py": ("unreadable",),
    "models/overview.py": ("_state",),
}


def trees(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the modules below these folders."""
    for folder in folders:
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def is_chinese(node: ast.expr) -> bool:
    """Whether an argument is Chinese, or comes from where Chinese is said: ``error.chinese``, say."""
    parts = list(ast.walk(node))
    words = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    names = [getattr(part, "attr", getattr(part, "id", "")) for part in parts]
    return any(map(CHINESE.search, words)) or any("chinese" in name for name in names)


def test_every_refusal_says_it_in_chinese() -> None:
    """Of the desks, the gateway, and the sentences that travel."""
    seen, bad = 0, []
    for path, tree in trees(
        "control", "gateway", "speakers", "files", "service", "backup", "models", "inboxes"
    ):
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "id", getattr(called, "attr", ""))
            place = REFUSALS.get(name)
            if place is None or not isinstance(node, ast.Call) or len(node.args) <= place:
                continue
            seen += 1
            if not is_chinese(node.args[place]):
                bad.append(f"{path.name}:{node.lineno}: {ast.unparse(node)[:120]}")
    assert seen > 90
    assert not bad, "\n".join(bad)


def test_what_is_wrong_is_a_sentence_in_both_languages() -> None:
    """Where it is found: a plain string would reach the page as nothing but "ask the administrator"."""
    for name, functions in SENTENCES.items():
        tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name in functions:
                found = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
                assert found
                plain = [node.lineno for node in found if isinstance(node.value, ast.JoinedStr)]
                assert not plain, (name, plain)
    assert all(isinstance(known.good_at, Sentence) for known in KNOWN)


def test_every_failure_of_work_has_words_for_the_department() -> None:
    """What happened, and what to do."""
    kinds: list[type[WorkError]] = [WorkError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        assert CHINESE.search(kind.chinese), kind
        assert CHINESE.search(kind.remedy), kind
    assert len(kinds) > 20


def test_every_answer_with_a_sentence_has_its_twin() -> None:
    """A field that tells people something is there in both languages."""
    bad = []
    for module in (answers, console_answers, corrections_messages):
        for kind in vars(module).values():
            if not dataclasses.is_dataclass(kind) or "Overview" in kind.__name__:
                continue
            names = {field.name for field in dataclasses.fields(kind)}
            bad += [f"{kind.__name__}.{name}" for name in TWINS & names if f"{name}_zh" not in names]
    # numbers and names that are the same in either, and the interface for programs
    assert sorted(bad) == ["Inbox.problem", "RecordingDetail.model"]


def test_every_word_for_a_state_has_a_text() -> None:
    """Codes, states, phases, marks, doubts: whatever the daemon may say by a word."""
    states = {*STATES, *map(str, JobState), *map(str, RecordingState)}
    wanted = {f"problem.{code}" for code in get_args(answers.Code)}
    wanted |= {f"state.{state}" for state in states} | {f"phase.{phase}" for phase in Phase}
    wanted |= {f"model.{state}" for state in get_args(State)} | {f"flag.{flag}" for flag in DOUBTS}
    for kind in _choices(console_answers.Mark, "kind"):
        wanted |= {f"mark.{kind}", f"mark.{kind}.alone"}
    wanted |= {f"verdict.{each}" for each in _choices(console_answers.HotwordLine, "verdict")}
    wanted |= {f"use.{each}" for each in ("recognition", "voice activity", "punctuation")}
    wanted |= {
        f"js.step_{each}" for each in ("text", "speaker", "split", "join", "undo", "discard", "placed")
    }
    assert wanted - set(catalogue()) == set()


def test_every_text_is_in_both_languages() -> None:
    """Words in one are words in the other; as many gaps in each."""
    for name, (chinese, english) in catalogue().items():
        assert chinese.count("{}") == english.count("{}"), name
        if re.search("[A-Za-z]{2}", english.replace("CSV", "").replace("JSON", "")):
            assert CHINESE.search(chinese), name


def test_no_page_has_words_of_its_own() -> None:
    """Everything that a template says is a text of the catalogue."""
    for path in sorted((PACKAGE / "gateway/pages/templates").glob("*.html")):
        text = re.sub(
            r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        assert not re.search(r"[A-Za-z]{3,}", text), (path.name, re.findall(r"[A-Za-z]{3,}", text))


def _choices(kind: Any, name: str) -> tuple[str, ...]:
    found: tuple[str, ...] = get_args(get_type_hints(kind)[name])
    assert found
    return found


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EditedDaemon]:
    """Return it."""
    site = EditedDaemon(tmp_path, monkeypatch)
    yield site
    site.shut()


def test_troubles_reach_the_overview_in_chinese(site: EditedDaemon) -> None:
    """A share that is gone, a model that is missing, a backup that failed; what nobody thought of, too."""
    (site.folder / "hr").rmdir()
    site.parts.intake.watch()
    site.parts.intake.step(0.0)
    site.session._blocking.say(ModelMissingError("there is no model"))
    site.parts.settings.set("backup_error", "2026-03-15T07:30:00.000Z the disk is full")
    board = site.client.ask(console_answers.Dashboard, cm.GetDashboard(), site.token("王敏", "inbox", "hr"))
    told = [
        *((each.problem, each.problem_zh) for each in board.inboxes if each.problem),
        *((each.problem, each.problem_zh) for each in board.recognisers),
        *zip(board.backup.problems, board.backup.problems_zh, strict=True),
    ]
    assert len(told) == 3
    for english, chinese in told:
        assert not CHINESE.search(english)
        assert CHINESE.search(chinese)
        assert chinese != UNTOLD
    assert chinese_of("something new") == UNTOLD
