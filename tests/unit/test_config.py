"""The configuration: one model, one documented file, every problem at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asr_daemon.config import Config, load_config, tomllib
from asr_daemon.config_cluster import ClusterSection
from asr_daemon.config_notify import NotifySection
from asr_daemon.config_sections import GatewaySection, InboxSection
from asr_daemon.errors import ConfigurationError

DOCUMENTED = Path(__file__).parents[2] / "config.toml"
UNCOMMENTED = re.sub(
    r"^# (?=\[\[inbox|\[\[notify|\[cluster|\[gateway|# |\w+ = )",
    "",
    DOCUMENTED.read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_documented_file_works_as_it_is(tmp_path: Path) -> None:
    """The commented default is a valid configuration that equals the defaults."""
    path = write(tmp_path, DOCUMENTED.read_text(encoding="utf-8"))
    assert load_config(path) == Config()


@pytest.mark.parametrize("section", ["daemon", "engine", "models", "itn", "backup", "metrics", "retention"])
def test_every_key_is_documented_with_its_default(section: str, tmp_path: Path) -> None:
    """Every key of the model stands in config.toml, and nothing else does."""
    documented = tomllib.loads(UNCOMMENTED)
    model = Config.model_fields[section].annotation
    assert model is not None
    assert set(documented[section]) == set(model.model_fields)


def test_every_inbox_key_is_documented_with_its_default(tmp_path: Path) -> None:
    """The commented inbox shows every key of an inbox with the default that the code has."""
    documented = tomllib.loads(UNCOMMENTED)["inbox"][0]
    assert set(documented) == set(InboxSection.model_fields)
    shown = load_config(write(tmp_path, UNCOMMENTED)).inbox[0]
    assert shown == InboxSection(name="finance", path=Path("/srv/share/finance"))


def test_every_key_of_a_receiver_is_documented_with_its_default(tmp_path: Path) -> None:
    """The commented [[notify]] shows every key with the default that the code has."""
    assert set(tomllib.loads(UNCOMMENTED)["notify"][0]) == set(NotifySection.model_fields)
    shown = load_config(write(tmp_path, UNCOMMENTED)).notify[0]
    assert shown == NotifySection(name="office", url_file=tmp_path / "office.url")


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("", "give either url or url_file"),
        ('url = "hunter2"', r"notify\[0\].url: is no address"),
        ("url = 5\n", r"notify\[0\].url: "),
        ('url = ["https://a.example/hunter2"]', r"notify\[0\].url: "),
        ('url = "https://a.example/hunter2"\nurl_file = "x"', "give either url or url_file"),
        ('url_file = "x"\nsecret = ["hunter2"]', r"notify\[0\].secret: "),
        ('url_file = "x"\nsecret_file = "sub/x"', "two files are called 'x'"),
        ('url_file = "x"\nquiet = "22-7"', "not a span of hours"),
        ('url_file = "x"\non = ["finished"]', r"notify\[0\].on\[0\]: "),
        ('url_file = "x"\ninbox = ["nosuch"]', "there is no inbox 'nosuch'"),
        ('url_file = "x"\n[[notify]]\nname = "office"\nurl_file = "y"', "two \\[\\[notify\\]\\] are called"),
    ],
)
def test_receivers_that_cannot_be_are_refused_without_their_secrets(
    lines: str, named: str, tmp_path: Path
) -> None:
    """With the key; an address is in no sentence."""
    with pytest.raises(ConfigurationError, match=named) as caught:
        load_config(write(tmp_path, f'[[notify]]\nname = "office"\n{lines}\n'))
    assert "hunter2" not in str(caught.value)


def test_one_bracket_tells_no_address(tmp_path: Path) -> None:
    """Only that there should be two."""
    with pytest.raises(ConfigurationError, match=r"write \[\[notify\]\]") as caught:
        load_config(write(tmp_path, '[notify]\nname = "x"\nurl = "https://a.example/hunter2"\n'))
    assert "hunter2" not in str(caught.value)


def test_a_configuration_that_is_shown_hides_addresses_and_can_be_read_again(tmp_path: Path) -> None:
    """The running daemon hands its own to commands."""
    text = '[[notify]]\nname = "x"\nurl = "ntfy://host/hunter2"\nsecret = "hunter3"\n'
    config = load_config(write(tmp_path, text))
    dumped = config.model_dump(mode="json")
    assert "hunter" not in f"{config!r} {config} {dumped}"
    assert Config.model_validate(dumped).notify[0].name == "x"
    assert config.notify[0].shown_address == "ntfy://…"


def test_every_gateway_key_is_documented_with_its_default(tmp_path: Path) -> None:
    """The commented section shows every key with the default that the code has."""
    assert set(tomllib.loads(UNCOMMENTED)["gateway"]) == set(GatewaySection.model_fields)
    assert load_config(write(tmp_path, UNCOMMENTED)).gateway == GatewaySection()


def test_every_cluster_key_is_documented_with_its_default(tmp_path: Path) -> None:
    """The commented section shows every key with the default that the code has."""
    assert set(tomllib.loads(UNCOMMENTED)["cluster"]) == set(ClusterSection.model_fields)
    shown = load_config(write(tmp_path, UNCOMMENTED)).cluster
    assert shown == ClusterSection(address="ray://head:10001")


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("recognisers = 2", "cluster.address"),
        ('address = "head"', "cluster.address"),
        ('address = "http://head:10001"', "cluster.address"),
        ('address = "head:6379"\nrecognisers = 0', "cluster.recognisers"),
        ('address = "head:6379"\nrecognisers = "all"', "cluster.recognisers"),
        ('address = "head:6379"\ntls_ca = "ca.pem"', "belong together"),
        (
            'address = "head:6379"\ntokenfile = "t"',
            r"cluster\.tokenfile: no such key; did you mean token_file",
        ),
    ],
)
def test_cluster_that_cannot_be_is_refused(lines: str, named: str, tmp_path: Path) -> None:
    """With its key."""
    with pytest.raises(ConfigurationError, match=named):
        load_config(write(tmp_path, f"[cluster]\n{lines}\n"))


@pytest.mark.parametrize("listen", ["127.0.0.1:8760", "[::1]:80", "asr.example:443", "unix:/run/a.sock"])
def test_addresses_that_can_be_listened_at(listen: str, tmp_path: Path) -> None:
    """A port, by name or number, or a socket."""
    config = load_config(write(tmp_path, f'[gateway]\nlisten = "{listen}"\n'))
    assert config.gateway is not None
    assert config.gateway.listen == listen


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ('listen = "8760"', "gateway.listen"),
        ('listen = "::1:8760"', "gateway.listen"),
        ('tls_certificate = "c.pem"', "belong together"),
        ("most_upload_gb = 0", "gateway.most_upload_gb"),
        ("lisen = 1", r"gateway\.lisen: no such key; did you mean listen"),
    ],
)
def test_gateway_that_cannot_be_is_refused(lines: str, named: str, tmp_path: Path) -> None:
    """With its key."""
    with pytest.raises(ConfigurationError, match=named):
        load_config(write(tmp_path, f"[gateway]\n{lines}\n"))


def test_every_key_has_a_comment() -> None:
    """No key stands in config.toml without a comment above it (a run of keys may share one)."""
    previous = ""
    for line in UNCOMMENTED.splitlines():
        if re.match(r"\w+ = ", line):
            assert previous.startswith("#") or re.match(r"keep_|tls_", previous), line
        previous = line


def test_every_problem_is_named_at_once_with_its_key(tmp_path: Path) -> None:
    """Several mistakes give several sentences, each with the key path and what would be right."""
    path = write(
        tmp_path,
        """
        [daemon]
        recsan_s = 5
        [engine]
        device = "gpu"
        [backup]
        schedule = "at night"
        [[inbox]]
        name = "a"
        path = "a"
        settle_s = 0
        [[inbox]]
        name = "b"
        """,
    )
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    text = str(caught.value)
    assert "daemon.recsan_s: no such key; did you mean rescan_s?" in text
    assert "engine.device:" in text
    assert "backup.schedule: not a cron expression" in text
    assert "inbox[0].settle_s:" in text
    assert "inbox[1].path: is required" in text
    assert len(caught.value.problems) == 5


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """A relative path means the folder of the configuration file, wherever the daemon was started."""
    path = write(tmp_path, '[[inbox]]\nname = "a"\npath = "in/a"\nhotwords = "words.txt"\n')
    inbox = load_config(path).inbox[0]
    assert inbox.path == tmp_path / "in" / "a"
    assert inbox.hotwords == tmp_path / "words.txt"


@pytest.mark.parametrize(
    ("second", "why"), [("share", "lie in one another"), ("share/sub", "lie in one another")]
)
def test_overlapping_inboxes_are_refused(second: str, why: str, tmp_path: Path) -> None:
    """A recording can belong to one inbox only."""
    text = f'[[inbox]]\nname = "a"\npath = "share"\n[[inbox]]\nname = "b"\npath = "{second}"\n'
    with pytest.raises(ConfigurationError, match="lie in one another"):
        load_config(write(tmp_path, text))


@pytest.mark.parametrize("archive", ["share", "share/done", "other/done"])
def test_archives_inside_an_inbox_are_refused(archive: str, tmp_path: Path) -> None:
    """What is archived must not be found again as a new recording."""
    text = f'[[inbox]]\nname = "a"\npath = "share"\narchive = "{archive}"\n'
    text += '[[inbox]]\nname = "b"\npath = "other"\n'
    with pytest.raises(ConfigurationError, match="archive of inbox 'a' lies in the folder of inbox"):
        load_config(write(tmp_path, text))
    beside = text.replace(f'archive = "{archive}"', 'archive = "archive"')
    assert load_config(write(tmp_path, beside)).inbox[0].archive == tmp_path / "archive"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[metrics]\nport = 70000", "metrics.port"),
        ("[retention]\ntokens_days = -1", "retention.tokens_days"),
        ("[retention]\nvacuum_percent = 101", "retention.vacuum_percent"),
    ],
)
def test_figures_out_of_range_are_refused(text: str, key: str, tmp_path: Path) -> None:
    """A port that there is not, days before today: named by key."""
    with pytest.raises(ConfigurationError, match=key):
        load_config(write(tmp_path, text))


@pytest.mark.parametrize("content", [b"[daemon", b"\xff\xfe"])
def test_what_is_no_toml_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    """A broken file is named, not dumped as a traceback."""
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        load_config(path)


def test_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """A configuration that is not there is said to be so."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_config(tmp_path / "none.toml")


