"""Alerts leave once, in time and in digests, whoever of several daemons sends them and however the receiver fails."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpx import HTTPXMock
from sqlalchemy import select

from prestaconsole.alerts.channels import channels
from prestaconsole.alerts.message import Message
from prestaconsole.alerts.webhook import AlertNotSent
from prestaconsole.database import Connection, Database
from prestaconsole.model import Alert, AlertChannel, Incident
from prestaconsole.operations import alert_outbox
from prestaconsole.operations.core import Core
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.runner.alerting import AlertSender
from prestaconsole.services.incidents import own_incident, snooze_incident
from tests.support.runs import FakeClock, add_shop, make_core

HOUR = 3600.0


class Receiver:
    """Takes messages, or fails as it is told."""

    def __init__(self) -> None:
        self.took: list[Message] = []
        self.asked = 0
        self.fails: AlertNotSent | None = None
        self.pause = 0.0

    async def __call__(self, message: Message) -> str:
        self.asked += 1
        await asyncio.sleep(self.pause)
        if self.fails is not None:
            raise self.fails
        self.took.append(message)
        return "ok"

    @property
    def lines(self) -> list[str]:
        return [f"{message.kind}:{'+'.join(item.title for item in message.items)}" for message in self.took]


class Scene:
    """One database with a shop, a clock, and a receiver behind the channel ``webhook``."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        self.clock = FakeClock()
        self.core: Core = make_core(database, folder, clock=self.clock, **settings)
        self.shop = add_shop(database)
        self.receiver = Receiver()
        self.sender = AlertSender(self.core, send_by={"webhook": self.receiver})

    def open(self, cause: str, severity: str = "ACT", shop_id: int | None = 0) -> int:
        return self.core.database.write_now(
            lambda c: open_incident(
                c,
                shop_id=self.shop.id if shop_id == 0 else shop_id,
                cause_key=cause,
                title=cause,
                remedy="Mend it.",
                at=self.clock.now(),
                severity=severity,
            )
        )

    def close(self, cause: str) -> None:
        self.core.database.write_now(
            lambda c: close_incident(c, shop_id=self.shop.id, cause_key=cause, by="run 7", at=self.clock.now())
        )

    async def after(self, seconds: float = 0.0) -> list[str]:
        """Let time pass, look once; gives what the receiver took by then."""
        self.clock.forward(seconds)
        await self.sender.turn("webhook")
        return self.receiver.lines

    def rows(self, model: Any) -> list[Any]:
        return list(self.core.database.read_now(lambda c: c.execute(select(*model.__table__.columns)).all()))


@pytest.fixture
def scene(database: Database, tmp_path: Path) -> Scene:
    return Scene(database, tmp_path)


async def test_an_incident_is_told_once_reminded_and_cured(scene: Scene) -> None:
    scene.open("dns")
    assert await scene.after() == ["opened:dns"]
    for _ in range(5):
        scene.open("dns")
        await scene.after(HOUR)
    assert scene.receiver.lines == ["opened:dns"], "five more failures are the same incident"
    assert await scene.after(19 * HOUR) == ["opened:dns", "reminder:dns"]
    assert (await scene.after(23 * HOUR))[2:] == []
    assert (await scene.after(2 * HOUR))[2:] == ["reminder:dns"]
    scene.close("dns")
    assert (await scene.after(60))[3:] == ["cured:dns"]
    assert (await scene.after(48 * HOUR))[4:] == []
    scene.open("dns")
    assert (await scene.after())[4:] == ["opened:dns"], "the same cause anew is a new incident"


async def test_what_is_cured_before_anybody_heard_of_it_is_not_told(scene: Scene) -> None:
    scene.open("first")
    await scene.after()
    scene.open("blip")
    await scene.after(10)
    scene.close("blip")
    assert await scene.after(120) == ["opened:first"]
    assert [row.state for row in scene.rows(Alert)] == ["sent", "moot"]


async def test_a_flood_is_one_digest_a_minute(scene: Scene) -> None:
    def flood(connection: Connection) -> None:
        for number in range(300):
            open_incident(
                connection, shop_id=scene.shop.id, cause_key=f"{number}", title="t", remedy="", at=scene.clock.now()
            )

    scene.core.database.write_now(flood)
    await scene.after()
    assert [len(message.items) for message in scene.receiver.took] == [300]
    for number in range(5):
        scene.open(f"late {number}")
        await scene.after(5)
    assert len(scene.receiver.took) == 1
    await scene.after(60)
    assert [len(message.items) for message in scene.receiver.took] == [300, 5]
    assert {row.message for row in scene.rows(Alert)} == {message.number for message in scene.receiver.took}


