"""The rows of processes: entered, renewed, gone; and the one look that says what there is to do."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, insert, select, update

from prestaconsole.clock import SystemClock
from prestaconsole.database import Database
from prestaconsole.model import AuditEvent, FeedRun, Runner, Shop
from prestaconsole.runner import presence
from prestaconsole.runner.claims import claim_next
from prestaconsole.runner.dispatch import EmbeddedDispatcher
from prestaconsole.runner.moments import moment_of
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.records import daemon_alive, fresh_runners
from prestaconsole.runner.schedules import set_schedule
from tests.support.runs import START, FakeClock, add_shop, feed

SOON = START + timedelta(seconds=1)


def beat(database: Database, owner: int, now: object = START) -> presence.Beat:
    return database.write_now(
        lambda c: presence.beat(
            c,
            owner=owner,
            kind="daemon",
            held={},
            now=now,  # type: ignore[arg-type]  # a datetime
            progress_at=START,
            lease_seconds=10,
            stale_seconds=15,
        )
    )


def test_a_process_is_fresh_until_it_goes_silent_or_ends(database: Database) -> None:
    owner = database.write_now(lambda c: presence.register(c, "daemon", START))
    assert database.read_now(lambda c: daemon_alive(c, START + timedelta(seconds=14), 15))
    assert not database.read_now(lambda c: daemon_alive(c, START + timedelta(seconds=15), 15))
    beat(database, owner, START + timedelta(seconds=10))
    assert database.read_now(lambda c: daemon_alive(c, START + timedelta(seconds=20), 15))
    found = database.read_now(lambda c: fresh_runners(c, START + timedelta(seconds=20), 15))
    assert [(runner.id, runner.kind, runner.host) for runner in found] == [(owner, "daemon", presence.this_host())]
    database.write_now(lambda c: presence.unregister(c, owner, START))
    assert not database.read_now(lambda c: daemon_alive(c, START + timedelta(seconds=11), 15))


def test_an_entry_that_was_lost_is_made_again_under_its_number(database: Database) -> None:
    owner = database.write_now(lambda c: presence.register(c, "daemon", START))
    database.write_now(lambda c: c.execute(delete(Runner)))
    beat(database, owner)
    assert database.read_now(lambda c: c.execute(select(Runner.id)).scalars().all()) == [owner]


def test_entries_of_last_month_go_but_the_last_sign_of_life_stays_until_there_is_another(database: Database) -> None:
    old = START - timedelta(days=30)
    entry = {"host": "h", "pid": 1, "started_at": old}
    for number, kind in enumerate(("console", "daemon", "command")):
        values = entry | {"kind": kind, "heartbeat": old + timedelta(hours=number)}
        database.write_now(lambda c, values=values: c.execute(insert(Runner).values(**values)))  # type: ignore[misc]
    owner = database.write_now(lambda c: presence.register(c, "console", START))
    assert database.read_now(lambda c: presence.last_sign_of_others(c, owner)) == old + timedelta(hours=1)
    kinds = select(Runner.kind).where(Runner.id != owner)
    assert database.read_now(lambda c: c.execute(kinds).scalars().all()) == ["daemon"]
    database.write_now(lambda c: presence.register(c, "console", START))
    assert database.read_now(lambda c: c.execute(kinds).scalars().all()) == ["console"]


def test_own_leases_are_renewed_before_the_sweep_so_a_jumping_clock_takes_nothing(database: Database) -> None:
    shop = add_shop(database)
    with feed("paged"):
        database.write_now(
            lambda c: request_run(c, shop_id=shop.id, feed="paged", actor="x", trigger="person", now=START)
        )
        claim = database.write_now(lambda c: claim_next(c, owner=1, now=START, slots=2, lease_seconds=10))
        assert claim is not None
        found = database.write_now(
            lambda c: presence.beat(
                c,
                owner=1,
                kind="console",
                held={claim.run_id: claim.token},
                now=START + timedelta(hours=1),
                progress_at=START,
                lease_seconds=10,
                stale_seconds=15,
            )
        )
    assert (found.lost, found.swept) == (frozenset(), ())


def test_a_pause_that_has_come_to_its_end_is_lifted_and_audited(database: Database) -> None:
    ended = add_shop(database, "ended", paused_at=START, paused_until=SOON, pause_reason="upgrade")
    add_shop(database, "endless", paused_at=START, pause_reason="identity")
    owner = database.write_now(lambda c: presence.register(c, "daemon", START))
    beat(database, owner, START)
    beat(database, owner, SOON)
    found = database.read_now(lambda c: c.execute(select(Shop.code, Shop.paused_at).order_by(Shop.code)).all())
    assert [tuple(row) for row in found] == [("ended", None), ("endless", START)]
    event = database.read_now(lambda c: c.execute(select(*AuditEvent.__table__.columns)).one())
    assert (event.action, event.shop_id) == ("shop resume", ended.id)
    assert "upgrade" in event.reason


def test_one_look_tells_what_is_due_and_when_the_next_thing_is(database: Database) -> None:
    shop = add_shop(database)

    def look(seconds: float = 0.0) -> presence.Look:
        now = START + timedelta(seconds=seconds)
        return database.read_now(lambda c: presence.look(c, now, slots=2, stale_seconds=15))

    with feed("paged"):
        nothing = look()
        assert (nothing.schedules, nothing.runs, nothing.expired, nothing.next_at) == (False, False, False, None)
        database.write_now(
            lambda c: set_schedule(c, shop=shop, feed="paged", every="every 1 min", actor="x", now=START)
        )
        assert look().next_at == START + timedelta(minutes=1)
        assert look(60).schedules
        database.write_now(
            lambda c: request_run(c, shop_id=shop.id, feed="paged", actor="x", trigger="person", now=START, due=SOON)
        )
        assert (look().runs, look().next_at) == (False, SOON)
        assert look(1).runs
        database.write_now(lambda c: claim_next(c, owner=1, now=SOON, slots=2, lease_seconds=10))
        assert (look(2).runs, look(2).expired, look(2).next_at) == (False, False, SOON + timedelta(seconds=10))
        assert look(12).expired
        database.write_now(lambda c: c.execute(update(Shop).values(paused_at=START)))
        assert look(60).schedules is False


def test_on_a_server_its_own_clock_decides_unless_one_was_handed_in(database: Database) -> None:
    given = FakeClock()
    assert database.read_now(moment_of(given)) == START
    real = database.read_now(moment_of(SystemClock()))
    assert abs((real - SystemClock().now()).total_seconds()) < 5
    assert real.tzinfo is not None


async def test_waiting_ends_with_a_commit_of_another_process_a_word_of_ours_or_the_time(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    clock = SystemClock()
    dispatcher = EmbeddedDispatcher(database, clock, 0.02)
    await dispatcher.wait(5)
    began = clock.monotonic()
    await dispatcher.wait(0.2)
    assert database.is_sqlite is False or clock.monotonic() - began >= 0.19
    other = Database(database_url)
    try:
        await other.write(lambda c: presence.register(c, "console", START))
        began = clock.monotonic()
        await dispatcher.wait(5)
        dispatcher.wake()
        await dispatcher.wait(5)
        assert clock.monotonic() - began < 2
    finally:
        other.close()


def test_the_queue_of_a_deleted_shop_goes_with_it(database: Database) -> None:
    shop = add_shop(database)
    with feed("paged"):
        database.write_now(
            lambda c: request_run(c, shop_id=shop.id, feed="paged", actor="x", trigger="person", now=START)
        )
        database.write_now(lambda c: c.execute(delete(Shop)))
        assert database.read_now(lambda c: c.execute(select(FeedRun.id)).all()) == []
