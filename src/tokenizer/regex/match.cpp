// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "tokenizer/regex/regex.h"
#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer::regex {
namespace {

constexpr std::size_t kNowhere = ~std::size_t{0};
/// Places to come back to; 1.5 million are 48 MiB.
constexpr std::size_t kStackLimit = 1'500'000;
constexpr int kEnclosedDepthLimit = 250;

class Matcher {
 public:
  Matcher(const Program& program, std::string_view text, std::uint64_t steps)
      : program_(program),
        text_(text),
        steps_(steps),
        slots_(program.slots, kNowhere),
        counters_(program.counters, 0) {}

  bool exhausted() const noexcept { return exhausted_; }

  /// The leftmost match that begins at or after `from`.
  std::optional<Match> search(std::size_t from) {
    search_start_ = from;
    for (std::size_t at = from;;
         at += unicode::utf8_length(static_cast<unsigned char>(text_[at]))) {
      if (!program_.nullable) at = skip_to_first(at);
      if (at > text_.size()) return std::nullopt;
      if (!spend(1)) return std::nullopt;
      std::ranges::fill(slots_, kNowhere);
      stack_.clear();
      keep_ = at;
      std::size_t end = at;
      if (run(0, end, 0)) return Match{std::min(keep_, end), end};
      if (exhausted_ || at >= text_.size()) return std::nullopt;
    }
  }

 private:
  /// What to do when the current way fails.
  struct Frame {
    enum class Kind : std::uint8_t {
      go,
      give_back,
      take_more,
      restore_slot,
      restore_counter,
      restore_keep
    };
    Kind kind;
    std::uint32_t pc;
    std::size_t at;
    std::size_t other;
  };

  bool spend(std::uint64_t count) {
    if (steps_ < count) {
      exhausted_ = true;
      return false;
    }
    steps_ -= count;
    return true;
  }

  bool push(Frame frame) {
    if (stack_.size() >= kStackLimit) {
      exhausted_ = true;
      return false;
    }
    stack_.push_back(frame);
    return true;
  }

  /// First place at or after `at` whose character a match can begin with; size + 1 when none.
  std::size_t skip_to_first(std::size_t at) const {
    while (at < text_.size()) {
      const unicode::Scalar s = unicode::scalar_at(text_, at);
      if (program_.first.contains(s.value)) return at;
      at += s.length;
    }
    return text_.size() + 1;
  }

  /// Runs the code at `pc` from `at` up to an accept; `at` is then the end of the match. The stack
  /// above its size at the call is this run's own.
  bool run(std::uint32_t pc, std::size_t& at_in_out, int depth) {
    if (depth > kEnclosedDepthLimit) {
      exhausted_ = true;
      return false;
    }
    const std::size_t floor = stack_.size();
    std::size_t at = at_in_out;
    for (;;) {
      if (!spend(1)) return false;
      const Instruction& in = program_.code[pc];
      bool ok = true;
      switch (in.op) {
        case Op::accept:
          at_in_out = at;
          return true;
        case Op::set: {
          ok = at < text_.size();
          if (!ok) break;
          const unicode::Scalar s = unicode::scalar_at(text_, at);
          ok = program_.sets[in.a].contains(s.value);
          if (ok) {
            at += s.length;
            ++pc;
          }
          break;
        }
        case Op::repeat_set:
        case Op::repeat_set_possessive:
          ok = take_all(in, pc, at);
          ++pc;
          break;
        case Op::repeat_set_lazy:
          ok = take_some(program_.sets[in.a], in.b, at);
          if (ok && in.c > in.b)
            ok =
                push({Frame::Kind::take_more, pc, at, in.c == kUnlimited ? kNowhere : in.c - in.b});
          ++pc;
          break;
        case Op::split:
          ok = push({Frame::Kind::go, in.b, at, 0});
          pc = in.a;
          break;
        case Op::jump:
          pc = in.a;
          break;
        case Op::save:
          ok = push({Frame::Kind::restore_slot, in.a, slots_[in.a], 0});
          slots_[in.a] = at;
          ++pc;
          break;
        case Op::progress_mark:
          ok = push({Frame::Kind::restore_counter, in.a, counters_[in.a], 0});
          counters_[in.a] = at;
          ++pc;
          break;
        case Op::progress_check:
          // An empty round ends the loop instead of failing it: skip the jump back.
          pc += counters_[in.a] == at ? 2U : 1U;
          break;
        case Op::assertion:
          ok = holds(static_cast<Assertion>(in.a), at);
          ++pc;
          break;
        case Op::look:
        case Op::look_not:
        case Op::atomic: {
          const std::size_t base = stack_.size();
          std::size_t end = at;
          const bool matched = run(pc + 1, end, depth + 1);
          if (exhausted_) return false;
          if (in.op == Op::look_not && matched) undo_to(base);
          if (matched && in.op != Op::look_not) drop_choices(base);
          ok = matched != (in.op == Op::look_not);
          if (ok && in.op == Op::atomic) at = end;
          pc = in.a;
          break;
        }
        case Op::look_behind:
        case Op::look_behind_not: {
          const bool matched = matches_behind(in, pc, at, depth);
          if (exhausted_) return false;
          ok = matched != (in.op == Op::look_behind_not);
          pc = in.a;
          break;
        }
        case Op::back_reference:
          ok = take_reference(in, at);
          ++pc;
          break;
        case Op::keep:
          ok = push({Frame::Kind::restore_keep, 0, keep_, 0});
          keep_ = at;
          ++pc;
          break;
      }
      if (exhausted_) return false;
      if (!ok && !back_track(floor, pc, at)) return false;
    }
  }

