"""The index of messages and visitors by their words (storage/words.py makes them).

Revision 0003. What was there before is listed in `unindexed` until `tradewind reindex` has seen to
it. Applied by Alembic; may import: migrations.columns.
"""

import sqlalchemy as sa
from alembic import op

from storage.migrations.columns import ID, NUMBER, TEXT

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables, and list the conversations that there are."""
    if op.get_context().dialect.name == "postgresql":
        _messages_postgres()
    else:
        _messages_sqlite()
    _visitors()
    op.create_table(
        "unindexed",
        sa.Column("conversation", ID, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO unindexed SELECT id FROM conversations")


def _found(*more: "sa.Column[object]", place: "sa.Column[int]") -> None:
    op.create_table(
        "found",
        place,
        sa.Column("shop", TEXT, nullable=False),
        sa.Column("conversation", ID, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        *more,
        sa.UniqueConstraint("conversation", "seq", name="found_message"),
    )


def _messages_sqlite() -> None:
    _found(place=sa.Column("id", sa.Integer, primary_key=True, nullable=False))
    # It keeps no text (content=''), and no counts for a ranking that nobody asks for. Beginnings of
    # one and two characters have lists of their own: they stand for the most words.
    op.execute(
        "CREATE VIRTUAL TABLE found_terms USING fts5"
        "(shop, terms, content='', columnsize=0, tokenize='ascii', prefix='1 2')"
    )
    # Who writes merges its lists, a little at every commit (storage/sqlite/file.py).
    op.execute("INSERT INTO found_terms (found_terms, rank) VALUES ('automerge', 0)")


def _messages_postgres() -> None:
    from sqlalchemy.dialects.postgresql import TSVECTOR

    _found(
        sa.Column("terms", TSVECTOR, nullable=False),
        place=sa.Column("place", NUMBER, primary_key=True, nullable=False),
    )
    op.execute("CREATE SEQUENCE found_places")
    # Without a list of what is to be sorted in later: whose commit fills it would have to do it.
    op.create_index(
        "found_terms",
        "found",
        ["terms"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index("found_shop", "found", ["shop", sa.text("place DESC")])


def _visitors() -> None:
    op.create_table(
        "visitor_words",
        sa.Column("shop", TEXT, nullable=False),
        sa.Column("word", TEXT, nullable=False),
        sa.Column("visitor", ID, nullable=False),
        sa.PrimaryKeyConstraint("shop", "word", "visitor", name="visitor_words_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("visitor_words_visitor", "visitor_words", ["visitor"])
