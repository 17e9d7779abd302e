"""The files in deploy/: systemd, sshd and sudo accept them, and what they name exists: settings, commands, metrics."""

import grp
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prestaconsole.cli.app import program
from prestaconsole.daemon.main import HUNG_AFTER, TELL_SECONDS
from prestaconsole.daemon.metrics import Metrics
from prestaconsole.database import Database
from prestaconsole.runner.signs import Health
from prestaconsole.runner.worker import DRAIN_SECONDS, Worker
from prestaconsole.settings import Settings
from tests.daemon.test_metrics import fill
from tests.support.runs import FakeClock, make_core

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
PROGRAM = "/opt/prestaconsole/bin/prestaconsole"


def _unit() -> dict[str, list[str]]:
    """The directives of the unit by name."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "prestaconsole.service").read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def _seconds(name: str) -> float:
    return float(_unit()[name][0])


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists here, since systemd looks for it."""
    text = (DEPLOY / "prestaconsole.service").read_text().replace(PROGRAM, sys.executable)
    path = tmp_path / "prestaconsole.service"
    path.write_text(text)
    return path


def _analyze(*words: str) -> "subprocess.CompletedProcess[str]":
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here, so the unit was not checked by systemd")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def test_systemd_accepts_the_unit(unit: Path) -> None:
    ended = _analyze("verify", str(unit))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_the_unit_leaves_little_exposed(unit: Path) -> None:
    ended = _analyze("security", "--offline=true", "--threshold=20", str(unit))
    if "unrecognized option" in ended.stderr:
        pytest.skip("this systemd-analyze cannot judge a file")
    assert ended.returncode == 0, ended.stdout[-400:]


def test_the_units_times_fit_the_daemons() -> None:
    assert _unit()["Type"] == ["notify"]
    assert _seconds("TimeoutStopSec") >= DRAIN_SECONDS + 20
    # A hang is known after HUNG_AFTER, and acted upon within ten minutes (N6).
    assert 3 * TELL_SECONDS <= _seconds("WatchdogSec") <= 300
    assert HUNG_AFTER + _seconds("WatchdogSec") + _seconds("RestartSec") < 600
    # Restarts by the watchdog come too seldom to be given up.
    limit = _seconds("StartLimitIntervalSec") / _seconds("StartLimitBurst")
    assert _seconds("WatchdogSec") > limit