  bool take_some(const CharSet& set, std::uint32_t count, std::size_t& at) {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (at >= text_.size()) return false;
      const unicode::Scalar s = unicode::scalar_at(text_, at);
      if (!set.contains(s.value)) return false;
      at += s.length;
    }
    return true;
  }

  /// As many characters as there are; leaves a frame to give them back unless possessive.
  bool take_all(const Instruction& in, std::uint32_t pc, std::size_t& at) {
    const CharSet& set = program_.sets[in.a];
    if (!take_some(set, in.b, at)) return false;
    const std::size_t least = at;
    std::uint32_t count = in.b;
    while (count < in.c && at < text_.size()) {
      const unicode::Scalar s = unicode::scalar_at(text_, at);
      if (!set.contains(s.value)) break;
      at += s.length;
      ++count;
    }
    if (!spend((at - least) / 8)) return false;
    if (at == least || in.op == Op::repeat_set_possessive) return true;
    return push({Frame::Kind::give_back, pc + 1, at, least});
  }

  bool back_track(std::size_t floor, std::uint32_t& pc, std::size_t& at) {
    while (stack_.size() > floor) {
      Frame& frame = stack_.back();
      switch (frame.kind) {
        case Frame::Kind::go:
          pc = frame.pc;
          at = frame.at;
          stack_.pop_back();
          return true;
        case Frame::Kind::give_back:
          frame.at = unicode::previous_start(text_, frame.at);
          pc = frame.pc;
          at = frame.at;
          if (frame.at <= frame.other) stack_.pop_back();
          return true;
        case Frame::Kind::take_more: {
          const Instruction& in = program_.code[frame.pc];
          std::size_t next = frame.at;
          if (!take_some(program_.sets[in.a], 1, next)) {
            stack_.pop_back();
            break;
          }
          pc = frame.pc + 1;
          at = next;
          frame.at = next;
          if (frame.other != kNowhere && --frame.other == 0) stack_.pop_back();
          return true;
        }
        case Frame::Kind::restore_slot:
        case Frame::Kind::restore_counter:
        case Frame::Kind::restore_keep:
          restore(frame);
          stack_.pop_back();
          break;
      }
    }
    return false;
  }

  void restore(const Frame& frame) {
    if (frame.kind == Frame::Kind::restore_slot) slots_[frame.pc] = frame.at;
    if (frame.kind == Frame::Kind::restore_counter) counters_[frame.pc] = frame.at;
    if (frame.kind == Frame::Kind::restore_keep) keep_ = frame.at;
  }

  void undo_to(std::size_t base) {
    while (stack_.size() > base) {
      restore(stack_.back());
      stack_.pop_back();
    }
  }

  /// Forgets the choices above `base` but keeps what a failure further left must restore.
  void drop_choices(std::size_t base) {
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(base);
    const auto kept = std::remove_if(first, stack_.end(), [](const Frame& f) {
      return f.kind == Frame::Kind::go || f.kind == Frame::Kind::give_back ||
             f.kind == Frame::Kind::take_more;
    });
    stack_.erase(kept, stack_.end());
  }

