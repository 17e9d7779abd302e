"""Every recorded exchange asked of the simulated shop in its turn, and which of them agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.sandbox.deviations import DEVIATIONS, EARLIER_DATA
from tests.sandbox.past import Past, dump_of
from tests.sandbox.replay import replay
from tests.support.shared import recordings


@dataclass
class Outcome:
    """What became of the exchanges of one folder: of each that differs, what differs."""

    folder: str
    total: int
    differing: dict[str, list[str]] = field(default_factory=dict)

    @property
    def dump(self) -> str:
        """The dump whose state was replayed."""
        return dump_of(self.folder)

    @property
    def earlier(self) -> Mapping[str, str]:
        """The exchanges that only the shop's earlier data explain, with their reasons."""
        return EARLIER_DATA.get(self.folder, {})

    @property
    def known(self) -> Mapping[str, str]:
        """The exchanges the sandbox answers otherwise, with their reasons."""
        return DEVIATIONS.get(self.folder, {})

    @property
    def comparable(self) -> int:
        """The exchanges that could agree."""
        return self.total - len(self.earlier)

    @property
    def agreeing(self) -> int:
        """The exchanges that agree."""
        return self.total - len(self.differing)

    @property
    def new(self) -> dict[str, list[str]]:
        """Differences that stand in neither list."""
        return {file: told for file, told in self.differing.items() if file not in {**self.earlier, **self.known}}

    @property
    def over(self) -> list[str]:
        """Entries of the lists that hold no longer."""
        return sorted(file for file in {**self.earlier, **self.known} if file not in self.differing)


_DONE: dict[str, Outcome] = {}


async def outcome_of(folder: str) -> Outcome:
    """What became of a folder; replayed once in a run of the tests."""
    if folder not in _DONE:
        _DONE[folder] = await compare(folder)
    return _DONE[folder]


async def compare(folder: str) -> Outcome:
    """Replay one folder in its order against the shop it was made in."""
    exchanges = recordings(folder)
    outcome = Outcome(folder, len(exchanges))
    past = Past(folder)
    for recording in exchanges:
        past.reach(recording)
        told = await replay(past.shop, recording)
        past.passed(recording)
        if told:
            outcome.differing[recording.file] = told
    return outcome
