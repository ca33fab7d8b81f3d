"""The files for containers agree with the program, and with one another."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from asr_daemon.cli import MODULES
from asr_daemon.cli.container import wanted_user
from asr_daemon.config_sections import DaemonSection, GatewaySection, ModelsSection, default_state_dir

FOLDER = Path(__file__).parents[2] / "systemd/container"
CONTAINERFILE = (FOLDER / "Containerfile").read_text(encoding="utf-8")
QUADLET = (FOLDER / "asr-daemon.container").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))


def image_environment() -> dict[str, str]:
    (said,) = re.findall(r"(?ms)^ENV (.*?[^\\])$", CONTAINERFILE)
    return dict(pair.split("=", 1) for pair in shlex.split(said.replace("\\\n", " ")))


def test_image_needs_no_configuration_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment says where everything is: departments, state, models."""
    for name, value in image_environment().items():
        monkeypatch.setenv(name, value)
    assert DaemonSection().inboxes == Path("/inboxes")
    assert ModelsSection().dir == Path("/models")
    assert default_state_dir() == Path("/state")


def test_commands_of_the_files_are_there() -> None:
    """Entry point, health check and the console's command."""
    named = re.findall(r"""["']asr-daemon["'], ["'](\w+)|^CMD \["(\w+)"\]""", CONTAINERFILE, re.MULTILINE)
    named += re.findall(r"HealthCmd=asr-daemon (\w+)()", QUADLET)
    commands = {first or second for first, second in named} | set(COMPOSE["services"]["console"]["command"])
    assert commands == {"container", "run", "healthcheck", "demo", "serve"}
    assert commands <= set(MODULES)


def test_torch_is_the_release_that_was_tested() -> None:
    """The image takes it from constraints.txt, with the variant that was asked for."""
    assert re.findall(r"torch==\d", CONTAINERFILE) == []
    pins = (FOLDER.parents[1] / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert len([line for line in pins if re.fullmatch(r"torch==[\d.]+", line)]) == 1


@pytest.mark.parametrize("name", ["asr-daemon", "console"])
def test_services_are_closed(name: str) -> None:
    """Read-only, without capabilities but those for becoming the user, who is not root."""
    service = COMPOSE["services"][name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert set(service["cap_add"]) == {"SETUID", "SETGID", "CHOWN"}
    assert 0 not in wanted_user(service["environment"])
    assert re.search(r"(?m)^ReadOnly=true$", QUADLET)
    assert re.search(r"(?m)^DropCapability=all$", QUADLET)


def test_console_reaches_the_daemon_by_a_socket_alone() -> None:
    """The daemon has no network; the console neither shares nor history, and both the socket's folder."""
    daemon, console = COMPOSE["services"]["asr-daemon"], COMPOSE["services"]["console"]
    assert daemon["network_mode"] == "none"
    assert "ports" not in daemon
    places = {volume.split(":")[0]: volume.split(":")[1] for volume in console["volumes"]}
    theirs = {volume.split(":")[0] for volume in daemon["volumes"]}
    assert set(places) & theirs == {"sockets", "./config.toml"}
    text = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    (socket,) = re.findall(r'(?m)^ +# +socket = "(.+)"$', text)
    assert Path(socket).parent == Path(places["sockets"]) == Path(image_environment()["RUNTIME_DIRECTORY"])
    assert GatewaySection(socket=socket).socket == Path(socket)


def test_what_the_image_leaves_out_is_no_dependency_of_ours() -> None:
    """Somebody else asked for it: what pyproject.toml names has a reader."""
    spec = importlib.util.spec_from_file_location("slim", FOLDER / "slim.py")
    assert spec is not None
    assert spec.loader is not None
    slim = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(slim)
    named = (FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"(?ms)^dependencies = \[(.*?)^\]", named)
    assert block is not None
    ours = {found.lower() for found in re.findall(r'(?m)^    "([A-Za-z0-9_-]+)', block[1])}
    assert ours & {name.lower() for name in {**slim.UNUSED, **slim.OF_NANO}} == set()
