"""Storing a page of orders: ledger row, lines, addresses, verdict and holds, in the page's one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select

from prestaconsole.database import Connection, upsert
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.model import HoldState, Order, OrderAddress, OrderLine
from prestaconsole.operations.holds import LineUnits, OrderUnits, settle
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.operations.order_reading import OrderBatch
from prestaconsole.operations.reference import Reference
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.rules.money import OrderMoney, reconcile
from prestaconsole.rules.order_state import IMPORTED, INCOMPLETE_FOR, OrderFacts, Verdict, decide, deducts, next_look
from prestaconsole.webservice.entity import Entity

_CHUNK = 400
_AMOUNTS = (
    *("conversion_rate", "total_paid", "total_paid_tax_incl", "total_paid_tax_excl", "total_paid_real"),
    *("total_products", "total_products_wt", "total_shipping_tax_incl", "total_shipping_tax_excl"),
    *("total_discounts_tax_incl", "total_discounts_tax_excl", "total_wrapping_tax_incl", "total_wrapping_tax_excl"),
)
_ADDRESS_TEXTS = {
    "company": 255, "firstname": 255, "lastname": 255, "address1": 255, "address2": 255, "postcode": 16,
    "city": 120, "phone": 40, "phone_mobile": 40, "vat_number": 40, "dni": 40, "other": 10_000,
}  # fmt: skip


class IdentityChanged(PrestaConsoleError):
    """The shop answers with another order under a known id: it was restored, cloned or moved (DESIGN §5)."""


@dataclass(frozen=True)
class KnownOrder:
    """What the ledger holds of an order before a page is stored."""

    id: int
    reference: str
    local_date_add: str
    local_date_upd: str
    id_order_state: int
    verdict: str
    watched: bool
    first_seen_at: datetime
    total_paid: Decimal


@dataclass(frozen=True)
class Intake:
    """What stays the same for all pages of one poll. ``boundary``: the first id that is imported, not only held."""

    shop: ShopRecord
    reference: Reference
    boundary: int
    baseline: int | None
    """Highest order id when the shop's stock was read in; a newer one that is first seen shipped is a sale."""
    since: datetime | None
    now: datetime
    run_id: int | None = None


@dataclass
class Stored:
    """What storing a page did, for counts, logs and the push."""

    new: int = 0
    changed: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    unknown_states: dict[int, int] = field(default_factory=dict)

    def add(self, other: "Stored") -> None:
        """Count what storing some more did, too."""
        self.new += other.new
        self.changed += other.changed
        for verdict, number in other.counts.items():
            self.counts[verdict] = self.counts.get(verdict, 0) + number


def load_known(connection: Connection, shop_id: int, ids: Iterable[int]) -> dict[int, KnownOrder]:
    """The ledger rows of these order ids."""
    wanted = list(dict.fromkeys(ids))
    columns = (
        Order.id,
        Order.id_order,
        Order.reference,
        Order.local_date_add,
        Order.local_date_upd,
        Order.id_order_state,
        Order.verdict,
        Order.watched,
        Order.first_seen_at,
        Order.total_paid,
    )
    found = {}
    for start in range(0, len(wanted), _CHUNK):
        rows = select(*columns).where(Order.shop_id == shop_id, Order.id_order.in_(wanted[start : start + _CHUNK]))
        for row in connection.execute(rows):
            values = dict(row._mapping)
            id_order = values.pop("id_order")
            found[id_order] = KnownOrder(**values)
    return found


def check_identity(orders: Iterable[Entity], known: Mapping[int, KnownOrder]) -> None:
    """Raise ``IdentityChanged`` when a known id carries another reference or another placing date."""
    for order in orders:
        before = known.get(order.id)
        if before is None or before.verdict == "missing" or not before.reference:
            continue
        if (order.text("reference"), order.text("date_add")) != (before.reference, before.local_date_add):
            raise IdentityChanged(
                f"The shop's order {order.id} is now {order.text('reference')} of {order.text('date_add')}; "
                f"we know it as {before.reference} of {before.local_date_add}.",
                "The shop was restored, cloned or moved. Nothing was stored; compare both before going on.",
            )


