// SPDX-License-Identifier: Apache-2.0
//! store, remove and find of `RadixTree`, `ConcurrentRadixTreeCompressed` and `PositionalIndexer`.
//!
//! The radix tree and the positional index are timed one operation at a time. The concurrent tree takes events only through
//! its worker loop, so a batch is queued before the loop starts and its mean is reported.
use crate::workload::*;
use dynamo_kv_router::indexer::WorkerTask;
use dynamo_kv_router::protocols::*;
use dynamo_kv_router::{ConcurrentRadixTreeCompressed, PositionalIndexer, RadixTree, SyncIndexer};
use std::collections::HashMap;
use std::time::Instant;
use tokio::sync::oneshot;

const BATCH: usize = 256;
const OPERATIONS: usize = 8192;
const COLD_PAIRS: usize = 100_000;
const JUMP_BLOCKS: usize = 32;

struct Bench {
    sequences: Sequences,
    size: &'static str,
    cold: bool,
    flush: CacheFlush,
    clock_ns: f64,
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

impl Bench {
    fn report(&self, index: &str, operation: &str, statistic: &str, ns: f64) {
        println!(
            "{{\"name\":\"anchor/{index}/{operation}_{}\",\"{statistic}\":{:.1},\"clock_ns\":{:.1}}}",
            self.size, ns, self.clock_ns
        );
    }

    fn batches(&self) -> Vec<Vec<usize>> {
        let order = &self.sequences.order;
        let batch = BATCH.min(order.len() / 4);
        (0..OPERATIONS / batch)
            .map(|b| (0..batch).map(|i| order[(b * batch + i) % order.len()]).collect())
            .collect()
    }

    fn timed<T>(&mut self, times: &mut Vec<f64>, operation: impl FnOnce() -> T) {
        let begin = Instant::now();
        std::hint::black_box(operation());
        times.push(begin.elapsed().as_nanos() as f64 - self.clock_ns);
    }

    fn empty_caches(&mut self) {
        if self.cold {
            self.flush.flush();
        }
    }

    /// Events one by one through `apply`.
    fn events(&mut self, index: &str, mut apply: impl FnMut(RouterEvent)) {
        let (mut stores, mut removes) = (Vec::new(), Vec::new());
        for batch in self.batches() {
            let mut removed: Vec<_> = batch.iter().map(|s| Some(self.sequences.removed(*s))).collect();
            let mut stored: Vec<_> = batch.iter().map(|s| Some(self.sequences.stored(*s))).collect();
            self.empty_caches();
            for event in &mut removed {
                let event = event.take().unwrap();
                self.timed(&mut removes, || apply(event));
            }
            self.empty_caches();
            for event in &mut stored {
                let event = event.take().unwrap();
                self.timed(&mut stores, || apply(event));
            }
        }
        self.report(index, "store", "p50_ns", median(&mut stores));
        self.report(index, "remove", "p50_ns", median(&mut removes));
    }

    /// `find(sequence, early_exit)` for the four kinds of query.
    fn finds<T>(&mut self, index: &str, find: impl Fn(Vec<LocalBlockHash>, bool) -> T) {
        for kind in ["hit", "partial", "early", "miss"] {
            let mut times = Vec::new();
            let mut i = 0u64;
            for batch in self.batches() {
                let mut queries = Vec::new();
                for s in batch {
                    let mut query = self.sequences.paths[s].clone();
                    for j in 0..DEPTH as u64 {
                        if kind == "miss" {
                            query[j as usize].0 = 0xBADC_0DE0_0000_0000 | (i << 16) | j;
                        } else if kind == "partial" && j as usize >= DEPTH / 2 {
                            query[j as usize].0 = 0xDEAD_0000 | (i << 16) | j;
                        }
                    }
                    i += 1;
                    queries.push(Some(query));
                }
                self.empty_caches();
                for query in &mut queries {
                    let query = query.take().unwrap();
                    self.timed(&mut times, || find(query, kind == "early"));
                }
            }
            self.report(index, kind, "p50_ns", median(&mut times));
        }
    }

    fn hash(&mut self) {
        let mut times = Vec::new();
        for i in 0..OPERATIONS {
            let tokens: Vec<u32> = (0..512).map(|j| ((i * 512 + j) % 50000) as u32).collect();
            self.timed(&mut times, || compute_block_hash_for_seq(&tokens, 16, Default::default()));
        }
        self.report("all", "hash_512_tokens", "p50_ns", median(&mut times));
    }
}

fn radix(bench: &mut Bench) {
    let mut tree = RadixTree::new();
    for s in bench.sequences.order.clone() {
        let _ = tree.apply_event(bench.sequences.stored(s));
    }
    bench.finds("RadixTree", |query, early| tree.find_matches(query, early));
    bench.events("RadixTree", |event| {
        let _ = tree.apply_event(event);
    });
}

fn positional(bench: &mut Bench) {
    let index = PositionalIndexer::new(JUMP_BLOCKS);
    let mut blocks = Default::default();
    for s in bench.sequences.order.clone() {
        let _ = index.apply_event(&mut blocks, bench.sequences.stored(s), None);
    }
    bench.finds("PositionalIndexer", |query, early| index.find_matches(&query, early));
    bench.events("PositionalIndexer", |event| {
        let _ = index.apply_event(&mut blocks, event, None);
    });
}

fn concurrent(bench: &mut Bench) {
    let tree = ConcurrentRadixTreeCompressed::new();
    let (send, receive) = flume::unbounded();
    // Queues everything, runs the loop, and takes the time at each Flush.
    std::thread::scope(|scope| {
        let handle = &tree;
        scope.spawn(move || handle.worker(receive, None));
        let flushed = |send: &flume::Sender<WorkerTask>| {
            let (done, wait) = oneshot::channel();
            send.send(WorkerTask::Flush(done)).unwrap();
            wait.blocking_recv().unwrap();
            Instant::now()
        };
        for s in bench.sequences.order.clone() {
            send.send(WorkerTask::Event(bench.sequences.stored(s))).unwrap();
        }
        flushed(&send);
        bench.finds("ConcurrentRadixTreeCompressed", |query, early| tree.find_matches(&query, early));
        let mut means: HashMap<&str, Vec<f64>> = HashMap::new();
        for batch in bench.batches() {
            for kind in ["remove", "store"] {
                let events: Vec<_> = batch
                    .iter()
                    .map(|s| match kind {
                        "remove" => bench.sequences.removed(*s),
                        _ => bench.sequences.stored(*s),
                    })
                    .collect();
                bench.empty_caches();
                let begin = Instant::now();
                for event in events {
                    send.send(WorkerTask::Event(event)).unwrap();
                }
                let took = flushed(&send) - begin;
                means.entry(kind).or_default().push(took.as_nanos() as f64 / batch.len() as f64);
            }
        }
        for (kind, mut times) in means {
            bench.report("ConcurrentRadixTreeCompressed", kind, "mean_ns", median(&mut times));
        }
        send.send(WorkerTask::Terminate).unwrap();
    });
}

pub fn run(pairs: usize) {
    let mut empty: Vec<f64> = (0..1000).map(|_| Instant::now().elapsed().as_nanos() as f64).collect();
    let mut bench = Bench {
        sequences: Sequences::new(pairs / DEPTH, 42),
        size: if pairs >= 1_000_000 { "1m" } else { "10k" },
        cold: pairs > COLD_PAIRS,
        flush: CacheFlush::new(),
        clock_ns: median(&mut empty),
    };
    bench.hash();
    radix(&mut bench);
    concurrent(&mut bench);
    positional(&mut bench);
}
