"""A PostgreSQL server of a test's own, which may be stopped, killed and started while others use the shared one."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SYSTEM_USER = "postgres"


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, the newest first; None where PostgreSQL's server is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    named = shutil.which("pg_ctl")
    return Path(named).resolve().parent if named else None


def why_no_cluster() -> str:
    """Why no server can be started here, or nothing where one can."""
    if binaries() is None:
        return "PostgreSQL's initdb and pg_ctl are not installed"
    if os.geteuid() == 0 and SYSTEM_USER not in {entry.pw_name for entry in pwd.getpwall()}:
        return f"PostgreSQL does not run as root, and there is no user {SYSTEM_USER}"
    return ""


class Cluster:
    """The server; ``url`` leads to its one database."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._folder = folder
        self._data = folder / "data"
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -k {self._folder} -h 127.0.0.1 -c fsync=off -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", str(self._data), "-o", options, "-l", str(self._folder / "log"), "-w", "start")

    def stop(self, how: str = "fast") -> None:
        """``fast`` cuts all connections, ``immediate`` is as if the plug was pulled."""
        self._run("pg_ctl", "-D", str(self._data), "-m", how, "-w", "stop")

    def _run(self, program: str, *words: str) -> None:
        folder = binaries()
        assert folder is not None
        user = SYSTEM_USER if os.geteuid() == 0 else None
        # The server keeps what it inherits open: no pipe, or nobody would see its end.
        with (self._folder / "said").open("ab") as said:
            subprocess.run(
                [str(folder / program), *words],
                user=user,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                check=True,
                timeout=60,
            )


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A new server for the length of a test; its folder lies where its user may go."""
    folder = Path(tempfile.mkdtemp(prefix="prestaconsole-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, SYSTEM_USER)
        made = Cluster(folder)
        try:
            yield made
        finally:
            made.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
