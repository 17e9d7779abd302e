"""What is installed is whole: the wheel, in a clean environment and away from the checkout, runs the demo."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_runs_the_demo_in_a_clean_environment(tmp_path: Path) -> None:
    built = tmp_path / "dist"
    _run([sys.executable, "-m", "build", "--wheel", "--outdir", str(built), str(ROOT)], tmp_path)
    (wheel,) = built.glob("prestaconsole-*.whl")
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)], tmp_path)
    away = tmp_path / "away"
    away.mkdir()
    shown = _run([str(tmp_path / "clean" / "bin" / "prestaconsole"), "demo", "--headless"], away)
    assert "read back" in shown
    where = _run([str(python), "-c", "import prestaconsole; print(prestaconsole.__file__)"], away)
    assert str(ROOT) not in where


def _run(words: list[str], folder: Path) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PRESTACONSOLE_", "PYTHON"))
    }
    environment["HOME"] = str(folder)
    ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
