// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/earley_matcher.h"

#include <algorithm>
#include <utility>

namespace dynamo::engines::batching::grammar {
namespace {

using Kind = GbnfGrammar::Symbol::Kind;

constexpr std::size_t kSlotsAtFirst = 256;
constexpr std::uint32_t kSeveral = UINT32_MAX - 1;

std::size_t hash(std::uint64_t key) {
  return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ULL) >> 20);
}

}  // namespace

EarleyMatcher::EarleyMatcher(std::shared_ptr<const GbnfGrammar> grammar)
    : grammar_(std::move(grammar)), present_(kSlotsAtFirst), predicted_(grammar_->rules.size()) {
  open_set();
  predict(grammar_->root);
  close_set();
}

EarleyMatcher::Mark EarleyMatcher::mark() const noexcept {
  return {.sets = static_cast<std::uint32_t>(begins_.size()),
          .items = static_cast<std::uint32_t>(items_.size()),
          .value = value_,
          .least = least_,
          .missing = missing_};
}

void EarleyMatcher::go_back(const Mark& mark) {
  begins_.resize(mark.sets);
  items_.resize(mark.items);
  topmost_.resize(mark.items);
  value_ = mark.value;
  least_ = mark.least;
  missing_ = mark.missing;
}

// --- sets ----------------------------------------------------------------------------------------

void EarleyMatcher::open_set() {
  begins_.push_back(static_cast<std::uint32_t>(items_.size()));
  ++stamp_;
  present_count_ = 0;
}

void EarleyMatcher::add(Item item) {
  ++work_;
  const std::uint64_t key = (std::uint64_t{item.at} << 32U) | item.origin;
  if (present_count_ * 2 >= present_.size()) {
    const std::vector<Slot> before =
        std::exchange(present_, std::vector<Slot>(present_.size() * 4));
    for (const Slot& slot : before) {
      if (slot.stamp != stamp_) continue;
      std::size_t i = hash(slot.key) & (present_.size() - 1);
      while (present_[i].stamp == stamp_) i = (i + 1) & (present_.size() - 1);
      present_[i] = slot;
    }
  }
  std::size_t i = hash(key) & (present_.size() - 1);
  for (; present_[i].stamp == stamp_; i = (i + 1) & (present_.size() - 1)) {
    if (present_[i].key == key) return;
  }
  present_[i] = {.key = key, .stamp = stamp_};
  ++present_count_;
  items_.push_back(item);
  topmost_.push_back({.at = kNone, .origin = 0});
}

void EarleyMatcher::predict(std::uint32_t rule) {
  if (std::exchange(predicted_[rule], stamp_) == stamp_) return;
  for (const std::uint32_t alternative : grammar_->rules[rule].alternatives)
    add({.at = alternative, .origin = last_set()});
}

/// Adds all that follows from the items of the last set: what may begin here, and what has gone on
/// because something ended here.
void EarleyMatcher::close_set() {
  const std::uint32_t here = last_set();
  for (std::uint32_t i = begin_of(here); i < items_.size() && !out_of_work(); ++i) {
    const Item item = items_[i];
    const GbnfGrammar::Symbol symbol = grammar_->symbols[item.at];
    if (symbol.kind == Kind::rule) {
      predict(symbol.value);
      // A rule that ends where it began has ended before it is asked who waits for it.
      if (grammar_->rules[symbol.value].nullable) add({.at = item.at + 1, .origin = item.origin});
    } else if (symbol.kind == Kind::end && item.origin != here) {
      complete_rule(symbol.value, item.origin);
    }
  }
}

/// Goes on with what waits for a rule that began at `origin` and ends here.
void EarleyMatcher::complete_rule(std::uint32_t rule, std::uint32_t origin) {
  const std::uint32_t only = only_waiting(origin, rule);
  if (only == kNone) return;
  if (only != kSeveral) {
    add(ends_with(only) ? topmost(only)
                        : Item{.at = items_[only].at + 1, .origin = items_[only].origin});
    return;
  }
  const std::uint32_t end = end_of(origin);
  work_ += end - begin_of(origin);
  for (std::uint32_t j = begin_of(origin); j < end; ++j) {
    const Item waiting = items_[j];
    const GbnfGrammar::Symbol wanted = grammar_->symbols[waiting.at];
    if (wanted.kind == Kind::rule && wanted.value == rule)
      add({.at = waiting.at + 1, .origin = waiting.origin});
  }
}

/// The item of a set that waits for the rule; kNone, or kSeveral, where it is not one.
std::uint32_t EarleyMatcher::only_waiting(std::uint32_t set, std::uint32_t rule) {
  std::uint32_t found = kNone;
  const std::uint32_t end = end_of(set);
  work_ += end - begin_of(set);
  for (std::uint32_t j = begin_of(set); j < end; ++j) {
    const GbnfGrammar::Symbol wanted = grammar_->symbols[items_[j].at];
    if (wanted.kind != Kind::rule || wanted.value != rule) continue;
    if (found != kNone) return kSeveral;
    found = j;
  }
  return found;
}

/// Whether what an item waits for is the last of its rule, which began before the item's set.
bool EarleyMatcher::ends_with(std::uint32_t waiting) const noexcept {
  const auto behind = std::ranges::upper_bound(begins_, waiting);
  const auto set = static_cast<std::uint32_t>(behind - begins_.begin() - 1);
  return grammar_->symbols[items_[waiting].at + 1].kind == Kind::end &&
         items_[waiting].origin < set;
}

