"""Shops, listings and levels straight in the database, for tests of plans that need no shop to speak to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import insert, select, update

from prestaconsole.changes.plan import PlanEnd, Scope, begin_plan, finish_plan, plan_page
from prestaconsole.database import Connection, Database
from prestaconsole.model import (
    Change,
    ChangeState,
    Listing,
    Product,
    Shop,
    ShopMode,
    ShopSetting,
    StockLevel,
    Warehouse,
)
from prestaconsole.operations.shops import ShopRecord, load_shop

T = TypeVar("T")
NOW = datetime(2026, 11, 19, 14, 7, tzinfo=UTC)


@dataclass
class Shelf:
    """A warehouse W1 and shops with listings; time stands still until it is moved."""

    database: Database
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.warehouse = self._insert(Warehouse, code="W1", name="W1", created_at=self.now)

    def write(self, work: Callable[[Connection], T]) -> T:
        return self.database.write_now(work)

    def later(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    def add_shop(self, code: str = "wolle", *, mode: ShopMode = ShopMode.LIVE, **settings: str) -> ShopRecord:
        shop_id = self._insert(
            Shop,
            code=code,
            name=code.title(),
            base_url=f"https://{code}.example",
            mode=mode,
            went_live_at=self.now if mode is ShopMode.LIVE else None,
            created_at=self.now,
            updated_at=self.now,
        )
        for name, value in {"stock_warehouses": "W1", **settings}.items():
            row = {"shop_id": shop_id, "name": name.replace("_", ".", 1), "value": value, "updated_at": self.now}
            statement = insert(ShopSetting).values(**row, updated_by="test")
            self.write(lambda c: c.execute(statement))  # noqa: B023
        return self.shop(shop_id)

    def shop(self, shop_id: int) -> ShopRecord:
        return self.database.read_now(lambda c: load_shop(c, shop_id))

    def set_mode(self, shop: ShopRecord, mode: ShopMode) -> None:
        self.write(lambda c: c.execute(update(Shop).where(Shop.id == shop.id).values(mode=mode)))

    def add_listing(
        self, shop: ShopRecord, number: int, *, ours: int | None, shows: int | None, marked: bool = True, **values: Any
    ) -> int:
        """A listing whose shop shows ``shows`` while the formula gives ``ours`` (None: never counted)."""
        product = self._insert(Product, sku=f"{shop.code}-{number}", name=f"Thing {number}", created_at=self.now)
        if ours is not None:
            level = {"product_id": product, "warehouse_id": self.warehouse, "physical": ours, "updated_at": self.now}
            self.write(lambda c: c.execute(insert(StockLevel).values(**level)))
        facts: dict[str, Any] = {
            "shop_id": shop.id,
            "id_product": number,
            "product_id": product,
            "sku": f"{shop.code}-{number}",
            "name": f"Thing {number}",
            "seen_at": self.now,
            "id_stock_available": 1_000 + number,
            "quantity": shows,
            "quantity_read_at": self.now,
            "expected_low": shows,
            "expected_high": shows,
            "expected_at": self.now,
            "push_mark": 1 if marked else 0,
            "marked_at": self.now,
        }
        return self._insert(Listing, **{**facts, **values})

    def add_listings(self, shop: ShopRecord, count: int, *, ours: int, shows: int, first: int = 1) -> list[int]:
        return [self.add_listing(shop, number, ours=ours, shows=shows) for number in range(first, first + count)]

    def set_level(self, listing_id: int, physical: int) -> None:
        """Another figure in the warehouse, which marks the listing."""

        def store(connection: Connection) -> None:
            product = connection.execute(select(Listing.product_id).where(Listing.id == listing_id)).scalar_one()
            connection.execute(
                update(StockLevel)
                .where(StockLevel.product_id == product)
                .values(physical=physical, updated_at=self.now)
            )
            connection.execute(
                update(Listing)
                .where(Listing.product_id == product)
                .values(push_mark=Listing.push_mark + 1, marked_at=self.now)
            )

        self.write(store)

    def plan(self, shop: ShopRecord, scope: Scope | None = None, *, clear_marks: bool = True) -> tuple[int, PlanEnd]:
        """A whole plan, a page a transaction, as the feed makes it."""
        scope = scope or Scope("all")
        changeset_id = self.write(lambda c: begin_plan(c, shop, actor="İpek", reason="", run_id=None, at=self.now))
        after: int | None = 0
        while after is not None:
            start = after
            page = self.write(
                lambda c: plan_page(c, shop, changeset_id, scope, after=start, clear_marks=clear_marks)  # noqa: B023
            )
            after = page.last
        whole = scope.kind == "all"
        return changeset_id, self.write(lambda c: finish_plan(c, shop, changeset_id, whole_shop=whole, at=self.now))

    def rows(self, model: Any, *where: Any) -> list[Mapping[str, Any]]:
        statement = select(*model.__table__.columns).where(*where).order_by(*model.__table__.primary_key.columns)
        return list(self.database.read_now(lambda c: c.execute(statement).mappings().all()))

    def changes(self, changeset_id: int) -> list[tuple[int, str | None, str, str]]:
        """(listing, before, after, state) of a plan."""
        found = self.rows(Change, Change.changeset_id == changeset_id)
        return [(row["record"], row["before"], row["after"], ChangeState(row["state"]).name) for row in found]

    def _insert(self, model: Any, **values: Any) -> int:
        made = self.write(lambda c: c.execute(insert(model).values(**values)).inserted_primary_key)
        return int(made[0])
