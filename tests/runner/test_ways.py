"""What a run found to be needed at its shop is kept, and a run asks with the urgency of its feed."""

from pathlib import Path

from sqlalchemy import select

from prestaconsole.database import Database
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import Shop
from prestaconsole.runner.worker import Worker
from tests.runner.test_worker import ask
from tests.support.runs import SilentClient, add_shop, feed, make_core


async def test_a_way_that_was_learnt_is_kept_even_when_the_run_fails(database: Database, tmp_path: Path) -> None:
    core = make_core(database, tmp_path)
    shop = add_shop(database)
    seen: list[int] = []

    async def run(context: FeedContext) -> Outcome:
        assert isinstance(context.client, SilentClient)
        context.client.learned["ps_method"] = True
        seen.append(context.client.endpoint.priority)
        raise RuntimeError("in the middle")

    with feed("learning", entry=run, priority=7):
        await Worker(core, "command").run_until_ended(ask(core, shop.id, "learning"))
    assert seen == [7]
    assert database.read_now(lambda c: c.execute(select(Shop.ps_method)).scalar_one()) is True
