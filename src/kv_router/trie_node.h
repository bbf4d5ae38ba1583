// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/event.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dynamo::kv_router::detail {

/// A worker's place in bitsets.
using Slot = std::uint16_t;
inline constexpr std::uint32_t kSlotsMax = 65535;
inline constexpr std::uint32_t kNodeBlocksMax = 256;

/// Who holds how much of a node with several holders. Immutable once published. Followed in memory
/// by `words` words of the bitset of those who hold all of it, then by `cutoffs` cutoffs.
struct HolderSet {
  struct Cutoff {
    Slot slot;
    std::uint16_t blocks;  ///< leading blocks of the node that are held; > 0, < length
  };
  std::uint16_t length;  ///< the node's blocks that the bitset speaks about
  std::uint16_t words;
  std::uint32_t cutoffs;

  std::uint64_t* full() noexcept { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const std::uint64_t* full() const noexcept {
    return reinterpret_cast<const std::uint64_t*>(this + 1);
  }
  Cutoff* cutoff() noexcept { return reinterpret_cast<Cutoff*>(full() + words); }
  const Cutoff* cutoff() const noexcept { return reinterpret_cast<const Cutoff*>(full() + words); }
  bool holds_all(Slot slot) const noexcept {
    const std::uint32_t word = slot / 64u;
    return word < words && (full()[word] >> (slot % 64u) & 1) != 0;
  }
  static std::size_t bytes(std::size_t words, std::size_t cutoffs) noexcept {
    return sizeof(HolderSet) + words * sizeof(std::uint64_t) + cutoffs * sizeof(Cutoff);
  }
};

/// The holders of a node in one word: nobody, one worker with the number of blocks it holds, or a
/// set.
class Holders {
 public:
  constexpr Holders() noexcept = default;
  static Holders one(Slot slot, std::uint32_t blocks) noexcept {
    return Holders(std::uint64_t{blocks} << 32 | std::uint64_t{slot} << 1 | 1);
  }
  static Holders many(const HolderSet* set) noexcept {
    return Holders(reinterpret_cast<std::uint64_t>(set));
  }
  static Holders from_word(std::uint64_t word) noexcept { return Holders(word); }

  std::uint64_t word() const noexcept { return word_; }
  bool nobody() const noexcept { return word_ == 0; }
  bool is_one() const noexcept { return (word_ & 1) != 0; }
  bool is_many() const noexcept { return word_ != 0 && (word_ & 1) == 0; }
  Slot slot() const noexcept { return static_cast<Slot>(word_ >> 1); }
  std::uint32_t blocks() const noexcept { return static_cast<std::uint32_t>(word_ >> 32); }
  HolderSet* set() const noexcept { return reinterpret_cast<HolderSet*>(word_); }

  /// Leading blocks that the slot holds.
  std::uint32_t held_by(Slot slot) const noexcept {
    if (word_ == 0) return 0;
    if (is_one()) return this->slot() == slot ? blocks() : 0;
    const HolderSet& many = *set();
    if (many.holds_all(slot)) return many.length;
    for (std::uint32_t i = 0; i < many.cutoffs; ++i)
      if (many.cutoff()[i].slot == slot) return many.cutoff()[i].blocks;
    return 0;
  }
  /// `visit(Slot, blocks)` for each holder.
  template <class Visit>
  void for_each(Visit&& visit) const {
    if (word_ == 0) return;
    if (is_one()) return visit(slot(), blocks());
    const HolderSet& many = *set();
    for (std::uint32_t word = 0; word < many.words; ++word)
      for (std::uint64_t bits = many.full()[word]; bits != 0; bits &= bits - 1)
        visit(static_cast<Slot>(word * 64 + static_cast<std::uint32_t>(__builtin_ctzll(bits))),
              std::uint32_t{many.length});
    for (std::uint32_t i = 0; i < many.cutoffs; ++i)
      visit(many.cutoff()[i].slot, std::uint32_t{many.cutoff()[i].blocks});
  }

