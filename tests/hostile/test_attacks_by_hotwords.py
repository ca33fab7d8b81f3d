"""Hotword files of a department that mean harm: they read nothing of others, and cost no more than a list."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from room import Room
from way import ENGINE, make_config, segment

from asr_daemon.config_sections import HotwordsSection
from asr_daemon.doctor import Machine
from asr_daemon.doctor.folders import look_at_folders
from asr_daemon.doctor.rights import ServiceUser
from asr_daemon.hotwords import HotwordFileError, HotwordList, Places, read_hotwords
from asr_daemon.hotwords import source as source_module
from asr_daemon.hotwords.hotword_list import MAX_ENTRIES, MAX_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WITHIN_S = 60.0  # on a busy machine; before, some of these took minutes
SECRET = "王总年薪三百万"  # noqa: S105 (a line of a list)


class Share:
    """Two departments' folders, and an administrator's."""

    def __init__(self, folder: Path) -> None:
        self.finance, self.hr, self.admin = (folder / name for name in ("finance", "hr", "admin"))
        for each in (self.finance, self.hr, self.admin):
            each.mkdir()
        self.finance.chmod(0o2770)
        self.list = self.finance / "hotwords.txt"
        self.salary = self.write(self.hr / "salary.txt", SECRET)
        self.places = Places((self.finance, self.hr), self.admin)

    def write(self, path: Path, text: str) -> Path:
        """Write a file."""
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8")
        return path

    def read(self) -> HotwordList:
        """Read the finance list as the service does."""
        return read_hotwords(self.list, self.places)

    def read_in_time(self) -> HotwordList | None:
        """The same, None where it is refused as a whole; fail where that takes too long."""
        read: list[HotwordList | None] = []

        def attempt() -> None:
            try:
                read.append(self.read())
            except HotwordFileError:
                read.append(None)

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(WITHIN_S)
        assert read, f"it was not read within {WITHIN_S:.0f} s"
        return read[0]


@pytest.fixture
def share(tmp_path: Path) -> Share:
    """Return the folders."""
    return Share(tmp_path)


# ------------------------------------------------------------------ what it reads


def in_place_of_the_list(share: Share) -> None:
    share.list.symlink_to(share.salary)


def in_place_of_the_list_relatively(share: Share) -> None:
    share.list.symlink_to("../hr/salary.txt")


def in_place_of_its_folder(share: Share) -> None:
    share.list = share.finance / "lists" / "salary.txt"
    (share.finance / "lists").symlink_to(share.hr)


def by_a_link_through_links(share: Share) -> None:
    (share.finance / "more").symlink_to(share.hr)
    share.list.symlink_to(share.finance / "more" / "salary.txt")


@pytest.mark.parametrize(
    "lay",
    [in_place_of_the_list, in_place_of_the_list_relatively, in_place_of_its_folder, by_a_link_through_links],
)
@pytest.mark.parametrize("is_inbox", [True, False])
def test_link_in_place_of_a_list_is_not_read(
    share: Share, lay: Callable[[Share], None], is_inbox: bool
) -> None:
    """Neither in an inbox, whoever owns it, nor in another folder that a group may write into."""
    lay(share)
    if is_inbox:
        share.finance.chmod(0o700)
    else:
        share.places = Places()
    with pytest.raises(HotwordFileError, match="link"):
        share.read()


def test_link_in_an_inbox_that_is_named_by_a_link_is_not_followed(share: Share, tmp_path: Path) -> None:
    """However an administrator writes the inbox's path."""
    (tmp_path / "inbox").symlink_to(share.finance)
    share.finance.chmod(0o700)
    share.places = Places((tmp_path / "inbox",))
    share.list.symlink_to(share.salary)
    for path in (share.list, tmp_path / "inbox" / "hotwords.txt"):
        with pytest.raises(HotwordFileError, match="link"):
            read_hotwords(path, share.places)


def test_link_of_an_administrator_is_followed(share: Share) -> None:
    """In a folder where nobody else may write it points where it should."""
    share.write(share.finance / "real.txt", "顾清源")
    (share.admin / "finance.txt").symlink_to(share.finance / "real.txt")
    share.list = share.admin / "finance.txt"
    assert share.read().words == ("顾清源",)


