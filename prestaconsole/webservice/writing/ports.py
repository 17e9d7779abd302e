"""What the functions of this folder need of a writer. Imports the reads of this room."""

from collections.abc import Mapping
from typing import Any, Protocol

from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.query import Context


class Written(Protocol):
    """A confirmed write."""

    @property
    def entities(self) -> list[Entity]:
        """The echoed entities."""
        ...

    @property
    def ids(self) -> list[int]:
        """The ids that the shop confirmed."""
        ...


class Writes(Protocol):
    """A ``ShopWriter``, as far as it is used here."""

    client: ShopClient

    async def put(
        self,
        resource: str,
        node: str,
        row: Mapping[str, Any],
        *,
        id_shop: Context = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Written:
        """Replace one whole record."""
        ...

    async def patch(
        self,
        resource: str,
        node: str,
        row: Mapping[str, Any],
        *,
        id_shop: Context = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Written:
        """Change some fields of one record."""
        ...

    async def post(
        self,
        resource: str,
        node: str,
        row: Mapping[str, Any],
        *,
        id_shop: Context = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Written:
        """Make one record."""
        ...