 private:
  explicit constexpr Holders(std::uint64_t word) noexcept : word_(word) {}
  std::uint64_t word_ = 0;
};

struct ChildTable;
struct Node;

/// What follows a node, and after how many of its blocks: one word, so that a reader never pairs a
/// child with a length to which it does not belong.
class Kids {
 public:
  constexpr Kids() noexcept = default;
  static Kids none(std::uint32_t length) noexcept { return Kids(std::uint64_t{length} << 48); }
  static Kids one(std::uint32_t length, const Node* child) noexcept {
    return Kids(std::uint64_t{length} << 48 | reinterpret_cast<std::uint64_t>(child) | 1);
  }
  static Kids many(std::uint32_t length, const ChildTable* table) noexcept {
    return Kids(std::uint64_t{length} << 48 | reinterpret_cast<std::uint64_t>(table));
  }
  static Kids from_word(std::uint64_t word) noexcept { return Kids(word); }
  Kids with_length(std::uint32_t length) const noexcept {
    return Kids(std::uint64_t{length} << 48 | (word_ & kPointerMask));
  }

  std::uint64_t word() const noexcept { return word_; }
  std::uint32_t length() const noexcept { return static_cast<std::uint32_t>(word_ >> 48); }
  bool is_none() const noexcept { return (word_ & kPointerMask) == 0; }
  bool is_one() const noexcept { return (word_ & 1) != 0; }
  Node* child() const noexcept { return reinterpret_cast<Node*>(word_ & kPointerMask & ~1ull); }
  ChildTable* table() const noexcept { return reinterpret_cast<ChildTable*>(word_ & kPointerMask); }

 private:
  static constexpr std::uint64_t kPointerMask = (std::uint64_t{1} << 48) - 1;
  explicit constexpr Kids(std::uint64_t word) noexcept : word_(word) {}
  std::uint64_t word_ = 0;
};

/// A run of blocks without branches. Followed in memory by `capacity` local hashes, then by
/// `capacity` engine hashes.
///
/// Readers take `holders` (acquire) and then only as many local hashes as someone holds; these are
/// written once, before that. A change that cannot be made by writing past what was ever published
/// makes a new block of memory under the same id.
struct Node {
  std::atomic<std::uint64_t> holders{0};  ///< Holders
  std::atomic<std::uint64_t> kids{0};     ///< Kids
  std::uint32_t id = 0;
  std::uint32_t parent = 0;            ///< id
  std::uint32_t list_at = 0;           ///< place in the list of its only holder, or of shared nodes
  std::atomic<std::uint32_t> used{0};  ///< time of the last use, as PrefixTrie::tick() counts it
  std::uint16_t base = 0;              ///< position of the first block in BlockRefs
  std::uint16_t capacity = 0;
  std::uint16_t published = 0;  ///< local hashes that readers may have seen
  bool aliased = false;         ///< some holder may know a block by another name

  Holders held() const noexcept {
    return Holders::from_word(holders.load(std::memory_order_acquire));
  }
  Kids followers() const noexcept { return Kids::from_word(kids.load(std::memory_order_acquire)); }
  std::uint32_t length() const noexcept { return followers().length(); }

  LocalHash* locals() noexcept { return reinterpret_cast<LocalHash*>(this + 1); }
  const LocalHash* locals() const noexcept { return reinterpret_cast<const LocalHash*>(this + 1); }
  EngineHash* engines() noexcept { return reinterpret_cast<EngineHash*>(locals() + capacity); }
  const EngineHash* engines() const noexcept {
    return reinterpret_cast<const EngineHash*>(locals() + capacity);
  }
  static std::size_t bytes(std::size_t capacity) noexcept {
    return sizeof(Node) + capacity * (sizeof(LocalHash) + sizeof(EngineHash));
  }
};
static_assert(sizeof(Node) == 40);

/// A child as its parent's table knows it: the node, and in the bits that pointers leave free its
/// only holder, if it has one and that is known. Whoever only wants to know who goes on (a lookup
/// in a hurry) need not visit the node.
class ChildWord {
 public:
  constexpr ChildWord() noexcept = default;
  explicit constexpr ChildWord(std::uint64_t word) noexcept : word_(word) {}
  ChildWord(const Node* node, Holders holders) noexcept
      : word_(reinterpret_cast<std::uint64_t>(node) |
              (holders.is_one() ? std::uint64_t{holders.slot()} + 1 : 0) << kPointerBits) {}
  static constexpr ChildWord erased() noexcept { return ChildWord(1); }

