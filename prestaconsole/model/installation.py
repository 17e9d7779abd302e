"""What holds for the whole installation: one row. Imports the base only."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import UtcDateTime


class Installation(Base):
    """The one row (id 1) about all shops together: a pause of everything, and which life of the database this is.

    ``epoch`` grows by one with each restore, so that what an earlier life had planned or read is known as such.
    """

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(default=1)
    restored_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    restored_from: Mapped[str] = mapped_column(String(200), default="")
    restored_as_of: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The last sign of life in the backup: what happened since then is not in this database."""
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_by: Mapped[str] = mapped_column(String(80), default="")
    pause_reason: Mapped[str] = mapped_column(Text, default="")
    backed_up_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    backed_up_to: Mapped[str] = mapped_column(String(400), default="")
    pruned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a process last began the nightly retention: whoever moves it does the work of that night."""
