"""The service under a real systemd: installed, hardened, watched, killed, stopped, restored.

One installation serves all tests; each begins with the service running and leaves it so.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sandbox import CHECKOUT, CONFIG, INBOX, PROGRAM, Sandbox, exists, main_pid, now_us

from asr_daemon.config import Config
from asr_daemon.install.access import drop_in
from asr_daemon.install.environment import Environment
from support import SAMPLES, convert, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.systemd, pytest.mark.slow, pytest.mark.timeout(600)]

# ------------------------------------------------------------------ the main thing


def test_a_dropped_recording_gets_its_transcript_and_its_story_is_in_the_journal(service: Sandbox) -> None:
    """Under the unit's hardening, transcripts appear, the department can read them, the journal tells it."""
    service.put(SAMPLES / "finance.m4a", f"{INBOX}/预算会议.m4a")
    written = service.await_record("ASR_EVENT=transcript_written", "ASR_INBOX=财务")
    assert service.run("cat", f"{INBOX}/预算会议.txt").strip()
    assert service.run("stat", "-c", "%U %G %A", f"{INBOX}/预算会议.txt") == "asr-daemon finance -rw-rw----\n"
    story = [record["ASR_EVENT"] for record in service.journal(f"ASR_JOB={written['ASR_JOB']}")]
    assert story == ["recording_queued", "recognition_started", "recognition_finished", "transcript_written"]
    assert written["MESSAGE"].startswith("transcript_written 财务/预算会议.m4a job=1 ")
    assert written["SYSLOG_IDENTIFIER"] == "asr-daemon"
    assert len(written["ASR_SHA256"]) == 64


def test_warnings_are_found_by_department_and_priority(service: Sandbox) -> None:
    """`journalctl -u asr-daemon ASR_INBOX=... -p warning` names the recording that failed, and no other."""
    service.write("/srv/rubbish", "this is no sound\n" * 100)
    service.run("cp", "/srv/rubbish", f"{INBOX}/坏.wav")
    eventually(lambda: exists(service, f"{INBOX}/坏.转写失败.txt"))
    warnings = service.journal("ASR_INBOX=财务", "-p", "warning")
    assert {record["ASR_FILE"] for record in warnings} == {"坏.wav"}
    assert {record["PRIORITY"] for record in warnings} == {"4"}
    assert service.journal("ASR_INBOX=nobody") == []


