"""The headless face: supervision, systemd, health, metrics. May import everything below the faces, never Textual."""

from prestaconsole.daemon.logs import plug_streams
from prestaconsole.daemon.main import run_daemon

__all__ = ["plug_streams", "run_daemon"]
