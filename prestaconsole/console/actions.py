"""What the console asks services to do, as one small face. Imports nothing of ours.

Screens know this protocol only, so a test can stand in for the whole core.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol


class Actions(Protocol):
    """Everything a key can do. All raise ``PrestaConsoleError`` with cause and remedy."""

    async def pause_shop(self, shop: str, reason: str, until: datetime | None) -> None:
        """Stop the shop's feeds until then, or until resumed."""
        ...

    async def resume_shop(self, shop: str) -> None:
        """Let the shop's feeds go on."""
        ...

    async def request_feed(self, shop: str, feed: str, *, plan: bool = False, reason: str = "") -> tuple[int, bool]:
        """Queue a run. Gives its id and whether it joined one that was there."""
        ...

    async def cancel_run(self, run: int) -> None:
        """Stop a run at its next page."""
        ...

    async def schedule_feed(self, shop: str, feed: str, every: str) -> None:
        """Run it by this schedule: words, cron, ``default`` or ``off``."""
        ...

    async def set_order_states(self, shop: str, edits: Sequence[Mapping[str, Any]]) -> None:
        """Save rules, all or none. An edit: ``state``, ``action``, ``retry``."""
        ...

    async def approve(self, changeset: int) -> None:
        """Approve a plan."""
        ...

    async def apply(self, changeset: int) -> tuple[int, bool]:
        """Queue the sending of a plan. Gives the run and whether it joined one."""
        ...

    async def release(self, changeset: int, confirm: str, reason: str) -> None:
        """Release a plan the brake holds; ``confirm`` names the shop."""
        ...

    async def drop(self, changeset: int) -> None:
        """Give up a plan that waits; the shop keeps its numbers."""
        ...

    async def undo(self, changeset: int, records: Sequence[int] = ()) -> tuple[int, Sequence[str]]:
        """Plan the reverse, of some listings or of all. Gives the new plan's id, and what was refused, in words."""
        ...

    async def set_formula(self, shop: str, values: Mapping[str, str]) -> None:
        """Save settings of a shop's stock formula as typed, all or none: ``stock.buffer`` → ``2``."""
        ...

    async def set_exception(self, shop: str, sku: str, values: Mapping[str, str]) -> None:
        """Save steps of one product in one shop; an empty text gives a step the shop's value back."""
        ...

    async def decide_foreign(self, foreign: Sequence[int], decision: str, reason: str) -> Sequence[str]:
        """Keep, overwrite or adopt what somebody else wrote. Gives in words which ones were refused."""
        ...