def test_what_the_readme_asks_the_journal_finds_something(service: Sandbox) -> None:
    """Its ten lines are of the form that journalctl takes, and name fields and events that there are."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^journalctl -u asr-daemon (?!-f)(.*?)(?: +#| \||$)", readme)
    assert len(lines) == 9
    rare = ("backup_failed", "recogniser_lost")
    for line in (each for each in lines if not any(event in each for event in rare)):
        asked = line.replace("ASR_INBOX=finance", "ASR_INBOX=财务").replace("ASR_JOB=12", "ASR_JOB=1")
        found = service.run("journalctl", "-u", "asr-daemon", "-q", *asked.split())
        assert found.strip(), asked


def test_the_hardening_is_in_force(service: Sandbox) -> None:
    """The daemon has no capability, cannot gain any, and sees no network but its own empty one."""
    process = f"/proc/{main_pid(service)}"
    status = dict(
        line.split(":\t", 1) for line in service.run("cat", f"{process}/status").splitlines() if ":\t" in line
    )
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    networks = {service.run("readlink", f"{place}/ns/net") for place in (process, "/proc/1")}
    assert len(networks) == 2
    interfaces = service.run("cat", f"{process}/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


ODD_NAMES = ("录 音", "a:b", "100%", 'q"x', "q'x", "b\\s", 'a:b c%d"e', "$HOME", "x;y", "# z")


def test_folders_of_any_name_are_opened_and_no_others(sandbox: Sandbox) -> None:
    """The drop-in that install writes means to systemd the very folders of the configuration."""
    folders = [f"{place}/odd/{name}" for place in ("/home", "/srv") for name in ODD_NAMES]
    for folder in (*folders, "/home/odd/private", "/srv/odd/closed"):
        sandbox.run("mkdir", "-p", folder)
    inboxes = [{"name": str(number), "path": folder} for number, folder in enumerate(folders)]
    config = Config.model_validate({"inbox": inboxes})
    try_each = 'for folder in /home/odd/* /srv/odd/*; do test -w "$folder" && echo "$folder"; done > "$1"\n'
    sandbox.write("/srv/try", try_each)
    sandbox.run("mkdir", "-p", "/srv/said")
    unit = drop_in(config, Environment((), ()), Path(CONFIG))
    sandbox.write(
        "/etc/systemd/system/odd.service",
        f"{unit}ReadWritePaths=/srv/said\nProtectSystem=strict\nType=oneshot\n"
        "ExecStart=/bin/sh /srv/try /srv/said/names\n",
    )
    sandbox.run("systemctl", "daemon-reload")
    sandbox.run("systemctl", "start", "odd")
    assert sorted(sandbox.run("cat", "/srv/said/names").splitlines()) == sorted(folders)


# ------------------------------------------------------------------ hang, crash, reload, stop


def test_a_hung_daemon_is_restarted_and_leaves_its_stacks(service: Sandbox) -> None:
    """A daemon that shows no progress is ended by the watchdog; the journal has what every thread did."""
    hung, before = main_pid(service), now_us()
    service.run("kill", "-STOP", hung)
    service.await_record("ASR_EVENT=daemon_started", after_us=before)
    assert main_pid(service) != hung
    said = [str(record["MESSAGE"]) for record in service.journal(f"_PID={hung}", after_us=before)]
    assert any("Fatal Python error: Aborted" in line for line in said)


def test_killed_or_stopped_during_work_it_goes_on_where_it_was(service: Sandbox, tmp_path: Path) -> None:
    """After kill -9, and after a stop in time, finished segments are not recognised again."""
    recording = convert(
        SAMPLES / "lecture.wav",
        tmp_path / "long.wav",
        "-af",
        "aloop=loop=239:size=2147483647",
        "-ar",
        "16000",
    )
    before = now_us()
    service.put(recording, f"{INBOX}/长.wav")

    def has_progress() -> bool:
        status = json.loads(service.run(PROGRAM, "status", "--json", check=False))  # 1: too busy to answer
        return any(work["recognised_s"] > 0 for work in status["in_work"])

    eventually(has_progress)
    killed_us = now_us()
    service.run("kill", "-KILL", main_pid(service))
    service.await_record("ASR_EVENT=interrupted_job_recovered", after_us=killed_us)
    service.await_record("ASR_EVENT=recognition_started", "ASR_FILE=长.wav", after_us=killed_us)
    service.run("systemctl", "stop", "asr-daemon")
    # "success": within TimeoutStopSec=10 daemon and recogniser ended by themselves, nothing had to be killed.
    assert service.show("Result", "ActiveState") == {"Result": "success", "ActiveState": "inactive"}
    assert service.run("pgrep", "-f", "asr_daemon.recogniser", check=False) == ""
    service.run("systemctl", "start", "asr-daemon")
    service.await_record("ASR_EVENT=transcript_written", "ASR_FILE=长.wav", after_us=before)
    starts = service.journal("ASR_EVENT=recognition_started", "ASR_FILE=长.wav")
    kept = [int(record["ASR_SEGMENTS_KEPT"]) for record in starts]
    assert len(kept) == 3
    assert 0 == kept[0] < kept[1] <= kept[2]


@pytest.fixture
def mistaken(service: Sandbox) -> Iterator[str]:
    """Yield a configuration with a mistake; put the good one back afterwards."""
    good = service.run("cat", CONFIG)
    yield good.replace("rescan_s", "rescan_every")
    service.write(CONFIG, good)
    service.run("systemctl", "start", "asr-daemon")


def test_a_bad_configuration_does_not_stop_the_running_service(service: Sandbox, mistaken: str) -> None:
    """A reload with a mistake is refused with its key; the same process goes on and takes the mended one."""
    pid, before = main_pid(service), now_us()
    service.write(CONFIG, mistaken)
    assert "failed" in service.run("sh", "-c", "systemctl reload asr-daemon 2>&1 || echo failed")
    refused = service.await_record("ASR_EVENT=configuration_refused", after_us=before)
    assert refused["PRIORITY"] == "3"
    assert "rescan_every" in refused["MESSAGE"]
    service.write(CONFIG, mistaken.replace("rescan_every", "rescan_s"))
    service.run("systemctl", "reload", "asr-daemon")
    service.await_record("ASR_EVENT=configuration_reloaded", after_us=before)
    assert main_pid(service) == pid


def test_a_configuration_that_never_was_right_is_not_tried_again_and_again(
    service: Sandbox, mistaken: str
) -> None:
    """Started with a mistake, the service fails once, says why in the journal, and is not restarted."""
    before = now_us()
    service.run("systemctl", "stop", "asr-daemon")
    service.write(CONFIG, mistaken)
    service.run("systemctl", "start", "asr-daemon", check=False)
    shown = service.show("ActiveState", "ExecMainStatus", "NRestarts")
    assert shown == {"ActiveState": "failed", "ExecMainStatus": "2", "NRestarts": "0"}
    assert any("rescan_every" in str(r["MESSAGE"]) for r in service.journal(after_us=before))


# ------------------------------------------------------------------ backups, leaving


def test_a_backup_is_restored_by_root_and_used_by_the_service(service: Sandbox) -> None:
    """What root restores with the service stopped, the service finds, owns and goes on writing."""
    before = now_us()
    made = json.loads(service.run(PROGRAM, "backup", "now", "--json"))
    service.await_record("ASR_EVENT=backup_made", after_us=before)
    service.run("systemctl", "stop", "asr-daemon")
    service.run("sh", "-c", "echo rubbish > /var/lib/asr-daemon/history.db")
    assert "history-replaced-" in service.run(PROGRAM, "backup", "restore", made["path"])
    service.run("systemctl", "start", "asr-daemon")
    assert service.run("stat", "-c", "%U", "/var/lib/asr-daemon/history.db") == "asr-daemon\n"
    assert "预算会议.m4a" in service.run(PROGRAM, "history")
    service.put(SAMPLES / "finance.m4a", f"{INBOX}/副本.m4a")  # known content: from the restored history
    service.await_record("ASR_EVENT=transcript_written", "ASR_FILE=副本.m4a", after_us=before)
    copies = service.journal("ASR_EVENT=recognition_started", "ASR_FILE=副本.m4a")
    assert copies == []


def test_an_upgrade_keeps_the_configuration_and_takes_a_backup(service: Sandbox) -> None:
    """Installing over another release's unit backs the history up and leaves the settings alone."""
    unit = "/etc/systemd/system/asr-daemon.service"
    configuration = service.run("cat", CONFIG)
    current = service.run("cat", unit)
    service.write(unit, "# Installed by asr-daemon 0.0.1\n" + current.partition("\n")[2])
    said = service.run(PROGRAM, "install")
    assert "backed up before the upgrade" in said
    assert service.run("cat", unit) == current
    assert service.run("cat", CONFIG) == configuration


