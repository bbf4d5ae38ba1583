// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokens/mm_run.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace dynamo::tokens {
namespace {

template <class Integer>
void append(std::vector<std::byte>& out, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    out.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
}

}  // namespace

std::expected<std::vector<MmRun>, MmRunError> sorted_runs(std::vector<MmRun> runs,
                                                          std::size_t tokens_count) {
  using Kind = MmRunError::Kind;
  std::ranges::sort(runs, {}, [](const MmRun& run) { return std::pair(run.offset, run.length); });
  std::size_t end = 0;
  for (const MmRun& run : runs) {
    const auto wrong = [&run](Kind kind) {
      return std::unexpected(MmRunError{.kind = kind, .position = run.offset});
    };
    if (run.length == 0) return wrong(Kind::empty_run);
    if (run.length > std::numeric_limits<std::size_t>::max() - run.offset) {
      return wrong(Kind::offset_overflow);
    }
    if (run.offset + run.length > tokens_count) return wrong(Kind::out_of_bounds);
    if (run.offset < end) return wrong(Kind::overlapping);
    end = run.offset + run.length;
  }
  return runs;
}

std::vector<std::byte> block_bytes(std::span<const Token> tokens, std::size_t first,
                                   std::span<const MmRun> runs) {
  // The first run that ends behind the block's start; it touches the block if it begins in it.
  auto run = std::ranges::partition_point(
      runs, [first](const MmRun& r) { return r.offset + r.length <= first; });
  std::vector<std::byte> out;
  if (run == runs.end() || run->offset >= first + tokens.size()) {
    out.resize(tokens.size_bytes());
    std::memcpy(out.data(), tokens.data(), tokens.size_bytes());
    return out;
  }
  constexpr std::size_t kFrameBytes = 13;
  out.reserve(tokens.size() * kFrameBytes);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::size_t position = first + i;
    while (run != runs.end() && run->offset + run->length <= position) ++run;
    const bool placeholder = run != runs.end() && run->offset <= position;
    append(out, static_cast<std::uint8_t>(placeholder ? 1 : 0));
    append(out, placeholder ? static_cast<std::uint32_t>(position - run->offset) : tokens[i]);
    append(out, placeholder ? run->mm_hash : std::uint64_t{0});
  }
  return out;
}

}  // namespace dynamo::tokens
