"""A mail server in the test's own loop: takes mail with or without TLS and login, and refuses what it is told to."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Mailbox:
    """What arrived. ``login`` asks for this user and password; ``refuses`` answers a command (``RCPT``) with a line."""

    context: ssl.SSLContext | None = None
    tls_from_start: bool = False
    login: tuple[str, str] | None = None
    refuses: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    port: int = 0
    encrypted: bool = False

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.encrypted = self.tls_from_start
        await _answer(writer, "220 mailbox ready")
        while line := await reader.readline():
            text = line.decode().strip()
            word = text.split(" ")[0].upper()
            self.said.append(word)
            if word in self.refuses:
                await _answer(writer, self.refuses[word])
            elif word == "EHLO":
                offers = ["mailbox"]
                offers += ["STARTTLS"] if self.context and not self.encrypted else []
                offers += ["AUTH PLAIN"] if self.login else []
                await _answer(writer, *[f"250-{offer}" for offer in offers[:-1]], f"250 {offers[-1]}")
            elif word == "STARTTLS" and self.context is not None:
                await _answer(writer, "220 go on")
                await writer.start_tls(self.context)
                self.encrypted = True
            elif word == "AUTH":
                _, user, password = base64.b64decode(text.split(" ")[2]).decode().split("\0")
                await _answer(writer, "235 welcome" if (user, password) == self.login else "535 no")
            elif word == "DATA":
                await _answer(writer, "354 go on")
                body = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
                self.mails.append(message_from_bytes(body, policy=default))  # type: ignore[arg-type]  # what the policy makes
                await _answer(writer, "250 taken")
            elif word == "QUIT":
                await _answer(writer, "221 bye")
                return
            else:
                await _answer(writer, "250 ok")


async def _answer(writer: asyncio.StreamWriter, *lines: str) -> None:
    writer.write("".join(f"{line}\r\n" for line in lines).encode())
    await writer.drain()


@asynccontextmanager
async def mailbox(box: Mailbox | None = None) -> AsyncIterator[Mailbox]:
    """A running mailbox on a free port of 127.0.0.1."""
    box = box or Mailbox()
    given = box.context if box.tls_from_start else None
    server = await asyncio.start_server(box._talk, "127.0.0.1", 0, ssl=given)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for 127.0.0.1, and the file with the authority that vouches for it: itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mailbox")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "mailbox.pem", folder / "mailbox.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public