@pytest.mark.parametrize(
    "target",
    [
        "../hr/salary.txt",
        "..\\hr\\salary.txt",
        "{hr}/salary.txt",
        "lists/../../hr/salary.txt",
        "link.txt",
        "folder/salary.txt",
        "lists/link.txt",
        "./link.txt",
        "hr.txt",
        "/proc/self/environ.txt",
    ],
)
@pytest.mark.parametrize("has_common", [True, False])
def test_inclusion_reads_nothing_of_other_departments(share: Share, target: str, has_common: bool) -> None:
    """Dots, absolute paths, links to files and folders, links within the administrator's folder."""
    (share.finance / "lists").mkdir()
    (share.finance / "link.txt").symlink_to(share.salary)
    (share.finance / "folder").symlink_to(share.hr)
    (share.finance / "lists" / "link.txt").symlink_to("../../hr/salary.txt")
    (share.admin / "hr.txt").symlink_to(share.salary)
    if not has_common:
        share.places = Places(share.places.shares)
    share.write(share.list, f"前词\n@include {target.format(hr=share.hr)}\n后词")
    found = share.read()
    assert found.words == ("前词", "后词")
    assert len(found.problems) == 1
    assert SECRET not in str(found)


def test_swap_between_the_look_and_the_reading_is_not_followed(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was judged to be no link is opened as none."""
    share.write(share.finance / "lists" / "salary.txt", "顾清源")
    share.list = share.finance / "lists" / "salary.txt"
    real = source_module.open_without_links

    def swap_first(path: Path, flags: int) -> int:
        if not (share.finance / "lists").is_symlink():
            (share.finance / "lists").rename(share.finance / "away")
            (share.finance / "lists").symlink_to(share.hr)
        return real(path, flags)

    monkeypatch.setattr(source_module, "open_without_links", swap_first)
    with pytest.raises(HotwordFileError, match="link"):
        share.read()


def test_list_for_everybody_is_included_by_its_name(share: Share) -> None:
    """Of the administrator's folder, in every spelling; one's own file of that name comes first."""
    share.write(share.admin / "company.txt", "总公司\n@include more.txt")
    share.write(share.admin / "more.txt", "分公司")
    for target in ("company.txt", "../admin/company.txt", str(share.admin / "company.txt")):
        share.write(share.list, f"@include {target}")
        assert share.read().words == ("总公司", "分公司")
    share.write(share.finance / "company.txt", "本部门")
    share.write(share.list, "@include company.txt")
    assert share.read().words == ("本部门",)


def test_check_says_who_else_may_write_into_the_lists_of_all(share: Share, tmp_path: Path) -> None:
    """And that their folder is not there."""

    def found() -> list[tuple[str, str]]:
        findings = look_at_folders(config, ServiceUser(), Machine())
        return [(each.level, each.text) for each in findings if each.key == "hotwords.common_dir"]

    config = make_config(tmp_path).model_copy(
        update={"hotwords": HotwordsSection.model_validate({"common_dir": share.admin})}
    )
    assert found() == [("ok", str(share.admin))]
    share.admin.chmod(0o775)
    ((level, text),) = found()
    assert level == "warning"
    assert "may write" in text
    share.admin.rename(tmp_path / "away")
    ((level, text),) = found()
    assert level == "error"
    assert "not there" in text


# ------------------------------------------------------------------ what it costs

MARKS = "\u0301\u0316"
TOO_DEAR = {
    "marks in one line": "a" + MARKS * 9_000,
    "marks in every line": "\n".join(["词a" + MARKS * 240] * 1_000),
    "few marks a letter": "\n".join(["词" + ("a" + MARKS * 3) * 40] * 2_000),
    "blanks": "\n".join(["词" + " " * 590 + "x"] * 1_700),
    "almost weights": "\n".join(["词" + " \t" * 95 + "1" * 5] * 5_000),
    "weights behind weights": "\n".join(["词" + " 5" * 95] * 4_000),
    "notes behind notes": "\n".join(["词词" + "(a)" * 60] * 4_000),
    "arrows": "\n".join(["=>" * 290] * 1_700),
    "brackets": "\n".join(["（" * 290] * 1_100),
    "sharps": "\n".join(["词" + " #" * 290] * 1_700),
    "words": "\n".join(f"词{chr(0x4E00 + n % 5000)}{n}" for n in range(60_000)),
    "line ends": "\n" * 1_000_000,
    "carriage returns": "\r" * 1_000_000,
    "nothing but problems": "\n".join("王" for _ in range(49_000)),
    "one endless line": "词" * 340_000,
    "zero bytes": "\0" * 1_000_000,
}


@pytest.mark.parametrize("attack", TOO_DEAR)
def test_list_costs_no_more_than_a_list(share: Share, attack: str) -> None:
    """However it is made: it is read within bounds, and no more words come of it than are allowed."""
    share.write(share.list, TOO_DEAR[attack])
    found = share.read_in_time()
    if found is None:
        return
    assert len(found.words) + len(found.replacements) <= MAX_ENTRIES
    assert len(found.problems) <= MAX_PROBLEMS + 1


def test_inclusions_share_the_bounds_of_one_list(share: Share) -> None:
    """Fifty files of a megabyte are no fifty megabytes, nor half a million words."""
    text = "\n".join(f"词{chr(0x4E00 + n % 5000)}{n}" for n in range(9_000))
    for number in range(50):
        share.write(share.finance / f"{number}.txt", f"{text}\n词{number}")
    share.write(share.list, "\n".join(f"@include {number}.txt" for number in range(50)))
    found = share.read_in_time()
    assert found is not None
    assert 9_000 < len(found.words) <= MAX_ENTRIES
    assert any("more than" in problem.text for problem in found.problems)


def test_large_inclusions_share_the_bytes_of_one_list(share: Share) -> None:
    """Comments count, too: they are read."""
    for number in range(50):
        share.write(share.finance / f"{number}.txt", f"词语{number}\n" + "# x" * 100_000)
    share.write(share.list, "\n".join(f"@include {number}.txt" for number in range(50)))
    found = share.read_in_time()
    assert found is not None
    assert found.words == ("词语0", "词语1", "词语2")
    assert "larger than 1 MB" in found.problems[0].text


def test_sparse_list_is_not_read(share: Share) -> None:
    """Its size is enough."""
    share.list.touch()
    os.truncate(share.list, 1 << 40)
    with pytest.raises(HotwordFileError, match="larger than 1 MB"):
        share.read()


# ------------------------------------------------------------------ what stays of it


def list_of(number: int) -> tuple[str, ...]:
    """Return another version of a long list."""
    return (f"版本{number}", *(f"词{chr(0x4E00 + n)}词" for n in range(2_000)))


def test_versions_of_a_list_do_not_fill_the_history(tmp_path: Path) -> None:
    """Changed before each recording: each is recognised with its own, and the history does not keep them."""
    room = Room(tmp_path)
    for number in range(40):
        room.profiles.hotwords = list_of(number)
        room.way.put(f"{number}.wav", b"%d" % number, room.profiles.profile("inbox"))
        room.run(steps=12, pause_s=1.0)
    assert [order.profile.hotwords for order in room.orders] == [list_of(number) for number in range(40)]
    (kept,) = room.way.history.db.execute("SELECT count(*) FROM hotword_lists").fetchone()
    assert kept <= 17
    (bytes_,) = room.way.history.db.execute("SELECT sum(length(profile)) FROM profiles").fetchone()
    assert bytes_ < 40 * 1_000


def test_what_was_begun_is_finished_with_its_own_list(tmp_path: Path) -> None:
    """Interrupted, and the list changed meanwhile: the list of then is still there."""
    room = Room(tmp_path)
    room.profiles.hotwords = list_of(0)
    room.way.put("a.wav", b"A", room.profiles.profile("inbox"))
    begun = room.way.claim()
    room.way.jobs.begin(begun.id, ENGINE, room.profiles.profile("inbox"))
    room.way.segments.save(begun.id, (segment(0, "你好"),))
    room.way.jobs.recover()
    room.profiles.hotwords = list_of(1)
    room.run(steps=40, pause_s=1.0)
    assert [order.profile.hotwords for order in room.orders] == [list_of(0)]


def test_queued_work_asks_for_the_list_of_now(tmp_path: Path) -> None:
    """A profile in the history names its list; what is recognised has the words."""
    room = Room(tmp_path)
    room.profiles.hotwords = list_of(0)
    room.way.put("a.wav", b"A", room.profiles.profile("inbox"))
    assert not room.way.claim().profile.is_whole
    room.way.jobs.recover()
    room.run(steps=40, pause_s=1.0)
    assert [order.profile.hotwords for order in room.orders] == [list_of(0)]
    assert room.states() == {"a.wav": "done"}


def test_json_of_a_transcript_names_the_list_by_its_digest(tmp_path: Path) -> None:
    """Who may read the share is told no word of the list but those that were said."""
    room = Room(tmp_path, formats=("json",))
    room.profiles.hotwords = ("王总年薪三百万", "预算会议")
    profile = room.profiles.profile("inbox")
    room.way.put("a.wav", b"A", profile)
    room.run(steps=40, pause_s=1.0)
    text = (room.way.inbox / "a.json").read_text(encoding="utf-8")
    assert profile.hotwords_digest in text
    assert "三百万" not in text
    assert "预算" not in text