def needs_storing(order: Entity, known: KnownOrder | None) -> bool:
    """Whether an order that was read again is new, changed, or still being written by the shop."""
    return (
        known is None
        or known.verdict in {"incomplete", "missing"}
        or known.id_order_state != order.integer("current_state")
        or known.local_date_upd != order.text("date_upd")
        or known.total_paid != order.amount("total_paid")
    )


def store_orders(connection: Connection, intake: Intake, batch: OrderBatch) -> Stored:
    """Store the orders of a batch, each with its verdict; running it twice changes nothing."""
    known = load_known(connection, intake.shop.id, (order.id for order in batch.orders))
    stored = Stored()
    rows = []
    verdicts: dict[int, Verdict] = {}
    for order in batch.orders:
        before = known.get(order.id)
        lines = batch.lines.get(order.id, ())
        row, verdict = _ledger_row(intake, order, lines, before, batch)
        verdicts[order.id] = verdict
        rows.append(row)
        _count(stored, order, before, verdict)
    _upsert_orders(connection, rows)
    after = load_known(connection, intake.shop.id, (order.id for order in batch.orders))
    units = _store_lines(connection, intake, batch, after)
    _store_addresses(connection, batch, after)
    settle(connection, intake.shop, units, since=intake.since, now=intake.now, run_id=intake.run_id)
    _drop_lines(connection, batch, after)
    _report_states(connection, intake, batch, verdicts, stored)
    return stored


def _count(stored: Stored, order: Entity, before: KnownOrder | None, verdict: Verdict) -> None:
    if before is None:
        stored.new += 1
    else:
        stored.changed += 1
    fresh = before is None or before.verdict != verdict.verdict
    if fresh:
        stored.counts[verdict.verdict] = stored.counts.get(verdict.verdict, 0) + 1
    if verdict.unknown_state:
        state = order.integer("current_state")
        stored.unknown_states[state] = stored.unknown_states.get(state, 0) + 1


def _ledger_row(
    intake: Intake, order: Entity, lines: Sequence[Entity], before: KnownOrder | None, batch: OrderBatch
) -> tuple[dict[str, Any], Verdict]:
    shop, now = intake.shop, intake.now
    first_seen = before.first_seen_at if before else now
    facts = OrderFacts(
        id_order_state=order.integer("current_state"),
        line_count=len(lines),
        lines_total=sum((line.amount("total_price_tax_excl") for line in lines), Decimal(0)),
        total_products=order.amount("total_products"),
        first_seen=first_seen,
        young=_is_young(intake, order, before),
        after_start=order.id >= intake.boundary,
    )
    verdict = decide(facts, intake.reference.states, intake.reference.rules, now)
    if before is not None and before.verdict in IMPORTED - {"hold"}:
        # Ours already: what the shop does later moves its state, never what was decided.
        verdict = _keep(before, verdict)
    currency, digits = intake.reference.currencies.get(order.integer("id_currency"), ("", 2))
    money = OrderMoney(
        order.amount("total_paid_tax_incl"),
        order.amount("total_products_wt"),
        order.amount("total_shipping_tax_incl"),
        order.amount("total_wrapping_tax_incl"),
        order.amount("total_discounts_tax_incl"),
        len(lines),
        digits,
    )
    row: dict[str, Any] = {
        "shop_id": shop.id,
        "id_order": order.id,
        "reference": order.text("reference")[:32],
        "id_shop": order.integer("id_shop"),
        "id_shop_group": order.integer("id_shop_group"),
        "verdict": verdict.verdict,
        "reason": verdict.reason[:300],
        "verdict_at": now,
        "first_seen_at": first_seen,
        "read_at": now,
        "imported_at": now if verdict.verdict in IMPORTED else None,
        "watched": verdict.watched,
        "looks": 0,
        "next_look_at": next_look(first_seen, now) if verdict.watched else None,
        "id_order_state": facts.id_order_state,
        "shipped_at": now if _standing(facts.id_order_state, intake.reference) is HoldState.SHIPPED else None,
        "id_customer": order.integer("id_customer"),
        "id_carrier": order.integer("id_carrier"),
        "module": order.text("module")[:120],
        "payment": order.text("payment")[:255],
        "id_currency": order.integer("id_currency"),
        "currency": currency,
        **{name: order.amount(name) for name in _AMOUNTS},
        "rounding": reconcile(money).rounding,
        "gift": order.flag("gift"),
        "gift_message": order.text("gift_message"),
        "note": order.text("note"),
        "local_date_add": order.text("date_add")[:19],
        "local_date_upd": order.text("date_upd")[:19],
        "date_add": order.local_time("date_add", shop.zone),
        "date_upd": order.local_time("date_upd", shop.zone),
        "raw": order.raw(),
    }
    if before is None:
        customer = batch.customers.get(order.integer("id_customer"))
        row |= _customer(customer)
    return row, verdict


