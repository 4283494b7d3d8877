"""storage_writer.py on a RocksDB with small tables in memory, so that it sorts them into files,
merges those, and writes over old write-ahead logs all the time: rocksdb_writer.py URL SEED"""

from __future__ import annotations

import asyncio
import sys

from storage.rocksdb import options
from tests.crash import storage_writer

SMALL = 262_144

if __name__ == "__main__":
    options.WRITE_BUFFER = SMALL
    options.FILE = SMALL
    asyncio.run(storage_writer.main(sys.argv[1], int(sys.argv[2])))
