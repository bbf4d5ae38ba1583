// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Runs case files against our code. One runner per kind of file; main.cpp has the table.
namespace dynamo::conformance {

struct Options {
  std::vector<std::string> files;
  std::string tokenizers;  ///< folder with the tokenizer files that the cases name
  std::size_t show = 5;    ///< failures to print in full
};

/// Counts cases and prints the first failures.
class Tally {
 public:
  explicit Tally(std::size_t show) : show_(show) {}
  void pass() { ++passed_; }
  void skip(std::string_view id, std::string_view why);
  void fail(std::string_view id, std::string_view expected, std::string_view got);
  std::size_t passed() const noexcept { return passed_; }
  std::size_t failed() const noexcept { return failed_; }
  std::size_t skipped() const noexcept { return skipped_; }

 private:
  std::size_t show_;
  std::size_t passed_ = 0, failed_ = 0, skipped_ = 0;
};

/// Errors: a file that cannot be read. Failing cases are in the tally.
using Runner = Result<void> (*)(const Options& options, Tally& tally);

struct Kind {
  std::string_view name;
  std::string_view files;  ///< what to pass, for the help
  Runner run;
};

Result<Json> read_json(const std::string& path);

Result<void> run_templates(const Options& options, Tally& tally);
Result<void> run_jinja_features(const Options& options, Tally& tally);
Result<void> run_kv(const Options& options, Tally& tally);
Result<void> run_parsers(const Options& options, Tally& tally);
Result<void> run_tokenizers(const Options& options, Tally& tally);

/// Not cases: renders what arrives on standard input, for differential tests. One JSON object per
/// line: {"source", "context"}; the answer is {"rendered"} or {"error": {reason, message}}.
int render_lines();

/// Not cases either: encodes JSON strings from standard input, one per line, with one tokenizer;
/// the answer is {"ids", "decoded", "skipped"} or {"error"}.
int encode_lines(const std::string& tokenizer);

}  // namespace dynamo::conformance
