// SPDX-License-Identifier: Apache-2.0
//! src/kv_router/prefix_workload.h in Rust: the same sequences in the same order.
use dynamo_kv_router::protocols::*;

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

pub const DEPTH: usize = 32;
pub const PREFIX: usize = 8;
const GROUPS: u64 = 4;
const WORKERS: u64 = 4;

pub struct Sequences {
    pub paths: Vec<Vec<LocalBlockHash>>,
    pub names: Vec<Vec<u64>>,
    pub order: Vec<usize>,
}

impl Sequences {
    pub fn new(sequences: usize, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut paths = Vec::with_capacity(sequences);
        let mut names = Vec::with_capacity(sequences);
        for s in 0..sequences as u64 {
            let group = dice.below(GROUPS);
            let path: Vec<_> = (0..DEPTH as u64)
                .map(|i| {
                    LocalBlockHash(if (i as usize) < PREFIX {
                        0xDEAD_BEEF_0000_0000 | (group << 32) | i
                    } else {
                        (s << 32) | i
                    })
                })
                .collect();
            names.push(compute_seq_hash_for_block(&path));
            paths.push(path);
        }
        let mut order: Vec<usize> = (0..sequences).collect();
        for i in (2..=sequences).rev() {
            let other = dice.below(i as u64) as usize;
            order.swap(i - 1, other);
        }
        Self { paths, names, order }
    }

    pub fn stored(&self, s: usize) -> RouterEvent {
        stored_event(s as u64 % WORKERS, None, &self.names[s], &self.paths[s])
    }

    /// What an engine evicts when the sequence goes: the blocks of its own.
    pub fn removed(&self, s: usize) -> RouterEvent {
        removed_event(s as u64 % WORKERS, &self.names[s][PREFIX..])
    }
}

pub fn stored_event(worker: u64, parent: Option<u64>, names: &[u64], locals: &[LocalBlockHash]) -> RouterEvent {
    event(
        worker,
        KvCacheEventData::Stored(KvCacheStoreData {
            parent_hash: parent.map(ExternalSequenceBlockHash),
            start_position: None,
            blocks: names
                .iter()
                .zip(locals)
                .map(|(name, local)| KvCacheStoredBlockData {
                    block_hash: ExternalSequenceBlockHash(*name),
                    tokens_hash: *local,
                    mm_extra_info: None,
                })
                .collect(),
        }),
    )
}

pub fn removed_event(worker: u64, names: &[u64]) -> RouterEvent {
    event(
        worker,
        KvCacheEventData::Removed(KvCacheRemoveData {
            block_hashes: names.iter().map(|name| ExternalSequenceBlockHash(*name)).collect(),
        }),
    )
}

fn event(worker: u64, data: KvCacheEventData) -> RouterEvent {
    RouterEvent::new(worker, KvCacheEvent { event_id: 0, data, dp_rank: 0 })
}

/// Reads through more memory than the caches hold.
pub struct CacheFlush(Vec<u64>);

impl CacheFlush {
    pub fn new() -> Self {
        Self(vec![1; (96 << 20) / 8])
    }
    pub fn flush(&self) {
        let sum = self.0.iter().step_by(8).fold(0u64, |sum, word| sum.wrapping_add(*word));
        std::hint::black_box(sum);
    }
}
