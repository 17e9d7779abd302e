"""A simulated PrestaShop: rows, webservice, orders and faults. Stands apart and imports nothing of ours."""

from prestaconsole.sandbox.exchange import Exchange, Mail
from prestaconsole.sandbox.faults import Faults
from prestaconsole.sandbox.keys import DEFAULT_KEY, Key
from prestaconsole.sandbox.server import SandboxServer
from prestaconsole.sandbox.shop import SimulatedShop
from prestaconsole.sandbox.traffic import Traffic

__all__ = ["DEFAULT_KEY", "Exchange", "Faults", "Key", "Mail", "SandboxServer", "SimulatedShop", "Traffic"]
