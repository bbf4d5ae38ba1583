// SPDX-License-Identifier: Apache-2.0
// dynamo_kv_router_trace: a request trace through the sharded index, driven by deadlines, and what
// growth costs. Method of the reference's mooncake_bench 1.5 (spec kv-router 11): queries and
// events come at their times, scaled to a window; the clock stops when all events are applied; an
// index keeps up while that takes at most 1.10 x the window.
#include <dynamo/base/json.h>
#include <dynamo/kv_router/sharded_index.h>
#include <dynamo/tokens/hash.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "kv_router/lru_engine.h"
#include "kv_router/prefix_workload.h"

namespace dynamo::kv_router {
namespace {

using workload::now_ns;

constexpr std::size_t kTraceBlockTokens = 512;
constexpr double kKeepsUp = 1.10;

struct Options {
  std::string trace;
  std::string write;
  std::size_t workers = 1000;
  std::size_t blocks_per_worker = 16384;
  std::size_t block_tokens = 128;
  std::uint64_t copies = 2;  ///< of the trace, with contents of their own
  std::size_t shards = 1;
};

struct Query {
  std::vector<LocalHash> path;
};
struct Operation {
  double at = 0;          ///< of the window, 0 … 1
  std::size_t query = 0;  ///< its place among the queries + 1, or 0: an event
  std::size_t event = 0;
};
struct Schedule {
  std::vector<Operation> operations;
  std::vector<Query> queries;
  std::vector<RouterEvent> events;
  std::uint64_t blocks = 0;  ///< block operations: hashes asked for, stored and removed
};

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "dynamo_kv_router_trace: %s\n", why.c_str());
  std::exit(1);
}

struct Request {
  double at = 0;
  std::uint64_t copy = 0;
  std::size_t number = 0;  ///< line of the trace
  std::vector<std::uint64_t> ids;
};

std::vector<Request> read_trace(const Options& options) {
  std::ifstream file(options.trace);
  if (!file) fail("cannot read " + options.trace);
  std::vector<Request> requests;
  for (std::string line; std::getline(file, line);) {
    const auto json = parse_json(line);
    if (!json) fail(options.trace + ": " + json.error().message());
    const Json* time = json->find("timestamp");
    const Json* ids = json->find("hash_ids");
    if (time == nullptr || ids == nullptr || !time->as_double() || ids->if_array() == nullptr)
      fail(options.trace + ": expected timestamp and hash_ids in each line");
    Request request{.at = *time->as_double(), .copy = 0, .number = requests.size(), .ids = {}};
    for (const Json& id : *ids->if_array()) request.ids.push_back(id.as_uint64().value_or(0));
    requests.push_back(std::move(request));
  }
  const std::size_t once = requests.size();
  for (std::uint64_t copy = 1; copy < options.copies; ++copy)
    for (std::size_t i = 0; i < once; ++i) {
      requests.push_back(requests[i]);
      requests.back().copy = copy;
    }
  std::sort(requests.begin(), requests.end(), [](const Request& a, const Request& b) {
    return std::tie(a.at, a.copy, a.number) < std::tie(b.at, b.copy, b.number);
  });
  return requests;
}

Schedule schedule_of(const Options& options) {
  Schedule schedule;
  const std::vector<Request> requests = read_trace(options);
  const double last = std::max(requests.back().at, 1.0);
  const std::size_t parts = kTraceBlockTokens / options.block_tokens;
  std::vector<workload::LruEngine> engines;
  for (std::uint64_t w = 0; w < options.workers; ++w)
    engines.emplace_back(WorkerKey{WorkerId{w}, DpRank{0}}, options.blocks_per_worker);
  workload::Dice dice{42};
  for (const Request& request : requests) {
    Query query;
    for (const std::uint64_t id : request.ids)
      for (std::uint64_t part = 0; part < parts; ++part)
        query.path.push_back(
            LocalHash{workload::Dice{(request.copy << 40 | id) * parts + part}.next()});
    std::vector<tokens::SequenceHash> chain(query.path.size());
    tokens::sequence_hashes(query.path, chain);
    std::vector<EngineHash> names;
    for (const tokens::SequenceHash hash : chain)
      names.push_back(EngineHash{std::to_underlying(hash)});
    const double at = request.at / last;
    schedule.blocks += query.path.size();
    engines[dice.below(options.workers)].serve(query.path, names, [&](RouterEvent&& event) {
      if (const auto* stored = std::get_if<KvStored>(&event.event.data))
        schedule.blocks += stored->blocks.size();
      if (const auto* removed = std::get_if<KvRemoved>(&event.event.data))
        schedule.blocks += removed->block_hashes.size();
      schedule.operations.push_back({at, 0, schedule.events.size()});
      schedule.events.push_back(std::move(event));
    });
    schedule.queries.push_back(std::move(query));
    schedule.operations.push_back({at, schedule.queries.size(), 0});
  }
  // Queries before events of the same moment; both in the order in which they were made.
  std::sort(schedule.operations.begin(), schedule.operations.end(),
            [](const Operation& a, const Operation& b) {
              return std::tuple(a.at, a.query == 0, a.query, a.event) <
                     std::tuple(b.at, b.query == 0, b.query, b.event);
            });
  return schedule;
}

