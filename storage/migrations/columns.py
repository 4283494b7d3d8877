"""Column types that each database keeps in its own best way.

May import: nothing of Tradewind.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

ID = sa.LargeBinary(16).with_variant(postgresql.UUID(), "postgresql")
"""A UUID: 16 bytes in SQLite, where they also sort like the UUID."""
NUMBER = sa.BigInteger()
"""A count, a seq, or a time in Unix milliseconds."""
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that sorts by code point everywhere. A language's own order would also change with the
operating system's release, under the feet of PostgreSQL's indexes."""