/// Where the end of a rule leads that only the item `waiting` waits for, as its last: that ends its
/// rule too, and so on while there is only one way. Recursion at the right end so costs the same
/// for each character, however long the text is (Leo's rule). What is left out on the way has no
/// effect but the next one's end.
EarleyMatcher::Item EarleyMatcher::topmost(std::uint32_t waiting) {
  std::vector<std::uint32_t> way;
  Item top{};
  for (std::uint32_t at = waiting;;) {
    way.push_back(at);
    if (topmost_[at].at != kNone) {
      top = topmost_[at];
      break;
    }
    top = {.at = items_[at].at + 1, .origin = items_[at].origin};
    const std::uint32_t next = only_waiting(top.origin, grammar_->symbols[top.at].value);
    if (next == kNone || next == kSeveral || !ends_with(next)) break;
    at = next;
  }
  for (const std::uint32_t at : way) topmost_[at] = top;
  return top;
}

bool EarleyMatcher::complete() const noexcept {
  if (missing_ != 0) return false;
  for (std::uint32_t i = begin_of(last_set()); i < items_.size(); ++i) {
    const GbnfGrammar::Symbol symbol = grammar_->symbols[items_[i].at];
    if (symbol.kind == Kind::end && symbol.value == grammar_->root && items_[i].origin == 0)
      return true;
  }
  return last_set() == 0 && grammar_->rules[grammar_->root].nullable;
}

// --- reading -------------------------------------------------------------------------------------

bool EarleyMatcher::read(char32_t c) {
  const std::uint32_t before = last_set();
  const std::uint32_t begin = begin_of(before);
  const auto end = static_cast<std::uint32_t>(items_.size());
  open_set();
  work_ += end - begin;
  for (std::uint32_t i = begin; i < end; ++i) {
    const Item item = items_[i];
    const GbnfGrammar::Symbol symbol = grammar_->symbols[item.at];
    if (symbol.kind == Kind::set && grammar_->sets[symbol.value].contains(c))
      add({.at = item.at + 1, .origin = item.origin});
  }
  if (items_.size() == end) return false;
  close_set();
  return !out_of_work();
}

bool EarleyMatcher::may_read(char32_t first, char32_t last) const {
  for (std::uint32_t i = begin_of(last_set()); i < items_.size(); ++i) {
    const GbnfGrammar::Symbol symbol = grammar_->symbols[items_[i].at];
    if (symbol.kind == Kind::set && grammar_->sets[symbol.value].intersects(first, last))
      return true;
  }
  return false;
}

bool EarleyMatcher::feed(unsigned char byte) {
  if (out_of_work()) return false;
  if (missing_ == 0) {
    if (byte < 0x80) return read(byte);
    if (byte < 0xC2 || byte > 0xF4) return false;  // begins nothing (RFC 3629)
    missing_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    value_ = byte & (0x3FU >> missing_);
    least_ = missing_ == 1 ? 0x80 : missing_ == 2 ? 0x800 : 0x10000;
  } else {
    if ((byte & 0xC0U) != 0x80) return false;
    value_ = (value_ << 6U) | (byte & 0x3FU);
    --missing_;
  }
  // What the sequence can still become; neither an overlong form nor a surrogate is a text.
  const std::uint32_t shift = 6U * missing_;
  const std::uint32_t first = std::max(value_ << shift, least_);
  const std::uint32_t last =
      std::min((value_ << shift) | ((1U << shift) - 1), std::uint32_t{CharSet::kMax});
  if (first > last || (first >= 0xD800 && last <= 0xDFFF)) return false;
  if (missing_ == 0) return read(std::exchange(value_, 0));
  work_ += items_.size() - begin_of(last_set());
  return may_read(first, last);
}

bool EarleyMatcher::same_step(const Mark& from, unsigned char a, unsigned char b) {
  if (from.missing != 0) return false;
  work_ += from.items - begin_of(from.sets - 1);
  for (std::uint32_t i = begin_of(from.sets - 1); i < from.items; ++i) {
    const GbnfGrammar::Symbol symbol = grammar_->symbols[items_[i].at];
    if (symbol.kind == Kind::set &&
        grammar_->sets[symbol.value].contains(a) != grammar_->sets[symbol.value].contains(b))
      return false;
  }
  return true;
}

/// Keeps the sets that the items of the last one come from, directly or not.
void EarleyMatcher::forget_the_past() {
  std::vector<bool> kept(begins_.size());
  std::vector<std::uint32_t> found{last_set()};
  kept[last_set()] = true;
  kept[0] = true;  // complete() asks for it by number
  while (!found.empty()) {
    const std::uint32_t set = found.back();
    found.pop_back();
    for (std::uint32_t i = begin_of(set); i < end_of(set); ++i) {
      const std::uint32_t origin = items_[i].origin;
      if (!kept[origin]) {
        kept[origin] = true;
        found.push_back(origin);
      }
    }
  }
  std::vector<std::uint32_t> number(begins_.size(), kNone);
  std::vector<Item> items;
  std::vector<std::uint32_t> begins;
  for (std::uint32_t set = 0; set < begins_.size(); ++set) {
    if (!kept[set]) continue;
    number[set] = static_cast<std::uint32_t>(begins.size());
    begins.push_back(static_cast<std::uint32_t>(items.size()));
    for (std::uint32_t i = begin_of(set); i < end_of(set); ++i)
      items.push_back({.at = items_[i].at, .origin = number[items_[i].origin]});
  }
  work_ += items_.size();
  items_ = std::move(items);
  begins_ = std::move(begins);
  topmost_.assign(items_.size(), {.at = kNone, .origin = 0});
}

}  // namespace dynamo::engines::batching::grammar
