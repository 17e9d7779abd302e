"""The spine"""

import sqlalchemy as sa
from alembic import op

from prestaconsole.model.types import Amount, Identifier, Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_channel",
        sa.Column("name", sa.String(length=10), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("last_sent_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alert_channel")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("restored_at", UtcDateTime(), nullable=True),
        sa.Column("restored_from", sa.String(length=200), nullable=False),
        sa.Column("restored_as_of", UtcDateTime(), nullable=True),
        sa.Column("paused_at", UtcDateTime(), nullable=True),
        sa.Column("paused_until", UtcDateTime(), nullable=True),
        sa.Column("paused_by", sa.String(length=80), nullable=False),
        sa.Column("pause_reason", sa.Text(), nullable=False),
        sa.Column("backed_up_at", UtcDateTime(), nullable=True),
        sa.Column("backed_up_to", sa.String(length=400), nullable=False),
        sa.Column("pruned_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "person",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("login", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("login", name=op.f("uq_person_login")),
    )
    op.create_table(
        "product",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("sku", sa.String(length=80), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("ean13", sa.String(length=14), nullable=False),
        sa.Column("origin", sa.String(length=12), nullable=False),
        sa.Column("stop_selling", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("sku", name=op.f("uq_product_sku")),
    )
    with op.batch_alter_table("product", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_product_ean13"), ["ean13"], unique=False)

    op.create_table(
        "runner",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("host", sa.String(length=120), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("heartbeat", UtcDateTime(), nullable=False),
        sa.Column("progress_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("stopped_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runner")),
    )
    with op.batch_alter_table("runner", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_runner_heartbeat"), ["heartbeat"], unique=False)

    op.create_table(
        "shop",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("base_url", sa.String(length=400), nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("mode", sa.String(length=12), nullable=False),
        sa.Column("colour", sa.String(length=12), nullable=False),
        sa.Column("auth", sa.String(length=8), nullable=False),
        sa.Column("rewriting", sa.Boolean(), nullable=False),
        sa.Column("ps_method", sa.Boolean(), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("id_language", sa.Integer(), nullable=False),
        sa.Column("key_print", sa.String(length=12), nullable=False),
        sa.Column("key_set_at", UtcDateTime(), nullable=True),
        sa.Column("fingerprint", Json, nullable=False),
        sa.Column("capabilities", Json, nullable=False),
        sa.Column("identity_checked_at", UtcDateTime(), nullable=True),
        sa.Column("paused_at", UtcDateTime(), nullable=True),
        sa.Column("paused_until", UtcDateTime(), nullable=True),
        sa.Column("paused_by", sa.String(length=80), nullable=False),
        sa.Column("pause_reason", sa.String(length=200), nullable=False),
        sa.Column("health", sa.String(length=8), nullable=False),
        sa.Column("last_good_at", UtcDateTime(), nullable=True),
        sa.Column("last_error_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("went_live_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop")),
        sa.UniqueConstraint("base_url", name=op.f("uq_shop_base_url")),
        sa.UniqueConstraint("code", name=op.f("uq_shop_code")),
        sa.UniqueConstraint("name", name=op.f("uq_shop_name")),
    )
    op.create_table(
        "warehouse",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("folder", sa.String(length=400), nullable=False),
        sa.Column("good_rows", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warehouse")),
        sa.UniqueConstraint("code", name=op.f("uq_warehouse_code")),
    )
    op.create_table(
        "audit_event",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("shop_id", Identifier, nullable=True),
        sa.Column("record", sa.String(length=120), nullable=False),
        sa.Column("before", Json, nullable=True),
        sa.Column("after", Json, nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_audit_event_shop_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index("ix_audit_event_shop_id_id", ["shop_id", "id"], unique=False)

    op.create_table(
        "changeset",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("mode", sa.String(length=12), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("canary", sa.Boolean(), nullable=False),
        sa.Column("brake", Json, nullable=False),
        sa.Column("undoes_id", Identifier, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("planned_at", UtcDateTime(), nullable=True),
        sa.Column("approved_at", UtcDateTime(), nullable=True),
        sa.Column("approved_by", sa.String(length=80), nullable=False),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.Column("released_by", sa.String(length=80), nullable=False),
        sa.Column("release_reason", sa.String(length=200), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_changeset_shop_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["undoes_id"], ["changeset.id"], name=op.f("fk_changeset_undoes_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changeset")),
    )
    with op.batch_alter_table("changeset", schema=None) as batch_op:
        batch_op.create_index("ix_changeset_shop_id_state", ["shop_id", "state"], unique=False)

    op.create_table(
        "feed_run",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("feed", sa.String(length=40), nullable=False),
        sa.Column("active_key", sa.String(length=120), nullable=True),
        sa.Column("serial_key", sa.String(length=80), nullable=False),
        sa.Column("slot_key", sa.String(length=40), nullable=True),
        sa.Column("params", Json, nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("window", sa.String(length=8), nullable=False),
        sa.Column("owner", sa.Integer(), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("checkpoint", Json, nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("phase", sa.String(length=80), nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("error_kind", sa.String(length=40), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("progress_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_feed_run_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_run")),
        sa.UniqueConstraint("active_key", name=op.f("uq_feed_run_active_key")),
        sa.UniqueConstraint("slot_key", name=op.f("uq_feed_run_slot_key")),
    )
    with op.batch_alter_table("feed_run", schema=None) as batch_op:
        batch_op.create_index("ix_feed_run_queue", ["state", "priority", "due"], unique=False)
        batch_op.create_index("ix_feed_run_serial", ["serial_key", "state"], unique=False)
        batch_op.create_index("ix_feed_run_shop_id_feed", ["shop_id", "feed", "id"], unique=False)

    op.create_table(
        "feed_schedule",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("feed", sa.String(length=40), nullable=False),
        sa.Column("every", sa.String(length=80), nullable=False),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("window", sa.String(length=40), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("next_due", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_feed_schedule_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_schedule")),
        sa.UniqueConstraint("shop_id", "feed", name=op.f("uq_feed_schedule_shop_id_feed")),
    )
    with op.batch_alter_table("feed_schedule", schema=None) as batch_op:
        batch_op.create_index("ix_feed_schedule_due", ["enabled", "next_due"], unique=False)

    op.create_table(
        "feed_state",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("feed", sa.String(length=40), nullable=False),
        sa.Column("completed_at", UtcDateTime(), nullable=True),
        sa.Column("last_ok_at", UtcDateTime(), nullable=True),
        sa.Column("last_run_id", sa.Integer(), nullable=True),
        sa.Column("window_ended_at", UtcDateTime(), nullable=True),
        sa.Column("detail", Json, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_feed_state_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "feed", name=op.f("pk_feed_state")),
    )
    op.create_table(
        "incident",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=True),
        sa.Column("open_key", sa.String(length=160), nullable=True),
        sa.Column("cause_key", sa.String(length=120), nullable=False),
        sa.Column("severity", sa.String(length=6), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("snoozed_until", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.String(length=80), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("detail", Json, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_incident_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sa.UniqueConstraint("open_key", name=op.f("uq_incident_open_key")),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index("ix_incident_open", ["closed_at", "shop_id"], unique=False)
        batch_op.create_index("ix_incident_shop_id_cause_key", ["shop_id", "cause_key"], unique=False)

    op.create_table(
        "kit_part",
        sa.Column("kit_id", Identifier, nullable=False),
        sa.Column("part_id", Identifier, nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["kit_id"], ["product.id"], name=op.f("fk_kit_part_kit_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["part_id"], ["product.id"], name=op.f("fk_kit_part_part_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("kit_id", "part_id", name=op.f("pk_kit_part")),
    )
    with op.batch_alter_table("kit_part", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_kit_part_part_id"), ["part_id"], unique=False)

    op.create_table(
        "listing",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("id_product", sa.Integer(), nullable=False),
        sa.Column("id_product_attribute", sa.Integer(), nullable=False),
        sa.Column("id_shop", sa.Integer(), nullable=False),
        sa.Column("product_id", Identifier, nullable=True),
        sa.Column("has_combinations", sa.Boolean(), nullable=False),
        sa.Column("sku", sa.String(length=80), nullable=False),
        sa.Column("ean13", sa.String(length=14), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("price", Amount(), nullable=False),
        sa.Column("product_type", sa.String(length=16), nullable=False),
        sa.Column("pack_stock_type", sa.Integer(), nullable=False),
        sa.Column("linked_by", sa.String(length=12), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("gone_at", UtcDateTime(), nullable=True),
        sa.Column("id_stock_available", sa.Integer(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("quantity_read_at", UtcDateTime(), nullable=True),
        sa.Column("depends_on_stock", sa.Boolean(), nullable=False),
        sa.Column("expected_low", sa.Integer(), nullable=True),
        sa.Column("expected_high", sa.Integer(), nullable=True),
        sa.Column("expected_at", UtcDateTime(), nullable=True),
        sa.Column("confirmed_quantity", sa.Integer(), nullable=True),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("push_mark", sa.Integer(), nullable=False),
        sa.Column("planned_mark", sa.Integer(), nullable=False),
        sa.Column("marked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_listing_product_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_listing_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing")),
        sa.UniqueConstraint(
            "shop_id",
            "id_product",
            "id_product_attribute",
            name=op.f("uq_listing_shop_id_id_product_id_product_attribute"),
        ),
    )
    with op.batch_alter_table("listing", schema=None) as batch_op:
        batch_op.create_index(
            "ix_listing_marked",
            ["shop_id", "id"],
            unique=False,
            sqlite_where=sa.text("push_mark > planned_mark"),
            postgresql_where=sa.text("push_mark > planned_mark"),
        )
        batch_op.create_index(batch_op.f("ix_listing_product_id"), ["product_id"], unique=False)
        batch_op.create_index("ix_listing_shop_id_sku", ["shop_id", "sku"], unique=False)
        batch_op.create_index("ix_listing_shop_id_stock_row", ["shop_id", "id_stock_available"], unique=False)

    op.create_table(
        "pack_part",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("id_product", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id_part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id_part_attribute", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_pack_part_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "id_product", "id_part", "id_part_attribute", name=op.f("pk_pack_part")),
    )

    op.create_table(
        "order_event",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("id_order_history", sa.Integer(), nullable=False),
        sa.Column("id_order", sa.Integer(), nullable=False),
        sa.Column("id_order_state", sa.Integer(), nullable=False),
        sa.Column("date_add", UtcDateTime(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_order_event_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_event")),
        sa.UniqueConstraint("shop_id", "id_order_history", name=op.f("uq_order_event_shop_id_id_order_history")),
    )
    with op.batch_alter_table("order_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_order_event_id_order"), ["id_order"], unique=False)

    op.create_table(
        "order_state_rule",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("id_order_state", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(length=12), nullable=False),
        sa.Column("retry", sa.Boolean(), nullable=False),
        sa.Column("retry_days", sa.Integer(), nullable=False),
        sa.Column("suggested", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_order_state_rule_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "id_order_state", name=op.f("pk_order_state_rule")),
    )
    op.create_table(
        "parked_record",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("record", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("cause", sa.String(length=300), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("parked_at", UtcDateTime(), nullable=True),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.Column("released_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_parked_record_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parked_record")),
        sa.UniqueConstraint("shop_id", "kind", "record", name=op.f("uq_parked_record_shop_id_kind_record")),
    )
    op.create_table(
        "product_formula",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("product_id", Identifier, nullable=False),
        sa.Column("buffer", sa.Integer(), nullable=True),
        sa.Column("threshold", sa.Integer(), nullable=True),
        sa.Column("cap", sa.Integer(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_formula_product_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_product_formula_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "product_id", name=op.f("pk_product_formula")),
    )
    op.create_table(
        "sealed_secret",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("wrapped_with", sa.String(length=16), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_sealed_secret_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "name", name=op.f("pk_sealed_secret")),
    )
    op.create_table(
        "shop_carrier",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("id_carrier", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id_reference", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("url", sa.String(length=400), nullable=False),
        sa.Column("external_module_name", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_carrier_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "id_carrier", name=op.f("pk_shop_carrier")),
    )
    op.create_table(
        "shop_currency",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("id_currency", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("iso_code", sa.String(length=3), nullable=False),
        sa.Column("digits", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_currency_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "id_currency", name=op.f("pk_shop_currency")),
    )
    op.create_table(
        "shop_cursor",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("moved_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_cursor_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "name", name=op.f("pk_shop_cursor")),
    )
    op.create_table(
        "shop_finding",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_finding_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "source", "name", name=op.f("pk_shop_finding")),
    )
    op.create_table(
        "shop_language",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("id_lang", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("iso_code", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_language_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "id_lang", name=op.f("pk_shop_language")),
    )
    op.create_table(
        "shop_order",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("id_order", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=False),
        sa.Column("id_shop", sa.Integer(), nullable=False),
        sa.Column("id_shop_group", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("verdict_at", UtcDateTime(), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.Column("imported_at", UtcDateTime(), nullable=True),
        sa.Column("watched", sa.Boolean(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("next_look_at", UtcDateTime(), nullable=True),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("id_order_state", sa.Integer(), nullable=False),
        sa.Column("shipped_at", UtcDateTime(), nullable=True),
        sa.Column("id_customer", sa.Integer(), nullable=False),
        sa.Column("customer_name", sa.String(length=255), nullable=False),
        sa.Column("customer_email", sa.String(length=255), nullable=False),
        sa.Column("is_guest", sa.Boolean(), nullable=False),
        sa.Column("id_carrier", sa.Integer(), nullable=False),
        sa.Column("module", sa.String(length=120), nullable=False),
        sa.Column("payment", sa.String(length=255), nullable=False),
        sa.Column("id_currency", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("conversion_rate", Amount(), nullable=False),
        sa.Column("total_paid", Amount(), nullable=False),
        sa.Column("total_paid_tax_incl", Amount(), nullable=False),
        sa.Column("total_paid_tax_excl", Amount(), nullable=False),
        sa.Column("total_paid_real", Amount(), nullable=False),
        sa.Column("total_products", Amount(), nullable=False),
        sa.Column("total_products_wt", Amount(), nullable=False),
        sa.Column("total_shipping_tax_incl", Amount(), nullable=False),
        sa.Column("total_shipping_tax_excl", Amount(), nullable=False),
        sa.Column("total_discounts_tax_incl", Amount(), nullable=False),
        sa.Column("total_discounts_tax_excl", Amount(), nullable=False),
        sa.Column("total_wrapping_tax_incl", Amount(), nullable=False),
        sa.Column("total_wrapping_tax_excl", Amount(), nullable=False),
        sa.Column("rounding", Amount(), nullable=False),
        sa.Column("gift", sa.Boolean(), nullable=False),
        sa.Column("gift_message", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("local_date_add", sa.String(length=19), nullable=False),
        sa.Column("local_date_upd", sa.String(length=19), nullable=False),
        sa.Column("date_add", UtcDateTime(), nullable=True),
        sa.Column("date_upd", UtcDateTime(), nullable=True),
        sa.Column("raw", Json, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_order_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_order")),
        sa.UniqueConstraint("shop_id", "id_order", name=op.f("uq_shop_order_shop_id_id_order")),
    )
    with op.batch_alter_table("shop_order", schema=None) as batch_op:
        batch_op.create_index("ix_shop_order_shop_id_date_add", ["shop_id", "date_add"], unique=False)
        batch_op.create_index("ix_shop_order_shop_id_reference", ["shop_id", "reference"], unique=False)
        batch_op.create_index("ix_shop_order_shop_id_verdict", ["shop_id", "verdict"], unique=False)
        batch_op.create_index("ix_shop_order_watch", ["shop_id", "watched", "next_look_at"], unique=False)

    op.create_table(
        "shop_order_state",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("id_order_state", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("color", sa.String(length=32), nullable=False),
        sa.Column("module_name", sa.String(length=120), nullable=False),
        sa.Column("paid", sa.Boolean(), nullable=False),
        sa.Column("shipped", sa.Boolean(), nullable=False),
        sa.Column("delivery", sa.Boolean(), nullable=False),
        sa.Column("invoice", sa.Boolean(), nullable=False),
        sa.Column("logable", sa.Boolean(), nullable=False),
        sa.Column("send_email", sa.Boolean(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("gives_back", sa.Boolean(), nullable=False),
        sa.Column("gives_back_source", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_order_state_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "id_order_state", name=op.f("pk_shop_order_state")),
    )
    op.create_table(
        "shop_pace",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=True),
        sa.Column("asks_again_at", UtcDateTime(), nullable=True),
        sa.Column("resting_until", UtcDateTime(), nullable=True),
        sa.Column("last_cause", sa.Text(), nullable=False),
        sa.Column("busy", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("cost", Json, nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_pace_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_shop_pace")),
    )
    op.create_table(
        "shop_payment",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("module", sa.String(length=120), nullable=False),
        sa.Column("payment", sa.String(length=255), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_payment_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "module", "payment", name=op.f("pk_shop_payment")),
    )
    op.create_table(
        "shop_setting",
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_setting_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "name", name=op.f("pk_shop_setting")),
    )
    op.create_table(
        "stock_level",
        sa.Column("product_id", Identifier, nullable=False),
        sa.Column("warehouse_id", Identifier, nullable=False),
        sa.Column("physical", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_stock_level_product_id")),
        sa.ForeignKeyConstraint(["warehouse_id"], ["warehouse.id"], name=op.f("fk_stock_level_warehouse_id")),
        sa.PrimaryKeyConstraint("product_id", "warehouse_id", name=op.f("pk_stock_level")),
    )
    op.create_table(
        "stock_load",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("claim", sa.String(length=200), nullable=False),
        sa.Column("warehouse_id", Identifier, nullable=False),
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=400), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("moved_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["warehouse_id"], ["warehouse.id"], name=op.f("fk_stock_load_warehouse_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_load")),
        sa.UniqueConstraint("claim", name=op.f("uq_stock_load_claim")),
    )
    with op.batch_alter_table("stock_load", schema=None) as batch_op:
        batch_op.create_index("ix_stock_load_warehouse_id_id", ["warehouse_id", "id"], unique=False)

    op.create_table(
        "storefront",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("id_shop", sa.Integer(), nullable=False),
        sa.Column("id_shop_group", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("shares_stock", sa.Boolean(), nullable=False),
        sa.Column("store", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_storefront_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storefront")),
        sa.UniqueConstraint("shop_id", "id_shop", name=op.f("uq_storefront_shop_id_id_shop")),
    )
    op.create_table(
        "waiver",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("check", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_waiver_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiver")),
        sa.UniqueConstraint("shop_id", "check", name=op.f("uq_waiver_shop_id_check")),
    )
    op.create_table(
        "alert",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("incident_id", Identifier, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("message", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_alert_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint(
            "channel", "incident_id", "kind", "number", name=op.f("uq_alert_channel_incident_id_kind_number")
        ),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index("ix_alert_channel_state", ["channel", "state", "id"], unique=False)
        batch_op.create_index("ix_alert_incident_id", ["incident_id"], unique=False)

    op.create_table(
        "change",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("changeset_id", Identifier, nullable=False),
        sa.Column("batch_id", Identifier, nullable=True),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("record", Identifier, nullable=False),
        sa.Column("field", sa.SmallInteger(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("observed", sa.Text(), nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["changeset_id"], ["changeset.id"], name=op.f("fk_change_changeset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index("ix_change_changeset_id", ["changeset_id"], unique=False)
        batch_op.create_index(
            "ix_change_open",
            ["record", "field", "kind"],
            unique=True,
            sqlite_where=sa.text("state < 10"),
            postgresql_where=sa.text("state < 10"),
        )
        batch_op.create_index(
            "ix_change_sent",
            ["batch_id"],
            unique=False,
            sqlite_where=sa.text("state = 3"),
            postgresql_where=sa.text("state = 3"),
        )
        batch_op.create_index(
            "ix_change_written",
            ["record", "kind"],
            unique=False,
            sqlite_where=sa.text("batch_id IS NOT NULL"),
            postgresql_where=sa.text("batch_id IS NOT NULL"),
        )

    op.create_table(
        "change_batch",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("changeset_id", Identifier, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("unsure_until", UtcDateTime(), nullable=True),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["changeset_id"], ["changeset.id"], name=op.f("fk_change_batch_changeset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_batch")),
    )
    with op.batch_alter_table("change_batch", schema=None) as batch_op:
        batch_op.create_index("ix_change_batch_changeset_id", ["changeset_id"], unique=False)
        batch_op.create_index("ix_change_batch_sent_at", ["sent_at"], unique=False)

    op.create_table(
        "feed_run_log",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("run_id", Identifier, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("level", sa.String(length=5), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["feed_run.id"], name=op.f("fk_feed_run_log_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_run_log")),
    )
    with op.batch_alter_table("feed_run_log", schema=None) as batch_op:
        batch_op.create_index("ix_feed_run_log_run_id_seq", ["run_id", "seq"], unique=False)

    op.create_table(
        "foreign_write",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("listing_id", Identifier, nullable=False),
        sa.Column("change_id", Identifier, nullable=True),
        sa.Column("hold_id", Identifier, nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("seen_by", sa.String(length=10), nullable=False),
        sa.Column("low", sa.Integer(), nullable=False),
        sa.Column("high", sa.Integer(), nullable=False),
        sa.Column("shows", sa.Integer(), nullable=False),
        sa.Column("ours", sa.Integer(), nullable=True),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listing.id"], name=op.f("fk_foreign_write_listing_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_foreign_write_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_foreign_write")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_foreign_write_hold_id")),
    )
    with op.batch_alter_table("foreign_write", schema=None) as batch_op:
        batch_op.create_index("ix_foreign_write_listing_id", ["listing_id", "seen_at"], unique=False)
        batch_op.create_index("ix_foreign_write_shop_id_seen_at", ["shop_id", "seen_at"], unique=False)

    op.create_table(
        "order_address",
        sa.Column("order_id", Identifier, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("id_address", sa.Integer(), nullable=False),
        sa.Column("company", sa.String(length=255), nullable=False),
        sa.Column("firstname", sa.String(length=255), nullable=False),
        sa.Column("lastname", sa.String(length=255), nullable=False),
        sa.Column("address1", sa.String(length=255), nullable=False),
        sa.Column("address2", sa.String(length=255), nullable=False),
        sa.Column("postcode", sa.String(length=16), nullable=False),
        sa.Column("city", sa.String(length=120), nullable=False),
        sa.Column("id_country", sa.Integer(), nullable=False),
        sa.Column("id_state", sa.Integer(), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("phone_mobile", sa.String(length=40), nullable=False),
        sa.Column("vat_number", sa.String(length=40), nullable=False),
        sa.Column("dni", sa.String(length=40), nullable=False),
        sa.Column("other", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_order_address_order_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("order_id", "kind", name=op.f("pk_order_address")),
    )
    op.create_table(
        "order_line",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("order_id", Identifier, nullable=False),
        sa.Column("id_order_detail", sa.Integer(), nullable=False),
        sa.Column("id_product", sa.Integer(), nullable=False),
        sa.Column("id_product_attribute", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=80), nullable=False),
        sa.Column("ean13", sa.String(length=14), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("quantity_refunded", sa.Integer(), nullable=False),
        sa.Column("quantity_returned", sa.Integer(), nullable=False),
        sa.Column("quantity_reinjected", sa.Integer(), nullable=False),
        sa.Column("unit_price_tax_incl", Amount(), nullable=False),
        sa.Column("unit_price_tax_excl", Amount(), nullable=False),
        sa.Column("total_price_tax_incl", Amount(), nullable=False),
        sa.Column("total_price_tax_excl", Amount(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_order_line_order_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_line")),
        sa.UniqueConstraint("order_id", "id_order_detail", name=op.f("uq_order_line_order_id_id_order_detail")),
    )
    with op.batch_alter_table("order_line", schema=None) as batch_op:
        batch_op.create_index("ix_order_line_product", ["id_product", "id_product_attribute"], unique=False)

    op.create_table(
        "stock_movement",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("product_id", Identifier, nullable=False),
        sa.Column("warehouse_id", Identifier, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("physical", sa.Integer(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("shop_id", Identifier, nullable=True),
        sa.Column("order_id", Identifier, nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_stock_movement_order_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_stock_movement_product_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_stock_movement_shop_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["warehouse_id"], ["warehouse.id"], name=op.f("fk_stock_movement_warehouse_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_movement")),
    )
    with op.batch_alter_table("stock_movement", schema=None) as batch_op:
        batch_op.create_index("ix_stock_movement_product_id_id", ["product_id", "id"], unique=False)

    op.create_table(
        "stock_hold",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("shop_id", Identifier, nullable=False),
        sa.Column("order_id", Identifier, nullable=True),
        sa.Column("order_line_id", Identifier, nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("id_product", sa.Integer(), nullable=False),
        sa.Column("id_product_attribute", sa.Integer(), nullable=False),
        sa.Column("product_id", Identifier, nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("per_unit", sa.Integer(), nullable=False),
        sa.Column("with_parts", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_stock_hold_order_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_line.id"], name=op.f("fk_stock_hold_order_line_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_stock_hold_product_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_stock_hold_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_hold")),
        sa.UniqueConstraint(
            "order_line_id",
            "id_product",
            "id_product_attribute",
            name=op.f("uq_stock_hold_order_line_id_id_product_id_product_attribute"),
        ),
    )
    with op.batch_alter_table("stock_hold", schema=None) as batch_op:
        batch_op.create_index("ix_stock_hold_listing", ["shop_id", "id_product", "id_product_attribute"], unique=False)
        batch_op.create_index(batch_op.f("ix_stock_hold_order_id"), ["order_id"], unique=False)
        batch_op.create_index("ix_stock_hold_product_id_state", ["product_id", "state"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("stock_hold", schema=None) as batch_op:
        batch_op.drop_index("ix_stock_hold_product_id_state")
        batch_op.drop_index(batch_op.f("ix_stock_hold_order_id"))
        batch_op.drop_index("ix_stock_hold_listing")

    op.drop_table("stock_hold")
    with op.batch_alter_table("stock_movement", schema=None) as batch_op:
        batch_op.drop_index("ix_stock_movement_product_id_id")

    op.drop_table("stock_movement")
    with op.batch_alter_table("order_line", schema=None) as batch_op:
        batch_op.drop_index("ix_order_line_product")

    op.drop_table("order_line")
    op.drop_table("order_address")
    with op.batch_alter_table("foreign_write", schema=None) as batch_op:
        batch_op.drop_index("ix_foreign_write_shop_id_seen_at")
        batch_op.drop_index("ix_foreign_write_listing_id")

    op.drop_table("foreign_write")
    with op.batch_alter_table("feed_run_log", schema=None) as batch_op:
        batch_op.drop_index("ix_feed_run_log_run_id_seq")

    op.drop_table("feed_run_log")
    with op.batch_alter_table("change_batch", schema=None) as batch_op:
        batch_op.drop_index("ix_change_batch_sent_at")
        batch_op.drop_index("ix_change_batch_changeset_id")

    op.drop_table("change_batch")
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_change_written",
            sqlite_where=sa.text("batch_id IS NOT NULL"),
            postgresql_where=sa.text("batch_id IS NOT NULL"),
        )
        batch_op.drop_index("ix_change_sent", sqlite_where=sa.text("state = 3"), postgresql_where=sa.text("state = 3"))
        batch_op.drop_index(
            "ix_change_open", sqlite_where=sa.text("state < 10"), postgresql_where=sa.text("state < 10")
        )
        batch_op.drop_index("ix_change_changeset_id")

    op.drop_table("change")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index("ix_alert_incident_id")
        batch_op.drop_index("ix_alert_channel_state")

    op.drop_table("alert")
    op.drop_table("waiver")
    op.drop_table("storefront")
    with op.batch_alter_table("stock_load", schema=None) as batch_op:
        batch_op.drop_index("ix_stock_load_warehouse_id_id")

    op.drop_table("stock_load")
    op.drop_table("stock_level")
    op.drop_table("shop_setting")
    op.drop_table("shop_payment")
    op.drop_table("shop_pace")
    op.drop_table("shop_order_state")
    with op.batch_alter_table("shop_order", schema=None) as batch_op:
        batch_op.drop_index("ix_shop_order_watch")
        batch_op.drop_index("ix_shop_order_shop_id_verdict")
        batch_op.drop_index("ix_shop_order_shop_id_reference")
        batch_op.drop_index("ix_shop_order_shop_id_date_add")

    op.drop_table("shop_order")
    op.drop_table("shop_language")
    op.drop_table("shop_finding")
    op.drop_table("shop_cursor")
    op.drop_table("shop_currency")
    op.drop_table("shop_carrier")
    op.drop_table("sealed_secret")
    op.drop_table("product_formula")
    op.drop_table("parked_record")
    op.drop_table("order_state_rule")
    with op.batch_alter_table("order_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_order_event_id_order"))

    op.drop_table("order_event")
    with op.batch_alter_table("listing", schema=None) as batch_op:
        batch_op.drop_index("ix_listing_shop_id_stock_row")
        batch_op.drop_index("ix_listing_shop_id_sku")
        batch_op.drop_index(batch_op.f("ix_listing_product_id"))
        batch_op.drop_index(
            "ix_listing_marked",
            sqlite_where=sa.text("push_mark > planned_mark"),
            postgresql_where=sa.text("push_mark > planned_mark"),
        )

    op.drop_table("listing")
    with op.batch_alter_table("kit_part", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_kit_part_part_id"))

    op.drop_table("kit_part")
    op.drop_table("pack_part")
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.drop_index("ix_incident_shop_id_cause_key")
        batch_op.drop_index("ix_incident_open")

    op.drop_table("incident")
    op.drop_table("feed_state")
    with op.batch_alter_table("feed_schedule", schema=None) as batch_op:
        batch_op.drop_index("ix_feed_schedule_due")

    op.drop_table("feed_schedule")
    with op.batch_alter_table("feed_run", schema=None) as batch_op:
        batch_op.drop_index("ix_feed_run_shop_id_feed")
        batch_op.drop_index("ix_feed_run_serial")
        batch_op.drop_index("ix_feed_run_queue")

    op.drop_table("feed_run")
    with op.batch_alter_table("changeset", schema=None) as batch_op:
        batch_op.drop_index("ix_changeset_shop_id_state")

    op.drop_table("changeset")
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_event_shop_id_id")

    op.drop_table("audit_event")
    op.drop_table("warehouse")
    op.drop_table("shop")
    with op.batch_alter_table("runner", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_runner_heartbeat"))

    op.drop_table("runner")
    with op.batch_alter_table("product", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_product_ean13"))

    op.drop_table("product")
    op.drop_table("person")
    op.drop_table("installation")
    op.drop_table("alert_channel")
