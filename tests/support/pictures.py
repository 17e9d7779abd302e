"""The pictures of the documentation, exported by the console itself: `python -m tests.support.pictures`."""

import asyncio
import re
import tempfile
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, select

from prestaconsole.console.picture import export_picture
from prestaconsole.database import Database
from prestaconsole.database.migrations import upgrade
from prestaconsole.model import Listing, Runner, ShopMode, Warehouse
from prestaconsole.model.stock import MovementKind
from prestaconsole.operations.stock_ledger import set_level
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench, make_bench

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE = (120, 32)


async def _shop(bench: Bench) -> None:
    """A shop in rehearsal with a plan: some goods came, some were counted."""
    bench.add_warehouse("W1")
    simulated = SimulatedShop.generate(version="8.2.1", products=40, orders=30, seed=4, sku_prefix="SAT")
    shop = bench.add_shop(
        simulated, "sattlerei", orders_start="id:1", stock_warehouses="W1", stock_import_to="W1", mode=ShopMode.SETUP
    )
    await bench.run_all(shop, "analyse", "import_products", "import_orders", "import_stock", "stock_check")

    def count(connection: object) -> None:
        warehouse = connection.execute(select(Warehouse.id)).scalar_one()  # type: ignore[attr-defined]  # a Connection
        rows = connection.execute(  # type: ignore[attr-defined]  # as above
            select(Listing.product_id, Listing.quantity).where(Listing.has_combinations.is_(False))
        ).all()
        targets = [
            (row.product_id, warehouse, max(row.quantity + (-3, 5, 12)[n % 3], 0)) for n, row in enumerate(rows[:22])
        ]
        now = bench.core.clock.now()
        set_level(connection, targets, kind=MovementKind.CORRECTION, actor="Łukasz", at=now, reason="counted")  # type: ignore[arg-type]  # as above

    bench.core.database.write_now(count)
    bench.set_mode(shop, ShopMode.REHEARSAL)
    await bench.run_all(bench.shop(shop), "export_stock")
    now = bench.core.clock.now()
    daemon = {"kind": "daemon", "host": "srv-1", "pid": 1, "started_at": now, "heartbeat": now + timedelta(minutes=1)}
    bench.core.database.write_now(lambda c: c.execute(insert(Runner).values(**daemon)))


async def _export(folder: Path) -> None:
    database = Database(f"sqlite:///{folder / 'pictures.sqlite3'}")
    upgrade(database)
    bench = make_bench(database, folder)
    await _shop(bench)
    IMAGES.mkdir(parents=True, exist_ok=True)
    path = IMAGES / "stock-diffs.svg"
    await export_picture(bench.core, path, pane="stock", shop=1, size=SIZE)
    picture = path.read_text(encoding="utf-8")
    # The font is whatever fixed-width one the reader has: a picture fetches nothing.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    path.write_text(picture + "\n", encoding="utf-8")
    database.close()


def main() -> None:
    """Export all pictures anew."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_export(Path(folder)))


if __name__ == "__main__":
    main()