async def test_severity_below_the_limit_is_not_told(database: Database, tmp_path: Path) -> None:
    scene = Scene(database, tmp_path, alert_severity="ACT")
    for severity in ("WARN", "LATE", "ACT", "STOP"):
        scene.open(severity, severity)
    await scene.after()
    assert [item.severity for item in scene.receiver.took[0].items] == ["ACT", "STOP"]
    scene.open("LATE", "STOP")
    assert (await scene.after(60))[1:] == ["opened:LATE"], "one that gets worse is told then"


async def test_a_snoozed_incident_is_silent_until_it_wakes(scene: Scene) -> None:
    incident = scene.open("dns")
    snooze_incident(scene.core, incident, scene.clock.now() + timedelta(days=3), actor="Zofia")
    assert await scene.after(30 * HOUR) == []
    assert await scene.after(50 * HOUR) == ["opened:dns"]
    snooze_incident(scene.core, incident, scene.clock.now() + timedelta(days=3), actor="Zofia")
    assert len(await scene.after(48 * HOUR)) == 1
    own_incident(scene.core, incident, actor="Zofia")
    assert (await scene.after(30 * HOUR))[1:] == ["reminder:dns"]
    assert "Zofia has it" in scene.receiver.took[-1].text()


async def test_reminders_can_be_switched_off(database: Database, tmp_path: Path) -> None:
    scene = Scene(database, tmp_path, alert_reminder_hours=0)
    scene.open("dns")
    await scene.after()
    assert len(await scene.after(1000 * HOUR)) == 1


async def test_a_receiver_that_is_down_gets_everything_later_and_is_asked_ever_more_rarely(scene: Scene) -> None:
    scene.receiver.fails = AlertNotSent("The webhook answered 503.", "Look at it.")
    scene.open("dns")
    for _ in range(60):
        await scene.after(60)
    assert 5 <= scene.receiver.asked <= 12
    (channel,) = scene.rows(AlertChannel)
    assert channel.failures == scene.receiver.asked and channel.last_error == "The webhook answered 503."
    told = [row for row in scene.rows(Incident) if row.cause_key == "alerts:webhook"]
    assert len(told) == 1 and told[0].title.startswith("Alerts do not get out by webhook since ")
    scene.open("second")
    scene.receiver.fails = None
    await scene.after(900)
    assert scene.receiver.lines == ["digest:dns+second"], "the trouble with a channel is not told by that channel"
    (channel,) = scene.rows(AlertChannel)
    assert (channel.failures, channel.failing_since, channel.last_error) == (0, None, "")
    assert [row.closed_by for row in scene.rows(Incident) if row.cause_key == "alerts:webhook"] == ["cured"]


async def test_a_wait_that_the_receiver_asks_for_is_kept(scene: Scene) -> None:
    scene.receiver.fails = AlertNotSent("429", wait=600)
    scene.open("dns")
    await scene.after()
    scene.receiver.fails = None
    assert await scene.after(599) == []
    assert await scene.after(2) == ["opened:dns"]


async def test_of_many_daemons_one_sends_each_message(
    database: Database, database_url: str, tmp_path: Path, open_database: Callable[[str], Database]
) -> None:
    scene = Scene(database, tmp_path)
    scene.receiver.pause = 0.02
    others = [make_core(open_database(database_url), tmp_path, clock=scene.clock) for _ in range(3)]
    senders = [AlertSender(core, send_by={"webhook": scene.receiver}) for core in (scene.core, *others)]
    for turn in range(8):
        scene.open(f"cause {turn}")
        scene.clock.forward(61)
        await asyncio.gather(*(sender.turn("webhook") for sender in senders))
    told = [item.title for message in scene.receiver.took for item in message.items]
    assert sorted(told) == sorted(f"cause {turn}" for turn in range(8))


async def test_what_a_dead_daemon_had_claimed_is_sent_by_another(scene: Scene) -> None:
    scene.open("dns")
    scene.core.database.write_now(
        lambda c: alert_outbox.plan(
            c,
            alert_outbox.due(c, "webhook", severity="LATE", reminder=timedelta(), now=scene.clock.now()),
            scene.clock.now(),
        )
    )
    dead = scene.core.database.write_now(lambda c: alert_outbox.claim(c, "webhook", scene.clock.now()))
    assert dead is not None
    assert await scene.after(60) == []
    assert await scene.after(61) == ["opened:dns"]
    late = scene.core.database.write_now(lambda c: alert_outbox.sent(c, dead, scene.clock.now()))
    assert late is False, "its claim is another's now"


