"""The schema's history. `upgrade.py` applies it through Alembic, `versions/` holds it.

VERSIONS names every revision, oldest first, so that a store can be judged at start without
loading Alembic; a test holds it equal to what Alembic finds.
"""

VERSIONS = ("0001", "0002", "0003", "0004")
HEAD = VERSIONS[-1]
