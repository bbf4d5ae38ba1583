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

/// CPU seconds of all threads but this one (Linux; schedstat begins with nanoseconds on the CPU).
fn writers_cpu_s() -> f64 {
    let on_cpu = |path: std::path::PathBuf| -> f64 {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) * 1e-9
    };
    let threads = std::fs::read_dir("/proc/self/task").map_or(0.0, |all| {
        all.flatten().map(|thread| on_cpu(thread.path().join("schedstat"))).sum()
    });
    threads - on_cpu("/proc/thread-self/schedstat".into())
}

struct Outcome {
    issue_s: f64,
    total_s: f64,
    writer_cpu_s: f64,
    times: Vec<f64>,
    blocks: u64,
}

fn replay(file: &str, window_s: f64, threads: usize) -> Outcome {
    let (operations, blocks) = read(file);
    let index = ThreadPoolIndexer::new(ConcurrentRadixTreeCompressed::new(), threads, BLOCK_TOKENS);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut times = Vec::new();
    let cpu_before_s = writers_cpu_s();
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
    let total_s = begin.elapsed().as_secs_f64();
    Outcome { issue_s, total_s, writer_cpu_s: writers_cpu_s() - cpu_before_s, times, blocks }
}

pub fn run(file: &str, threads: usize) {
    let mut failures = 0;
    let mut window_s = 2.0;
    while failures < 2 && window_s > 0.02 {
        let Outcome { issue_s, total_s, writer_cpu_s, mut times, blocks } = replay(file, window_s, threads);
        times.sort_by(f64::total_cmp);
        let kept_up = total_s <= KEEPS_UP * window_s;
        failures = if kept_up { 0 } else { failures + 1 };
        println!(
            "{{\"side\":\"reference\",\"window_s\":{window_s:.3},\"issue_s\":{issue_s:.3},\"total_s\":{total_s:.3},\"kept_up\":{kept_up},\
             \"block_ops_per_s\":{:.0},\"find_p50_ns\":{:.0},\"find_p99_ns\":{:.0},\"writer_cpu_s\":{writer_cpu_s:.3}}}",
            blocks as f64 / total_s,
            times[times.len() / 2],
            times[times.len() * 99 / 100]
        );
        window_s *= 0.8;
    }
}
