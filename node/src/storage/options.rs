//! How RocksDB is set up: for nodes that are many and small. An idle one holds a few
//! megabytes, a busy one not much more than the limits below add up to.

use crate::config::Durability;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel,
    Options, ReadOptions, WriteOptions,
};

/// What is held of the keys of which the node is a primary, by key.
pub(super) const DATA: &str = "data";
/// What is held for other primaries, by owner and key.
pub(super) const HINTS: &str = "hints";
/// Leaves of the Merkle tree that are not zero.
pub(super) const TREE: &str = "tree";
/// Keys of `data` of which only the deletion is left. The values are empty.
pub(super) const GRAVES: &str = "graves";
/// What the node must remember of itself.
pub(super) const META: &str = "meta";

/// Every column family, with its memtable's size and how many of these there are at most
/// before writers wait for the disk. A memtable that has nothing in it takes next to
/// nothing.
///
/// - Hints come only while a primary is away, and go soon.
/// - Leaves are 10 bytes and written over and over; a memtable of tens of thousands of
///   them leaves one small file.
const FAMILIES: [(&str, usize, i32); 6] = [
    ("default", 1 << 20, 2), // RocksDB demands it; nothing is in it.
    (DATA, 16 << 20, 3),
    (HINTS, 8 << 20, 2),
    (TREE, 4 << 20, 2),
    (GRAVES, 2 << 20, 2),
    (META, 1 << 20, 2),
];

/// All memtables together: beyond it one is flushed early. That is what bounds the memory
/// that writes take.
const WRITE_BUFFERS: usize = 64 << 20;

/// Blocks of all column families that are kept uncompressed. The operating system
/// caches the files besides.
const BLOCK_CACHE: usize = 16 << 20;

/// Logs are removed when all their memtables have been flushed. The small families hardly
/// fill theirs, so the total is bounded instead.
const MAX_TOTAL_WAL: u64 = 64 << 20;

/// Each open file costs memory for its index.
const MAX_OPEN_FILES: i32 = 256;

/// About one key in a hundred that a file does not hold is looked for in it.
const BLOOM_BITS: f64 = 10.0;

/// RocksDB's own log, for the day when something is wrong: small and few.
const MAX_LOG_FILE: usize = 1 << 20;
const LOG_FILES: usize = 4;

pub(super) fn database(durability: Durability) -> Options {
    let mut options = Options::default();
    // A flush and a compaction may run beside each other; more would only take the
    // cores from requests.
    options.set_max_background_jobs(2);
    options.set_max_open_files(MAX_OPEN_FILES);
    options.set_db_write_buffer_size(WRITE_BUFFERS);
    options.set_max_total_wal_size(MAX_TOTAL_WAL);
    options.set_wal_recovery_mode(match durability {
        // What was acknowledged is in the log whole. Only its end may be torn, and
        // damage before that must not pass for the end: it would hide lost writes.
        Durability::Sync => DBRecoveryMode::TolerateCorruptedTailRecords,
        // A loss of power may leave holes. What is before them is taken, and a new
        // incarnation answers for the rest.
        Durability::Os => DBRecoveryMode::PointInTime,
    });
    options.set_paranoid_checks(true);
    // Big files are written out as they grow, not all at once at their end, when a
    // commit would wait behind them.
    options.set_bytes_per_sync(1 << 20);
    options.set_max_log_file_size(MAX_LOG_FILE);
    options.set_keep_log_file_num(LOG_FILES);
    options.set_log_level(LogLevel::Warn);
    // No threads that collect and write statistics nobody reads.
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// The names of all column families.
pub(super) fn families() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|(name, ..)| *name)
}

pub(super) fn column_families() -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(BLOCK_CACHE);
    let family = |(name, write_buffer, write_buffers)| {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&cache);
        table.set_bloom_filter(BLOOM_BITS, false);
        // In the cache they are bounded by it; otherwise they grow with the data.
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_format_version(6);
        let mut options = Options::default();
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_size(write_buffer);
        options.set_max_write_buffer_number(write_buffers);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_level_compaction_dynamic_level_bytes(true);
        ColumnFamilyDescriptor::new(name, options)
    };
    FAMILIES.map(family).into()
}

pub(super) fn write(durability: Durability) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(durability == Durability::Sync);
    options
}

/// For what must be on disk whatever the durability. It takes what was written before
/// along, for the log is one.
pub(super) fn synced() -> WriteOptions {
    write(Durability::Sync)
}

/// For scans, which read much once: the cache is for what is asked for by key.
pub(super) fn scan() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options
}
