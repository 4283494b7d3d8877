"""PostgreSQL only: the rows that writers lock, and the outbox. SQLite has one writer and neither.

Revision 0002. Applied by Alembic; may import: migrations.columns.
"""

import sqlalchemy as sa
from alembic import op

from storage.migrations.columns import ID, NUMBER, TEXT

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create both, on PostgreSQL."""
    if op.get_context().dialect.name == "postgresql":
        _heads()
        _outbox()


def _heads() -> None:
    # A row per conversation that has entries: who appends locks it, so that `seq` has no gaps.
    # It is written with each group: with room in its page, no index has to be.
    op.create_table(
        "heads",
        sa.Column("conversation", ID, primary_key=True, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        postgresql_with={"fillfactor": 50},
    )


def _outbox() -> None:
    # A row per entry and channel until it has been published. Rows live for milliseconds, so the
    # table must be swept often, whatever its size.
    op.create_table(
        "outbox",
        sa.Column("id", NUMBER, sa.Identity(always=True), primary_key=True, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("conversation", ID, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.clock_timestamp(),
        ),
        sa.Column("claimed_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("conversation", "seq", "channel", name="outbox_entry"),
        postgresql_with={
            "autovacuum_vacuum_scale_factor": 0,
            "autovacuum_vacuum_threshold": 5000,
        },
    )
