"""The doctor: examines a shop with reads only and keeps what it found. May import webservice, feeds, operations."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from prestaconsole.database import Connection
from prestaconsole.feeds.enabled import needed_rights
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import ShopFinding
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.pace import PaceRecord, read_paces
from prestaconsole.operations.shops import ShopRecord, all_shops, find_shop
from prestaconsole.redaction import redact
from prestaconsole.webservice import doctor as webservice_doctor

SOURCE = "doctor"
_ORDER = {"FIX": 0, "WARN": 1, "ok": 3}


@dataclass(frozen=True)
class Finding:
    """One finding: ``verdict`` is ok, WARN or FIX; ``remedy`` says what to do, ``evidence`` is redacted."""

    name: str
    verdict: str
    text: str
    remedy: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class Examination:
    """What the doctor found in one shop, the worst first. ``ok`` when nothing says FIX."""

    shop: str
    mode: str
    ok: bool
    examined_at: datetime | None
    findings: tuple[Finding, ...]


async def examine(core: Core, shop: str, *, actor: str) -> Examination:
    """Examine one shop, in every mode: only GET and HEAD leave here. Stores the findings for the check-list.

    Rights are judged by the feeds that are enabled in this shop. It asks even while the shop is left in peace.
    """
    record = await core.database.read(lambda connection: find_shop(connection, shop))
    key = await core.database.read(lambda connection: core.key(connection, record))
    needs = await core.database.read(lambda connection: needed_rights(connection, record))
    probes = await webservice_doctor.examine(core.endpoint(record, key), needs)
    found = [
        Finding(probe.name, probe.verdict, redact(probe.text), redact(probe.remedy), redact(probe.evidence))
        for probe in probes
    ]
    paces = await core.database.read(lambda connection: read_paces(connection, core.clock.now(), [record.id]))
    found += [*_off(needs), *_paced(paces.get(record.id))]

    def end(connection: Connection) -> None:
        now = core.clock.now()
        store_findings(connection, record.id, SOURCE, found, now)
        after = {"FIX": [one.name for one in found if one.verdict == "FIX"]}
        audit(connection, actor=actor, action="shop doctor", at=now, shop_id=record.id, after=after)

    await core.database.write(end)
    return _examination(record, found, core.clock.now())


def _off(needs: Iterable[str]) -> list[Finding]:
    off = sorted(set(FEEDS) - set(needs))
    text = f"{', '.join(off)}: no right is asked for them"
    return [Finding("Feeds that are off", "ok", text)] if off else []


def _paced(pace: PaceRecord | None) -> list[Finding]:
    """How the feeds ask this shop just now, wherever they run."""
    if pace is None:
        return []
    if pace.words:
        remedy = "It is asked again by itself. Should the findings above be well, the next trial closes it."
        return [Finding("Left in peace", "WARN", pace.words, remedy)]
    return [Finding("Left in peace", "ok", f"no: the feeds may ask; {pace.speed}".rstrip("; "))]


async def examine_all(core: Core, *, actor: str) -> list[Examination]:
    """Examine every shop, a few at a time."""
    shops = await core.database.read(all_shops)
    gate = asyncio.Semaphore(4)

    async def one(shop: ShopRecord) -> Examination:
        async with gate:
            return await examine(core, shop.code, actor=actor)

    return list(await asyncio.gather(*(one(shop) for shop in shops)))


def stored_findings(core: Core, shop: str) -> Examination:
    """What the last examination found, without asking the shop."""

    def work(connection: Connection) -> Examination:
        record = find_shop(connection, shop)
        rows = read_findings(connection, record.id, SOURCE)
        at = max((found_at for _, found_at in rows), default=None)
        return _examination(record, [finding for finding, _ in rows], at)

    return core.database.read_now(work)


def _examination(shop: ShopRecord, found: Sequence[Finding], at: datetime | None) -> Examination:
    ordered = tuple(sorted(found, key=lambda one: _ORDER.get(one.verdict, 2)))
    return Examination(shop.name, shop.mode, all(one.verdict != "FIX" for one in found), at, ordered)


def store_findings(connection: Connection, shop_id: int, source: str, found: Sequence[Finding], now: datetime) -> None:
    """Replace the findings of one source by these."""
    mine = (ShopFinding.shop_id == shop_id) & (ShopFinding.source == source)
    connection.execute(delete(ShopFinding).where(mine))
    rows = {
        one.name[:60]: {
            "shop_id": shop_id,
            "source": source,
            "name": one.name[:60],
            "verdict": one.verdict,
            "text": one.text,
            "remedy": one.remedy,
            "found_at": now,
        }
        for one in found
    }
    if rows:
        connection.execute(insert(ShopFinding), list(rows.values()))


def read_findings(connection: Connection, shop_id: int, source: str) -> list[tuple[Finding, datetime]]:
    """The stored findings of one source with their moment."""
    statement = select(
        ShopFinding.name, ShopFinding.verdict, ShopFinding.text, ShopFinding.remedy, ShopFinding.found_at
    ).where(ShopFinding.shop_id == shop_id, ShopFinding.source == source)
    return [
        (Finding(row.name, row.verdict, row.text, row.remedy), row.found_at) for row in connection.execute(statement)
    ]
