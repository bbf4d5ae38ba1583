// SPDX-License-Identifier: Apache-2.0
#include "kv_router/engine_hash_table.h"

#include <dynamo/base/assert.h>

#include <algorithm>

namespace dynamo::kv_router::detail {

EngineHashTable::~EngineHashTable() {
  for (Subtable& table : tables_) heap_.release(table.cells);
}

// False when the cells behind the last home do not suffice.
bool EngineHashTable::fill(std::uint64_t* cells, std::uint32_t capacity,
                           const Subtable& from) noexcept {
  const std::uint32_t end = capacity + kOverflow - 1;
  std::uint32_t free = 0;
  for (std::uint32_t i = 0, left = from.size; left != 0; ++i) {
    if (from.cells[i] == 0) continue;
    const std::uint32_t at = std::max(home(from.cells[i] >> kTagShift, capacity), free);
    if (at == end) return false;
    cells[at] = from.cells[i];
    free = at + 1;
    --left;
  }
  return true;
}

void EngineHashTable::resize(Subtable& table, std::uint32_t capacity) {
  while (true) {
    auto* cells = static_cast<std::uint64_t*>(
        heap_.allocate_zeroed((capacity + kOverflow) * sizeof(std::uint64_t)));
    const bool filled = fill(cells, capacity, table);
    heap_.release(filled ? std::exchange(table.cells, cells) : cells);
    if (filled) break;
    capacity += capacity / 4;
  }
  table.capacity = capacity;
}

void EngineHashTable::insert(std::uint64_t mixed, BlockRef ref) {
  Subtable& table = tables_[table_of(mixed)];
  const auto grow = [&] {
    resize(table, std::max(kCapacityMin, (table.capacity + table.capacity / 4 + 7) & ~7u));
  };
  // At most 13/16 full.
  if ((table.size + 1) * std::uint64_t{16} > table.capacity * std::uint64_t{13}) grow();
  const std::uint64_t cell = pack(tag_of(mixed), ref);
  while (true) {
    const std::uint32_t at = seek(table, cell);
    std::uint32_t empty = at;
    while (table.cells[empty] != 0) ++empty;
    if (empty == table.capacity + kOverflow - 1) {
      grow();
      continue;
    }
    for (; empty != at; --empty) table.cells[empty] = table.cells[empty - 1];
    table.cells[at] = cell;
    break;
  }
  ++table.size;
  ++size_;
}

std::uint32_t EngineHashTable::find_cell(const Subtable& table, std::uint64_t cell) noexcept {
  DYN_ASSERT(table.size != 0);
  const std::uint32_t at = seek(table, cell);
  DYN_ASSERT(table.cells[at] == cell);
  return at;
}

void EngineHashTable::replace(std::uint64_t mixed, BlockRef from, BlockRef to) {
  erase(mixed, from);
  insert(mixed, to);
}

void EngineHashTable::erase(std::uint64_t mixed, BlockRef ref) {
  Subtable& table = tables_[table_of(mixed)];
  std::uint32_t hole = find_cell(table, pack(tag_of(mixed), ref));
  // Move back what was pushed past its home.
  for (; table.cells[hole + 1] != 0; ++hole) {
    if (home(table.cells[hole + 1] >> kTagShift, table.capacity) > hole) break;
    table.cells[hole] = table.cells[hole + 1];
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
