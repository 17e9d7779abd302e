"""The console's actions, done: each is one function of services, run beside the screen's loop. Imports services."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from prestaconsole.console.actions import Actions
from prestaconsole.operations.core import Core
from prestaconsole.services import changesets, feeds, mappings, runs, shops


class ServiceActions(Actions):
    """The real ones: each runs its service in a thread, in the name of whoever sits here."""

    def __init__(self, core: Core, *, queued: Callable[[], None] = lambda: None) -> None:
        self._core, self._actor, self._queued = core, core.settings.who, queued

    async def pause_shop(self, shop: str, reason: str, until: datetime | None) -> None:
        await asyncio.to_thread(shops.pause_shop, self._core, shop, reason=reason, until=until, actor=self._actor)

    async def resume_shop(self, shop: str) -> None:
        await asyncio.to_thread(shops.resume_shop, self._core, shop, actor=self._actor)
        self._queued()

    async def request_feed(self, shop: str, feed: str, *, plan: bool = False, reason: str = "") -> tuple[int, bool]:
        asked = await asyncio.to_thread(
            feeds.request_feed, self._core, shop, feed, actor=self._actor, plan=plan, reason=reason
        )
        self._queued()
        return asked.run, asked.joined

    async def cancel_run(self, run: int) -> None:
        await asyncio.to_thread(runs.cancel_run, self._core, run, actor=self._actor)

    async def schedule_feed(self, shop: str, feed: str, every: str) -> None:
        await asyncio.to_thread(feeds.schedule_feed, self._core, shop, feed, every, actor=self._actor)
        self._queued()

    async def set_order_states(self, shop: str, edits: Sequence[Mapping[str, Any]]) -> None:
        asked = [
            mappings.StateEdit(id_order_state=edit["state"], action=edit["action"], retry=edit["retry"])
            for edit in edits
        ]
        await asyncio.to_thread(mappings.set_order_states, self._core, shop, asked, actor=self._actor)
        self._queued()

    async def approve(self, changeset: int) -> None:
        await asyncio.to_thread(changesets.approve, self._core, changeset, actor=self._actor)

    async def apply(self, changeset: int) -> tuple[int, bool]:
        asked = await asyncio.to_thread(changesets.request_apply, self._core, changeset, actor=self._actor)
        self._queued()
        return asked.run, asked.joined

    async def release(self, changeset: int, confirm: str, reason: str) -> None:
        await asyncio.to_thread(
            changesets.release, self._core, changeset, confirm=confirm, reason=reason, actor=self._actor
        )

    async def drop(self, changeset: int) -> None:
        await asyncio.to_thread(changesets.drop, self._core, changeset, actor=self._actor)

    async def undo(self, changeset: int, records: Sequence[int] = ()) -> tuple[int, Sequence[str]]:
        made = await asyncio.to_thread(
            changesets.plan_undo, self._core, changeset, actor=self._actor, records=tuple(records)
        )
        return made.changeset.id, [f"{sku}: {why}" for sku, why in made.refused]
