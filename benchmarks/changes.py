"""What a plan of a million changes costs, and its journal once all were sent: seconds, bytes and memory.

Run it: `python benchmarks/changes.py [--changes 1000000] [--rounds 1]`. The plan is stored by the planner's own
functions, 1,000 rows a transaction, and judged by the brake; beside it stand the bare rows in the same pages, on a
second database. The journal is what the push leaves: each row marked with its request, then confirmed with what was
read back, 100 rows a transaction, by plain SQL, so that it tells what the tables and their indexes cost. SQLite; the
budget is 1,000,000 rows in 100 MB and 10 s. Prints only; no test decides by it.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import func, insert, select
from stocked import WAREHOUSE, machine, opened, peak_mb

from prestaconsole.changes.plan import PAGE, Planned, begin_plan, finish_plan, store_rows
from prestaconsole.database import Connection
from prestaconsole.model import Change, ChangeBatch, ChangeState, Shop, ShopMode, ShopSetting
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import ShopRecord, load_shop

BODY = 100
_BARE = "INSERT INTO change (changeset_id, record, before, after, kind, field, state) VALUES (?, ?, ?, ?, 1, 0, 0)"
_SENT = f"UPDATE change SET state = {ChangeState.SENT.value}, batch_id = ?, before = ?, after = ? WHERE id = ?"
_CONFIRMED = f"UPDATE change SET state = {ChangeState.CONFIRMED.value}, observed = ? WHERE id = ?"


def add_shop(core: Core) -> ShopRecord:
    now = core.clock.now()

    def store(connection: Connection) -> ShopRecord:
        row = {"code": "demo", "name": "Demo", "base_url": "http://127.0.0.1:9", "created_at": now, "updated_at": now}
        made = connection.execute(insert(Shop).values(**row, mode=ShopMode.LIVE)).inserted_primary_key
        assert made is not None
        chosen = {"shop_id": made[0], "name": "stock.warehouses", "value": WAREHOUSE}
        connection.execute(insert(ShopSetting).values(**chosen, updated_at=now, updated_by="x"))
        return load_shop(connection, int(made[0]))

    return core.database.write_now(store)


def begin(core: Core, shop: ShopRecord) -> int:
    now = core.clock.now()
    return core.database.write_now(lambda c: begin_plan(c, shop, actor="x", reason="", run_id=None, at=now))


def values(record: int) -> tuple[str, str]:
    """Before and after: never equal, some zeros."""
    return str(record % 90), str(record % 90 + record % 7 + 1)


def size(core: Core) -> int:
    """Bytes of the database, with nothing left in the write-ahead log."""
    with core.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(str(core.database.url.database)).stat().st_size


def plan(core: Core, count: int) -> tuple[int, float, float]:
    """Store and judge a plan of so many rows; gives its number, and the seconds until it stood and until the end."""
    shop = add_shop(core)
    changeset = begin(core, shop)
    began = time.perf_counter()
    for start in range(1, count + 1, PAGE):
        wanted = [Planned(record, *values(record)) for record in range(start, min(start + PAGE, count + 1))]
        core.database.write_now(
            lambda c, wanted=wanted: store_rows(c, changeset, wanted, shop=shop, everything=True)  # type: ignore[misc]  # a default
        )
    stored = time.perf_counter() - began
    now = core.clock.now()
    end = core.database.write_now(lambda c: finish_plan(c, shop, changeset, whole_shop=False, at=now))
    assert end.rows == count
    return changeset, stored, time.perf_counter() - began


def bare(core: Core, count: int) -> float:
    """The same rows in the same pages, and nothing else."""
    changeset = begin(core, add_shop(core))
    began = time.perf_counter()
    for start in range(1, count + 1, PAGE):
        rows = [(changeset, record, *values(record)) for record in range(start, min(start + PAGE, count + 1))]
        core.database.write_now(lambda c, rows=rows: c.exec_driver_sql(_BARE, rows))  # type: ignore[misc]  # a default
    return time.perf_counter() - began


def journal(core: Core, changeset: int, count: int) -> float:
    """Every row through its request: sent, then confirmed."""
    first = core.database.read_now(lambda c: c.execute(select(func.min(Change.id))).scalar_one())
    now = core.clock.now()
    began = time.perf_counter()
    for start in range(0, count, BODY):
        numbers = range(start + 1, min(start + BODY, count) + 1)

        def send(connection: Connection, numbers: range = numbers) -> None:
            made = connection.execute(insert(ChangeBatch).values(changeset_id=changeset, sent_at=now, status="sent"))
            batch = made.inserted_primary_key[0]
            rows = [(batch, *values(number), first + number - 1) for number in numbers]
            connection.exec_driver_sql(_SENT, rows)

        def confirm(connection: Connection, numbers: range = numbers) -> None:
            connection.exec_driver_sql(_CONFIRMED, [(values(number)[1], first + number - 1) for number in numbers])

        core.database.write_now(send)
        core.database.write_now(confirm)
    return time.perf_counter() - began


def measure(count: int) -> float:
    """One round; gives how many times the bare rows the plan took."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        with opened(Path(other)) as core:
            limit = bare(core, count)
        with opened(Path(folder)) as core:
            empty = size(core)
            changeset, stored, whole = plan(core, count)
            planned = size(core) - empty
            print(
                f"plan of {count:,}: stored in {stored:.1f} s, judged after {whole:.1f} s (wanted ≤ 10 s a million), "
                f"{planned / 1e6:.0f} MB (wanted ≤ 100 a million); bare rows {limit:.1f} s: {whole / limit:.2f} times"
            )
            took = journal(core, changeset, count)
            print(
                f"journal of {count:,}: {took:.1f} s for {2 * count / BODY:,.0f} transactions, "
                f"{(size(core) - empty) / 1e6:.0f} MB; peak of memory {peak_mb():.0f} MB",
                flush=True,
            )
    return whole / limit


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--changes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    print(machine(), flush=True)
    ratios = [measure(given.changes) for _ in range(given.rounds)]
    print(f"plan over bare rows: {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")
    print(machine())


if __name__ == "__main__":
    main()
