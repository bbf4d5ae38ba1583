// SPDX-License-Identifier: Apache-2.0
#include "kv_router/engine_hash_table.h"

#include <dynamo/base/assert.h>

#include <algorithm>

namespace dynamo::kv_router::detail {

EngineHashTable::~EngineHashTable() {
  for (Subtable& table : tables_) heap_.release(table.cells);
}

bool EngineHashTable::place(std::uint64_t* cells, std::uint32_t lines,
                            std::uint64_t cell) noexcept {
  for (std::uint32_t line = home(cell >> kTagShift, lines); line <= lines; ++line) {
    std::uint64_t* at = cells + line * kLineCells;
    if (const unsigned free = look(at, 0).empty; free != 0) {
      at[__builtin_ctz(free)] = cell;
      return true;
    }
  }
  return false;
}

void EngineHashTable::resize(Subtable& table, std::uint32_t lines) {
  for (bool placed = false; !placed; lines += lines / 4 + 1) {
    auto* cells = static_cast<std::uint64_t*>(
        heap_.allocate_zeroed_lines((lines + 1) * kLineCells * sizeof(std::uint64_t)));
    placed = true;
    const std::uint32_t count = table.size == 0 ? 0 : lines_of(table) * kLineCells;
    for (std::uint32_t i = 0; i < count && placed; ++i)
      if (table.cells[i] != 0) placed = place(cells, lines, table.cells[i]);
    if (!placed) {
      heap_.release(cells);
      continue;
    }
    heap_.release(std::exchange(table.cells, cells));
    table.lines = lines;
  }
}

void EngineHashTable::insert(std::uint64_t mixed, BlockRef ref) {
  Subtable& table = tables_[table_of(mixed)];
  // At most 13/16 full.
  if ((table.size + 1) * std::uint64_t{16} > table.lines * kLineCells * std::uint64_t{13})
    resize(table, table.lines + table.lines / 4 + 1);
  const std::uint64_t cell = pack(tag_of(mixed), ref);
  while (!place(table.cells, table.lines, cell)) resize(table, table.lines + table.lines / 4 + 1);
  ++table.size;
  ++size_;
}

void EngineHashTable::replace(std::uint64_t mixed, BlockRef from, BlockRef to) {
  const Found found = find_cell(tables_[table_of(mixed)], pack(tag_of(mixed), from));
  *found.cell = pack(tag_of(mixed), to);
}

EngineHashTable::Found EngineHashTable::find_cell(const Subtable& table,
                                                  std::uint64_t cell) noexcept {
  DYN_ASSERT(table.size != 0);
  for (std::uint32_t line = home(cell >> kTagShift, table.lines);; ++line) {
    DYN_ASSERT(line != lines_of(table));
    std::uint64_t* cells = table.cells + line * kLineCells;
    const Line seen = look(cells, cell >> kTagShift);
    for (unsigned same = seen.same; same != 0; same &= same - 1)
      if (cells[__builtin_ctz(same)] == cell)
        return {cells + __builtin_ctz(same), line, seen.empty == 0};
  }
}

// What has spilled over a line must find no room before it: fills the hole in the full line.
void EngineHashTable::refill(Subtable& table, std::uint32_t line, std::uint64_t* hole) noexcept {
  for (std::uint32_t next = line + 1; next != lines_of(table); ++next) {
    std::uint64_t* cells = table.cells + next * kLineCells;
    const bool full = look(cells, 0).empty == 0;
    for (std::uint32_t i = 0; i < kLineCells; ++i) {
      if (cells[i] == 0 || home(cells[i] >> kTagShift, table.lines) > line) continue;
      *hole = std::exchange(cells[i], 0);
      hole = &cells[i];
      line = next;
      break;
    }
    if (!full) return;
  }
}

void EngineHashTable::erase(std::uint64_t mixed, BlockRef ref) {
  Subtable& table = tables_[table_of(mixed)];
  const Found found = find_cell(table, pack(tag_of(mixed), ref));
  *found.cell = 0;
  if (found.line_was_full) refill(table, found.line, found.cell);
  --table.size;
  --size_;
  if (table.size == 0) {
    heap_.release(std::exchange(table.cells, nullptr));
    table.lines = 0;
  } else if (table.lines > 4 &&
             table.size * std::uint64_t{5} < table.lines * kLineCells * std::uint64_t{2}) {
    resize(table, table.size * 3 / 2 / kLineCells + 1);
  }
}

}  // namespace dynamo::kv_router::detail
