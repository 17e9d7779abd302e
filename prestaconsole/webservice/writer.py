"""Writes to a shop: bulk PUT of rows just read, single PUT, PATCH and POST, images. Only the changes may import this.

A write is sent once and never repeated here, but where a host blocked its method: then it goes as POST + ps_method.
It follows no redirect, and counts as done only with the expected status, an XML content type and every id in the
answer (FINDINGS F1, F2). The answer is an echo: read back (F54).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prestaconsole.webservice import codec
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.answers import Answer
from prestaconsole.webservice.classify import classify
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.pictures import image_id, multipart
from prestaconsole.webservice.query import Context, Query, QueryError, context, equals, join

_SUCCESS = {"PUT": 200, "PATCH": 200, "POST": 201}
_SAVED_BEFORE = 86  # an unknown association: the record was saved before it is named (WEBSERVICE §1.3)
_LOOK_FIRST = "Read the records back before anything is sent again."
# what proves that PrestaShop stopped before it touched a record, whatever the status
_BEFORE_ANY_WRITE = (
    e.NoKeyReceived,
    e.KeyMalformed,
    e.KeyUnknown,
    e.NoRightsAtAll,
    e.KeyNotForShop,
    e.NoPermissionResource,
    e.NoPermissionMethod,
    e.WebserviceDisabled,
    e.MethodNotSupported,
    e.MethodForbidden,
    e.ResourceUnknown,
)


@dataclass(frozen=True)
class WriteAnswer:
    """A confirmed write: the echoed entities in the order sent, seconds, bytes of the answer, status."""

    entities: list[Entity]
    seconds: float
    size: int
    status: int

    @property
    def ids(self) -> list[int]:
        """The ids that the shop confirmed."""
        return [entity.id for entity in self.entities]


class ShopWriter:
    """Writes through a client's road. Raises ``Refused``, ``NotSent`` or ``UnknownOutcome``, see ``errors``.

    What has not begun by ``start_by``, aware UTC, is not sent: ``NotSent`` of kind "too-late".
    """

    def __init__(self, client: ShopClient, *, start_by: datetime | None = None) -> None:
        self.client = client
        self._start_by = start_by
        self._transport = client._transport

    async def put_many(
        self, resource: str, node: str, rows: Sequence[Mapping[str, str]], *, id_shop: Context = None
    ) -> WriteAnswer:
        """Replace several records in one body, every column as just read but for the change (F37, F40).

        ``node`` is the name of one entity (``stock_available``). Each row needs its ``id`` and all its columns: what
        is left out is emptied by the shop. Not a transaction: after ``Refused`` the rows before the refused one stand.
        """
        ids = [_id(row) for row in rows]
        if not ids or len(set(ids)) != len(ids):
            raise QueryError("A bulk body needs records, and each only once.")
        return await self._write("PUT", resource, node, rows, ids, id_shop, {})

    async def put(
        self,
        resource: str,
        node: str,
        row: Mapping[str, Any],
        *,
        id_shop: Context = None,
        parameters: Mapping[str, str] | None = None,
    ) -> WriteAnswer:
        """Replace one whole record; missing fields are emptied, so ``row`` is the merged whole (WEBSERVICE §3.3)."""
        return await self._write("PUT", resource, node, [row], [_id(row)], id_shop, parameters or {})

    async def patch(
        self,
        resource: str,
        node: str,
        row: Mapping[str, Any],
        *,
        id_shop: Context = None,
        parameters: Mapping[str, str] | None = None,
    ) -> WriteAnswer:
        """Change the given fields of one record; ``row`` holds its ``id`` (PrestaShop 8 and later, F38)."""
        return await self._write("PATCH", resource, node, [row], [_id(row)], id_shop, parameters or {})

    async def post(
        self,
        resource: str,
        node: str,
        row: Mapping[str, Any],
        *,
        id_shop: Context = None,
        parameters: Mapping[str, str] | None = None,
    ) -> WriteAnswer:
        """Make one record. Not idempotent: look first whether it is there already (F1, F48)."""
        if str(row.get("id") or ""):
            raise QueryError("A new record has no id yet.")
        return await self._write("POST", resource, node, [row], None, id_shop, parameters or {})

    async def add_image(self, id_product: int, image: bytes, *, id_shop: Context = None) -> int:
        """Add an image to a product and give its id; jpg, png or gif, from 8 on webp too (R61, WEBSERVICE §7.8).

        Sending the same image twice doubles it: look at ``client.images`` first, and after ``UnknownOutcome``.
        """
        body, kind = multipart(image, self.client.version)
        path, asked = f"images/products/{int(id_product)}", join(context(id_shop))
        answer = await self._sent("POST", path, asked, body, kind=kind)
        if answer.status not in (200, 201) or answer.errors() or not answer.is_xml or answer.start() < 0:
            raise outcome(answer)
        found = image_id(answer)
        if not found:
            cause = "The shop's answer does not name the image that was sent."
            raise unknown(e.UnexpectedAnswer(cause, status=answer.status, evidence=answer.evidence()))
        return found

    async def replace_image(self, id_product: int, id_image: int, image: bytes, *, id_shop: Context = None) -> None:
        """Replace an image, which keeps its id and place. A true PUT is refused by every version (R63)."""
        body, kind = multipart(image, self.client.version)
        path = f"images/products/{int(id_product)}/{int(id_image)}"
        answer = await self._sent("POST", path, join([("ps_method", "PUT"), *context(id_shop)]), body, kind=kind)
        if answer.status != 200 or not answer.content_type.startswith("image/"):
            raise outcome(answer)

    async def delete_image(self, id_product: int, id_image: int, *, id_shop: Context = None) -> None:
        """Delete an image, and look whether it is gone: 9 answers 500 to a deletion that is done (R65).

        Deleting the cover leaves the product without one, though others remain. Raises ``Refused`` (code 57: there is
        no such image) or, where the looking fails too or still finds it, ``UnknownOutcome``.
        """
        path = f"images/products/{int(id_product)}/{int(id_image)}"
        told: e.UnknownOutcome | None = None
        try:
            answer = await self._sent("DELETE", path, join(context(id_shop)), b"")
            if answer.status != 200 or answer.errors() or answer.content_type == "text/html":
                raise outcome(answer)
        except e.UnknownOutcome as error:
            told = error
        try:
            there = id_image in await self._listed_images(id_product, id_shop)
        except e.WebserviceError as error:
            raise told or unknown(error) from None
        if there:
            cause = f"The image {id_image} of product {id_product} is still there."
            raise told or unknown(e.UnexpectedAnswer(cause))

    async def _listed_images(self, id_product: int, id_shop: Context) -> set[int]:
        """From the product's list, which unlike ``images/products`` tells none from a failure on 1.6 too (F6)."""
        asked = ("id", "images[id]")
        query = Query("products", asked, {"id": equals(int(id_product))}, id_shop=id_shop)
        page = await self.client.page(query)
        found = page.entities[0] if page.complete and len(page.entities) == 1 else None
        if found is None or found.id != int(id_product) or not found.has("images"):
            raise e.UnexpectedAnswer(f"The shop does not list the images of product {id_product}.")
        return {row.id for row in found.rows("images")}

    async def _write(
        self,
        method: str,
        resource: str,
        node: str,
        rows: Sequence[Mapping[str, Any]],
        ids: list[int] | None,
        id_shop: Context,
        extra: Mapping[str, str],
    ) -> WriteAnswer:
        Query(resource)  # raises where the name is none
        single = ids is not None and len(ids) == 1
        path = f"{resource}/{ids[0]}" if ids is not None and single else resource
        answer = await self._sent(method, path, join([*extra.items(), *context(id_shop)]), codec.body(node, rows))
        return confirmed(method, node, len(rows), ids, answer, sums=self.client._sums is not False)

    async def _sent(
        self, method: str, path: str, parameters: str, body: bytes, *, kind: str = "text/xml; charset=utf-8"
    ) -> Answer:
        """The answer to one write. Where a host blocks the method before PrestaShop, it goes as POST + ps_method.

        That is the one repeat here: the refusal came from before PrestaShop, so nothing can have been written (F64).
        What worked is kept for the rest of this client's life and told in ``client.learned``.
        """
        way, began = self._transport.endpoint, self._transport.clock.monotonic()
        answer = await self._carried(method, path, parameters, body, kind)
        if method == "POST" or way.ps_method or not blocked(answer):
            return answer
        left = way.write_timeout - (self._transport.clock.monotonic() - began)
        if left < way.write_timeout / 2:
            return answer  # the time that was allowed for this write would not do for two
        self._transport.endpoint = way.changed(ps_method=True)
        try:
            second = await self._carried(method, path, parameters, body, kind, timeout=left)
        except e.NotSent:
            self._transport.endpoint = way
            return answer
        if blocked(second):
            self._transport.endpoint = way
            return answer
        if second.from_prestashop or second.is_xml:
            self._transport.learned["ps_method"] = True
        return second

    async def _carried(
        self, method: str, path: str, parameters: str, body: bytes, kind: str, timeout: float | None = None
    ) -> Answer:
        failure: e.WebserviceError
        try:
            return await self._transport.send(
                method, path, parameters, body, kind=kind, timeout=timeout, start_by=self._start_by
            )
        except e.WebserviceError as error:
            failure = error
        if isinstance(failure, e.NotConnected):
            raise e.NotSent(failure, f"{failure.cause.rstrip('.')}, so nothing was sent.")
        raise unknown(failure)