# Takes a step of the history's shape back: what an older release left behind.
MAKE_OLDER = """
import sqlite3, sys
history = sqlite3.connect(sys.argv[1])
history.execute("DROP INDEX recordings_to_archive")
history.execute("DELETE FROM _sqlite_migrations WHERE name = '0005_indexes_for_thousands_of_recordings'")
history.commit()
history.close()
"""


def test_a_history_of_an_older_release_is_backed_up_and_brought_up_to_date(service: Sandbox) -> None:
    """The first start after an upgrade keeps every recording, and the old shape as a backup."""
    recordings = json.loads(service.run(PROGRAM, "history", "--json"))
    assert recordings
    service.run("systemctl", "stop", "asr-daemon")
    before = now_us()
    service.run(sys.executable, "-c", MAKE_OLDER, "/var/lib/asr-daemon/history.db")
    service.run("systemctl", "start", "asr-daemon")
    made = service.await_record("ASR_EVENT=backup_made_before_upgrade", after_us=before)
    service.await_record("ASR_EVENT=daemon_started", after_us=before)
    assert json.loads(service.run(PROGRAM, "history", "--json")) == recordings
    file = f"/var/lib/asr-daemon/backups/{made['ASR_FILE']}"
    assert service.run("stat", "-c", "%U", file) == "asr-daemon\n"
    assert "is sound" in service.run(PROGRAM, "backup", "verify", file)


