// SPDX-License-Identifier: Apache-2.0
#include "batch_mode.h"

#include <dynamo/base/uuid.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <fstream>
#include <future>

#include <unistd.h>

namespace dynamo::run {
namespace {

constexpr std::size_t kConcurrency = 16;
using SteadyClock = std::chrono::steady_clock;

struct Entry {
  std::string json;  // the line to write
  bool failed = false;
  std::uint32_t tokens_in = 0;
  std::uint32_t tokens_out = 0;
};

Entry failure(std::size_t line, std::string_view why) {
  Entry entry{.json = {}, .failed = true};
  JsonWriter(entry.json)
      .begin_object()
      .member("line", static_cast<std::uint64_t>(line))
      .member("error", why)
      .end_object();
  return entry;
}

Entry answer_line(Chat& chat, const RequestDefaults& defaults, std::size_t number,
                  const std::string& line) {
  const auto parsed = parse_json(line);
  if (!parsed) return failure(number, parsed.error().message());
  const Json* text = parsed->find("text");
  if (text == nullptr || !text->is_string())
    return failure(number, "the line has no string member \"text\"");

  const auto started = SteadyClock::now();
  const auto context = runtime::Context::create(base::Uuid::random().to_string());
  const auto answer = chat.ask(
      chat_request(defaults, {message("user", *text->if_string())}), [](std::string_view) {},
      context);
  if (!answer) return failure(number, answer.error().message());
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - started);

  Entry entry{.json = {},
              .failed = false,
              .tokens_in = answer->prompt_tokens,
              .tokens_out = answer->completion_tokens};
  JsonWriter out(entry.json);
  out.begin_object()
      .member("text", *text->if_string())
      .member("response", answer->text)
      .member("tokens_in", answer->prompt_tokens)
      .member("tokens_out", answer->completion_tokens)
      .member("elapsed_ms", static_cast<std::int64_t>(elapsed.count()));
  if (!answer->finish_reason.empty()) out.member("finish_reason", answer->finish_reason);
  out.end_object();
  return entry;
}

}  // namespace

BatchSummary answer_lines(Chat& chat, const RequestDefaults& defaults, std::istream& in,
                          std::ostream& out, std::size_t concurrency,
                          const std::function<void(const BatchSummary&)>& progress) {
  BatchSummary summary;
  std::deque<std::future<Entry>> running;  // in input order
  const auto write_oldest = [&] {
    const Entry entry = running.front().get();
    running.pop_front();
    out << entry.json << '\n' << std::flush;
    ++summary.lines;
    summary.failed += entry.failed ? 1 : 0;
    summary.tokens_in += entry.tokens_in;
    summary.tokens_out += entry.tokens_out;
    progress(summary);
  };
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    running.push_back(
        std::async(std::launch::async, [&chat, &defaults, number, line = std::move(line)] {
          return answer_line(chat, defaults, number, line);
        }));
    line = {};
    if (running.size() >= concurrency) write_oldest();
  }
  while (!running.empty()) write_oldest();
  return summary;
}

int run_batch(Chat& chat, const RequestDefaults& defaults, const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) {
    std::fprintf(stderr, "error: cannot read %s\n", file.c_str());
    return 1;
  }
  const std::filesystem::path target = file.parent_path() / "output.jsonl";
  std::ofstream out(target, std::ios::trunc);
  if (!out) {
    std::fprintf(stderr, "error: cannot write %s\n", target.c_str());
    return 1;
  }
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto started = SteadyClock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(SteadyClock::now() - started).count();
  };
  const auto summary =
      answer_lines(chat, defaults, in, out, kConcurrency, [&](const BatchSummary& so_far) {
        if (terminal) {
          std::fprintf(stderr, "\r%zu done, %zu failed, %.1f tokens/s ", so_far.lines,
                       so_far.failed, static_cast<double>(so_far.tokens_out) / seconds());
        }
      });
  if (terminal) std::fputc('\n', stderr);
  const double took = seconds();
  std::fprintf(stderr,
               "Answered %zu lines in %.2f s, %zu failed. Tokens in: %llu (%.1f tokens/s). Tokens "
               "out: %llu (%.1f tokens/s). %s\n",
               summary.lines, took, summary.failed,
               static_cast<unsigned long long>(summary.tokens_in),
               static_cast<double>(summary.tokens_in) / took,
               static_cast<unsigned long long>(summary.tokens_out),
               static_cast<double>(summary.tokens_out) / took, target.c_str());
  if (!out) {
    std::fprintf(stderr, "error: writing %s failed\n", target.c_str());
    return 1;
  }
  return summary.failed == 0 ? 0 : 1;
}

}  // namespace dynamo::run