def _is_young(intake: Intake, order: Entity, before: KnownOrder | None) -> bool:
    """Whether the shop may still be writing this order.

    What came since the last poll is young by our own clock, whatever zone the shop's dates are in; at the first poll
    its date decides. An order that was whole once is not young again.
    """
    if before is not None:
        return before.verdict == "incomplete" and intake.now - before.first_seen_at < INCOMPLETE_FOR
    placed = None if intake.since is not None else order.local_time("date_add", intake.shop.zone)
    return placed is None or intake.now - placed < INCOMPLETE_FOR


def _keep(before: KnownOrder, verdict: Verdict) -> Verdict:
    return Verdict(before.verdict, f"Imported before. Now at the shop: {verdict.reason}"[:300])


def _customer(customer: Entity | None) -> dict[str, Any]:
    if customer is None:
        return {"customer_name": "", "customer_email": "", "is_guest": False}
    name = f"{customer.text('firstname')} {customer.text('lastname')}".strip()
    return {
        "customer_name": name[:255],
        "customer_email": customer.text("email")[:255],
        "is_guest": customer.flag("is_guest"),
    }


def _upsert_orders(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """New rows carry the buyer; known ones keep buyer, first sight and first import."""
    for with_buyer in (True, False):
        part = [row for row in rows if ("customer_name" in row) is with_buyer]
        upsert(
            connection,
            Order,
            part,
            key=["shop_id", "id_order"],
            keep=["first_seen_at", "looks"],
            keep_first=["imported_at", "shipped_at"],
        )


def _standing(id_order_state: int, reference: Reference) -> HoldState:
    state = reference.states.get(id_order_state)
    if deducts(id_order_state, reference.states):
        return HoldState.OPEN
    return HoldState.SHIPPED if state is not None and state.shipped and not state.gives_back else HoldState.RELEASED


def _store_lines(
    connection: Connection, intake: Intake, batch: OrderBatch, after: Mapping[int, KnownOrder]
) -> list[OrderUnits]:
    rows = [
        _line_row(after[order.id].id, line)
        for order in batch.orders
        for line in batch.lines.get(order.id, ())
        if not line.damaged
    ]
    upsert(connection, OrderLine, rows, key=["order_id", "id_order_detail"])
    line_ids = _line_ids(connection, [after[order.id].id for order in batch.orders])
    units = []
    for order in batch.orders:
        order_id = after[order.id].id
        standing = _standing(order.integer("current_state"), intake.reference)
        newer = intake.baseline is not None and order.id > intake.baseline
        lines = [
            LineUnits(
                line_ids[order_id, line.id],
                line.integer("product_id"),
                line.integer("product_attribute_id"),
                line.integer("product_quantity") - line.integer("product_quantity_reinjected"),
            )
            for line in batch.lines.get(order.id, ())
            if not line.damaged
        ]
        history = standing is not HoldState.OPEN and not newer
        units.append(OrderUnits(order_id, order.id, standing, lines, history, order.integer("id_shop")))
    return units


def _line_row(order_id: int, line: Entity) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "id_order_detail": line.id,
        "id_product": line.integer("product_id"),
        "id_product_attribute": line.integer("product_attribute_id"),
        "sku": line.text("product_reference")[:80],
        "ean13": line.text("product_ean13")[:14],
        "name": line.text("product_name")[:500],
        "quantity": line.integer("product_quantity"),
        "quantity_refunded": line.integer("product_quantity_refunded"),
        "quantity_returned": line.integer("product_quantity_return"),
        "quantity_reinjected": line.integer("product_quantity_reinjected"),
        "unit_price_tax_incl": line.amount("unit_price_tax_incl"),
        "unit_price_tax_excl": line.amount("unit_price_tax_excl"),
        "total_price_tax_incl": line.amount("total_price_tax_incl"),
        "total_price_tax_excl": line.amount("total_price_tax_excl"),
    }


