"""A made-up shop with a clock that stands still, and a client that knows its key."""

import re
from collections.abc import Iterator

import httpx
import pytest
from lxml import etree

from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop

NOON = 1_795_260_000.0  # 2026-11-21 12:20 in Paris
BODY = '<?xml version="1.0" encoding="UTF-8"?>\n<prestashop>{}</prestashop>'


class Answer:
    """An answer as a test reads it."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.text = response.text
        self.headers = response.headers

    @property
    def tree(self) -> etree._Element:
        return etree.fromstring(self.response.content)

    @property
    def codes(self) -> list[int]:
        return [int(code) for code in re.findall(r"<code><!\[CDATA\[(\d+)\]\]></code>", self.text)]

    @property
    def message(self) -> str:
        return self.tree.findtext("errors/error/message") or ""

    @property
    def ids(self) -> list[int]:
        found = []
        for entity in self.tree[0] if len(self.tree) else ():
            found.append(int(entity.get("id") or entity.findtext("id") or 0))
        return found

    def node(self, name: str) -> str:
        """The text of a node of the single entity, or of the first one listed."""
        return next(self.tree.iter(name)).text or ""


class Client:
    """Asks a simulated shop in-process."""

    def __init__(self, shop: SimulatedShop, key: str = DEFAULT_KEY) -> None:
        self.shop = shop
        self.key = key

    async def ask(
        self,
        method: str,
        path: str,
        body: str | bytes = "",
        *,
        auth: bool = True,
        headers: dict[str, str] | None = None,
        host: str = "shop.example",
    ) -> Answer:
        transport = httpx.ASGITransport(app=self.shop.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            login = httpx.BasicAuth(self.key, "") if auth else None
            content = body.encode() if isinstance(body, str) else body
            return Answer(await client.request(method, f"/api/{path}", content=content, auth=login, headers=headers))

    async def get(self, path: str, **wanted: object) -> Answer:
        return await self.ask("GET", path, **wanted)  # type: ignore[arg-type]  # passed on as they are

    async def put(self, path: str, nodes: str) -> Answer:
        return await self.ask("PUT", path, BODY.format(nodes))

    async def patch(self, path: str, nodes: str) -> Answer:
        return await self.ask("PATCH", path, BODY.format(nodes))

    async def post(self, path: str, nodes: str) -> Answer:
        return await self.ask("POST", path, BODY.format(nodes))

    async def stock_row(self, row_id: int, **changes: str) -> str:
        """The whole stock row as an entity to be sent back, with some values changed."""
        row = self.shop.row("stock_availables", row_id) | changes
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in row.items())
        return f"<stock_available>{inner}</stock_available>"


@pytest.fixture
def shop() -> Iterator[SimulatedShop]:
    yield SimulatedShop.generate(products=40, orders=30, seed=7, clock=lambda: NOON)


@pytest.fixture
def client(shop: SimulatedShop) -> Client:
    return Client(shop)
