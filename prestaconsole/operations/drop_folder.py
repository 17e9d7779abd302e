"""Where things lie in a warehouse's drop folder. Imports nothing of ours."""

from pathlib import Path

WORKING, DONE, FAILED = "working", "done", "failed"


def error_file(folder: Path, claimed: str) -> Path:
    """The file beside a refused one, by the name under which that was claimed: each bad row with what to do."""
    return folder / FAILED / f"{Path(claimed).stem}.errors.csv"
