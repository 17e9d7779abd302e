"""Every recorded exchange of every real shop, asked of the simulated one; and the page that tells how many agree."""

import pytest

from tests.sandbox import deviations
from tests.sandbox.contract import Outcome, outcome_of
from tests.sandbox.fidelity import PAGE, outcomes, page, share
from tests.sandbox.replay import differences, shape
from tests.support.shared import RECORDINGS, recording_folders, recordings, require_shared

_FOLDERS = list(recording_folders()) or ["no recordings"]


@pytest.mark.parametrize("folder", _FOLDERS)
async def test_the_sandbox_answers_every_recorded_exchange_as_the_real_shop_did(folder: str) -> None:
    require_shared()
    outcome = await outcome_of(folder)
    assert outcome.total == len(list((RECORDINGS / folder).glob("*.json"))) > 0
    told = "\n".join(f"{file}: {differing}" for file, differing in outcome.new.items())
    assert not outcome.new, f"answered otherwise, and in neither list:\n{told}"
    assert not outcome.over, f"in the lists of deviations, but they agree now: {outcome.over}"


async def test_the_page_of_fidelity_is_current_and_says_99_in_100() -> None:
    require_shared()
    found = await outcomes()
    assert share(found) >= 0.99
    assert PAGE.read_text(encoding="utf-8") == page(found), "write it anew: python -m tests.sandbox.fidelity"


def test_every_listed_deviation_names_an_exchange_that_was_recorded() -> None:
    require_shared()
    for listed in (deviations.DEVIATIONS, deviations.EARLIER_DATA):
        for folder, files in listed.items():
            known = {recording.file for recording in recordings(folder)}
            assert set(files) <= known, folder
            assert all(reason for reason in files.values())
    for folder, files in deviations.DEVIATIONS.items():
        assert not set(files) & set(deviations.EARLIER_DATA.get(folder, {})), folder


def test_an_exchange_in_neither_list_and_an_entry_that_holds_no_longer_are_both_told() -> None:
    outcome = Outcome("8.2.1", 300, {"999-new.json": ["status: recorded 200 answered 500"]})
    assert list(outcome.new) == ["999-new.json"]
    assert outcome.over == sorted({**outcome.earlier, **outcome.known})


async def test_the_comparison_itself_notices_each_kind_of_difference() -> None:
    head = {"content-type": "text/xml;charset=utf-8", "psws-version": "8.2.1"}
    body = b'<prestashop><orders><order id="1"/></orders></prestashop>'
    recorded = shape(200, head, body)
    assert differences(recorded, recorded) == []
    others = {
        "status": shape(201, head, body),
        "headers": shape(200, head | {"psws-version": "9"}, body),
        "ids": shape(200, head, body.replace(b'"1"', b'"2"')),
        "nodes": shape(200, head, body.replace(b'"1"', b'"1" x="1"')),
        "errors": shape(200, head, b"<prestashop><errors><error><code>26</code></error></errors></prestashop>"),
    }
    for kind, other in others.items():
        assert any(told.startswith(kind) for told in differences(recorded, other)), kind
    schema = b'<prestashop><order><id_cart maxSize="9"/></order></prestashop>'
    whole = shape(200, head, schema, whole=True)
    other = shape(200, head, schema.replace(b"9", b"8"), whole=True)
    assert any(told.startswith("nodes") for told in differences(whole, other))
    assert differences(shape(200, head, schema), shape(200, head, schema.replace(b"9", b"8"))) == []
