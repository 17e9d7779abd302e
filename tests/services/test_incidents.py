"""What a person does with incidents: take, snooze, close, retry; and that parked records come free by it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from prestaconsole.database import Database
from prestaconsole.errors import LockedError, NotFoundError, UsageError
from prestaconsole.model import AuditEvent, FeedRun, FeedState, Incident, ParkedRecord, Shop, ShopOrderState
from prestaconsole.operations import parking
from prestaconsole.operations.core import Core
from prestaconsole.operations.incidents import open_incident
from prestaconsole.services.incidents import (
    close_incident,
    list_incidents,
    own_incident,
    retry_incident,
    show_incident,
    snooze_incident,
)
from prestaconsole.services.mappings import set_order_state
from tests.support.runs import START, FakeClock, add_shop, make_core


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    shop = add_shop(database)
    made = make_core(database, tmp_path, clock=FakeClock())
    for feed in ("analyse", "import_products", "import_orders"):
        row = {"shop_id": shop.id, "feed": feed, "completed_at": START, "detail": {}}
        database.write_now(lambda c, row=row: c.execute(insert(FeedState).values(row)))
    return made


def opened(core: Core, cause: str = "contact", **more: Any) -> int:
    values: dict[str, Any] = {"shop_id": 1, "title": cause, "remedy": "Look at the shop.", "at": START} | more
    return core.database.write_now(lambda c: open_incident(c, cause_key=cause, **values))


def runs(core: Core) -> list[tuple[str, dict[str, Any]]]:
    statement = select(FeedRun.feed, FeedRun.params).order_by(FeedRun.id)
    return [tuple(row) for row in core.database.read_now(lambda c: c.execute(statement).all())]


def test_own_snooze_and_close_are_audited(core: Core) -> None:
    number = opened(core)
    assert own_incident(core, number, actor="Zofia").owner == "Zofia"
    assert own_incident(core, number, actor="Zofia", give_back=True).owner == ""
    until = START + timedelta(hours=2)
    assert snooze_incident(core, number, until, actor="Zofia").state == "snoozed"
    assert list_incidents(core) == [] and len(list_incidents(core, state="snoozed")) == 1
    with pytest.raises(UsageError, match="in the past"):
        snooze_incident(core, number, START, actor="Zofia")
    assert close_incident(core, number, reason="moved host", actor="Zofia").closed_by == "Zofia"
    with pytest.raises(UsageError, match="was closed by Zofia"):
        own_incident(core, number, actor="Łukasz")
    actions = core.database.read_now(
        lambda c: c.execute(select(AuditEvent.action).order_by(AuditEvent.id)).scalars().all()
    )
    assert actions == ["incident own", "incident own", "incident snooze", "incident close"]
    with pytest.raises(NotFoundError):
        show_incident(core, 99)


def test_a_retry_runs_every_feed_that_met_the_cause(core: Core) -> None:
    number = opened(core, detail={"feeds": {"import_orders": "timeout", "import_products": "server-error"}})
    done = retry_incident(core, number, actor="Zofia")
    assert [feed for feed, _ in runs(core)] == ["import_orders", "import_products"]
    assert len(done.runs) == 2 and done.freed == ()


def test_a_retry_without_a_feed_says_what_helps(core: Core) -> None:
    with pytest.raises(UsageError, match="No run stands behind") as refused:
        retry_incident(core, opened(core, "order state:17"), actor="Zofia")
    assert refused.value.remedy == "Look at the shop."


def test_a_locked_retry_says_so(core: Core) -> None:
    core.database.write_now(lambda c: c.execute(update(Shop).values(paused_at=START, pause_reason="upgrade")))
    with pytest.raises(LockedError, match="upgrade"):
        retry_incident(core, opened(core, detail={"feeds": {"import_orders": "timeout"}}), actor="Zofia")


def test_a_retry_frees_parked_orders_and_reads_just_them(core: Core) -> None:
    failed = {"7": parking.Failed("order 7", "It is damaged."), "9": parking.Failed("order 9", "It is damaged.")}
    for _ in range(3):
        core.database.write_now(lambda c: parking.note_failures(c, 1, "order", failed, at=START, run_id=None))
    (row,) = list_incidents(core)
    done = retry_incident(core, row.id, actor="Zofia")
    assert sorted(done.freed) == ["7", "9"]
    assert runs(core) == [("import_orders", {"ids": [7, 9]})]
    assert show_incident(core, row.id).closed_by == "Zofia"
    stands = core.database.read_now(lambda c: c.execute(select(ParkedRecord.parked_at, ParkedRecord.released_by)).all())
    assert [tuple(one) for one in stands] == [(None, "Zofia"), (None, "Zofia")]


def test_a_mapping_that_is_made_closes_what_asked_for_it(core: Core) -> None:
    number = opened(core, "order state:17")
    row = {"shop_id": 1, "id_order_state": 17, "name": "Abholung"}
    core.database.write_now(lambda c: c.execute(insert(ShopOrderState).values(row)))
    set_order_state(core, "wolle", "17", action="hold", actor="Zofia")
    assert show_incident(core, number).closed_by == "Zofia"


def test_the_gravest_and_oldest_come_first(core: Core) -> None:
    for severity, minutes in (("LATE", 1), ("STOP", 5), ("ACT", 3), ("ACT", 2)):
        opened(core, f"{severity} {minutes}", severity=severity, at=START + timedelta(minutes=minutes))
    assert [row.title for row in list_incidents(core)] == ["STOP 5", "ACT 2", "ACT 3", "LATE 1"]
    assert core.database.read_now(lambda c: len(c.execute(select(Incident.id)).all())) == 4