def findings(service: Sandbox, code: str) -> list[dict[str, str]]:
    """Return what `check` says that is not well; it ends with that code."""
    shell = f"{PROGRAM} check --json -c {CONFIG} 2>&1; code=$?; echo; echo $code"
    printed, _, ended = service.run("sh", "-c", shell).rstrip().rpartition("\n")
    assert ended == code, printed
    return [finding for finding in json.loads(printed) if finding["level"] != "ok"]


def test_check_by_root_finds_what_the_services_user_may_not_do(service: Sandbox) -> None:
    """Installed as it should be, nothing is an error; a folder closed to the service is, with the fix."""
    assert not [finding for finding in findings(service, "0") if finding["key"] in ("service", "daemon.log")]
    service.run("chmod", "2750", INBOX)
    service.run("chgrp", "root", INBOX)
    try:
        (error,) = [finding for finding in findings(service, "1") if finding["level"] == "error"]
    finally:
        service.run("chgrp", "finance", INBOX)
        service.run("chmod", "2770", INBOX)
    assert error["key"] == "inbox '财务': path"
    assert "asr-daemon" in error["text"]
    assert "setfacl" in error["fix"]


def test_figures_are_written_for_node_exporter(service: Sandbox) -> None:
    """With `metrics.textfile` the hardened service writes a file that another user may read."""
    good = service.run("cat", CONFIG)
    path = "/srv/figures/asr.prom"
    service.run("install", "-d", "-m", "777", "/srv/figures")
    service.write(CONFIG, good.replace('textfile = ""', f'textfile = "{path}"'))
    try:
        service.run(PROGRAM, "install")
        service.run("systemctl", "restart", "asr-daemon")
        eventually(lambda: exists(service, path))
        read = service.run("setpriv", "--reuid=nobody", "--clear-groups", "cat", path)
    finally:
        service.write(CONFIG, good)
        service.run(PROGRAM, "install")
        service.run("systemctl", "restart", "asr-daemon")
    assert 'asr_daemon_recordings{inbox="财务",state="done"}' in read
    assert "asr_daemon_thread_silence_seconds" in read


def test_uninstalling_keeps_what_was_transcribed(installed: Sandbox) -> None:
    """Afterwards there is no service, and history, backups and configuration are where they were."""
    kept = ("/var/lib/asr-daemon/history.db", "/var/lib/asr-daemon/backups", CONFIG)
    assert all(exists(installed, path) for path in kept)
    said = installed.run(PROGRAM, "uninstall")
    assert "rm -rf /var/lib/asr-daemon\n" in said
    assert "userdel asr-daemon" in said
    assert installed.show("LoadState", "ActiveState") == {"LoadState": "not-found", "ActiveState": "inactive"}
    assert all(exists(installed, path) for path in kept)
    listed = json.loads(installed.run(PROGRAM, "history", "--json", "-c", CONFIG))
    assert "预算会议.m4a" in {entry["name"] for entry in listed}
