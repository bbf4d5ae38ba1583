// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <istream>
#include <ostream>

#include "text_mode.h"

namespace dynamo::run {

struct BatchSummary {
  std::size_t lines = 0;
  std::size_t failed = 0;
  std::uint64_t tokens_in = 0;
  std::uint64_t tokens_out = 0;
};

/// Answers each line `{"text": …}` of `in` and writes one line per input line to `out`, in input
/// order: text, response, tokens_in, tokens_out, elapsed_ms, finish_reason; or line and error.
/// At most `concurrency` requests run at once, so memory does not grow with the file.
BatchSummary answer_lines(Chat& chat, const RequestDefaults& defaults, std::istream& in,
                          std::ostream& out, std::size_t concurrency,
                          const std::function<void(const BatchSummary&)>& progress);

/// `in=batch:FILE`: writes output.jsonl beside the file, progress and statistics to standard error.
/// Exit status 1 when a line failed or a file could not be used.
int run_batch(Chat& chat, const RequestDefaults& defaults, const std::filesystem::path& file);

}  // namespace dynamo::run
