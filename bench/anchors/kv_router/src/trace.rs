// SPDX-License-Identifier: Apache-2.0
//! Replays a schedule that `dynamo_kv_router_trace --write` made through `ThreadPoolIndexer` over
//! `ConcurrentRadixTreeCompressed`, by the same rules as src/kv_router/trace_replay.cpp.
use crate::workload::{removed_event, stored_event};
use dynamo_kv_router::protocols::{LocalBlockHash, RouterEvent};
use dynamo_kv_router::{ConcurrentRadixTreeCompressed, SyncIndexer, ThreadPoolIndexer};
use std::time::{Duration, Instant};

const BLOCK_TOKENS: u32 = 128;
const KEEPS_UP: f64 = 1.10;

enum Operation {
    Query(Vec<LocalBlockHash>),
    Event(RouterEvent),
}

struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn next(&mut self) -> u64 {
        let (word, rest) = self.0.split_at(8);
        self.0 = rest;
        u64::from_ne_bytes(word.try_into().unwrap())
    }
    fn many(&mut self) -> Vec<u64> {
        let count = self.next();
        (0..count).map(|_| self.next()).collect()
    }
}

fn read(file: &str) -> (Vec<(f64, Operation)>, u64) {
    let bytes = std::fs::read(file).expect("the schedule can be read");
    let mut words = Words(&bytes);
    let count = words.next();
    let blocks = words.next();
    let operations = (0..count)
        .map(|_| {
            let at = f64::from_bits(words.next());
            let operation = match words.next() {
                0 => Operation::Query(words.many().into_iter().map(LocalBlockHash).collect()),
                3 => {
                    let worker = words.next();
                    Operation::Event(removed_event(worker, &words.many()))
                }
                kind => {
                    let worker = words.next();
                    let parent = words.next();
                    let count = words.next();
                    let pairs: Vec<_> = (0..count).map(|_| (words.next(), LocalBlockHash(words.next()))).collect();
                    let (names, locals): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
                    Operation::Event(stored_event(worker, (kind == 2).then_some(parent), &names, &locals))
                }
            };
            (at, operation)
        })
        .collect();
    (operations, blocks)
}

/// The time to issue everything, the time until it is applied, and the lookups' service times.
fn replay(file: &str, window_s: f64, threads: usize) -> (f64, f64, Vec<f64>, u64) {
    let (operations, blocks) = read(file);
    let index = ThreadPoolIndexer::new(ConcurrentRadixTreeCompressed::new(), threads, BLOCK_TOKENS);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut times = Vec::new();
    let begin = Instant::now();
    for (at, operation) in operations {
        let deadline = begin + Duration::from_secs_f64(at * window_s);
        let mut now = Instant::now();
        while now < deadline {
            now = Instant::now();
        }
        match operation {
            Operation::Query(path) => {
                std::hint::black_box(index.backend().find_matches(&path, false));
                times.push(now.elapsed().as_nanos() as f64);
            }
            Operation::Event(event) => index.enqueue_event(event).unwrap(),
        }
    }
    let issue_s = begin.elapsed().as_secs_f64();
    runtime.block_on(index.flush_and_wait()).unwrap();
    (issue_s, begin.elapsed().as_secs_f64(), times, blocks)
}

pub fn run(file: &str, threads: usize) {
    let mut failures = 0;
    let mut window_s = 8.0;
    while failures < 2 && window_s > 0.02 {
        let (issue_s, total_s, mut times, blocks) = replay(file, window_s, threads);
        times.sort_by(f64::total_cmp);
        let kept_up = total_s <= KEEPS_UP * window_s;
        failures = if kept_up { 0 } else { failures + 1 };
        println!(
            "{{\"side\":\"reference\",\"window_s\":{window_s:.3},\"issue_s\":{issue_s:.3},\"total_s\":{total_s:.3},\"kept_up\":{kept_up},\
             \"block_ops_per_s\":{:.0},\"find_p50_ns\":{:.0},\"find_p99_ns\":{:.0}}}",
            blocks as f64 / total_s,
            times[times.len() / 2],
            times[times.len() * 99 / 100]
        );
        window_s *= 0.8;
    }
}
