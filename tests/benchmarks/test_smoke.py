"""Every benchmark at a size that says nothing: it starts, measures and prints its figures; none of them is judged."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
HELPERS = {"stocked"}
SMALL = {
    "stock check": (["--rows", "300", "--rounds", "1"], r"over fetching and parsing: \d"),
    "stock push": (["--changes", "120", "--rounds", "1"], r"120 confirmed with \d+ requests(?s:.*)row by row: \d"),
    "stock delay": (["--singles", "2"], r"2 single changes .* p95 \d"),
    "changes": (["--changes", "1500"], r"journal of 1,500: \d"),
    "webservice": (["--rows", "200", "--writes", "200", "--rounds", "1"], r"bulk writes are \d"),
    "runner": (["--starts", "2", "--seconds", "1"], r"idle with \d+ shops"),
    "scaling": (["--orders", "40", "--products", "30", "--runs", "20", "--idle", "1"], r"idle with 50 shops"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_it_starts_and_prints_its_figures(name: str) -> None:
    words, figures = SMALL[name]
    script, *what = name.split()
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), *what, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    assert re.search(figures, done.stdout), done.stdout


def test_every_benchmark_is_started_by_a_test_and_named_in_the_readme() -> None:
    scripts = {path.stem for path in BENCHMARKS.glob("*.py")} - HELPERS
    assert scripts == {name.split()[0] for name in SMALL}
    readme = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    assert [name for name in scripts if f"python benchmarks/{name}.py" not in readme] == []
