"""The page `docs/fidelity.md`: how many recorded exchanges the sandbox answers as the real shop did.

`python -m tests.sandbox.fidelity` writes it anew; a test checks that it is current.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.sandbox.contract import Outcome, outcome_of
from tests.support.shared import recording_folders

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"
_HEAD = """# How true the sandbox is

`prestaconsole sandbox` was held against {total:,} recorded exchanges with real shops of PrestaShop 1.6.1.24, 1.7.8.11,
8.2.1 and 9.0.0, reads and writes, each asked in its turn of the simulated shop in that version's mode.
An exchange agrees where status, the headers a client reads, error codes and messages, the structure of every node,
the ids listed and, in schemas, every value are the same. Values of other answers are not compared here: prices,
texts and quantities are the shop's own data.

The simulated shop holds a dump of the real one, put back to the time of each exchange: rows made later are withheld
until then, a new row gets the id the real shop gave, and what an answer shows to exist is there.

PrestaShop 1.5 has no recording. The sandbox plays it from the source's differences alone: it is unproven.

This page is written by `python -m tests.sandbox.fidelity`, and a test checks that it is current.

| version | agree | of | share | cannot be compared |
|---|---|---|---|---|
{versions}

## By folder of recordings

| folder | agree | of | cannot be compared |
|---|---|---|---|
{folders}

## What no recording shows

These are played from PrestaShop's source or from what users report, and nothing here proves them:

* `search` finds the products whose name holds the words, in the order of their ids. A real shop ranks by the weights
  of an index that its webservice does not show, and cannot be imitated from outside.
* `position_in_category` in a write moves the product and is refused with 134 or 135; of a real shop's places only
  those of the default category are kept.
* An order whose carrier is inactive or deleted gets another one. Real shops replace carriers by zones and groups too,
  which the webservice does not show.
* Images are kept as plain pictures of the same size and type, in bytes that differ from what was sent. Those of
  categories, manufacturers, suppliers and stores, the default and the general ones, and their errors 48 to 67, are
  from source. Images of customizations are not played.
* The file and line in PHP's own messages are those of one installation, where they were not recorded.
* Shops of more than 5,000 products or orders have one shape: four sizes of every fifth product, two lines an order.

## Where the sandbox answers otherwise

{known}

## What cannot be compared

Only the shop's earlier data explain these: a write that is not in the folder came in between, or the dump lacks the
rows.

{earlier}
"""


async def outcomes() -> list[Outcome]:
    """What became of every folder of recordings."""
    return [await outcome_of(folder) for folder in recording_folders()]


def page(found: Sequence[Outcome]) -> str:
    """The text of the page."""
    versions = []
    for version in dict.fromkeys(outcome.folder.split("-")[0] for outcome in found):
        own = [outcome for outcome in found if outcome.folder.split("-")[0] == version]
        versions.append(_row(version, own))
    versions.append(_row("all", found))
    folders = [f"| {one.folder} | {one.agreeing} | {one.comparable} | {len(one.earlier)} |" for one in found]
    return _HEAD.format(
        total=sum(outcome.total for outcome in found),
        versions="\n".join(versions),
        folders="\n".join(folders),
        known=_reasons((outcome.folder, outcome.known) for outcome in found),
        earlier=_reasons((outcome.folder, outcome.earlier) for outcome in found),
    )


def share(found: Sequence[Outcome]) -> float:
    """The share of the comparable exchanges that agree."""
    return sum(one.agreeing for one in found) / sum(one.comparable for one in found)


def _row(title: str, found: Sequence[Outcome]) -> str:
    agree, comparable = sum(one.agreeing for one in found), sum(one.comparable for one in found)
    earlier = sum(len(one.earlier) for one in found)
    return f"| {title} | {agree} | {comparable} | {share(found):.1%} | {earlier} |"


def _reasons(listed: Iterable[tuple[str, Mapping[str, str]]]) -> str:
    lines = [
        f"* `{folder}/{file.removesuffix('.json')}`: {reason}."
        for folder, known in listed
        for file, reason in known.items()
    ]
    return "\n".join(lines) or "Nowhere."


if __name__ == "__main__":
    PAGE.write_text(page(asyncio.run(outcomes())), encoding="utf-8")
    print(f"{PAGE} was written.")