def test_the_daemon_starts_where_no_memory_may_be_both_written_and_run(tmp_path: Path) -> None:
    code = (
        "import ctypes, sys\n"
        "if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0): sys.exit(77)\n"
        "from prestaconsole.cli.app import run\n"
        "import prestaconsole.webservice.client, prestaconsole.daemon.metrics, cryptography.hazmat.bindings._rust\n"
        "sys.exit(run(['status', '--json']) and 0)\n"
    )
    environment = {**os.environ, "PRESTACONSOLE_DATA_DIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if ended.returncode == 77:
        pytest.skip("this kernel has no such rule (Linux 6.3 or newer does)")
    assert ended.returncode == 0, ended.stderr


def _tool(name: str) -> str:
    """Where an administrator's tool lies, which an ordinary user's PATH does not always name."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed here, so what it reads was not checked")
    return found


def _sshd(folder: Path, config: Path, *words: str) -> str:
    """What sshd says of a configuration that it accepts."""
    program, key = _tool("sshd"), folder / "key"
    subprocess.run([_tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    ended = subprocess.run(
        [program, *words, "-f", str(config), "-h", str(key)], capture_output=True, text=True, check=False
    )
    if "privilege separation" in ended.stderr.lower():
        pytest.skip("sshd is not set up here")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_sshd_accepts_the_snippet(tmp_path: Path) -> None:
    _sshd(tmp_path, DEPLOY / "sshd-support.conf", "-t")


def test_sshd_gives_the_group_the_console_alone_and_leaves_others_as_they_are(tmp_path: Path) -> None:
    # sshd asks the system who is in a group, and this user is in a group of his own.
    me, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    snippet = (DEPLOY / "sshd-support.conf").read_text()
    for asked, console in ((group, True), (f"{group}-of-others", False)):
        folder = tmp_path / asked
        folder.mkdir()
        (folder / "conf").write_text(snippet.replace("Match Group prestaconsole-support", f"Match Group {asked}"))
        said = _sshd(folder, folder / "conf", "-T", "-C", f"user={me},host=h.example,addr=192.0.2.1").splitlines()
        for line in ("disableforwarding yes", "allowtcpforwarding no", "passwordauthentication no"):
            assert (line in said) is console, line
        forced = next(line for line in said if line.startswith("forcecommand "))
        assert forced.endswith("/opt/prestaconsole/support-console") is console


def test_sudo_accepts_the_rule(tmp_path: Path) -> None:
    # A copy, since sudo looks at whom a file belongs to.
    copy = tmp_path / "sudoers"
    copy.write_text((DEPLOY / "sudoers-support").read_text())
    copy.chmod(0o440)
    ended = subprocess.run([_tool("visudo"), "-c", "-f", str(copy)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "parsed OK" in ended.stdout
    assert "arning" not in ended.stdout + ended.stderr


def test_support_staff_get_the_console_only_and_act_under_their_own_name(tmp_path: Path) -> None:
    snippet = (DEPLOY / "sshd-support.conf").read_text()
    script = "/opt/prestaconsole/support-console"
    assert re.search(rf"ForceCommand .*{script}$", snippet, re.MULTILINE)
    assert f'{script} ""' in (DEPLOY / "sudoers-support").read_text()
    for line in ("DisableForwarding yes", "PermitTunnel no", "PermitUserRC no"):
        assert line in snippet
    shown = tmp_path / "prestaconsole"
    shown.write_text('#!/bin/sh\necho "$PRESTACONSOLE_ACTOR $*"\n')
    shown.chmod(0o755)
    copy = tmp_path / "support-console"
    copy.write_text((DEPLOY / "support-console").read_text().replace(PROGRAM, str(shown)))
    copy.chmod(0o755)
    forged = {"PATH": os.environ["PATH"], "SUDO_USER": "anna", "PRESTACONSOLE_ACTOR": "somebody"}
    ended = subprocess.run([str(copy)], env=forged, capture_output=True, text=True, check=False)
    assert ended.stdout == "anna --read-only\n"
    ended = subprocess.run([str(copy)], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert ended.returncode == 2


def test_the_script_can_be_run() -> None:
    assert os.access(DEPLOY / "support-console", os.X_OK)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_settings_and_commands_named_in_deploy_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    known = {f"PRESTACONSOLE_{name.upper()}" for name in Settings.model_fields} | {"PRESTACONSOLE_SETTINGS"}
    assert set(re.findall(r"PRESTACONSOLE_[A-Z_]+[A-Z]", text)) <= known
    commands = program()
    for found in re.findall(r"(?:`|\"|bin/)prestaconsole ([a-z][a-z-]*(?: [a-z][a-z-]+)?)", text):
        noun, *verb = found.split()
        below = getattr(commands, "commands", {})
        assert noun in below, found
        group = getattr(below[noun], "commands", {})
        assert not group or verb[0] in group, found


async def test_every_metric_of_the_alert_rules_exists(sqlite_database: Database, tmp_path: Path) -> None:
    core = make_core(sqlite_database, tmp_path, clock=FakeClock())
    fill(core.database)
    body, _ = await Metrics(core, Worker(core, "daemon"), lambda: Health("working")).text()
    rules = (DEPLOY / "prometheus-rules.yml").read_text()
    names = set(re.findall(r"\bprestaconsole_[a-z_]+", rules))
    assert len(names) >= 5
    for name in names:
        assert re.search(rf"^{name}[ {{]", body.decode(), re.MULTILINE), name
    for expression in re.findall(r"expr: (.*)", rules):
        for shown in re.findall(r'(prestaconsole_\w+)\{(\w+)="(\w+)"\}', expression):
            assert re.search(rf'^{shown[0]}\{{[^}}]*{shown[1]}="{shown[2]}"', body.decode(), re.MULTILINE), shown
