"""A database can be made, compared with the models, and unmade; one of another version is refused."""

from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, inspect, text

from prestaconsole.database import Database, DatabaseError
from prestaconsole.database.migrations import config, current, head, require_current, upgrade
from prestaconsole.model import Base, Warehouse


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": Base.metadata})
    return list(compare_metadata(context, Base.metadata))


def test_an_empty_database_becomes_exactly_what_the_models_say(empty_database: Database) -> None:
    assert current(empty_database) is None
    upgrade(empty_database)
    assert current(empty_database) == head()
    assert empty_database.read_now(differences) == []


def test_a_change_of_the_models_without_a_revision_is_noticed(database: Database) -> None:
    database.write_now(lambda c: c.execute(text("ALTER TABLE warehouse DROP COLUMN name")))
    assert database.read_now(differences)


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    database.write_now(
        lambda c: c.execute(
            insert(Warehouse).values(code="W1", name="Łódź", created_at=datetime(2026, 11, 19, tzinfo=UTC))
        )
    )
    upgrade(database)
    assert database.read_now(lambda c: c.execute(text("SELECT name FROM warehouse")).scalar_one()) == "Łódź"


def test_downgrading_leaves_no_table_of_ours(database: Database) -> None:
    database.write_now(lambda c: command.downgrade(config(c), "base"))
    left = set(database.read_now(lambda c: inspect(c).get_table_names()))
    assert left <= {"alembic_version"}


def test_after_a_downgrade_an_upgrade_makes_it_whole_again(database: Database) -> None:
    database.write_now(lambda c: command.downgrade(config(c), "base"))
    upgrade(database)
    assert database.read_now(differences) == []


def test_a_database_newer_than_the_program_is_refused_and_left_alone(database: Database) -> None:
    database.write_now(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    for look in (upgrade, require_current):
        with pytest.raises(DatabaseError, match="newer than this program") as refused:
            look(database)
        assert "Install the newer PrestaConsole" in refused.value.remedy
    assert current(database) == "9999"


def test_a_database_older_than_the_program_names_the_command(empty_database: Database) -> None:
    with pytest.raises(DatabaseError, match="older than this program") as refused:
        require_current(empty_database)
    assert "prestaconsole db upgrade" in refused.value.remedy
