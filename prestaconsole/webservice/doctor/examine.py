"""The order of the examinations. May import this room's reads."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx

from prestaconsole.clock import Clock
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.doctor import lists, reading, rights, road, settings
from prestaconsole.webservice.doctor.finding import Needs, Probe, Visit, failed
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.menus import for_version
from prestaconsole.webservice.probe import connect
from prestaconsole.webservice.query import Context

_EXAMINATIONS: tuple[tuple[str, Callable[[Visit], Awaitable[list[Probe]]]], ...] = (
    ("Answers", road.answers),
    ("Settings", settings.examine),
    ("Lists", lists.examine),
    ("Reading", reading.examine),
)


async def examine(
    endpoint: Endpoint,
    needs: Needs,
    *,
    id_shop: Context = None,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Clock | None = None,
) -> list[Probe]:
    """Examine a shop. ``needs`` maps each enabled feed to the methods it needs on each resource.

    Never raises for what the shop does: every failure is a probe. Where the road ends early, what can be learnt
    without the key is told too. Remedies name the menus of the shop's version.
    """
    found = [road.address(endpoint), road.proxy(endpoint)]
    failure: e.WebserviceError
    try:
        shop = await connect(endpoint, id_shop=id_shop, transport=transport, clock=clock)
    except e.WebserviceError as error:
        failure = error
    else:
        found += road.travelled(shop, endpoint, id_shop)
        found += rights.examine(shop, needs)
        async with ShopClient(shop.endpoint, transport=transport, clock=clock, insist=True) as client:
            visit = Visit(shop, client, needs, id_shop)
            for name, examination in _EXAMINATIONS:
                found += await _guarded(name, examination, visit)
        return [replace(probe, remedy=for_version(probe.remedy, shop.version)) for probe in found]
    found += await road.without_key(endpoint, failure, transport, clock)
    return found + road.stopped(failure)


async def _guarded(name: str, examination: Callable[[Visit], Awaitable[list[Probe]]], visit: Visit) -> list[Probe]:
    """One examination that meets an error the others do not depend on."""
    try:
        return await examination(visit)
    except e.WebserviceError as error:
        return [failed(name, error)]
