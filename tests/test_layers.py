"""The layers hold in the files (import-linter) and in a running process (no Textual below the console)."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ("services.status", "runner.worker", "feeds.registry", "changes.apply", "operations.core", "daemon")


def test_the_core_loads_without_textual() -> None:
    modules = ", ".join(f"prestaconsole.{name}" for name in CORE)
    script = f"import sys\nimport {modules}\nsys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_the_sandbox_loads_nothing_of_ours() -> None:
    script = (
        "import sys, prestaconsole.sandbox\n"
        "ours = [m for m in sys.modules if m.startswith('prestaconsole.') and '.sandbox' not in m]\n"
        "sys.exit(str(ours) if ours else 0)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


@pytest.mark.slow
def test_each_layer_imports_only_to_its_right() -> None:
    checker = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run([str(checker)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
