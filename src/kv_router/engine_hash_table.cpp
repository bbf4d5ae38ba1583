// SPDX-License-Identifier: Apache-2.0
#include "kv_router/engine_hash_table.h"

#include <dynamo/base/assert.h>

#include <algorithm>

namespace dynamo::kv_router::detail {

EngineHashTable::~EngineHashTable() {
  for (Subtable& table : tables_) heap_.release(table.cells);
}

void EngineHashTable::resize(Subtable& table, std::uint32_t capacity) {
  auto* cells =
      static_cast<std::uint64_t*>(heap_.allocate_zeroed(capacity * sizeof(std::uint64_t)));
  for (std::uint32_t i = 0; i < table.capacity; ++i) {
    if (table.cells[i] == 0) continue;
    std::uint32_t at = home(table.cells[i] >> kTagShift, capacity);
    while (cells[at] != 0) at = next(at, capacity);
    cells[at] = table.cells[i];
  }
  heap_.release(table.cells);
  table.cells = cells;
  table.capacity = capacity;
}

void EngineHashTable::insert(std::uint64_t mixed, BlockRef ref) {
  Subtable& table = tables_[table_of(mixed)];
  // At most 13/16 full.
  if ((table.size + 1) * std::uint64_t{16} > table.capacity * std::uint64_t{13})
    resize(table, std::max(kCapacityMin, (table.capacity + table.capacity / 4 + 7) & ~7u));
  const std::uint64_t tag = tag_of(mixed);
  std::uint32_t at = home(tag, table.capacity);
  while (table.cells[at] != 0) at = next(at, table.capacity);
  table.cells[at] = pack(tag, ref);
  ++table.size;
  ++size_;
}

std::uint32_t EngineHashTable::find_cell(const Subtable& table, std::uint64_t cell) noexcept {
  DYN_ASSERT(table.size != 0);
  std::uint32_t at = home(cell >> kTagShift, table.capacity);
  while (table.cells[at] != cell) {
    DYN_ASSERT(table.cells[at] != 0);
    at = next(at, table.capacity);
  }
  return at;
}

void EngineHashTable::replace(std::uint64_t mixed, BlockRef from, BlockRef to) {
  Subtable& table = tables_[table_of(mixed)];
  const std::uint64_t tag = tag_of(mixed);
  table.cells[find_cell(table, pack(tag, from))] = pack(tag, to);
}

void EngineHashTable::erase(std::uint64_t mixed, BlockRef ref) {
  Subtable& table = tables_[table_of(mixed)];
  std::uint32_t hole = find_cell(table, pack(tag_of(mixed), ref));
  // Move back what was pushed past its home over the hole.
  for (std::uint32_t at = next(hole, table.capacity); table.cells[at] != 0;
       at = next(at, table.capacity)) {
    const std::uint32_t wanted = home(table.cells[at] >> kTagShift, table.capacity);
    const bool stays =
        hole < at ? (wanted > hole && wanted <= at) : (wanted > hole || wanted <= at);
    if (stays) continue;
    table.cells[hole] = table.cells[at];
    hole = at;
  }
  table.cells[hole] = 0;
  --table.size;
  --size_;
  if (table.size == 0) {
    heap_.release(std::exchange(table.cells, nullptr));
    table.capacity = 0;
  } else if (table.capacity > 2 * kCapacityMin &&
             table.size * std::uint64_t{5} < table.capacity * std::uint64_t{2}) {
    resize(table, (table.size * 3 / 2 + 7) & ~7u);
  }
}

}  // namespace dynamo::kv_router::detail
