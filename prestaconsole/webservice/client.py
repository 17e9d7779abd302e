"""Reads a shop: pages, batches, single records. Nothing here can write. May import all of this room but the writer."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from prestaconsole.clock import Clock
from prestaconsole.webservice import codec
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.answers import Answer
from prestaconsole.webservice.classify import check_read, classify
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.pacing import Pacer
from prestaconsole.webservice.paging import Page, Root, walk
from prestaconsole.webservice.query import Context, Filter, Query, QueryError, context, join, one_of
from prestaconsole.webservice.repair import Repair
from prestaconsole.webservice.transport import Kinds, Transport

__all__ = ["Page", "Root", "ShopClient"]

LONGEST_URL = 4000
BATCH = 200
_HALVED = (e.TimedOut, e.TooLarge)  # asking for as much again would only wait again
_METHODS = ("get", "head", "post", "put", "patch", "delete")


class ShopClient:
    """Reads one shop. Every method may raise any ``WebserviceError``; nothing unclassified leaves here."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        pacer: Pacer | None = None,
        priority: int | None = None,
        insist: bool = False,
    ) -> None:
        """``priority`` overrides the endpoint's; ``insist`` asks even while the shop's breaker is open."""
        if priority is not None:
            endpoint = endpoint.changed(priority=priority)
        self._transport = Transport(endpoint, transport=transport, clock=clock, pacer=pacer, insist=insist)
        self._synopses: dict[str, dict[str, dict[str, str]]] = {}
        self._sums: bool | None = None  # whether this shop's check sums can be relied on; None until one was seen

    @property
    def endpoint(self) -> Endpoint:
        """How the shop is spoken to, with the ways that were learnt on the way (``ps_method``)."""
        return self._transport.endpoint

    @property
    def learned(self) -> dict[str, bool]:
        """Ways that were found to be needed and did work, such as ``{"ps_method": True}``: to be kept at the shop."""
        return dict(self._transport.learned)

    @property
    def pacer(self) -> Pacer:
        """The shop's governor: its state, and what requests cost."""
        return self._transport.pacer

    @property
    def requests(self) -> int:
        """Requests made by this client so far, repeats included."""
        return self._transport.requests

    @property
    def version(self) -> str:
        """The shop's version as its last answer told it, '' before."""
        return self._transport.version

    @property
    def clock_skew(self) -> float | None:
        """The shop's clock less ours in seconds, from the last answer."""
        return self._transport.clock_skew

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def root(self, *, id_shop: Context = None) -> Root:
        """Rights, name, version and clock of the shop, from ``GET /api/``: the connection test (F12)."""
        answer = await self._root(join(context(id_shop)))
        try:
            api = codec.parse(answer.document()).find("api")
        except codec.Unreadable as error:
            raise e.MalformedXml(evidence=answer.evidence()) from error
        if api is None:
            raise e.UnexpectedAnswer(evidence=answer.evidence())
        granted = {
            str(node.tag): frozenset(method.upper() for method in _METHODS if node.get(method) == "true")
            for node in api
        }
        name = str(api.get("shopName") or "")
        return Root(granted, name, answer.version, self.clock_skew, answer.preamble(), answer.intact())

    async def page(self, query: Query) -> Page:
        """One list answer. A damaged one is repaired through JSON or bisected to the record at fault."""
        return await self._page(query)

    def pages(
        self,
        resource: str,
        fields: Iterable[str],
        *,
        after: int = 0,
        page_size: int = 1000,
        filters: Mapping[str, Filter] | None = None,
        id_shop: Context = None,
        language: int | tuple[int, ...] | None = None,
        date: bool = False,
        largest: int | None = None,
    ) -> AsyncIterator[Page]:
        """The pages of a resource by rising id above ``after``; the last is the one shorter than asked (F16).

        Pages halve when the shop times out, breaks down or takes 10 s, not below 10 rows. While its Execution-Time is
        low they grow again, up to ``largest``, which is ``page_size`` where it is not given. The end is not passed on
        as an empty page, unless it is the only one.
        """
        if filters and "id" in filters:
            raise QueryError("The id is the cursor of pages, so it cannot be filtered too.")
        query = Query(resource, tuple(fields), dict(filters or {}), id_shop=id_shop, language=language, date=date)
        return walk(self._page, query, after, page_size, max(page_size, largest or 0))

    async def by_ids(
        self,
        resource: str,
        fields: Iterable[str],
        ids: Iterable[int | str],
        *,
        key: str = "id",
        id_shop: Context = None,
        language: int | tuple[int, ...] | None = None,
    ) -> list[Entity]:
        """All records whose ``key`` is one of ``ids``, in batches with addresses below 4 kB, sorted by id in each.

        Damaged records come too, marked ``damaged``. Ids that the shop does not know are simply not in the answer.
        Raises ``MalformedXml`` when a record is missing for any other reason.
        """
        base = Query(resource, tuple(fields), id_shop=id_shop, language=language)
        found: list[Entity] = []
        for batch in self._batches(base, key, ids):
            page = await self.page(base.changed(filters={key: one_of(batch)}))
            if not page.complete:
                raise e.MalformedXml(f"Not all {resource} that were asked for could be read.")
            wanted = {str(id) for id in batch}
            if any(entity.has(key) and entity.text(key) not in wanted for entity in page.entities):
                raise e.UnexpectedAnswer(f"The shop ignores the filter on {key} of {resource}.")
            found += page.entities
            found += [damage.entity or Entity({}, damaged=True, id=damage.id) for damage in page.damaged]
        return found

    async def one(self, resource: str, id: int, *, id_shop: Context = None) -> Entity | None:
        """One whole record; None when the shop has none with this id (in this storefront). May be ``damaged``."""
        answer = await self._single(resource, id, id_shop)
        if answer is None:
            return None
        try:
            entity = codec.read_single(answer.document())[0]
        except codec.Unreadable:
            query = Query(resource, (), {"id": one_of([id])}, id_shop=id_shop)
            page = await Repair(self._read_for_repair, query).damaged_page(answer)
            found = page.entities + [damage.entity for damage in page.damaged if damage.entity]
            if not found:
                raise e.MalformedXml(evidence=answer.evidence()) from None
            return found[0]
        if entity.id != id:
            raise e.UnexpectedAnswer(f"The shop answered with another of its {resource}.", evidence=answer.evidence())
        return entity

    async def tree(
        self, resource: str, id: int, *, id_shop: Context = None, language: int | None = None
    ) -> dict[str, Any] | None:
        """One whole record as xmltodict shows it, node names, attributes and every blank kept: what is PUT back.

        Without ``language`` it has the texts of the active languages only; an inactive one is asked for by its id.
        """
        answer = await self._single(resource, id, id_shop, language)
        if answer is None:
            return None
        try:
            return codec.read_tree(answer.document())
        except codec.Unreadable as error:
            raise e.MalformedXml(evidence=answer.evidence()) from error

    async def synopsis(self, resource: str) -> dict[str, dict[str, str]]:
        """The fields of a resource with their marks (required, readOnly, maxSize, format), from schema=synopsis.

        Beside PrestaShop's marks ``languages`` names the fields that have texts in several. Associations are under
        ``associations``, their names in its mark ``names``, parted by commas. Asked once by each client.
        """
        if resource not in self._synopses:
            answer = await self._transport.read(resource, join([("schema", "synopsis")]), check=self._check())
            try:
                self._synopses[resource] = codec.read_synopsis(answer.document())
            except codec.Unreadable as error:
                raise e.MalformedXml(evidence=answer.evidence()) from error
        return self._synopses[resource]

    async def raw_root(self) -> Answer:
        """The root's answer as it arrived, with its headers: what stands between is told by them."""
        return await self._root()

    async def json_list(self, query: Query) -> Answer:
        """A list in JSON, unread: only to learn whether the shop has it."""
        return await self._read_list(query.changed(json=True))

    async def honours_display(self, resource: str, id: int, field: str) -> bool:
        """Whether one record can be asked for some of its fields: 1.6 answers an empty node (F23)."""
        shown = join([("display", f"[id,{field}]")])
        answer = await self._read(f"{resource}/{int(id)}", shown)
        try:
            entity = codec.read_single(answer.document())[0]
        except codec.Unreadable:
            try:
                entity = codec.read_list(answer.document())[0]
            except (codec.Unreadable, IndexError):
                return False
        return entity.has(field) and len(entity.raw()) == 2

    async def images(self, id_product: int) -> list[int]:
        """The ids of a product's images in the shop's order; [] when it has none (404, or an empty 500 on 1.6: F6)."""
        failure: e.WebserviceError
        try:
            answer = await self._read(f"images/products/{int(id_product)}", "", (e.ServerError,))
        except (e.NotFound, e.ServerError) as error:
            failure = error
        else:
            try:
                return codec.read_declinations(answer.document())
            except codec.Unreadable as error:
                raise e.MalformedXml(evidence=answer.evidence()) from error
        if isinstance(failure, e.ServerError) and not (failure.status == 500 and self.version.startswith("1.6")):
            raise failure
        return []

    # -- inside ----------------------------------------------------------------------------------------------

    async def _root(self, parameters: str = "") -> Answer:
        """The root's answer. Only one whose sum never fits shows that sums mean nothing at this shop."""
        failure: e.AlteredAnswer
        try:
            return await self._transport.read("", parameters, check=self._check())
        except e.AlteredAnswer as error:
            failure = error
        if self._sums:
            raise failure
        answer = await self._transport.read("", parameters, check=check_read)
        self._sums = answer.intact()
        return answer

    async def _single(self, resource: str, id: int, id_shop: Context, language: int | None = None) -> Answer | None:
        Query(resource, language=language)  # raises where the name is none
        asked = ([("language", str(language))] if language else []) + context(id_shop)
        failure: e.WebserviceError
        try:
            return await self._read(f"{resource}/{int(id)}", join(asked))
        except e.NotFound as error:
            failure = error
        if failure.code not in (0, 131):
            raise failure
        return None

    def _batches(self, base: Query, key: str, ids: Iterable[int | str]) -> Iterator[list[int | str]]:
        room = LONGEST_URL - len(
            self.endpoint.url(base.resource, base.changed(filters={key: one_of([1])}).parameters())
        )
        if self.endpoint.auth == "ws_key":
            room -= 40
        batch: list[int | str] = []
        used = 0
        for id in dict.fromkeys(ids):
            length = len(join([("", f"|{id}")])) - 1
            if batch and (used + length > room or len(batch) >= BATCH):
                yield batch
                batch, used = [], 0
            batch.append(id)
            used += length
        if batch:
            yield batch

    async def _page(self, query: Query, *, halvable: bool = False) -> Page:
        repair = Repair(self._read_for_repair, query)
        failure: e.WebserviceError
        try:
            answer = await self._read_list(query, hand_back=_HALVED if halvable else (), counted=not halvable)
        except (e.PhpMessage, e.ServerError) as error:
            failure = error
        else:
            return self._checked(query, await self._parsed(query, answer, repair))
        down = isinstance(failure, e.Unavailable) or self.pacer.breaker != "closed"
        if down or (halvable and failure.retryable):
            raise failure
        # one bad record costs the whole page (F4): find it, the others come through
        found = await repair.bisected(failure)
        return self._checked(query, Page(found.entities, found.damaged, found.complete, 0.0, 0))

    async def _parsed(self, query: Query, answer: Answer, repair: Repair) -> Page:
        plain, associations = query.names if query.fields else (frozenset({"id"}), frozenset())
        try:
            entities = codec.read_list(answer.document(), plain, associations, trusted=bool(answer.intact()))
        except codec.Unreadable:
            found = await repair.damaged_page(answer)
            return Page(
                found.entities, found.damaged, found.complete, answer.seconds, len(answer.body), answer.preamble()
            )
        size, told = len(answer.body), answer.preamble()
        return Page(entities, [], True, answer.seconds, size, told, answer.execution_seconds)

    def _checked(self, query: Query, page: Page) -> Page:
        """Refuse answers to another question: too many rows, or out of order, mean that a condition was ignored."""
        ids = [entity.id for entity in page.entities]
        if query.limit is not None and page.length > query.limit:
            raise e.UnexpectedAnswer(
                f"The shop sent {page.length} of its {query.resource}, {query.limit} were asked for."
            )
        if query.sort in ("id", ("id",)) and any(first >= second for first, second in itertools.pairwise(ids)):
            raise e.UnexpectedAnswer(f"The shop's {query.resource} are not in the order that was asked for.")
        return page

    async def _read_for_repair(self, query: Query) -> Answer:
        return await self._read_list(query, counted=False)

    async def _read_list(self, query: Query, hand_back: Kinds = (), *, counted: bool = True) -> Answer:
        if query.json:
            asked = query.parameters()
            return await self._transport.read(query.resource, asked, check=_check_json, counted=counted)
        return await self._read(query.resource, query.parameters(), hand_back, counted=counted)

    async def _read(self, path: str, parameters: str, hand_back: Kinds = (), *, counted: bool = True) -> Answer:
        if self._sums is None:
            failure: e.AlteredAnswer
            try:
                return await self._transport.read(
                    path, parameters, check=self._check(), hand_back=hand_back, counted=counted
                )
            except e.AlteredAnswer as error:
                failure = error
            # the first sum ever seen does not fit: a proxy that rewrites everything, or this answer alone?
            if (await self._root()).intact() is not False:
                raise failure
        return await self._transport.read(path, parameters, check=self._check(), hand_back=hand_back, counted=counted)

    def _check(self) -> Callable[[Answer], None]:
        def check(answer: Answer) -> None:
            check_read(answer)
            intact = answer.intact()
            if intact:
                self._sums = True
            if intact is False and self._sums is not False:
                raise e.AlteredAnswer(status=answer.status, evidence=answer.evidence())

        return check


def _check_json(answer: Answer) -> None:
    """Raise unless this is a JSON answer without an error list."""
    if answer.status != 200 or answer.errors():
        raise classify(answer)
    if answer.content_type != "application/json" or not answer.body.strip():
        raise e.UnexpectedAnswer("The shop does not answer in JSON.", evidence=answer.evidence())
    if answer.intact() is False:
        raise e.AlteredAnswer(status=answer.status, evidence=answer.evidence())
