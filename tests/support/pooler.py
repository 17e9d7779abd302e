"""PgBouncer before the test's server, where it is installed."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.support.cluster import SYSTEM_USER


def why_no_pooler() -> str:
    """Why no pooler can be started here, or nothing where one can."""
    return "" if shutil.which("pgbouncer", path=_PATH) else "pgbouncer is not installed"


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


@contextmanager
def pooled(url: str, mode: str) -> Iterator[str]:
    """The same database through a pooler (``mode``: transaction, session); gives the URL of that."""
    direct = make_url(url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = Path(tempfile.mkdtemp(prefix="prestaconsole-pgbouncer-"))
    password = f" password={direct.password}" if direct.password else ""
    (folder / "users").write_text(f'"{direct.username}" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n{direct.database} = host={direct.host} port={direct.port or 5432}"
        f" user={direct.username}{password}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
        f"auth_file = {folder / 'users'}\npool_mode = {mode}\nunix_socket_dir =\n"
    )
    program = shutil.which("pgbouncer", path=_PATH)
    assert program is not None
    user = SYSTEM_USER if os.geteuid() == 0 else None
    if user:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user)
    process = subprocess.Popen(
        [program, "-q", str(folder / "ini")],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, "pgbouncer did not start"
                assert time.monotonic() < end, "pgbouncer does not answer"
                time.sleep(0.02)
        yield direct.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
