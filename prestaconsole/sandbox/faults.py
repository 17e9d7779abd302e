"""What can go wrong between a client and its shop, by share or by count (DESIGN §10). Imports nothing of ours."""

import random
from dataclasses import dataclass, field
from typing import Any

SHARES = ("http500", "php-warning", "html", "truncate", "reset", "timeout-before", "timeout-after", "429", "other-shop")
SWITCHES = ("no-auth-header", "block-put", "mail-refused", "php-messages")
NUMBERS = ("latency", "redirect", "clock", "id-reuse")
NAMES = (*NUMBERS, *SHARES, *SWITCHES)


@dataclass
class Faults:
    """The faults of one shop; switchable while it runs, the same each time for one seed.

    A fault is either a share of the requests (0–1), a count ("the next 3"), or on for all.
    """

    seed: int = 1
    latency: float = 0.0  # milliseconds before every answer
    redirect: int | None = None  # every request is sent to the canonical address with this status
    clock: float = 0.0  # seconds the shop's clock is ahead
    id_reuse: float = 0.0  # so many of the newest orders are lost, once, as to an old backup; their ids come again
    mail_seconds: float = 0.0  # how long the shop's mail server takes
    hang: float = 600.0  # seconds a request that times out over a port is held open
    _shares: dict[str, float] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _skips: dict[str, int] = field(default_factory=dict)
    _switches: set[str] = field(default_factory=set)
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - chance, not a secret

    def set(self, name: str, value: float | bool | str | None = None) -> None:
        """Switch a fault on as the command line names it, such as `set("http500", 0.1)`.

        Raises ValueError for an unknown name or a value the fault cannot take.
        """
        name = name.replace("_", "-")
        if isinstance(value, str) and value.startswith("next:"):
            count = value.removeprefix("next:")
            if not count.isdecimal():
                raise ValueError(f"{name}={value} names no count: {name}=next:3.")
            self.next(name, int(count))
        elif name in SWITCHES:
            if value in (False, "0", 0, "off"):
                self._switches.discard(name)
            else:
                self._switches.add(name)
        elif name in SHARES:
            share = 1.0 if value in (None, True) else _amount(name, value)
            self._counts.pop(name, None)
            if not 0 <= share <= 1:
                raise ValueError(f"The fault {name} takes a share from 0 to 1, not {value}.")
            self._shares[name] = share
        elif name in NUMBERS:
            if value is None:
                raise ValueError(f"The fault {name} needs a number: {name}=NUMBER.")
            amount = _amount(name, value)
            setattr(self, name.replace("-", "_"), (int(amount) or None) if name == "redirect" else amount)
        else:
            raise ValueError(f"There is no fault {name!r}. Known: {', '.join(NAMES)}.")

    def next(self, name: str, count: int = 1, *, after: int = 0) -> None:
        """Make the next `count` requests fail this way, once `after` requests have gone through."""
        name = name.replace("_", "-")
        if name not in SHARES:
            raise ValueError(f"Only these faults can be counted: {', '.join(SHARES)}.")
        self._counts[name] = count
        self._skips[name] = after

    def clear(self) -> None:
        """Everything works again."""
        self._shares.clear()
        self._counts.clear()
        self._skips.clear()
        self._switches.clear()
        self.latency = self.clock = self.mail_seconds = self.id_reuse = 0.0
        self.redirect = None

    def on(self, name: str) -> bool:
        """Whether a switch (no-auth-header, block-put, mail-refused) is on."""
        return name in self._switches

    def draw(self) -> str | None:
        """The fault that hits the request now beginning, or None."""
        for name in SHARES:
            if self._counts.get(name):
                if self._skips.get(name):
                    self._skips[name] -= 1
                    continue
                self._counts[name] -= 1
                return name
        for name in SHARES:
            share = self._shares.get(name, 0.0)
            if share and self._random.random() < share:
                return name
        return None

    def state(self) -> dict[str, Any]:
        """What is switched on, for a person to read."""
        told: dict[str, Any] = {name: share for name, share in self._shares.items() if share}
        told |= {name: f"next {count}" for name, count in self._counts.items() if count}
        told |= dict.fromkeys(sorted(self._switches), True)
        numbers = {name: getattr(self, name.replace("-", "_")) for name in NUMBERS}
        told |= {name: value for name, value in numbers.items() if value}
        return told


def _amount(name: str, value: float | bool | str | None) -> float:
    if value in ("off", "", None):
        return 0.0
    try:
        return float(value or 0)
    except ValueError:
        raise ValueError(f"The fault {name} takes a number, not {value}.") from None