@pytest.mark.parametrize("folder", ["/", "/etc", "/usr/share/x", "/home", "/var/lib", "/proc/1/root"])
@pytest.mark.parametrize("key", ["path", "archive"])
def test_folders_of_the_system_are_no_inboxes(folder: str, key: str) -> None:
    """Opening them to the service would open the machine."""
    inbox = {"name": "a", "path": "/srv/a", key: folder}
    with pytest.raises(ValueError, match="is a folder of the system itself"):
        Config.model_validate({"inbox": [inbox]})
    Config.model_validate({"inbox": [{**inbox, key: "/home/li/in"}]})


def test_one_bracket_is_told(tmp_path: Path) -> None:
    """[inbox] is what everybody writes first."""
    path = tmp_path / "config.toml"
    path.write_text('[inbox]\nname = "a"\npath = "/srv/a"\n')
    with pytest.raises(ConfigurationError, match=r"write \[\[inbox\]\], with two brackets"):
        load_config(path)


@pytest.mark.parametrize(("given", "taken"), [(0, None), (100, 100), (10_000, 10_000)])
def test_silence_of_0_is_what_the_model_brings(given: int, taken: int | None, tmp_path: Path) -> None:
    """As the file says it; everything else is milliseconds between its bounds."""
    text = f'[[inbox]]\nname = "a"\npath = "a"\nmax_end_silence_ms = {given}\n'
    assert load_config(write(tmp_path, text)).inbox[0].max_end_silence_ms == taken


@pytest.mark.parametrize("given", [1, 99, 10_001])
def test_silence_beyond_its_bounds_is_refused(given: int, tmp_path: Path) -> None:
    """A slip of a zero cuts every word, or never."""
    text = f'[[inbox]]\nname = "a"\npath = "a"\nmax_end_silence_ms = {given}\n'
    with pytest.raises(ConfigurationError, match="max_end_silence_ms"):
        load_config(write(tmp_path, text))