def _line_ids(connection: Connection, order_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for start in range(0, len(order_ids), _CHUNK):
        rows = select(OrderLine.id, OrderLine.order_id, OrderLine.id_order_detail).where(
            OrderLine.order_id.in_(order_ids[start : start + _CHUNK])
        )
        found |= {(row.order_id, row.id_order_detail): row.id for row in connection.execute(rows)}
    return found


def _drop_lines(connection: Connection, batch: OrderBatch, after: Mapping[int, KnownOrder]) -> None:
    """Lines that the shop took out of an order go; their holds were settled before."""
    present = {(after[order.id].id, line.id) for order in batch.orders for line in batch.lines.get(order.id, ())}
    stored = _line_ids(connection, [after[order.id].id for order in batch.orders])
    gone = [line_id for pair, line_id in stored.items() if pair not in present]
    for start in range(0, len(gone), _CHUNK):
        connection.execute(delete(OrderLine).where(OrderLine.id.in_(gone[start : start + _CHUNK])))


def _store_addresses(connection: Connection, batch: OrderBatch, after: Mapping[int, KnownOrder]) -> None:
    rows = []
    for order in batch.orders:
        for kind in ("delivery", "invoice"):
            address = batch.addresses.get(order.integer(f"id_address_{kind}"))
            if address is None:
                continue
            rows.append(
                {
                    "order_id": after[order.id].id,
                    "kind": kind,
                    "id_address": address.id,
                    "id_country": address.integer("id_country"),
                    "id_state": address.integer("id_state"),
                    **{name: address.text(name)[:size] for name, size in _ADDRESS_TEXTS.items()},
                }
            )
    upsert(connection, OrderAddress, rows, key=["order_id", "kind"])


def _report_states(
    connection: Connection, intake: Intake, batch: OrderBatch, verdicts: Mapping[int, Verdict], stored: Stored
) -> None:
    """One incident for each state without a rule; closed by itself when a rule was made and orders passed."""
    shop = intake.shop
    for state, count in stored.unknown_states.items():
        flags = intake.reference.states.get(state)
        named = f"“{flags.name}” ({state})" if flags else f"{state}"
        open_incident(
            connection,
            shop_id=shop.id,
            cause_key=f"order state:{state}",
            title=f"Order state {named} has no rule. Its orders are held.",
            remedy=f"`prestaconsole mapping set {shop.code} order-state-in {state} import` says what it means.",
            at=intake.now,
            run_id=intake.run_id,
            count=count,
        )
    passed = {order.integer("current_state") for order in batch.orders if not verdicts[order.id].unknown_state}
    for state in passed & set(intake.reference.rules):
        close_incident(connection, shop_id=shop.id, cause_key=f"order state:{state}", by="cured", at=intake.now)
