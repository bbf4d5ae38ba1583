// SPDX-License-Identifier: Apache-2.0
//! The reference's indexes under the same sequences, order and timing as ours.
//!
//! `micro PAIRS`: one JSON line for each index and operation, as src/kv_router/prefix_index_bench.cpp measures it.
//! `trace FILE THREADS`: a schedule of `dynamo_kv_router_trace --write` in ever shorter windows, until it falls behind.
mod micro;
mod trace;
mod workload;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "micro", pairs] => micro::run(pairs.parse().expect("PAIRS is a number")),
        [_, "trace", file, threads] => trace::run(file, threads.parse().expect("THREADS is a number")),
        _ => {
            eprintln!("usage: micro PAIRS | trace FILE THREADS");
            std::process::exit(2);
        }
    }
}
