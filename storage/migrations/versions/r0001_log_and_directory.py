"""The log's entries; shops, agents, visitors, conversations.

Revision 0001. Applied by Alembic; may import: migrations.columns.
"""

import sqlalchemy as sa
from alembic import op

from storage.migrations.columns import ID, NUMBER, TEXT

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    _entries()
    _people()
    _conversations()


def _entries() -> None:
    # No reference to conversations: a log must be able to live in another store.
    op.create_table(
        "entries",
        sa.Column("conversation", ID, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("conversation", "seq", name="entries_pk"),
        sa.UniqueConstraint("conversation", "author", "client_id", name="entries_client_id"),
        sqlite_with_rowid=False,
    )


def _people() -> None:
    op.create_table(
        "shops",
        sa.Column("id", TEXT, primary_key=True, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("origins", TEXT, nullable=False),
        sa.Column("identity_key", TEXT),
        sa.Column("settings", TEXT, nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
    )
    op.create_table(
        "agents",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("shop", TEXT, sa.ForeignKey("shops.id"), nullable=False),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("email_key", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("password_hash", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.Column("settings", TEXT, nullable=False),
        sa.UniqueConstraint("email_key", name="agents_email"),
    )
    op.create_index("agents_shop", "agents", ["shop"])
    op.create_table(
        "visitors",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("shop", TEXT, sa.ForeignKey("shops.id"), nullable=False),
        sa.Column("external_id", TEXT),
        sa.Column("name", TEXT),
        sa.Column("email", TEXT),
        sa.Column("language", TEXT),
        sa.Column("profile", TEXT, nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.Column("seen_at", NUMBER, nullable=False),
        sa.UniqueConstraint("shop", "external_id", name="visitors_external_id"),
    )


def _conversations() -> None:
    # No reference from assignee: it is a copy out of the log, and the log is the truth.
    op.create_table(
        "conversations",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("shop", TEXT, sa.ForeignKey("shops.id"), nullable=False),
        sa.Column("visitor", ID, sa.ForeignKey("visitors.id"), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("assignee", ID),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("summary", TEXT, nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.Column("updated_at", NUMBER, nullable=False),
    )
    lists = "conversations", ["updated_at", "id"]
    for name, first in (
        ("conversations_shop", ["shop"]),
        ("conversations_status", ["shop", "status"]),
        ("conversations_visitor", ["visitor"]),
        ("conversations_assignee", ["assignee"]),
    ):
        op.create_index(name, lists[0], [*first, *lists[1]])
