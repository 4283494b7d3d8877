"""The journal of transactions over several places, and the epochs that are counted there.

Revision 0004. Applied by Alembic; may import: migrations.columns.
"""

import sqlalchemy as sa
from alembic import op

from storage.migrations.columns import ID, NUMBER, TEXT

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create both."""
    op.create_table(
        "journal",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("key", ID, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("token", NUMBER, nullable=False),
        sa.Column("attempt", NUMBER, nullable=False),
        sa.Column("updated_at", NUMBER, nullable=False),
    )
    op.create_index("journal_key", "journal", ["key", "token"])
    op.create_index("journal_age", "journal", ["updated_at"])
    # Whatever a program does: one transaction of a key at a time.
    is_open = sa.text("state NOT IN ('done', 'aborted')")
    op.create_index(
        "journal_open",
        "journal",
        ["key"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_table(
        "epochs",
        sa.Column("name", TEXT, primary_key=True, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
    )
