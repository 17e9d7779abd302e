"""The core that every face shares: settings, database, vault, clock, and how a shop is reached."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prestaconsole.clock import Clock, SystemClock
from prestaconsole.database import Connection, Database
from prestaconsole.database.migrations import upgrade
from prestaconsole.operations.secrets import open_key
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.redaction import Secret
from prestaconsole.settings import Settings
from prestaconsole.vault import Vault, open_vault
from prestaconsole.webservice.endpoint import Endpoint

if TYPE_CHECKING:
    from prestaconsole.webservice.client import ShopClient

ClientFor = Callable[[Endpoint], "ShopClient"]


@dataclass(frozen=True)
class Core:
    """Everything a service, a feed or a runner needs; one per process."""

    settings: Settings
    database: Database
    vault: Vault
    clock: Clock
    client_for: ClientFor

    def endpoint(self, shop: ShopRecord, key: Secret, priority: int = 50) -> Endpoint:
        """How this shop is spoken to, with the key that was just opened; a low ``priority`` goes first."""
        return Endpoint(
            base_url=shop.base_url,
            key=key,
            auth=shop.auth,
            rewriting=shop.rewriting,
            ps_method=shop.ps_method,
            timeout=self.settings.request_timeout,
            write_timeout=self.settings.write_timeout,
            concurrency=value(shop, "connection.places"),
            rate=value(shop, "connection.rate"),
            priority=priority,
            proxy=value(shop, "connection.proxy"),
            # not read here: a file that is gone is the doctor's to name, and the connection's to refuse
            ca_file=shop.settings.get("connection.ca", "").strip(),
        )

    def key(self, connection: Connection, shop: ShopRecord) -> Secret:
        """The shop's webservice key, from the vault. Raises ``VaultError``."""
        return open_key(connection, self.vault, shop.id)

    def client(self, shop: ShopRecord, key: Secret, priority: int = 50) -> "ShopClient":
        """A reading client for this shop; close it after use."""
        return self.client_for(self.endpoint(shop, key, priority))

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def open_core(
    settings: Settings, *, clock: Clock | None = None, client_for: ClientFor | None = None, migrate: bool = True
) -> Core:
    """Open the database (made and migrated on first start, unless ``migrate`` is off) and the vault.

    Raises ``DatabaseError`` when the database is newer than the program or cannot be opened, ``VaultError`` when the
    vault's key is open to others or damaged.
    """
    clock = clock or SystemClock()
    database = Database(settings.url)
    try:
        if migrate:
            upgrade(database)
        vault = open_vault(settings)
    except BaseException:
        database.close()
        raise
    return Core(settings, database, vault, clock, client_for or _over_http(clock))


def _over_http(clock: Clock) -> ClientFor:
    """Clients that speak HTTP; it is loaded with the first of them, since most commands ask no shop."""

    def client_for(endpoint: Endpoint) -> "ShopClient":
        from prestaconsole.webservice.client import ShopClient

        return ShopClient(endpoint, clock=clock)

    return client_for
