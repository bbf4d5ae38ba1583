// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

/// Character tables as written by tools/unicode/generate_tables.py; `properties.h` expands them.
namespace dynamo::tokenizer::unicode::data {

struct Record {
  std::uint8_t category;
  std::uint16_t flags;
};
/// From `first` up to the next run, all code points have `value`.
struct Run {
  char32_t first;
  std::uint8_t value;
};
/// first, first + stride, … (`count` of them) map to themselves plus `delta`.
struct DeltaRow {
  char32_t first;
  std::uint16_t count;
  std::uint8_t stride;
  std::int32_t delta;
};

extern const Record kRecords[];
extern const std::size_t kRecordCount;
extern const Run kPropertyRuns[];
extern const std::size_t kPropertyRunCount;
extern const std::string_view kScriptNames[];
extern const std::size_t kScriptNameCount;
extern const Run kScriptRuns[];
extern const std::size_t kScriptRunCount;
extern const DeltaRow kLowercaseRows[];
extern const std::size_t kLowercaseRowCount;
extern const DeltaRow kFoldRows[];
extern const std::size_t kFoldRowCount;
/// Code points that utf8proc decomposes and Hugging Face's older tables do not.
extern const char32_t kNoCanonicalDecomposition[];
extern const std::size_t kNoCanonicalDecompositionCount;
extern const char32_t kNoCompatibilityDecomposition[];
extern const std::size_t kNoCompatibilityDecompositionCount;

}  // namespace dynamo::tokenizer::unicode::data
