// SPDX-License-Identifier: Apache-2.0
// The readers' side of the trie. Every shared word is loaded once, with acquire; what it leads to
// is immutable, or grows only beyond what the word speaks about.
#include <algorithm>
#include <bit>

#include "kv_router/prefix_trie.h"

namespace dynamo::kv_router::detail {
namespace {

constexpr std::uint32_t kPrefetchLines = 4;

void prefetch(const Node* node) noexcept {
  for (std::uint32_t line = 0; line < kPrefetchLines; ++line)
    __builtin_prefetch(reinterpret_cast<const char*>(node) + line * 64);
}

}  // namespace

TrieReader::TrieReader(PrefixTrie& trie) : trie_(trie), seat_(trie.epochs_.take_seat()) {}

TrieReader::~TrieReader() {
  trie_.epochs_.leave_seat(seat_);
}

std::span<const WorkerOverlap> TrieReader::find_matches(std::span<const LocalHash> sequence,
                                                        bool early_exit) {
  found_count_ = 0;
  if (sequence.empty()) return {};
  trie_.epochs_.enter(*seat_);
  descend(sequence.data(), static_cast<std::uint32_t>(std::min<std::size_t>(sequence.size(), ~0u)),
          early_exit);
  EpochDomain::exit(*seat_);
  return {found_.data(), found_count_};
}

void TrieReader::expect(std::size_t workers) {
  if (found_.size() < workers) found_.resize(std::max<std::size_t>(workers, 64));
}

void TrieReader::report(Slot slot, std::uint32_t depth) noexcept {
  if (depth == 0) return;
  const SlotOwner& owner = trie_.owners_[slot];
  if (!owner.alive.load(std::memory_order_acquire)) return;
  found_[found_count_++] = {{WorkerId{owner.worker.load(std::memory_order_relaxed)},
                             DpRank{owner.rank.load(std::memory_order_relaxed)}},
                            depth};
}

void TrieReader::report_all(std::uint32_t depth) noexcept {
  if (depth == 0) return;
  for (std::size_t word = 0; word < words_; ++word)
    for (std::uint64_t bits = bits_[word]; bits != 0; bits &= bits - 1)
      report(static_cast<Slot>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits))),
             depth);
}

void TrieReader::descend(const LocalHash* query, std::uint32_t count, bool early_exit) {
  Node* node = child_of(trie_.root_.followers(), query[0]);
  if (node == nullptr) return;
  prefetch(node);
  single_ = false;
  words_ = 0;
  bool first = true;  // everyone is a candidate
  std::uint32_t depth = 0;
  const auto is_candidate = [&](Slot slot) {
    return slot / 64u < words_ && (bits_[slot / 64u] >> (slot % 64u) & 1) != 0;
  };

  while (true) {
    const Holders holders = node->held();
    std::uint32_t reach = 0;  // blocks that the remaining candidates hold of this node
    std::uint32_t matched = 0;
    if (holders.nobody()) break;
    if (holders.is_one()) {
      const Slot slot = holders.slot();
      if (single_ && slot_ != slot) break;
      if (first) expect(1);
      if (!single_ && !first) {
        if (!is_candidate(slot)) break;
        bits_[slot / 64u] &= ~(std::uint64_t{1} << slot % 64u);
        report_all(depth);
      }
      first = false;
      single_ = true;
      slot_ = slot;
      // One candidate is left: one block is bound enough for a caller in a hurry.
      reach = early_exit ? 1 : holders.blocks();
      matched = matching(node->locals(), query + depth, std::min(reach, count - depth));
    } else {
      const HolderSet& set = *holders.set();
      reach = set.length;
      matched = matching(node->locals(), query + depth, std::min(reach, count - depth));
      if (single_) {
        if (!set.holds_all(slot_)) {
          depth += std::min(matched, holders.held_by(slot_));
          break;
        }
      } else if (first) {
        first = false;
        expect(std::size_t{set.words} * 64 + set.cutoffs);
        words_ = set.words;
        if (bits_.size() < words_) bits_.resize(words_);
        std::copy_n(set.full(), words_, bits_.begin());
        for (std::uint32_t i = 0; i < set.cutoffs; ++i)
          report(set.cutoff()[i].slot, std::min<std::uint32_t>(matched, set.cutoff()[i].blocks));
      } else {
        for (std::uint32_t i = 0; i < set.cutoffs; ++i) {
          const HolderSet::Cutoff cutoff = set.cutoff()[i];
          if (!is_candidate(cutoff.slot)) continue;
          bits_[cutoff.slot / 64u] &= ~(std::uint64_t{1} << cutoff.slot % 64u);
          report(cutoff.slot, depth + std::min<std::uint32_t>(matched, cutoff.blocks));
        }
        for (std::size_t word = 0; word < words_; ++word) {
          const std::uint64_t stay = word < set.words ? set.full()[word] : 0;
          for (std::uint64_t gone = bits_[word] & ~stay; gone != 0; gone &= gone - 1)
            report(static_cast<Slot>(word * 64 + static_cast<std::size_t>(std::countr_zero(gone))),
                   depth);
          bits_[word] &= stay;
        }
      }
    }
    depth += matched;
    if (matched < reach || depth == count) break;
    const Kids kids = node->followers();
    if (kids.length() != reach) break;
    if (early_exit) {
      std::size_t left = single_ ? 1 : 0;
      for (std::size_t word = 0; !single_ && word < words_ && left < 2; ++word)
        left += static_cast<std::size_t>(std::popcount(bits_[word]));
      if (left < 2) break;
    }
    Node* child = nullptr;
    if (early_exit && !single_ && !kids.is_none() && !kids.is_one()) {
      // The table may already say who is left.
      const ChildTable::Cell* cell =
          static_cast<const ChildTable*>(kids.table())->find(query[depth]);
      if (cell == nullptr) break;
      const ChildWord word = cell->load(std::memory_order_acquire);
      // The cell may have changed hands; what stood there before and after is what was compared.
      const bool sure =
          cell->first_local.load(std::memory_order_acquire) == std::to_underlying(query[depth]) &&
          cell->load(std::memory_order_acquire) == word;
      if (!word.is_child()) break;
      if (sure && word.has_only_holder()) {
        const Slot slot = word.only_holder();
        if (is_candidate(slot)) {
          bits_[slot / 64u] &= ~(std::uint64_t{1} << slot % 64u);
          report_all(depth);
          single_ = true;
          slot_ = slot;
          ++depth;
        }
        break;
      }
      child = word.node();
    } else {
      child = child_of(kids, query[depth]);
    }
    if (child == nullptr) break;
    node = child;
    prefetch(node);
  }

  if (single_) {
    report(slot_, depth);
  } else {
    report_all(depth);
  }
  // Useful prefixes outlive the others when memory runs short.
  const std::uint32_t tick = trie_.tick_.load(std::memory_order_relaxed);
  if (node->used.load(std::memory_order_relaxed) != tick)
    node->used.store(tick, std::memory_order_relaxed);
}

}  // namespace dynamo::kv_router::detail
