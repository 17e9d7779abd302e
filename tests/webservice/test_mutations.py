"""Whatever happens to a body on its way, no wrong and no missing record is passed off as read."""

import contextlib
import gzip
from collections.abc import Callable

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.answers import Answer
from prestaconsole.webservice.classify import classify
from prestaconsole.webservice.query import Query
from prestaconsole.webservice.writer import ShopWriter
from tests.webservice.shops import ListShop, client

ROWS = [
    {"id": str(n), "quantity": str(n * 3 % 50), "location": text}
    for n, text in enumerate(["A1", "Étagère 2", "a & b", "<x>", "", "O'Neil", "zwölf", "B-07"] * 3, start=1)
]
TRUTH = {int(row["id"]): row for row in ROWS}
QUERY = Query("stock_availables", ("quantity", "location"), limit=100)
Mutation = Callable[[bytes], bytes]


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    """One to three of: cut, piece left out, piece doubled, piece moved, bytes changed, re-encoded, junk put in."""
    steps = draw(
        st.lists(
            st.tuples(st.integers(0, 7), st.floats(0, 1), st.floats(0, 1), st.binary(max_size=8)),
            min_size=1,
            max_size=3,
        )
    )

    def mutate(body: bytes) -> bytes:
        for kind, first, second, junk in steps:
            start, end = sorted((int(first * len(body)), int(second * len(body))))
            piece = body[start:end]
            if kind == 0:
                body = body[:start]
            elif kind == 1:
                body = body[:start] + body[end:]
            elif kind == 2:
                body = body[:end] + piece + body[end:]
            elif kind == 3:
                body = body[:start] + body[end:] + piece
            elif kind == 4:
                body = body[:start] + junk + body[start + len(junk) :]
            elif kind == 5:
                body = body.decode("utf-8", "replace").encode("latin-1", "replace")
            elif kind == 6:
                body = body[:start] + junk + body[start:]
            else:
                body = gzip.compress(body)
        return body

    return mutate


@st.composite
def tidy_mutations(draw: st.DrawFn) -> Mutation:
    """Changes at line ends: they leave the XML well-formed far more often."""
    first, second, kind = draw(st.integers(3, 130)), draw(st.integers(1, 12)), draw(st.integers(0, 3))
    digit = draw(st.sampled_from(b"0123456789"))

    def mutate(body: bytes) -> bytes:
        lines = body.split(b"\n")
        piece = lines[first : first + second]
        if kind == 0:
            lines[first : first + second] = []
        elif kind == 1:
            lines[first:first] = piece
        elif kind == 2:
            lines[first : first + second] = piece[::-1]
        else:
            lines[first : first + 1] = [line.replace(b"3", bytes([digit])) for line in piece[:1]]
        return b"\n".join(lines)

    return mutate


async def read(mutate: Mutation, *, json_too: bool) -> None:
    shop = ListShop("stock_availables", "stock_available", ROWS)

    def mangle(request: httpx.Request, body: bytes) -> bytes:
        if not json_too and request.url.params.get("output_format") == "JSON":
            return body
        return mutate(body)

    shop.mangle = mangle
    async with client(shop) as reader:
        try:
            page = await reader.page(QUERY)
        except e.WebserviceError:
            return
    for entity in page.entities:
        truth = TRUTH[entity.id]
        assert {name: entity.text(name) for name in truth} == truth
    if page.complete:
        assert {entity.id for entity in page.entities} | {damage.id for damage in page.damaged} == set(TRUTH)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutations(), st.booleans())
async def test_mutated_bodies_give_the_truth_or_a_classified_error(mutate: Mutation, json_too: bool) -> None:
    await read(mutate, json_too=json_too)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(tidy_mutations(), st.booleans())
async def test_well_formed_lies_are_caught_by_the_check_sum(mutate: Mutation, json_too: bool) -> None:
    await read(mutate, json_too=json_too)


async def test_without_a_check_sum_a_page_still_has_to_hold_together() -> None:
    """The check sum is the strong guard; with it gone, a cut or doubled record must be caught by its form alone."""
    shop = ListShop("stock_availables", "stock_available", ROWS)
    caught = 0
    for line in range(3, 60):

        def handler(request: httpx.Request, line: int = line) -> httpx.Response:
            if request.url.params.get("output_format") == "JSON":
                return httpx.Response(500)
            lines = shop(request).content.split(b"\n")
            del lines[line : line + 1]
            return httpx.Response(200, content=b"\n".join(lines), headers={"Content-Type": "text/xml"})

        async with client(handler) as reader:
            try:
                page = await reader.page(QUERY)
            except e.WebserviceError:
                caught += 1
            else:
                caught += bool(page.damaged) or not page.complete
    assert caught == 57


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(mutations(), tidy_mutations()))
async def test_whatever_arrives_every_face_of_the_client_gives_a_result_or_a_classified_error(mutate: Mutation) -> None:
    """No check sum here: wrong content cannot be told in every case, but nothing unclassified may leave."""
    shop = ListShop("stock_availables", "stock_available", ROWS)

    def handler(request: httpx.Request) -> httpx.Response:
        whole = shop(request)
        return httpx.Response(
            200, content=mutate(whole.content), headers={"Content-Type": whole.headers["Content-Type"]}
        )

    async with client(handler) as reader:
        for reading in (reader.page(QUERY), reader.root(), reader.by_ids("stock_availables", ("quantity",), [1, 2])):
            with contextlib.suppress(e.WebserviceError):
                await reading
        for single in (reader.one("stock_availables", 3), reader.tree("stock_availables", 3)):
            with contextlib.suppress(e.WebserviceError):
                await single
        with contextlib.suppress(e.WebserviceError):
            await ShopWriter(reader).put_many("stock_availables", "stock_available", ROWS[:2])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([200, 201, 302, 400, 401, 404, 429, 500, 503]), st.booleans())
def test_any_bytes_at_all_are_classified(body: bytes, status: int, xml_like: bool) -> None:
    if xml_like:
        body = b'<?xml version="1.0"?>\n<prestashop><errors>' + body + b"</errors></prestashop>"
    error = classify(Answer("GET", "https://shop.example/api/x", status, {"content-type": "text/xml"}, body))
    assert error.kind
    assert error.remedy
    assert len(error.evidence.encode()) <= 2000