def blocked(answer: Answer) -> bool:
    """Whether a host's rule or firewall refused the method before PrestaShop saw it."""
    return (
        answer.status in (403, 405, 406, 501)
        and not answer.from_prestashop
        and not answer.errors()
        and isinstance(classify(answer), e.BlockedByHost)
    )


def confirmed(
    method: str, node: str, count: int, ids: list[int] | None, answer: Answer, *, sums: bool = True
) -> WriteAnswer:
    """The proof of a write in its answer, or the error that it is; ``sums`` says whether check sums count here."""
    if answer.status != _SUCCESS[method] or answer.errors() or not answer.is_xml or answer.start() < 0:
        raise outcome(answer)
    if answer.is_cut() or (sums and answer.intact() is False):
        raise unknown(e.CutAnswer(status=answer.status, evidence=answer.evidence()))
    try:
        root = codec.parse(answer.document())
        entities = codec.read_single(answer.document())
    except codec.Unreadable as error:
        raise unknown(
            e.MalformedXml(f"The shop's echo cannot be read: {error.reason}.", evidence=answer.evidence())
        ) from None
    wrong_nodes = any(child.tag != node for child in root)
    wrong_ids = [entity.id for entity in entities] != ids if ids is not None else any(e.id < 1 for e in entities)
    if wrong_nodes or wrong_ids or len(entities) != count:
        cause = "The shop's answer does not name the records that were sent."
        raise unknown(e.UnexpectedAnswer(cause, status=answer.status, evidence=answer.evidence()))
    return WriteAnswer(entities, answer.seconds, len(answer.body), answer.status)


def outcome(answer: Answer) -> e.WriteError:
    """What an answer that is not a success says about the write.

    A 4xx and a redirect mean that it was refused; so does a code that is only given before anything is touched. Any
    other 5xx, a success with another face and a host's time-out mean that nobody knows (F1, F2).
    """
    error = classify(answer)
    if isinstance(error, _BEFORE_ANY_WRITE):
        return refused(error)
    after = (e.TimedOut, e.SaveFailed, e.PhpMessage)
    if 300 <= answer.status < 500 and not isinstance(error, after) and error.code != _SAVED_BEFORE:
        return refused(error)
    return unknown(error)


def refused(reason: e.WebserviceError) -> e.Refused:
    """The write was refused for this reason."""
    return e.Refused(reason, reason.cause)


def unknown(reason: e.WebserviceError) -> e.UnknownOutcome:
    """Whether the write was done is not known, for this reason."""
    return e.UnknownOutcome(reason, f"It is not known whether the write was done: {reason.cause}", _LOOK_FIRST)


def _id(row: Mapping[str, Any]) -> int:
    text = str(row.get("id") or "").strip()
    if not text.isdecimal() or int(text) < 1:
        raise QueryError("A record that is changed needs its id.")
    return int(text)
