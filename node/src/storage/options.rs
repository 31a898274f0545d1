//! How RocksDB is set up: for nodes that are many and small. An idle one holds a few
//! megabytes, a busy one not much more than the limits below add up to.

use crate::config::Durability;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel,
    Options, WriteOptions,
};

/// Versions by key.
pub(super) const DATA: &str = "data";
/// What the node must remember of itself.
pub(super) const META: &str = "meta";

/// Blocks of both column families that are kept uncompressed. The operating system
/// caches the files besides.
const BLOCK_CACHE: usize = 16 << 20;

/// A memtable. Two of them, one being flushed, bound the memory that writes take.
const WRITE_BUFFER: usize = 16 << 20;

/// Memtables of `data` at most, before writers wait for the disk.
const WRITE_BUFFERS: i32 = 3;

/// Logs are removed when all their memtables have been flushed. `meta` hardly fills its
/// own, so the total is bounded instead.
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

pub(super) fn column_families() -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(BLOCK_CACHE);
    let family = |name| {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&cache);
        table.set_bloom_filter(BLOOM_BITS, false);
        // In the cache they are bounded by it; otherwise they grow with the data.
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_format_version(6);
        let mut options = Options::default();
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_size(WRITE_BUFFER);
        options.set_max_write_buffer_number(WRITE_BUFFERS);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_level_compaction_dynamic_level_bytes(true);
        ColumnFamilyDescriptor::new(name, options)
    };
    vec![family("default"), family(DATA), family(META)]
}

pub(super) fn write(durability: Durability) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(durability == Durability::Sync);
    options
}

/// For what must be on disk whatever the durability: the identity.
pub(super) fn synced() -> WriteOptions {
    write(Durability::Sync)
}