struct Outcome {
  double issue_s = 0;
  double total_s = 0;
  double p50_ns = 0;
  double p99_ns = 0;
  double writer_cpu_s = 0;  ///< of all threads but the one that issues
};

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}
double writers_cpu_s() {
  return seconds_of(CLOCK_PROCESS_CPUTIME_ID) - seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

Outcome replay(const Schedule& schedule, const Options& options, double window_s) {
  std::vector<RouterEvent> events = schedule.events;
  ShardedIndex index({.shards = options.shards, .queue_events_max = 1 << 16});
  ShardedIndex::Reader reader(index);
  index.start();
  std::vector<double> times;
  times.reserve(schedule.queries.size());
  const double cpu_before_s = writers_cpu_s();
  const double begin = now_ns();
  for (const Operation& operation : schedule.operations) {
    const double deadline = begin + operation.at * window_s * 1e9;
    double now = now_ns();
    while (now < deadline) now = now_ns();
    if (operation.query != 0) {
      static_cast<void>(reader.find_matches(schedule.queries[operation.query - 1].path).size());
      times.push_back(now_ns() - now);
    } else {
      while (!index.publish(std::move(events[operation.event]))) std::this_thread::yield();
    }
  }
  Outcome outcome;
  outcome.issue_s = (now_ns() - begin) * 1e-9;
  index.flush();
  outcome.total_s = (now_ns() - begin) * 1e-9;
  outcome.writer_cpu_s = writers_cpu_s() - cpu_before_s;
  std::sort(times.begin(), times.end());
  outcome.p50_ns = times[times.size() / 2];
  outcome.p99_ns = times[times.size() * 99 / 100];
  return outcome;
}

// For the reference's side: native integers, one operation after the other.
void write(const Schedule& schedule, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  const auto put = [&](const auto& value) {
    file.write(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  put(std::uint64_t{schedule.operations.size()});
  put(schedule.blocks);
  for (const Operation& operation : schedule.operations) {
    put(operation.at);
    if (operation.query != 0) {
      const Query& query = schedule.queries[operation.query - 1];
      put(std::uint64_t{0});
      put(std::uint64_t{query.path.size()});
      for (const LocalHash local : query.path) put(local);
      continue;
    }
    const RouterEvent& event = schedule.events[operation.event];
    if (const auto* stored = std::get_if<KvStored>(&event.event.data)) {
      put(std::uint64_t{stored->parent_hash ? 2u : 1u});
      put(event.worker_id);
      put(stored->parent_hash.value_or(EngineHash{}));
      put(std::uint64_t{stored->blocks.size()});
      for (const KvBlock& block : stored->blocks) {
        put(block.block_hash);
        put(block.tokens_hash);
      }
    } else {
      const auto& removed = std::get<KvRemoved>(event.event.data);
      put(std::uint64_t{3});
      put(event.worker_id);
      put(std::uint64_t{removed.block_hashes.size()});
      for (const EngineHash hash : removed.block_hashes) put(hash);
    }
  }
  if (!file) fail("cannot write " + path);
}

void run_trace(const Options& options) {
  const Schedule schedule = schedule_of(options);
  if (!options.write.empty()) return write(schedule, options.write);
  const double blocks = static_cast<double>(schedule.blocks);
  std::fprintf(stderr, "%zu requests, %zu events, %.2f M block operations\n",
               schedule.queries.size(), schedule.events.size(), blocks * 1e-6);
  // Ever shorter windows, until two in a row are too short.
  int failures = 0;
  for (double window_s = 2; failures < 2 && window_s > 0.02; window_s *= 0.8) {
    const Outcome outcome = replay(schedule, options, window_s);
    const bool kept_up = outcome.total_s <= kKeepsUp * window_s;
    failures = kept_up ? 0 : failures + 1;
    std::printf(
        "{\"side\":\"ours\",\"window_s\":%.3f,\"issue_s\":%.3f,\"total_s\":%.3f,\"kept_up\":%s,"
        "\"block_ops_per_s\":%.0f,\"find_p50_ns\":%.0f,\"find_p99_ns\":%.0f,\"writer_cpu_s\":%.3f}"
        "\n",
        window_s, outcome.issue_s, outcome.total_s, kept_up ? "true" : "false",
        blocks / outcome.total_s, outcome.p50_ns, outcome.p99_ns, outcome.writer_cpu_s);
    std::fflush(stdout);
  }
}

// Fills an index to ever more pairs; the longest event shows what growth of the tables costs.
void run_growth(std::size_t pairs_most) {
  constexpr std::size_t kDepth = 32;
  PrefixIndex index({.memory_bytes_max = std::size_t{16} << 30});
  std::vector<LocalHash> path(kDepth);
  std::vector<tokens::SequenceHash> chain(kDepth);
  std::vector<double> times;
  std::uint64_t s = 0;
  for (std::size_t pairs = 10'000; pairs <= pairs_most;
       pairs = pairs >= 10'000'000 ? pairs + 20'000'000 : pairs * 10) {
    times.clear();
    for (; s < pairs / kDepth; ++s) {
      for (std::uint64_t i = 0; i < kDepth; ++i)
        path[i] = LocalHash{i < 8 ? (0xDEADBEEF00000000u | s % 4 << 32 | i) : s << 32 | i};
      tokens::sequence_hashes(path, chain);
      KvStored stored;
      for (std::size_t i = 0; i < kDepth; ++i)
        stored.blocks.push_back({EngineHash{std::to_underlying(chain[i])}, path[i], std::nullopt});
      const double begin = now_ns();
      static_cast<void>(index.store({WorkerId{s % 4}, DpRank{0}}, stored));
      times.push_back(now_ns() - begin);
    }
    std::sort(times.begin(), times.end());
    const PrefixIndexStats stats = index.stats();
    std::printf(
        "{\"pairs\":%zu,\"store_p50_ns\":%.0f,\"store_p999_ns\":%.0f,\"store_max_us\":%.0f,"
        "\"bytes_per_pair\":%.1f}\n",
        pairs, times[times.size() / 2], times[times.size() * 999 / 1000], times.back() * 1e-3,
        static_cast<double>(stats.memory_bytes) / static_cast<double>(pairs));
    std::fflush(stdout);
  }
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const auto value = [&]() -> const char* {
      if (++i == argc) fail(std::string(name) + " needs a value");
      return argv[i];
    };
    const auto number = [&] {
      return static_cast<std::size_t>(std::strtoull(value(), nullptr, 10));
    };
    if (name == "--growth") {
      run_growth(number());
      return 0;
    }
    if (name == "--trace")
      options.trace = value();
    else if (name == "--write")
      options.write = value();
    else if (name == "--workers")
      options.workers = number();
    else if (name == "--blocks-per-worker")
      options.blocks_per_worker = number();
    else if (name == "--copies")
      options.copies = number();
    else if (name == "--shards")
      options.shards = number();
    else
      fail("unknown argument " + std::string(name));
  }
  if (options.trace.empty())
    fail(
        "usage: --trace FILE [--workers N] [--blocks-per-worker N] [--copies N] [--shards N] "
        "[--write FILE] | --growth PAIRS");
  run_trace(options);
  return 0;
}

}  // namespace
}  // namespace dynamo::kv_router

int main(int argc, char** argv) {
  return dynamo::kv_router::run(argc, argv);
}