  std::uint64_t word() const noexcept { return word_; }
  bool is_empty() const noexcept { return word_ == 0; }
  bool is_child() const noexcept { return word_ > 1; }
  Node* node() const noexcept {
    return reinterpret_cast<Node*>(word_ & ((std::uint64_t{1} << kPointerBits) - 1));
  }
  bool has_only_holder() const noexcept { return word_ >> kPointerBits != 0; }
  Slot only_holder() const noexcept { return static_cast<Slot>((word_ >> kPointerBits) - 1); }
  ChildWord without_holder() const noexcept {
    return ChildWord(word_ & ((std::uint64_t{1} << kPointerBits) - 1));
  }
  bool operator==(const ChildWord&) const = default;

 private:
  static constexpr unsigned kPointerBits = 48;
  std::uint64_t word_ = 0;
};
static_assert(kSlotsMax < (1u << 16), "a slot and 'unknown' share 16 bits");

/// Children by their first local hash: open addressing, followed in memory by `capacity` cells.
/// Readers look while the writer changes cells; a lookup that races with a change may miss, and the
/// child it finds is compared block by block in any case.
struct ChildTable {
  struct Cell {
    std::atomic<std::uint64_t> first_local{0};
    std::atomic<std::uint64_t> child{0};  ///< ChildWord

    ChildWord load(std::memory_order order) const noexcept { return ChildWord(child.load(order)); }
    void store(ChildWord word, std::memory_order order) noexcept {
      child.store(word.word(), order);
    }
  };

  std::uint32_t capacity = 0;  ///< a power of two
  std::uint32_t live = 0;
  std::uint32_t occupied = 0;  ///< live and erased
  std::uint32_t unused = 0;

  Cell* cells() noexcept { return reinterpret_cast<Cell*>(this + 1); }
  const Cell* cells() const noexcept { return reinterpret_cast<const Cell*>(this + 1); }
  static std::size_t bytes(std::size_t capacity) noexcept {
    return sizeof(ChildTable) + capacity * sizeof(Cell);
  }
  std::uint32_t home(LocalHash local) const noexcept {
    std::uint64_t x = std::to_underlying(local) * 0x9e3779b97f4a7c15u;
    return static_cast<std::uint32_t>((x ^ x >> 32) * 0xd6e8feb86659fd93u >> 32) & (capacity - 1);
  }
  /// The cell of the child that begins with `local`, or null.
  const Cell* find(LocalHash local) const noexcept {
    for (std::uint32_t i = home(local);; i = (i + 1) & (capacity - 1)) {
      const Cell& cell = cells()[i];
      const ChildWord word = cell.load(std::memory_order_acquire);
      if (word.is_empty()) return nullptr;
      if (word.is_child() &&
          cell.first_local.load(std::memory_order_acquire) == std::to_underlying(local))
        return &cell;
    }
  }
  Cell* find(LocalHash local) noexcept {
    return const_cast<Cell*>(static_cast<const ChildTable*>(this)->find(local));
  }
};

/// The child that begins with `local`, or null.
inline Node* child_of(Kids kids, LocalHash local) noexcept {
  if (kids.is_none()) return nullptr;
  if (kids.is_one()) return kids.child()->locals()[0] == local ? kids.child() : nullptr;
  const ChildTable::Cell* cell = static_cast<const ChildTable*>(kids.table())->find(local);
  if (cell == nullptr) return nullptr;
  const ChildWord word = cell->load(std::memory_order_acquire);
  // The cell may have changed hands since find() looked.
  return word.is_child() ? word.node() : nullptr;
}

template <class Visit>
void for_each_child(Kids kids, Visit&& visit) {
  if (kids.is_none()) return;
  if (kids.is_one()) return visit(kids.child());
  ChildTable& table = *kids.table();
  for (std::uint32_t i = 0; i < table.capacity; ++i) {
    const ChildWord word = table.cells()[i].load(std::memory_order_relaxed);
    if (word.is_child()) visit(word.node());
  }
}

/// Number of leading hashes that agree.
inline std::uint32_t matching(const LocalHash* a, const LocalHash* b,
                              std::uint32_t count) noexcept {
  std::uint32_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const auto differ = [&](std::uint32_t k) {
      return std::to_underlying(a[i + k]) ^ std::to_underlying(b[i + k]);
    };
    if ((differ(0) | differ(1) | differ(2) | differ(3)) != 0) break;
  }
  while (i < count && a[i] == b[i]) ++i;
  return i;
}

}  // namespace dynamo::kv_router::detail
