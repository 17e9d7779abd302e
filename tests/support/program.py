"""The real program in processes of its own, over a data folder and simulated shops on ports."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prestaconsole.sandbox import DEFAULT_KEY

ROOT = Path(__file__).parents[2]


@dataclass
class Program:
    """`prestaconsole` with one data folder; settings are given by environment."""

    folder: Path
    settings: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """What each process gets: our settings, and none of the caller's."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PRESTACONSOLE_")}
        return {
            **own,
            "PRESTACONSOLE_DATA_DIR": str(self.folder),
            "PRESTACONSOLE_DAEMON_PORT": "0",
            "PRESTACONSOLE_ACTOR": "tester",
            "PYTHONWARNINGS": "error",
            **{f"PRESTACONSOLE_{name.upper()}": value for name, value in self.settings.items()},
        }

    def __call__(self, *words: str, stdin: str = "", status: int | None = 0, timeout: float = 90) -> str:
        """Run a command to its end and give what it printed; its exit status must be ``status`` (None: any)."""
        ended = subprocess.run(
            [sys.executable, "-m", "prestaconsole", *words],
            input=stdin,
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if status is not None:
            assert ended.returncode == status, f"{words}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def json(self, *words: str, **how: Any) -> Any:
        """Run a command with ``--json`` and read its answer."""
        return json.loads(self(*words, "--json", **how))

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a command and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-m", "prestaconsole", *words],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def add_shop(self, name: str, url: str, **values: str) -> None:
        """Connect a simulated shop and set what is given (``.`` written ``_``)."""
        self("shop", "add", name, "--url", url, "--key-stdin", stdin=DEFAULT_KEY + "\n")
        pairs = [f"{key.replace('_', '.', 1)}={value}" for key, value in values.items()]
        if pairs:
            self("shop", "set", name, *pairs)


def program(folder: Path, **settings: str) -> Program:
    """The program with short heartbeats: 0.5 s, stale after 3 s."""
    return Program(folder, {"heartbeat_seconds": "0.5", "stale_seconds": "3", "poll_seconds": "0.05", **settings})
