"""Finds the way that works to a shop and what the key may do there: the connection test. Reads only."""

from dataclasses import dataclass

import httpx

from prestaconsole.clock import Clock, SystemClock
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import Root, ShopClient
from prestaconsole.webservice.discovery import propose
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.query import Context, Query


@dataclass(frozen=True)
class Language:
    """A language of the shop; inactive ones are stored, but not shown (WEBSERVICE §2.2)."""

    id: int
    name: str
    iso_code: str
    active: bool


@dataclass(frozen=True)
class Storefront:
    """One storefront of the installation."""

    id: int
    id_group: int
    name: str
    active: bool


@dataclass(frozen=True)
class Capabilities:
    """What the connection test found. ``endpoint`` is the way that worked; ``notes`` say where it is not the usual one.

    ``clock_skew`` is the shop's clock less ours in seconds, None when it is not told; ``patch`` whether stock rows may
    be patched; ``seconds`` what the test took.
    """

    endpoint: Endpoint
    root: Root
    version: str
    shop_name: str
    permissions: dict[str, frozenset[str]]
    patch: bool
    clock_skew: float | None
    languages: tuple[Language, ...]
    storefronts: tuple[Storefront, ...]
    notes: tuple[str, ...]
    seconds: float

    def may(self, method: str, resource: str) -> bool:
        """Whether the key has this right."""
        return method in self.permissions.get(resource, frozenset())


async def connect(
    endpoint: Endpoint,
    *,
    id_shop: Context = None,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Clock | None = None,
) -> Capabilities:
    """Test the connection in the context that will be used; some three requests, more where a fallback is needed.

    Tries the key as ws_key where the host drops the header, and dispatcher.php where rewriting is off. Raises the
    ``WebserviceError`` that names what is wrong; its ``proposed`` offers a corrected base, looked for without the key
    in sub-folders, under the name with or without www, and where a redirect leads. A person asks: an open breaker is
    passed, and closes when the shop answers.
    """
    clock = clock or SystemClock()
    began = clock.monotonic()
    notes: list[str] = []
    failure: e.WebserviceError
    try:
        way, root = await _working(endpoint, id_shop, notes, transport, clock)
    except e.WebserviceError as error:
        failure = error
    else:
        return await _described(way, root, id_shop, notes, began, transport, clock)
    failure.proposed = await propose(endpoint, failure, transport=transport, clock=clock)
    if failure.proposed and failure.proposed not in failure.remedy:
        failure.remedy = f"{failure.remedy} There is a shop at {failure.proposed}: use that address if it is yours."
    raise failure


async def _described(
    way: Endpoint,
    root: Root,
    id_shop: Context,
    notes: list[str],
    began: float,
    transport: httpx.AsyncBaseTransport | None,
    clock: Clock,
) -> Capabilities:
    async with ShopClient(way, transport=transport, clock=clock, insist=True) as client:
        languages = await _languages(client, root, id_shop)
        storefronts = await _storefronts(client, root)
        version = root.version or client.version
    return Capabilities(
        endpoint=way,
        root=root,
        version=version,
        shop_name=root.shop_name,
        permissions=root.permissions,
        patch=root.may("PATCH", "stock_availables"),
        clock_skew=root.clock_skew,
        languages=languages,
        storefronts=storefronts,
        notes=tuple(notes),
        seconds=clock.monotonic() - began,
    )


async def _working(
    endpoint: Endpoint, id_shop: Context, notes: list[str], transport: httpx.AsyncBaseTransport | None, clock: Clock
) -> tuple[Endpoint, Root]:
    """The endpoint that answers, with its root; the first failure counts when no fallback gets further."""
    way, first = endpoint, None
    while True:
        failure: e.WebserviceError
        async with ShopClient(way, transport=transport, clock=clock, insist=True) as client:
            try:
                return way, await client.root(id_shop=id_shop)
            except e.WebserviceError as error:
                failure = error
        first = first or failure
        if isinstance(failure, e.NoKeyReceived) and way.auth == "basic":
            way = way.changed(auth="ws_key")
            notes.append("The host drops the Authorization header, so the key travels in the address (ws_key).")
        elif isinstance(failure, e.ApiNotFound | e.HtmlAnswer) and way.rewriting:
            way = way.changed(rewriting=False)
            notes.append("The shop's rewrite rules do not work, so webservice/dispatcher.php is used.")
        else:
            # a fallback that gets no further than the first try proves nothing about the first failure
            raise first if isinstance(failure, e.NoKeyReceived | e.ApiNotFound | e.HtmlAnswer) else failure


async def _languages(client: ShopClient, root: Root, id_shop: Context) -> tuple[Language, ...]:
    if not root.may("GET", "languages"):
        return ()
    page = await client.page(Query("languages", ("id", "name", "iso_code", "active"), limit=200, id_shop=id_shop))
    return tuple(Language(row.id, row.text("name"), row.text("iso_code"), row.flag("active")) for row in page.entities)


async def _storefronts(client: ShopClient, root: Root) -> tuple[Storefront, ...]:
    if not root.may("GET", "shops"):
        return ()
    page = await client.page(Query("shops", ("id", "id_shop_group", "name", "active"), limit=200))
    return tuple(
        Storefront(row.id, row.integer("id_shop_group"), row.text("name"), row.flag("active")) for row in page.entities
    )
