// SPDX-License-Identifier: Apache-2.0
// The shape of the trie: nodes made, grown, split and released, and the tables of their children.
#include <dynamo/base/assert.h>

#include <algorithm>
#include <new>

#include "kv_router/prefix_trie.h"

namespace dynamo::kv_router::detail {

std::uint32_t PrefixTrie::take_id() {
  if (free_ids_.size() != 0) return free_ids_.pop();
  if ((ids_given_ & 0xffffff) == 0) {  // BlockRef has no room for it
    if (ids_given_ / kIdChunk == ids_.size())
      ids_.push_back(static_cast<Node**>(heap_.allocate(kIdChunk * sizeof(Node*))));
    set_node_at(ids_given_++, nullptr);
  }
  DYN_ASSERT(ids_given_ <= kIdsMax);
  if (ids_given_ / kIdChunk == ids_.size())
    ids_.push_back(static_cast<Node**>(heap_.allocate(kIdChunk * sizeof(Node*))));
  return ids_given_++;
}

Node* PrefixTrie::allocate_node(std::uint32_t capacity) {
  auto* node = new (heap_.allocate(Node::bytes(capacity))) Node{};
  node->capacity = static_cast<std::uint16_t>(capacity);
  return node;
}

Node* PrefixTrie::append_child(Node* parent, Slot slot, std::size_t first, std::uint32_t count) {
  Node* node = allocate_node(count);
  prefetch_node(node);
  node->id = take_id();
  set_node_at(node->id, node);
  node->parent = parent->id;
  node->published = static_cast<std::uint16_t>(count);
  std::copy_n(locals_.begin() + static_cast<std::ptrdiff_t>(first), count, node->locals());
  std::copy_n(names_.begin() + static_cast<std::ptrdiff_t>(first), count, node->engines());
  for (std::uint32_t i = 0; i < count; ++i) table_.insert(mixed_[first + i], {node->id, i});
  node->kids.store(Kids::none(count).word(), std::memory_order_relaxed);
  node->holders.store(Holders::one(slot, count).word(), std::memory_order_relaxed);
  touch(node);
  link(node);
  slots_[slot].blocks += count;
  ++nodes_;
  add_child(parent, node);
  return node;
}

Node* PrefixTrie::extend(Node* node, Slot slot, std::size_t first, std::uint32_t count) {
  const std::uint32_t length = node->length();
  const std::uint32_t wanted = length + count;
  // What readers may have seen is never written again.
  if (node->published != length || node->capacity < wanted)
    node = move_node(node,
                     std::max(wanted, std::min(length + length / 2, kNodeBlocksMax - node->base)));
  std::copy_n(locals_.begin() + static_cast<std::ptrdiff_t>(first), count, node->locals() + length);
  std::copy_n(names_.begin() + static_cast<std::ptrdiff_t>(first), count, node->engines() + length);
  for (std::uint32_t i = 0; i < count; ++i)
    table_.insert(mixed_[first + i], {node->id, node->base + length + i});
  node->published = static_cast<std::uint16_t>(wanted);
  node->kids.store(Kids::none(wanted).word(), std::memory_order_release);
  node->holders.store(Holders::one(slot, wanted).word(), std::memory_order_release);
  slots_[slot].blocks += count;
  touch(node);
  return node;
}

Node* PrefixTrie::move_node(Node* node, std::uint32_t capacity) {
  Node* moved = allocate_node(capacity);
  const std::uint32_t length = node->length();
  moved->id = node->id;
  moved->parent = node->parent;
  moved->list_at = node->list_at;
  moved->base = node->base;
  moved->published = static_cast<std::uint16_t>(length);
  moved->aliased = node->aliased;
  moved->used.store(node->used.load(std::memory_order_relaxed), std::memory_order_relaxed);
  std::copy_n(node->locals(), length, moved->locals());
  std::copy_n(node->engines(), length, moved->engines());
  moved->kids.store(node->kids.load(std::memory_order_relaxed), std::memory_order_relaxed);
  moved->holders.store(node->holders.load(std::memory_order_relaxed), std::memory_order_relaxed);
  set_node_at(moved->id, moved);
  replace_child(node_at(moved->parent), moved);
  retire(node);
  return moved;
}

// All holders are alive.
Node* PrefixTrie::split(Node* node, std::uint32_t at) {
  const std::uint32_t length = node->length();
  const Kids kids = node->followers();
  const Holders holders = node->held();
  // The part with more blocks keeps the id, so that fewer entries change; but children know their
  // parent by its id, and a crowd of them is not to be touched.
  const bool crowd = !kids.is_none() && !kids.is_one() && kids.table()->capacity > 64;
  const bool head_keeps = at > length - at && !crowd;

  Node* head = allocate_node(at);
  Node* tail = allocate_node(length - at);
  const std::uint32_t new_id = take_id();
  head->id = head_keeps ? node->id : new_id;
  tail->id = head_keeps ? new_id : node->id;
  head->parent = node->parent;
  tail->parent = head->id;
  head->base = node->base;
  tail->base = static_cast<std::uint16_t>(node->base + at);
  head->published = head->capacity;
  tail->published = tail->capacity;
  head->aliased = tail->aliased = node->aliased;
  const std::uint32_t used = node->used.load(std::memory_order_relaxed);
  head->used.store(used, std::memory_order_relaxed);
  tail->used.store(used, std::memory_order_relaxed);
  std::copy_n(node->locals(), at, head->locals());
  std::copy_n(node->engines(), at, head->engines());
  std::copy_n(node->locals() + at, length - at, tail->locals());
  std::copy_n(node->engines() + at, length - at, tail->engines());

  const std::uint32_t from = head_keeps ? at : 0;
  const std::uint32_t to = head_keeps ? length : at;
  for (std::uint32_t i = from; i < to; ++i)
    table_.prefetch(EngineHashTable::mix(node->engines()[i]));
  for (std::uint32_t i = from; i < to; ++i) {
    const std::uint32_t position = node->base + i;
    table_.replace(EngineHashTable::mix(node->engines()[i]), {node->id, position},
                   {new_id, position});
  }
  if (node->aliased) rename_aliases(holders, node->id, node->base + from, node->base + to, new_id);

  unlink(node);
  set_node_at(head->id, head);
  set_node_at(tail->id, tail);
  head->kids.store(Kids::one(at, tail).word(), std::memory_order_relaxed);
  tail->kids.store(kids.with_length(length - at).word(), std::memory_order_relaxed);
  // with_length() keeps whether it is one child or a table.
  if (head_keeps) for_each_child(kids, [&](Node* child) { child->parent = tail->id; });

  if (holders.is_one()) {
    const std::uint32_t blocks = holders.blocks();
    head->holders.store(Holders::one(holders.slot(), std::min(blocks, at)).word(),
                        std::memory_order_relaxed);
    if (blocks > at)
      tail->holders.store(Holders::one(holders.slot(), blocks - at).word(),
                          std::memory_order_relaxed);
  } else if (holders.is_many()) {
    full_.assign(live_.size(), 0);
    cutoffs_.clear();
    holders.for_each(
        [&](Slot slot, std::uint32_t blocks) { hold(slot, std::min(blocks, at), at); });
    head->holders.store(close_holders(at).word(), std::memory_order_relaxed);
    full_.assign(live_.size(), 0);
    cutoffs_.clear();
    holders.for_each([&](Slot slot, std::uint32_t blocks) {
      if (blocks > at) hold(slot, blocks - at, length - at);
    });
    tail->holders.store(close_holders(length - at).word(), std::memory_order_relaxed);
    retire(holders.set());
  }
  link(head);
  link(tail);
  ++nodes_;
  replace_child(node_at(head->parent), head);
  retire(node);
  return head;
}

void PrefixTrie::erase_entries(Node* node, std::uint32_t from, std::uint32_t to) {
  for (std::uint32_t i = from; i < to; ++i)
    table_.prefetch(EngineHashTable::mix(node->engines()[i]));
  for (std::uint32_t i = from; i < to; ++i)
    table_.erase(EngineHashTable::mix(node->engines()[i]), {node->id, node->base + i});
}

void PrefixTrie::release_node(Node* node) {
  erase_entries(node, 0, node->length());
  unlink(node);
  remove_child(node_at(node->parent), node);
  set_node_at(node->id, nullptr);
  free_ids_.push(heap_, node->id);
  --nodes_;
  retire(node);
}

ChildTable* PrefixTrie::allocate_children(std::uint32_t capacity) {
  const std::size_t bytes = ChildTable::bytes(capacity);
  child_table_bytes_max_ = std::max(child_table_bytes_max_, bytes);
  auto* table = new (heap_.allocate(bytes)) ChildTable{};
  table->capacity = capacity;
  for (std::uint32_t i = 0; i < capacity; ++i) new (&table->cells()[i]) ChildTable::Cell{};
  return table;
}

void PrefixTrie::enter_child(ChildTable* table, Node* child) {
  const std::uint32_t mask = table->capacity - 1;
  std::uint32_t i = table->home(child->locals()[0]);
  while (table->cells()[i].load(std::memory_order_relaxed).is_child()) i = (i + 1) & mask;
  ChildTable::Cell& cell = table->cells()[i];
  if (cell.load(std::memory_order_relaxed).is_empty()) ++table->occupied;
  cell.first_local.store(std::to_underlying(child->locals()[0]), std::memory_order_release);
  cell.store(ChildWord(child, child->held()), std::memory_order_release);
  ++table->live;
}

ChildTable* PrefixTrie::rehash(ChildTable* old, std::uint32_t capacity) {
  ChildTable* table = allocate_children(capacity);
  for (std::uint32_t i = 0; i < old->capacity; ++i) {
    const ChildTable::Cell& cell = old->cells()[i];
    const ChildWord child = cell.load(std::memory_order_relaxed);
    if (!child.is_child()) continue;
    const std::uint64_t local = cell.first_local.load(std::memory_order_relaxed);
    std::uint32_t at = table->home(LocalHash{local});
    while (!table->cells()[at].load(std::memory_order_relaxed).is_empty())
      at = (at + 1) & (capacity - 1);
    table->cells()[at].first_local.store(local, std::memory_order_relaxed);
    table->cells()[at].store(child, std::memory_order_relaxed);
  }
  table->live = table->occupied = old->live;
  return table;
}

void PrefixTrie::add_child(Node* parent, Node* child) {
  const Kids kids = parent->followers();
  const std::uint32_t length = kids.length();
  if (kids.is_none()) {
    parent->kids.store(Kids::one(length, child).word(), std::memory_order_release);
    return;
  }
  if (kids.is_one()) {
    ChildTable* table = allocate_children(4);
    enter_child(table, kids.child());
    enter_child(table, child);
    parent->kids.store(Kids::many(length, table).word(), std::memory_order_release);
    return;
  }
  ChildTable* table = kids.table();
  if ((table->occupied + 1) * std::uint64_t{4} <= table->capacity * std::uint64_t{3})
    return enter_child(table, child);
  // Twice the room, unless what fills the table is mostly erased.
  ChildTable* larger = rehash(
      table, (table->live + 1) * 2 > table->capacity ? table->capacity * 2 : table->capacity);
  enter_child(larger, child);
  parent->kids.store(Kids::many(length, larger).word(), std::memory_order_release);
  retire(table);
}

void PrefixTrie::remove_child(Node* parent, Node* child) {
  const Kids kids = parent->followers();
  const std::uint32_t length = kids.length();
  if (kids.is_one()) {
    parent->kids.store(Kids::none(length).word(), std::memory_order_release);
    return;
  }
  ChildTable* table = kids.table();
  ChildTable::Cell* cell = table->find(child->locals()[0]);
  const std::uint32_t mask = table->capacity - 1;
  auto at = static_cast<std::uint32_t>(cell - table->cells());
  cell->store(ChildWord::erased(), std::memory_order_release);
  --table->live;
  // Before an empty cell nothing needs to be kept as erased.
  if (table->cells()[(at + 1) & mask].load(std::memory_order_relaxed).is_empty()) {
    for (; table->cells()[at].load(std::memory_order_relaxed) == ChildWord::erased();
         at = (at - 1) & mask) {
      table->cells()[at].store({}, std::memory_order_release);
      --table->occupied;
    }
  }
  if (table->live == 1) {
    Node* last = nullptr;
    for_each_child(kids, [&](Node* only) { last = only; });
    parent->kids.store(Kids::one(length, last).word(), std::memory_order_release);
    retire(table);
  } else if (table->capacity > 16 && table->live * 8 < table->capacity) {
    ChildTable* smaller = rehash(table, table->capacity / 4);
    parent->kids.store(Kids::many(length, smaller).word(), std::memory_order_release);
    retire(table);
  }
}

void PrefixTrie::replace_child(Node* parent, Node* child) {
  const Kids kids = parent->followers();
  if (kids.is_one()) {
    parent->kids.store(Kids::one(kids.length(), child).word(), std::memory_order_release);
    return;
  }
  kids.table()
      ->find(child->locals()[0])
      ->store(ChildWord(child, child->held()), std::memory_order_release);
}

void PrefixTrie::prefetch_node(const Node* node) noexcept {
  constexpr std::size_t kBytesUsual = 512;
  // From the allocator's header on, which says how large the node is when it is released.
  const char* begin = reinterpret_cast<const char*>(node) - sizeof(std::size_t);
  for (std::size_t byte = 0; byte < kBytesUsual; byte += 64) __builtin_prefetch(begin + byte);
}

void PrefixTrie::prefetch_surroundings(const Node* node) const noexcept {
  const Kids kids = node_at(node->parent)->followers();
  if (!kids.is_none() && !kids.is_one())
    __builtin_prefetch(kids.table()->cells() + kids.table()->home(node->locals()[0]));
}

void PrefixTrie::prefetch_branch() const noexcept {
  if (locals_.empty()) return;
  const Node* node = child_of(root_.followers(), locals_[0]);
  if (node == nullptr) return;
  const Kids kids = node->followers();
  if (kids.is_none() || kids.is_one() || kids.length() >= locals_.size()) return;
  __builtin_prefetch(kids.table()->cells() + kids.table()->home(locals_[kids.length()]));
}

// It takes the place of what leaves the list.
void PrefixTrie::prefetch_last_of(Slot slot) const noexcept {
  const IdList& nodes = slots_[slot].nodes;
  if (nodes.size() != 0) __builtin_prefetch(node_at(nodes.back()));
}

// Where the parent's table, if it has one, names the node.
ChildTable::Cell* PrefixTrie::cell_of(Node* child) noexcept {
  const Kids kids = node_at(child->parent)->followers();
  return kids.is_none() || kids.is_one() ? nullptr : kids.table()->find(child->locals()[0]);
}

}  // namespace dynamo::kv_router::detail
