// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace dynamo::engines::llama::testing {

/// Writes a GGUF adapter of rank 1 for the query projection of SmolLM2-135M's first layer, with all
/// elements of its second matrix equal to `strength`: 0 changes nothing.
inline void write_lora(const std::filesystem::path& path, float strength) {
  constexpr std::uint64_t kEmbedding = 576;
  constexpr std::uint64_t kAlignment = 32;
  constexpr std::uint32_t kString = 8;
  constexpr std::uint32_t kFloat = 6;
  std::string out;
  const auto raw = [&out](const auto& value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const auto text = [&](std::string_view value) {
    raw(std::uint64_t{value.size()});
    out += value;
  };
  const auto pair = [&](std::string_view key, std::string_view value) {
    text(key);
    raw(kString);
    text(value);
  };
  const auto tensor = [&](std::string_view name, std::uint64_t columns, std::uint64_t rows,
                          std::uint64_t offset) {
    text(name);
    raw(std::uint32_t{2});
    raw(columns);
    raw(rows);
    raw(std::uint32_t{0});  // f32
    raw(offset);
  };
  out += "GGUF";
  raw(std::uint32_t{3});
  raw(std::uint64_t{2});
  raw(std::uint64_t{4});
  pair("general.type", "adapter");
  pair("general.architecture", "llama");
  pair("adapter.type", "lora");
  text("adapter.lora.alpha");
  raw(kFloat);
  raw(1.0F);
  tensor("blk.0.attn_q.weight.lora_a", kEmbedding, 1, 0);
  tensor("blk.0.attn_q.weight.lora_b", 1, kEmbedding, kEmbedding * sizeof(float));
  while (out.size() % kAlignment != 0) out += '\0';
  for (std::uint64_t i = 0; i < kEmbedding; ++i) raw(0.5F);
  for (std::uint64_t i = 0; i < kEmbedding; ++i) raw(strength);
  std::ofstream(path, std::ios::binary) << out;
}

}  // namespace dynamo::engines::llama::testing
