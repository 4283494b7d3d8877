"""MessageLog, Directory, Search and Journal on one SQLite file, the embedded default.

    connect.py     connections and their settings, the lock on the file, errors in our terms
    checkpoint.py  from the write-ahead log into the database, beside the commits
    file.py        SQLiteFile: one writer thread (group commit), a small pool of readers
    log.py         SQLiteLog
    directory.py   SQLiteDirectory, with records.py between rows and records
    journal.py     SQLiteJournal
    search.py      SQLiteSearch, and what log and directory tell its index

What holds always: a commit is synced to disk before it returns (WAL, synchronous=FULL); all
writes of a file go through one connection in one thread of one process. The latter, with the
order kept by checkpoint.py, is also what makes this sound on SQLite before 3.51.3, whose
"WAL-reset bug" needs a second connection that writes or checkpoints at the wrong moment
(https://www.sqlite.org/wal.html#walresetbug).
"""

from storage.sqlite.directory import SQLiteDirectory
from storage.sqlite.file import SQLiteFile
from storage.sqlite.journal import SQLiteJournal
from storage.sqlite.log import SQLiteLog
from storage.sqlite.search import SQLiteSearch

__all__ = ["SQLiteDirectory", "SQLiteFile", "SQLiteJournal", "SQLiteLog", "SQLiteSearch"]
