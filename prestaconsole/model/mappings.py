"""What a person decided about a shop's words: order-state rules; carriers and payments come beside them."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import UtcDateTime


class OrderStateRule(Base):
    """What to do with orders in a state (rows B15–B18): import, hold, done, cancelled or skip, and the retry flag."""

    __tablename__ = "order_state_rule"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    id_order_state: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    action: Mapped[str] = mapped_column(String(12))
    retry: Mapped[bool] = mapped_column(default=False)
    retry_days: Mapped[int] = mapped_column(default=30)
    """Watched orders of this state are given up after so many days."""
    suggested: Mapped[bool] = mapped_column(default=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(80))
