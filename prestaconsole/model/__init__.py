"""The tables, one file a subject. Plain data: no rule lives here; imports the database room's types at most."""

from prestaconsole.model.alerts import Alert, AlertChannel, AlertState, ParkedRecord
from prestaconsole.model.audit import AuditEvent, Incident, Person, Waiver
from prestaconsole.model.base import Base
from prestaconsole.model.catalogue import Listing, PackPart, Product
from prestaconsole.model.changes import (
    Change,
    ChangeBatch,
    ChangeKind,
    Changeset,
    ChangesetState,
    ChangeState,
    ForeignWrite,
)
from prestaconsole.model.formula import KitPart, LoadState, ProductFormula, StockLoad
from prestaconsole.model.installation import Installation
from prestaconsole.model.mappings import OrderStateRule
from prestaconsole.model.orders import Order, OrderAddress, OrderEvent, OrderLine
from prestaconsole.model.runs import (
    FeedRun,
    FeedRunLog,
    FeedSchedule,
    FeedState,
    Runner,
    RunState,
    RunWindow,
    ShopCursor,
)
from prestaconsole.model.shops import (
    SealedSecret,
    Shop,
    ShopCarrier,
    ShopCurrency,
    ShopFinding,
    ShopLanguage,
    ShopMode,
    ShopOrderState,
    ShopPace,
    ShopPayment,
    ShopSetting,
    Storefront,
)
from prestaconsole.model.stock import (
    HoldState,
    MovementKind,
    StockHold,
    StockLevel,
    StockMovement,
    Warehouse,
)

__all__ = [
    "Alert",
    "AlertChannel",
    "AlertState",
    "AuditEvent",
    "Base",
    "Change",
    "ChangeBatch",
    "ChangeKind",
    "ChangeState",
    "Changeset",
    "ChangesetState",
    "FeedRun",
    "FeedRunLog",
    "FeedSchedule",
    "FeedState",
    "ForeignWrite",
    "HoldState",
    "Incident",
    "Installation",
    "KitPart",
    "Listing",
    "LoadState",
    "MovementKind",
    "Order",
    "OrderAddress",
    "OrderEvent",
    "OrderLine",
    "OrderStateRule",
    "PackPart",
    "ParkedRecord",
    "Person",
    "Product",
    "ProductFormula",
    "RunState",
    "RunWindow",
    "Runner",
    "SealedSecret",
    "Shop",
    "ShopCarrier",
    "ShopCurrency",
    "ShopCursor",
    "ShopFinding",
    "ShopLanguage",
    "ShopMode",
    "ShopOrderState",
    "ShopPace",
    "ShopPayment",
    "ShopSetting",
    "StockHold",
    "StockLevel",
    "StockLoad",
    "StockMovement",
    "Storefront",
    "Waiver",
    "Warehouse",
]