  bool matches_behind(const Instruction& in, std::uint32_t pc, std::size_t at, int depth) {
    std::size_t start = at;
    for (std::uint32_t i = 0; i < in.b; ++i) {
      if (start == 0) return false;
      start = unicode::previous_start(text_, start);
    }
    for (std::uint32_t length = in.b;; ++length) {
      const std::size_t base = stack_.size();
      std::size_t end = start;
      bool matched = run(pc + 1, end, depth + 1);
      while (!exhausted_ && !(matched && end == at)) {
        // No match that ends here yet: another way through the same program.
        std::uint32_t next_pc = 0;
        matched = false;
        if (!back_track(base, next_pc, end)) break;
        matched = run(next_pc, end, depth + 1);
      }
      if (exhausted_) return false;
      if (matched) {
        drop_choices(base);
        return true;
      }
      undo_to(base);
      if (length >= in.c || start == 0) return false;
      start = unicode::previous_start(text_, start);
    }
  }

  bool take_reference(const Instruction& in, std::size_t& at) {
    const std::size_t begin = slots_[2 * in.a];
    const std::size_t end = slots_[2 * in.a + 1];
    if (begin == kNowhere || end == kNowhere || end < begin) return false;
    const std::string_view wanted = text_.substr(begin, end - begin);
    if (in.b == 0) {
      if (!text_.substr(at).starts_with(wanted)) return false;
      at += wanted.size();
      return spend(wanted.size() / 8);
    }
    for (std::size_t i = 0; i < wanted.size();) {
      if (at >= text_.size()) return false;
      const unicode::Scalar a = unicode::scalar_at(wanted, i);
      const unicode::Scalar b = unicode::scalar_at(text_, at);
      if (unicode::fold_case(a.value) != unicode::fold_case(b.value)) return false;
      i += a.length;
      at += b.length;
    }
    return spend(wanted.size());
  }

  bool is_word(std::size_t at) const {
    return words().contains(unicode::scalar_at(text_, at).value);
  }
  static const CharSet& words() {
    static const CharSet set = word_characters();
    return set;
  }

  bool holds(Assertion assertion, std::size_t at) const {
    const bool at_end = at == text_.size();
    switch (assertion) {
      case Assertion::text_start:
        return at == 0;
      case Assertion::text_end:
        return at_end;
      case Assertion::text_end_or_newline:
        return at_end || (at + 1 == text_.size() && text_[at] == '\n');
      case Assertion::line_start:
        return at == 0 || (text_[at - 1] == '\n' && !at_end);
      case Assertion::line_end:
        return at_end || text_[at] == '\n';
      case Assertion::search_start:
        return at == search_start_;
      case Assertion::word_boundary:
      case Assertion::no_word_boundary: {
        const bool before = at > 0 && is_word(unicode::previous_start(text_, at));
        const bool after = !at_end && is_word(at);
        return (before != after) == (assertion == Assertion::word_boundary);
      }
    }
    return false;
  }

  const Program& program_;
  std::string_view text_;
  std::uint64_t steps_;
  bool exhausted_ = false;
  std::size_t search_start_ = 0;
  std::size_t keep_ = 0;
  std::vector<std::size_t> slots_;
  std::vector<std::size_t> counters_;
  std::vector<Frame> stack_;
};

}  // namespace

Result<Regex> Regex::make(std::string_view pattern) {
  DYN_TRY(const Syntax syntax, parse(pattern));
  DYN_TRY(Program program, compile(syntax));
  return Regex(std::move(program));
}

Result<void> Regex::find_all(std::string_view text, std::uint64_t step_limit,
                             std::vector<Match>& out) const {
  Matcher matcher(*program_, text, step_limit + 64 * text.size());
  std::size_t from = 0;
  std::size_t last_end = kNowhere;
  while (from <= text.size()) {
    const auto match = matcher.search(from);
    if (matcher.exhausted()) {
      return fail(Errc::invalid_argument,
                  "a regular expression of the tokenizer takes too many steps on this text");
    }
    if (!match) break;
    if (match->begin == match->end && match->end == last_end) {
      if (from >= text.size()) break;
      from += unicode::utf8_length(static_cast<unsigned char>(text[from]));
      continue;
    }
    out.push_back(*match);
    from = match->end;
    last_end = match->end;
  }
  return {};
}

}  // namespace dynamo::tokenizer::regex
