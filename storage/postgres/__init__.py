"""MessageLog, Directory and Outbox on PostgreSQL, for many processes on many hosts at once.

    connect.py     connections and their settings
    errors.py      what went wrong, in the seam's terms
    pool.py        a bounded pool of connections, for all but the appends
    group.py       the statements of one group of appends
    writer.py      the bounded queue before them, and the connection that commits in groups
    database.py    what the three stores share
    log.py         PostgresLog
    directory.py   PostgresDirectory
    outbox.py      PostgresOutbox
    search.py      PostgresSearch
    journal.py     PostgresJournal
    schema.py      which schema there is, and bringing it up to date
    doctor.py      what is wrong with a server, and how to mend it

What holds always: an entry's place is decided under a lock on its conversation's row in `heads`,
and what decides it is read after the lock was taken; what is accepted was flushed to disk.

No statement needs a function in the database (PL/pgSQL): with them a group could be one round trip
instead of five, but a rolling restart would run two releases against one function, a schema would
have code in it that no test of ours sees without a server, and what the log promises would be
written twice, once for each language.
"""

from storage.postgres.connect import run_aside
from storage.postgres.database import PostgresDatabase
from storage.postgres.directory import PostgresDirectory
from storage.postgres.journal import PostgresJournal
from storage.postgres.log import PostgresLog
from storage.postgres.outbox import PostgresOutbox
from storage.postgres.schema import migrate, prepare
from storage.postgres.search import PostgresSearch

__all__ = [
    "PostgresDatabase",
    "PostgresDirectory",
    "PostgresJournal",
    "PostgresLog",
    "PostgresOutbox",
    "PostgresSearch",
    "migrate",
    "prepare",
    "run_aside",
]
