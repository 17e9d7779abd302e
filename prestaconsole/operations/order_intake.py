"""Polling a shop's orders: new ones by id, changed ones by the shop's own event log, unfinished ones again.

Used by import_orders and retry_orders, by the stock check, and by the stock push before and after it writes. Each
page is committed with its cursors; a poll that is cut anywhere goes on where it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select, update

from prestaconsole.database import Connection
from prestaconsole.model import Order
from prestaconsole.operations import parking
from prestaconsole.operations import reference as words
from prestaconsole.operations.ahead import Ahead
from prestaconsole.operations.core import Core
from prestaconsole.operations.cursors import OVERLAP, cursor, feed_detail, moved_at, set_cursor
from prestaconsole.operations.order_aside import (
    DAMAGED,
    note_failed,
    parked_orders,
    store_what_can_be,
    why_unreadable,
)
from prestaconsole.operations.order_events import store_events, touched
from prestaconsole.operations.order_reading import (
    HISTORY_FIELDS,
    ORDERS_PER_PAGE,
    order_fields,
    orders_context,
    read_details,
)
from prestaconsole.operations.order_start import ORDERS, Boundary, find_boundary
from prestaconsole.operations.order_store import (
    IdentityChanged,
    Intake,
    Stored,
    check_identity,
    load_known,
    needs_storing,
)
from prestaconsole.operations.pages import LogLine, PageCommit
from prestaconsole.operations.reference import Reference, load_reference
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.operations.stop import stop_for_identity
from prestaconsole.rules.order_state import deducts
from prestaconsole.webservice.client import Page, ShopClient
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.errors import MalformedXml
from prestaconsole.webservice.query import Query, between, one_of

HISTORIES = "order_histories"
POLLED = "orders polled"
_EVENTS_PER_PAGE = 1000
_WATCHED_AT_ONCE = 1000


@dataclass
class PollResult:
    """What a poll found; ``orders`` are the ids that were stored, new or changed."""

    new: int = 0
    changed: int = 0
    damaged: int = 0
    orders: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass
class OrderIntake:
    """One poll of one shop. Raises ``WebserviceError``, ``IdentityChanged`` or ``RunStopped``; pages stored stay."""

    core: Core
    shop: ShopRecord
    client: ShopClient
    commit: PageCommit
    run_id: int | None = None
    result: PollResult = field(default_factory=PollResult)
    _boundary: Boundary = field(init=False, repr=False)
    _reference: Reference = field(init=False, repr=False)
    _total: int | None = field(init=False, repr=False, default=None)

    async def poll(self) -> PollResult:
        """New orders, then events, then orders that were incomplete at the last look."""
        try:
            return await self._poll()
        except IdentityChanged as error:
            shop_id, now, cause = self.shop.id, self.core.clock.now(), error
            await self.commit(lambda c: stop_for_identity(c, shop_id, cause, now))
            raise

    async def _poll(self) -> PollResult:
        began = self.core.clock.now()
        await self._prepare()
        if self._events_from is None:
            await self._begin_events()
        await self._open_before_start()
        await self._new_orders()
        await self._events()
        await self._unfinished()
        await self.commit(lambda c: set_cursor(c, self.shop.id, POLLED, 1, began))
        return self.result

    async def read_again(self, ids: Sequence[int], *, before_start: bool = False) -> PollResult:
        """Read these orders again, known or not; ids that the shop does not have are reported.

        ``before_start``: a person asked for them by id, so the start does not keep them out.
        """
        await self._prepare()
        if before_start:
            self._boundary = replace(self._boundary, id=min([*ids, self._boundary.id]))
        await self._read(ids, force=True)
        return self.result

    # -- set-up --------------------------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        self.now = self.core.clock.now()
        self._learnt: set[str] = set()
        self._counted: set[int] = set()
        shop_id = self.shop.id

        def load(connection: Connection) -> tuple[Reference, datetime | None, int | None, int | None, int | None]:
            return (
                load_reference(connection, shop_id),
                moved_at(connection, shop_id, POLLED),
                cursor(connection, shop_id, HISTORIES),
                cursor(connection, shop_id, ORDERS),
                feed_detail(connection, shop_id, "import_stock").get("baseline"),
            )

        (
            self._reference,
            self._since,
            self._events_from,
            self._orders_from,
            self._baseline,
        ) = await self.core.database.read(load)
        self._parked = await self.core.database.read(lambda c: parked_orders(c, shop_id))
        self._boundary = await find_boundary(self.core, self.shop, self.client, self.commit)
        if self._boundary.moved:
            self._orders_from = self._boundary.id - 1

    def _intake(self) -> Intake:
        return Intake(self.shop, self._reference, self._boundary.id, self._baseline, self._since, self.now, self.run_id)

    # -- new orders ----------------------------------------------------------------------------------------------

    async def _new_orders(self) -> None:
        begin = self._boundary.id - 1
        last = begin if self._orders_from is None else self._orders_from
        after = max(begin, last - OVERLAP, 0)
        pages = self.client.pages(
            "orders",
            order_fields(self.shop),
            after=after,
            page_size=ORDERS_PER_PAGE,
            id_shop=orders_context(self.shop),
        )
        first = True
        ahead = Ahead(self.client, ("orders",), full=ORDERS_PER_PAGE, id_shop=orders_context(self.shop))
        async for page in pages:
            if first and not page.length and last > begin:
                await self._require_highest(last)
            first = False
            self._total = await ahead.total("orders", page, self.result.new + self.result.changed + page.length)
            await self._store_page(page, last)
            last = max(last, page.last_id)

    async def _require_highest(self, last: int) -> None:
        """No order near the cursor: the shop may have gone back in time (DESIGN §5)."""
        newest = await self.client.page(
            Query("orders", ("id",), sort="-id", limit=1, id_shop=orders_context(self.shop))
        )
        if newest.last_id < last:
            raise IdentityChanged(
                f"The shop's newest order is {newest.last_id}, we have read up to {last}.",
                "The shop was restored, cloned or moved. Nothing was stored; compare both before going on.",
            )

    async def _store_page(self, page: Page, last: int) -> None:
        if not page.complete:
            raise MalformedXml(f"Orders after id {last} are missing from the shop's answer.")
        await self._store(page.entities, reached=max(last, page.last_id), failed=_damaged(page))

    async def _store(
        self,
        orders: Sequence[Entity],
        *,
        reached: int | None = None,
        failed: Mapping[int, str] | None = None,
        force: bool = False,
    ) -> None:
        """Fetch what belongs to the new and changed among these orders and store them, with the cursor.

        ``failed``: orders of the page that could not be read, with the cause.
        """
        failed = {**(failed or {}), **{order.id: cause for order in orders if (cause := why_unreadable(order))}}
        whole = [order for order in orders if order.id not in failed]
        shop_id = self.shop.id
        known = await self.core.database.read(lambda c: load_known(c, shop_id, (order.id for order in whole)))
        check_identity(whole, known)
        moved = {order.id for order in whole if needs_storing(order, known.get(order.id))}
        wanted = [order for order in whole if force or order.id in moved]
        fresh = moved - set(known)
        await self._learn_words(wanted)
        batch = await read_details(self.client, wanted, fresh)
        intake = self._intake()

        def store(connection: Connection) -> tuple[Stored, dict[int, str]]:
            stored, refused = store_what_can_be(connection, intake, batch)
            refused = {**failed, **refused}
            note_failed(connection, intake, refused)
            self._note_ends(connection, [order.id for order in whole if order.id not in refused], refused)
            if reached is not None:
                set_cursor(connection, shop_id, ORDERS, reached, intake.now)
            return stored, refused

        new, changed = len(fresh), len(moved) - len(fresh)
        counts = {"seen": len(orders), "new": new, "changed": changed}
        stored, refused = await self.commit(
            store,
            done=self.result.new + self.result.changed + len(wanted),
            total=self._total,
            counts={name: number for name, number in counts.items() if number},
            logs=self._words_of(new, changed),
        )
        self._add(stored, [order.id for order in wanted if order.id not in refused], len(refused))
        await self._tell(refused)

    async def _tell(self, refused: Mapping[int, str]) -> None:
        """Say what could not be taken in. What is parked was told; it may turn out well where its page is read."""
        told = {id_order: cause for id_order, cause in refused.items() if id_order not in self._parked}
        if told:
            logs = [LogLine("warn", f"order {id_order} is read again: {cause}") for id_order, cause in told.items()]
            await self.commit(lambda _: None, counts={"failed": len(told)}, logs=logs)

    def _note_ends(self, connection: Connection, good: Sequence[int], refused: Mapping[int, str]) -> None:
        """Count what could not be taken in, once a poll: at the third time an order is parked."""
        shop_id, now = self.shop.id, self.now
        parking.note_good(connection, shop_id, "order", map(str, good), at=now)
        fresh = {id_order: cause for id_order, cause in refused.items() if id_order not in self._counted}
        self._counted.update(fresh)
        failed = {str(number): parking.Failed(f"order {number}", cause) for number, cause in fresh.items()}
        parking.note_failures(connection, shop_id, "order", failed, at=now, run_id=self.run_id)

    def _words_of(self, new: int, changed: int) -> list[LogLine]:
        if not new and not changed:
            return []
        parts = [f"{new} new" if new else "", f"{changed} changed" if changed else ""]
        return [LogLine("info", f"orders: {', '.join(part for part in parts if part)}")]

    def _add(self, stored: Stored, ids: Sequence[int], damaged: int) -> None:
        self.result.new += stored.new
        self.result.changed += stored.changed
        self.result.damaged += damaged
        self.result.orders += ids
        for verdict, number in stored.counts.items():
            self.result.counts[verdict] = self.result.counts.get(verdict, 0) + number

    async def _learn_words(self, orders: Sequence[Entity]) -> None:
        """States, carriers or currencies that an order names and we never heard of are read from the shop first."""
        known, shop_id, now = self._reference, self.shop.id, self.now
        states_named = {order.integer("current_state") for order in orders} - {0}
        if self._unheard("states", states_named - set(known.states)):
            states = await words.read_states(self.client)
            language = self.shop.id_language
            await self.commit(
                lambda c: words.store_states(c, shop_id, states, {}, id_language=language, now=now, suggest=False)
            )
        if self._unheard("carriers", {order.integer("id_carrier") for order in orders} - {0} - known.carriers):
            carriers = await words.read_carriers(self.client)
            await self.commit(lambda c: words.store_carriers(c, shop_id, carriers))
        if self._unheard("currencies", {order.integer("id_currency") for order in orders} - set(known.currencies)):
            currencies = await words.read_currencies(self.client)
            await self.commit(lambda c: words.store_currencies(c, shop_id, currencies))
        if not self._learnt:
            return
        self._reference = await self.core.database.read(lambda c: load_reference(c, shop_id))

    def _unheard(self, kind: str, ids: set[int]) -> bool:
        """Whether the list must be read: something in it is new, and it was not read in this poll already."""
        if not ids or kind in self._learnt:
            return False
        self._learnt.add(kind)
        return True

    # -- open orders before the start ------------------------------------------------------------------------------

    async def _open_before_start(self) -> None:
        """Orders older than the start that the shop still deducts: held, never imported (row B14, DESIGN §5a)."""
        if self._boundary.held_through:
            return
        top = self._boundary.id - 1
        open_states = [number for number in self._reference.states if deducts(number, self._reference.states)]
        after = 0
        while after < top and open_states:
            query = Query(
                "orders",
                order_fields(self.shop),
                {"id": between(after + 1, top), "current_state": one_of(sorted(open_states))},
                limit=ORDERS_PER_PAGE,
                id_shop=orders_context(self.shop),
            )
            page = await self.client.page(query)
            await self._store(page.entities, failed=_damaged(page))
            if page.length < ORDERS_PER_PAGE and page.complete:
                break
            after = max(page.last_id, after + 1)
        boundary: Boundary = self._boundary
        await self.commit(lambda c: boundary.mark_held(c, self.shop.id, self.now))

    # -- events ----------------------------------------------------------------------------------------------------

    async def _begin_events(self) -> None:
        """The first poll reads states with the orders, so the event log begins at its present end."""
        newest = await self.client.page(Query(HISTORIES, ("id",), sort="-id", limit=1))
        self._events_from = newest.last_id
        await self.commit(lambda c: set_cursor(c, self.shop.id, HISTORIES, newest.last_id, self.now))

    async def _events(self) -> None:
        """State changes since the last poll; orders they touch are read again."""
        last = self._events_from or 0
        after = max(last - OVERLAP, 0)
        async for page in self.client.pages(HISTORIES, HISTORY_FIELDS, after=after, page_size=_EVENTS_PER_PAGE):
            if not page.complete:
                raise MalformedXml(f"Events are missing from the shop's answer after id {last}.")
            last = max(last, page.last_id)
            await self._event_page([event for event in page.entities if not event.damaged], last)

    async def _event_page(self, events: Sequence[Entity], reached: int) -> None:
        shop, states, start = self.shop, self._reference.states, self._boundary.id
        await self._read(await self.core.database.read(lambda c: touched(c, shop.id, events, states, start=start)))

        def store(connection: Connection) -> None:
            store_events(connection, shop, events, self.now)
            set_cursor(connection, self.shop.id, HISTORIES, reached, self.now)

        await self.commit(store)

    # -- again -----------------------------------------------------------------------------------------------------

    async def _unfinished(self) -> None:
        """Orders that the shop was still writing at the last look, and those that could not be taken in."""
        seen = {*self.result.orders, *self._counted, *self._parked}
        incomplete = select(Order.id_order).where(
            Order.shop_id == self.shop.id, Order.verdict == "incomplete", Order.watched
        )
        shop_id = self.shop.id

        def due(connection: Connection) -> set[int]:
            failing = {int(record) for record in parking.failing(connection, shop_id, "order")}
            return failing.union(connection.execute(incomplete.limit(_WATCHED_AT_ONCE)).scalars())

        await self._read(sorted(await self.core.database.read(due) - seen))

    async def _read(self, ids: Sequence[int], *, force: bool = False) -> None:
        if not ids:
            return
        fields, storefronts = order_fields(self.shop), orders_context(self.shop)
        found = await self.client.by_ids("orders", fields, sorted(ids), id_shop=storefronts)
        for start in range(0, len(found), ORDERS_PER_PAGE):
            await self._store(found[start : start + ORDERS_PER_PAGE], force=force)
        missing = sorted(set(ids) - {order.id for order in found})
        if missing:
            await self._report_missing(missing)

    async def _report_missing(self, ids: Sequence[int]) -> None:
        """Orders that were known and are no longer listed: kept, with a verdict that says so."""
        shop_id, now = self.shop.id, self.now

        def store(connection: Connection) -> None:
            connection.execute(
                update(Order)
                .where(Order.shop_id == shop_id, Order.id_order.in_(ids), Order.verdict == "incomplete")
                .values(verdict="missing", reason="The shop no longer lists it.", verdict_at=now, watched=False)
            )

        names = ", ".join(str(number) for number in ids[:10])
        await self.commit(store, logs=[LogLine("warn", f"not listed by the shop any more: order {names}")])


def _damaged(page: Page) -> dict[int, str]:
    return dict.fromkeys((damage.id for damage in page.damaged), DAMAGED)


async def poll_orders(
    core: Core, shop: ShopRecord, client: ShopClient, commit: PageCommit, *, run_id: int | None = None
) -> PollResult:
    """Poll the shop's orders once and store what is new or changed."""
    return await OrderIntake(core, shop, client, commit, run_id).poll()


async def read_orders_again(
    core: Core, shop: ShopRecord, client: ShopClient, commit: PageCommit, ids: Sequence[int], *, run_id: int
) -> PollResult:
    """Read these orders of the shop again and decide on them anew; of none nothing is asked."""
    return await OrderIntake(core, shop, client, commit, run_id).read_again(ids) if ids else PollResult()


_COUNTED = {"skip": "skipped", "hold": "held", "import": "imported"}


def verdict_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """The verdicts of a poll by the words in which every feed counts."""
    return {_COUNTED.get(verdict, verdict): number for verdict, number in counts.items()}


def verdict_words(counts: Mapping[str, int]) -> str:
    """The verdicts of a poll in words, such as ``3 import, 2 hold``."""
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
