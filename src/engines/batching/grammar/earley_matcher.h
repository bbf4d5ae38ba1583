// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engines/batching/grammar/gbnf_grammar.h"

namespace dynamo::engines::batching::grammar {

/// Follows a grammar byte by byte: which texts may go on is known after each (Earley's algorithm).
///
/// Unlike a list of stacks, what an ambiguous grammar costs is a polynomial of the length of the
/// text (linear for what recursion at the left or right end describes: lists), and work is counted,
/// so that whoever asks can stop in time. What was read can be taken
/// back, which makes trying out a token cheap.
/// A value without copies; one thread.
class EarleyMatcher {
 public:
  explicit EarleyMatcher(std::shared_ptr<const GbnfGrammar> grammar);

  /// A state to go back to; those after it are then gone.
  struct Mark {
    std::uint32_t sets;
    std::uint32_t items;
    std::uint32_t value, least;
    std::uint8_t missing;
  };
  Mark mark() const noexcept;
  void go_back(const Mark& mark);

  /// False when no text of the grammar goes on like this; the state is then of no use until
  /// go_back().
  bool feed(unsigned char byte);
  /// What was read is a text of the grammar.
  bool complete() const noexcept;
  /// Whether two ASCII bytes lead from an earlier state to the same one.
  bool same_step(const Mark& from, unsigned char a, unsigned char b);
  /// Forgets what only go_back() could reach. All marks become invalid.
  void forget_the_past();

  /// Steps since construction; a few nanoseconds each.
  std::uint64_t work() const noexcept { return work_; }
  /// feed() gives up, and returns false, where work() reaches this.
  void set_work_limit(std::uint64_t limit) noexcept { work_limit_ = limit; }
  bool out_of_work() const noexcept { return work_ >= work_limit_; }
  /// Memory for the state.
  std::size_t items() const noexcept { return items_.size(); }

 private:
  /// A place in a rule that began at set `origin`.
  struct Item {
    std::uint32_t at;  // in symbols
    std::uint32_t origin;
  };
  static constexpr std::uint32_t kNone = UINT32_MAX;

  std::uint32_t begin_of(std::uint32_t set) const noexcept { return begins_[set]; }
  std::uint32_t end_of(std::uint32_t set) const noexcept {
    return set + 1 < begins_.size() ? begins_[set + 1] : static_cast<std::uint32_t>(items_.size());
  }
  std::uint32_t last_set() const noexcept { return static_cast<std::uint32_t>(begins_.size() - 1); }
  void open_set();
  void add(Item item);
  void predict(std::uint32_t rule);
  void complete_rule(std::uint32_t rule, std::uint32_t origin);
  std::uint32_t only_waiting(std::uint32_t set, std::uint32_t rule);
  bool ends_with(std::uint32_t waiting) const noexcept;
  Item topmost(std::uint32_t waiting);
  void close_set();
  bool read(char32_t c);
  bool may_read(char32_t first, char32_t last) const;

  std::shared_ptr<const GbnfGrammar> grammar_;
  std::vector<Item> items_;            // of all sets, one after the other
  std::vector<Item> topmost_;          // by item: see topmost(); `at` is kNone where not known
  std::vector<std::uint32_t> begins_;  // of each set
  // An unfinished UTF-8 sequence.
  std::uint32_t value_ = 0;
  std::uint32_t least_ = 0;  // below it the form would be overlong
  std::uint8_t missing_ = 0;
  std::uint64_t work_ = 0;
  std::uint64_t work_limit_ = UINT64_MAX;
  // Of the set that is being closed: which items and rules it has. A stamp of another set counts as
  // absent, so nothing has to be cleared.
  struct Slot {
    std::uint64_t key = 0;
    std::uint64_t stamp = 0;
  };
  std::vector<Slot> present_;
  std::size_t present_count_ = 0;
  std::vector<std::uint64_t> predicted_;
  std::uint64_t stamp_ = 0;
};

}  // namespace dynamo::engines::batching::grammar
