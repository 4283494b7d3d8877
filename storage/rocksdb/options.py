"""RocksDB's settings, and the bounds on what it takes of memory, files and disk.

May import: layout.
"""

from __future__ import annotations

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    ReadOptions,
    SliceTransform,
    WriteOptions,
)

from storage.rocksdb.layout import PREFIX

MEBIBYTE = 1_048_576

WRITE_BUFFER = 16 * MEBIBYTE
"""What was written lately and is in memory and the write-ahead log only. Then it is sorted into a
file; at some 600 bytes an entry that is every 25,000 entries or so."""
WRITE_BUFFERS = 3
"""Such tables in memory: one that is written to, the others on their way to disk. When all are
full, writes wait for the disk. Each has a write-ahead log as large as it is: together they are what
there is to read again after a crash."""
CACHE = 64 * MEBIBYTE
"""Blocks of files kept in memory, their indexes and filters among them."""
WALS_RECYCLED = 2
"""Write-ahead logs kept to be written over: syncing a file that does not grow is quicker."""
OPEN_FILES = 256
FILE = 32 * MEBIBYTE
"""The size of a sorted file."""
SYNC_EVERY = 512 * 1024
"""Bytes after which a file that is being sorted is pushed to the disk, so that its last sync is
short and commits beside it do not wait for all of it."""
FILTER_BITS = 10
"""Per key; one lookup in a hundred is told of a file that does not hold it."""
NOTES = 4
NOTES_BYTES = 4 * MEBIBYTE
"""RocksDB's own notes, the files LOG and LOG.old.*: how many, and how large."""


def database() -> Options:
    """How the database is opened."""
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    _memory(options)
    _files(options)
    options.set_prefix_extractor(SliceTransform.create_fixed_prefix(PREFIX))
    options.set_memtable_prefix_bloom_ratio(0.02)
    options.set_memtable_whole_key_filtering(True)
    options.set_paranoid_checks(True)
    # Up to the first record that was not written whole, as a power cut leaves it. What was synced
    # lies before that.
    options.set_wal_recovery_mode(DBRecoveryMode.point_in_time())
    options.set_keep_log_file_num(NOTES)
    options.set_max_log_file_size(NOTES_BYTES)
    options.set_stats_dump_period_sec(0)
    options.set_stats_persist_period_sec(0)
    return options


def _memory(options: Options) -> None:
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(CACHE))
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
    blocks.set_bloom_filter(FILTER_BITS, False)
    blocks.set_format_version(5)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(WRITE_BUFFER)
    options.set_max_write_buffer_number(WRITE_BUFFERS)
    options.set_max_open_files(OPEN_FILES)


def _files(options: Options) -> None:
    options.set_recycle_log_file_num(WALS_RECYCLED)
    options.set_target_file_size_base(FILE)
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_bytes_per_sync(SYNC_EVERY)
    options.set_max_background_jobs(2)


def unsynced() -> WriteOptions:
    """Copied to the system, not waited for; refused when RocksDB wants to hold it back."""
    options = WriteOptions()
    options.sync = False
    options.no_slowdown = True
    return options


def within_conversation() -> ReadOptions:
    """A scan that ends with the conversation it began in."""
    options = ReadOptions()
    options.set_prefix_same_as_start(True)
    return options
