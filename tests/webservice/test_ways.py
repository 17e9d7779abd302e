"""Ways to a shop: HTTP and SOCKS proxies, a certificate authority of one's own, and a better address to offer."""

import asyncio
import contextlib
import gc
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from prestaconsole.errors import UsageError
from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SandboxServer, SimulatedShop
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint, authority_file, proxy_address
from prestaconsole.webservice.probe import connect
from tests.webservice.shops import ROOT, FakeClock, xml

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BROKEN = (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on a free port; what still runs at the end is ended with it."""
    running: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        with contextlib.suppress(*BROKEN):
            await serve(reader, writer)
        await shut(writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        tasks = [task for task in running if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=5)


async def shut(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(*BROKEN):
        await writer.wait_closed()


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, first: bytes) -> None:
    there, back = await asyncio.open_connection(host, port)
    back.write(first)

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*BROKEN):
            while piece := await source.read(65536):
                target.write(piece)
                await target.drain()
        target.close()

    try:
        await asyncio.gather(copy(reader, back), copy(there, writer))
    finally:
        await shut(back)


class HttpProxy:
    """Forwards plain http, refuses what it is told to refuse."""

    def __init__(self, refuse: bool = False) -> None:
        self.seen: list[str] = []
        self.refuse = refuse

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.seen.append(head.split(b"\r\n")[0].decode())
        if self.refuse:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await shut(writer)
            return
        url = httpx.URL(head.split(b" ")[1].decode())
        await relay(reader, writer, url.host, url.port or 80, head.replace(str(url).encode(), url.raw_path, 1))


class SocksProxy:
    """SOCKS 5 without a password."""

    def __init__(self, refuse: bool = False) -> None:
        self.seen: list[str] = []
        self.refuse = refuse

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = (await reader.readexactly(2))[1]
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 1:
            host = ".".join(str(part) for part in await reader.readexactly(4))
        else:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.seen.append(f"{host}:{port}")
        writer.write(b"\x05" + (b"\x05" if self.refuse else b"\x00") + b"\x00\x01\x00\x00\x00\x00\x00\x00")
        if self.refuse:
            await shut(writer)
            return
        await relay(reader, writer, host, port, b"")


@pytest.fixture(scope="module")
def shop() -> SimulatedShop:
    return SimulatedShop.generate(version="8.2.1", products=4, orders=2, seed=8)


@pytest.mark.parametrize(("kind", "scheme"), [(HttpProxy, "http"), (SocksProxy, "socks5")])
async def test_a_shop_is_reached_through_its_own_proxy(
    shop: SimulatedShop, kind: type[HttpProxy] | type[SocksProxy], scheme: str
) -> None:
    proxy = kind()
    with SandboxServer(shop, port=0) as server:
        base = server.url.rstrip("/")
        async with listening(proxy) as port:
            way = Endpoint(base, Secret(DEFAULT_KEY), proxy=proxy_address(f"{scheme}://127.0.0.1:{port}"))
            async with ShopClient(way) as client:
                assert (await client.root()).version == "8.2.1"
    assert proxy.seen
    assert str(httpx.URL(base).port) in proxy.seen[0]
    assert DEFAULT_KEY not in repr(proxy.seen)


@pytest.mark.parametrize(("kind", "scheme"), [(HttpProxy, "http"), (SocksProxy, "socks5"), (None, "socks5")])
async def test_a_proxy_that_refuses_is_told_from_a_shop_that_does(
    shop: SimulatedShop, kind: type[HttpProxy] | type[SocksProxy] | None, scheme: str
) -> None:
    with SandboxServer(shop, port=0) as server:
        async with listening(kind(refuse=True) if kind else HttpProxy()) as port:
            pass_port = port if kind else 1
            way = Endpoint(
                server.url.rstrip("/"), Secret(DEFAULT_KEY), proxy=f"{scheme}://127.0.0.1:{pass_port}", timeout=5.0
            )
            async with ShopClient(way, clock=FakeClock()) as client:
                with pytest.raises(e.WebserviceError) as caught:
                    await client.root()
    assert caught.value.kind == "proxy"
    assert "connection.proxy" in caught.value.remedy
    gc.collect()


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("", ""),
        ("proxy.example:3128", "http://proxy.example:3128"),
        ("http://Proxy.Example", "http://proxy.example:8080"),
        ("socks5://10.0.0.1", "socks5://10.0.0.1:1080"),
        ("socks5h://[::1]:9050/", "socks5h://[::1]:9050"),
    ],
)
def test_a_proxy_is_stored_with_scheme_and_port(typed: str, stored: str) -> None:
    assert proxy_address(typed) == stored


@pytest.mark.parametrize(
    "typed", ["http://me:secret@proxy:3128", "me@proxy", "ftp://proxy", "http://proxy/x", "http://:80", "http://p:x"]
)
def test_a_proxy_with_a_password_or_without_sense_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        proxy_address(typed)
    assert "secret" not in str(caught.value)
    assert caught.value.remedy


def authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate authority of one's own and a server with a certificate of it."""
    now = datetime.now(UTC)

    def certificate(
        name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey, ca: bool
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            key.public_key(),
            x509.random_serial_number(),
            now - timedelta(days=1),
            now + timedelta(days=1),
        ).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(identifier, critical=False).add_extension(signed_by, critical=False)
        if ca:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(signer, hashes.SHA256())

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = certificate("Our own authority", root_key, "Our own authority", root_key, True)
    leaf = certificate("localhost", key, "Our own authority", root_key, False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(root.public_bytes(pem))
    (folder / "leaf.pem").write_bytes(
        leaf.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "leaf.pem")
    return folder / "ca.pem", server


async def test_a_shop_with_a_certificate_of_ones_own_authority_is_trusted_by_its_file_only(
    shop: SimulatedShop, tmp_path: Path
) -> None:
    ca, tls = authority(tmp_path)
    with SandboxServer(shop, port=0) as server:
        inner = httpx.URL(server.url)

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await relay(reader, writer, inner.host, inner.port or 80, b"")

        async with listening(forward, tls) as port:
            way = Endpoint(f"https://localhost:{port}", Secret(DEFAULT_KEY), timeout=5.0)
            async with ShopClient(way, clock=FakeClock()) as client:
                with pytest.raises(e.CertificateProblem):
                    await client.root()
            trusting = way.changed(ca_file=authority_file(str(ca)))
            async with ShopClient(trusting, clock=FakeClock()) as client:
                assert (await client.root()).version == "8.2.1"


async def test_an_authority_that_cannot_be_read_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    for content in (None, b"no certificate"):
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UsageError):
            authority_file(str(file))
        with pytest.raises(e.CertificateFile):
            ShopClient(Endpoint("https://shop.example", Secret(DEFAULT_KEY), ca_file=str(file)))
    assert authority_file("  ") == ""


# -- a better address --------------------------------------------------------------------------------------------


class Hosts:
    """Several hosts behind one transport; a shop lives at one base, and every request is kept."""

    def __init__(self, base: str, *, rewriting: bool = True) -> None:
        self.base, self.rewriting = base, rewriting
        self.answers: dict[str, httpx.Response | Exception] = {}
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        address = str(request.url).partition("?")[0]
        for start, answer in self.answers.items():
            if address.startswith(start):
                if isinstance(answer, Exception):
                    raise answer
                return answer
        entry = f"{self.base}/api/" if self.rewriting else f"{self.base}/webservice/dispatcher.php"
        if address != entry:
            return httpx.Response(404, html="<h1>Not Found</h1>")
        if "authorization" not in request.headers:
            asks = {"WWW-Authenticate": 'Basic realm="Welcome to PrestaShop Webservice"'}
            return httpx.Response(401, text="401 Unauthorized", headers=asks)
        return xml(ROOT)


async def offered(hosts: Hosts, typed: str) -> e.WebserviceError:
    way = Endpoint(typed, Secret(DEFAULT_KEY))
    with pytest.raises(e.WebserviceError) as caught:
        await connect(way, transport=httpx.MockTransport(hosts), clock=FakeClock())
    for request in hosts.requests:
        if not str(request.url).startswith(f"{typed}/"):
            assert "authorization" not in request.headers, request.url
            assert DEFAULT_KEY not in str(request.url)
    return caught.value


REFUSED = httpx.ConnectError("[Errno 111] Connection refused")
UNKNOWN = httpx.ConnectError("[Errno -2] Name or service not known")


@pytest.mark.parametrize(
    ("typed", "base", "answers"),
    [
        ("https://shop.example", "https://shop.example/prestashop", {}),
        ("https://shop.example", "https://shop.example/boutique", {}),
        ("https://shop.example/fr/accueil", "https://shop.example", {}),
        ("https://shop.example/shop/en", "https://shop.example/shop", {}),
        ("https://www.shop.example", "https://shop.example", {"https://www.shop.example": UNKNOWN}),
        ("https://shop.example", "https://www.shop.example", {"https://shop.example": UNKNOWN}),
        ("http://shop.example", "https://shop.example", {"http://shop.example": REFUSED}),
        ("https://localhost:8080", "http://localhost:8080", {"https://localhost:8080": REFUSED}),
    ],
)
async def test_a_shop_near_the_typed_address_is_offered_without_showing_the_key(
    typed: str, base: str, answers: dict[str, httpx.Response | Exception]
) -> None:
    for rewriting in (True, False):
        hosts = Hosts(base, rewriting=rewriting)
        hosts.answers.update(answers)
        error = await offered(hosts, typed)
        assert error.proposed == base
        assert base in error.remedy


async def test_nothing_is_offered_where_nothing_is_and_http_never_for_https() -> None:
    for answers in ({}, {"https://shop.example": REFUSED}, {"https://shop.example": UNKNOWN}):
        hosts = Hosts("http://shop.example")
        hosts.answers.update(answers)
        error = await offered(hosts, "https://shop.example")
        assert error.proposed == ""
        assert not [request for request in hosts.requests if request.url.scheme == "http"]
        assert len(hosts.requests) <= 25


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("typed", "location", "base"),
    [
        ("http://shop.example", "https://shop.example/api/", "https://shop.example"),
        ("https://shop.example", "https://www.shop.example/?url=", "https://www.shop.example"),
        ("https://shop.example", "https://shop.example/boutique/api/", "https://shop.example/boutique"),
        ("https://shop.example", "/boutique/api/", "https://shop.example/boutique"),
        ("https://shop.example", "/login.php?back=api", ""),
        ("https://shop.example", "https://shop.example/", ""),
        ("https://shop.example", "ftp://shop.example/", ""),
        ("https://shop.example", "", ""),
    ],
)
async def test_where_a_redirect_leads_is_offered_and_never_asked(
    status: int, typed: str, location: str, base: str
) -> None:
    hosts = Hosts("https://nowhere.example")
    hosts.answers[typed] = httpx.Response(status, headers={"Location": location})
    error = await offered(hosts, typed)
    assert isinstance(error, e.Redirected)
    assert error.proposed == base
    assert {request.url.host for request in hosts.requests} == {httpx.URL(typed).host}
    assert all(str(request.url).startswith(typed) for request in hosts.requests)


async def test_a_front_page_that_moved_is_offered_too() -> None:
    hosts = Hosts("https://nowhere.example")
    hosts.answers["https://shop.example/api"] = httpx.Response(404, html="<h1>Not Found</h1>")
    hosts.answers["https://shop.example/webservice"] = httpx.Response(404, html="<h1>Not Found</h1>")

    def handler(request: httpx.Request) -> httpx.Response:
        if str(request.url) == "https://shop.example/":
            hosts.requests.append(request)
            return httpx.Response(302, headers={"Location": "https://shop.example/magasin/"})
        return hosts(request)

    with pytest.raises(e.ApiNotFound) as caught:
        await connect(
            Endpoint("https://shop.example", Secret(DEFAULT_KEY)),
            transport=httpx.MockTransport(handler),
            clock=FakeClock(),
        )
    assert caught.value.proposed == "https://shop.example/magasin"
