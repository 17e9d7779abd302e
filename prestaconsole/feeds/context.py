"""What a feed is given to do its work, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from prestaconsole.operations.core import Core
from prestaconsole.operations.pages import PageCommit
from prestaconsole.operations.shops import ShopRecord

if TYPE_CHECKING:
    from prestaconsole.webservice.client import ShopClient


@dataclass(frozen=True)
class RunView:
    """The run as its feed sees it. ``plan_only``: the mode or the person wants a plan, nothing may be sent."""

    id: int
    feed: str
    params: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    plan_only: bool = False
    actor: str = ""
    trigger: str = "person"
    attempt: int = 1


@dataclass(frozen=True)
class FeedContext:
    """One run of one feed in one shop. ``client`` can only read; writing is the changes' affair."""

    core: Core
    shop: ShopRecord
    client: "ShopClient"
    run: RunView
    commit: PageCommit


@dataclass(frozen=True)
class Outcome:
    """How a feed ended. ``complete``: everything there was has been read, so what needs this feed first may run."""

    state: Literal["done", "held"] = "done"
    complete: bool = False
    text: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Kept in ``feed_state.detail``, merged over what stands there."""
