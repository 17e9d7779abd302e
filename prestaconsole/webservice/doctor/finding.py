"""One finding of the doctor, and what the examinations work on. May import this room's reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.menus import generation
from prestaconsole.webservice.probe import Capabilities
from prestaconsole.webservice.query import Context

Verdict = Literal["ok", "WARN", "FIX"]
Needs = Mapping[str, Mapping[str, Iterable[str]]]


@dataclass(frozen=True)
class Probe:
    """One finding: ``text`` says what was found, ``remedy`` what to do, ``evidence`` is redacted."""

    name: str
    verdict: Verdict
    text: str
    remedy: str = ""
    evidence: str = ""


@dataclass
class Visit:
    """A shop that answers, as the examinations see it. ``settings`` are its configurations, empty when not readable."""

    shop: Capabilities
    client: ShopClient
    needs: Needs
    id_shop: Context = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def generation(self) -> tuple[int, int]:
        """Major and minor number of the version."""
        return generation(self.shop.version)

    def may_read(self, resource: str) -> bool:
        """Whether the key may GET this resource."""
        return self.shop.may("GET", resource)


def ok(name: str, text: str) -> Probe:
    """Nothing to do."""
    return Probe(name, "ok", text)


def warn(name: str, text: str, remedy: str, evidence: str = "") -> Probe:
    """Worth knowing; the shop works without."""
    return Probe(name, "WARN", text, remedy, evidence)


def fix(name: str, text: str, remedy: str, evidence: str = "") -> Probe:
    """Has to be repaired."""
    return Probe(name, "FIX", text, remedy, evidence)


def failed(name: str, error: e.WebserviceError) -> Probe:
    """The examination itself met an error of the shop."""
    return fix(name, error.cause, error.remedy, error.evidence)