async def test_a_receiver_that_hangs_or_breaks_stops_neither_the_loop_nor_the_other_channel(scene: Scene) -> None:
    class Broken:
        async def __call__(self, message: Message) -> str:
            raise RuntimeError("a fault of ours")

    other = Receiver()
    sender = AlertSender(scene.core, send_by={"webhook": Broken(), "mail": other})
    scene.open("dns")
    task = asyncio.ensure_future(sender.run(every=0.01))  # noqa: TID251 - cancelled and awaited below
    async with asyncio.timeout(60):
        while not other.took:
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_is_looked_at_where_no_channel_is_set_up(scene: Scene) -> None:
    scene.open("dns")
    async with asyncio.timeout(60):
        await AlertSender(scene.core).run()
    assert scene.rows(Alert) == []


async def test_the_settings_name_the_channels_and_the_webhook_is_really_posted_to(
    database: Database, tmp_path: Path, httpx_mock: HTTPXMock
) -> None:
    url = "https://chat.example/hooks/abc"
    scene = Scene(database, tmp_path, alert_webhook_url=url, alert_mail_to="a@b.example, c@d.example")
    assert list(channels(scene.core.settings)) == ["webhook", "mail"]
    httpx_mock.add_response(url=url, method="POST")
    scene.open("dns")
    assert await AlertSender(scene.core).turn("webhook") is True
    assert [row.state for row in scene.rows(Alert)] == ["sent"]


# -- what comes and goes -----------------------------------------------------------------------------------------------


async def flaps(scene: Scene, times: int, *, open_for: float, closed_for: float) -> None:
    """Open and close one cause again and again, with looks in between."""
    for _ in range(times):
        scene.open("dns")
        await scene.after(open_for / 2)
        await scene.after(open_for / 2)
        scene.close("dns")
        await scene.after(closed_for)


async def test_a_cause_that_comes_and_goes_sends_few_messages_with_a_count(scene: Scene) -> None:
    await flaps(scene, 12, open_for=150.0, closed_for=150.0)
    # The first cure is told at once, as most hold; then people believe it open until it holds for long.
    assert scene.receiver.lines == ["opened:dns", "cured:dns", "opened:dns"]
    assert await scene.after(1.9 * HOUR) == scene.receiver.lines[:3]
    assert (await scene.after(0.2 * HOUR))[3:] == ["cured:dns"]
    assert "opened 12 times in 24 h" in scene.receiver.took[-1].text()
    assert (await scene.after(48 * HOUR))[4:] == []
    states = [row.state for row in scene.rows(Alert)]
    assert (states.count("sent"), states.count("folded")) == (4, 20)
    now, looks = scene.clock.now(), timedelta(0)
    due = scene.core.database.read_now(
        lambda c: alert_outbox.due(c, "webhook", severity="LATE", reminder=looks, now=now)
    )
    assert due == [], "nothing is looked at again"
    scene.open("dns")
    assert (await scene.after())[4:] == ["opened:dns"]
    assert scene.receiver.took[-1].items[0].openings == 1, "two quiet days later it is news"


async def test_what_comes_and_goes_for_days_is_reminded_of_and_what_gets_graver_is_told(
    sqlite_database: Database, tmp_path: Path
) -> None:
    scene = Scene(sqlite_database, tmp_path)
    await flaps(scene, 29, open_for=HOUR / 2, closed_for=HOUR / 2)
    assert scene.receiver.lines == [*["opened:dns", "cured:dns"] * 3, "opened:dns", "reminder:dns"]
    assert "opened 24 times in 24 h" in scene.receiver.took[-1].text()
    scene.open("dns", "STOP")
    assert (await scene.after(60))[8:] == ["opened:dns"]


async def test_two_causes_that_come_and_go_and_one_that_does_not_are_told_apart(scene: Scene) -> None:
    other = add_shop(scene.core.database, "other")
    for _ in range(5):
        scene.open("dns")
        scene.open("dns", shop_id=other.id)
        await scene.after(90)
        scene.close("dns")
        await scene.after(90)
    scene.open("key")
    await scene.after(90)
    titles = [(item.kind, item.shop, item.title) for message in scene.receiver.took for item in message.items]
    assert titles.count(("opened", "Other", "dns")) == 1
    assert titles.count(("opened", "Wolle", "key")) == 1
    assert titles.count(("opened", "Wolle", "dns")) == 2
