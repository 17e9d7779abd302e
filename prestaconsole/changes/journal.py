"""What the journal says of a plan as a whole. Reads only; imports model."""

from collections.abc import Sequence

from sqlalchemy import func, select

from prestaconsole.database import Connection
from prestaconsole.model import Change, Changeset, ChangeState

_CHUNK = 500


def count_states(connection: Connection, changeset_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """By plan: how many of its changes stand in each state, by the state's word. A plan without changes is absent."""
    found: dict[int, dict[str, int]] = {}
    for start in range(0, len(changeset_ids), _CHUNK):
        rows = connection.execute(
            select(Change.changeset_id, Change.state, func.count())
            .where(Change.changeset_id.in_(changeset_ids[start : start + _CHUNK]))
            .group_by(Change.changeset_id, Change.state)
            .order_by(Change.changeset_id, Change.state)
        )
        for changeset, state, count in rows:
            found.setdefault(changeset, {})[ChangeState(state).name.lower()] = count
    bare = [changeset for changeset in changeset_ids if changeset not in found]
    for start in range(0, len(bare), _CHUNK):
        # Where retention took the rows away it left this summary.
        kept = select(Changeset.id, Changeset.brake).where(Changeset.id.in_(bare[start : start + _CHUNK]))
        found |= {row.id: dict(row.brake["ended"]) for row in connection.execute(kept) if row.brake.get("ended")}
    return found
