// SPDX-License-Identifier: Apache-2.0
#include <dynamo/engines/llama/config.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <limits>
#include <string_view>
#include <thread>
#include <utility>

namespace dynamo::engines::llama {
namespace {

template <class Enum, std::size_t kCount>
using Names = std::array<std::pair<std::string_view, Enum>, kCount>;

constexpr Names<CacheType, 8> kCacheTypes{{{"f32", CacheType::f32},
                                           {"f16", CacheType::f16},
                                           {"bf16", CacheType::bf16},
                                           {"q8_0", CacheType::q8_0},
                                           {"q5_1", CacheType::q5_1},
                                           {"q5_0", CacheType::q5_0},
                                           {"q4_1", CacheType::q4_1},
                                           {"q4_0", CacheType::q4_0}}};
constexpr Names<LoadMode, 6> kLoadModes{{{"auto", LoadMode::automatic},
                                         {"none", LoadMode::none},
                                         {"mmap", LoadMode::mmap},
                                         {"mlock", LoadMode::mlock},
                                         {"mmap_mlock", LoadMode::mmap_mlock},
                                         {"direct_io", LoadMode::direct_io}}};

std::unexpected<Error> wrong(std::string_view key, std::string_view expected, const Json& found) {
  std::string shown = found.dump();
  constexpr std::size_t kShownMax = 60;
  if (shown.size() > kShownMax) shown = "a long " + std::string(found.kind_name());
  std::string message = "engine argument " + std::string(key) + " must be " +
                        std::string(expected) + ", not " + shown;
  return fail(Error(Errc::invalid_argument, std::move(message)).with_param(std::string(key)));
}

Result<void> read(std::string_view key, const Json& json, std::uint32_t& out) {
  const auto value = json.as_uint64();
  if (!value || *value > std::numeric_limits<std::int32_t>::max()) {
    return wrong(key, "a whole number that is not negative", json);
  }
  out = static_cast<std::uint32_t>(*value);
  return {};
}
Result<void> read(std::string_view key, const Json& json, bool& out) {
  const bool* value = json.if_bool();
  if (value == nullptr) return wrong(key, "true or false", json);
  out = *value;
  return {};
}
Result<void> read(std::string_view key, const Json& json, std::optional<std::int32_t>& out) {
  const auto value = json.as_int64();
  if (!value || !std::in_range<std::int32_t>(*value)) return wrong(key, "a whole number", json);
  out = static_cast<std::int32_t>(*value);
  return {};
}
Result<void> read(std::string_view key, const Json& json, std::optional<std::uint64_t>& out) {
  out = json.as_uint64();
  if (!out) return wrong(key, "a whole number that is not negative", json);
  return {};
}
template <class Enum, std::size_t kCount>
Result<void> read_name(std::string_view key, const Json& json, const Names<Enum, kCount>& names,
                       Enum& out) {
  const std::string* text = json.if_string();
  const auto found = std::ranges::find_if(
      names, [text](const auto& entry) { return text != nullptr && entry.first == *text; });
  if (found == names.end()) {
    std::string expected = "one of";
    for (const auto& [name, value] : names) expected += " \"" + std::string(name) + "\"";
    return wrong(key, expected, json);
  }
  out = found->second;
  return {};
}
Result<void> read(std::string_view key, const Json& json, CacheType& out) {
  return read_name(key, json, kCacheTypes, out);
}
Result<void> read(std::string_view key, const Json& json, LoadMode& out) {
  return read_name(key, json, kLoadModes, out);
}

Result<void> read(std::string_view key, const Json& json, std::vector<LoraAdapter>& out) {
  constexpr std::string_view kExpected = "a list of {\"name\", \"path\", \"scale\"}";
  const Json::Array* entries = json.if_array();
  if (entries == nullptr) return wrong(key, kExpected, json);
  for (const Json& entry : *entries) {
    if (!entry.is_object()) return wrong(key, kExpected, entry);
    LoraAdapter& adapter = out.emplace_back();
    for (const auto& [name, value] : *entry.if_object()) {
      const std::string* text = value.if_string();
      if (name == "name" && text != nullptr) {
        adapter.name = *text;
      } else if (name == "path" && text != nullptr) {
        adapter.path = *text;
      } else if (name == "scale" && value.is_number()) {
        adapter.scale = static_cast<float>(*value.as_double());
      } else {
        return wrong(key, kExpected, entry);
      }
    }
    if (adapter.path.empty()) return wrong(key, kExpected, entry);
  }
  return {};
}

struct Key {
  std::string_view name;
  Result<void> (*read_into)(std::string_view, const Json&, Config&);
};

#define DYN_KEY(member)                                                \
  Key {                                                                \
    #member, [](std::string_view key, const Json& json, Config& out) { \
      return read(key, json, out.member);                              \
    }                                                                  \
  }
const std::array kKeys{DYN_KEY(n_gpu_layers),
                       DYN_KEY(n_ctx),
                       DYN_KEY(n_batch),
                       DYN_KEY(n_ubatch),
                       DYN_KEY(max_num_seqs),
                       DYN_KEY(max_waiting),
                       DYN_KEY(n_threads),
                       DYN_KEY(n_threads_batch),
                       DYN_KEY(cache_type_k),
                       DYN_KEY(cache_type_v),
                       DYN_KEY(load_mode),
                       DYN_KEY(lora),
                       DYN_KEY(enable_prefix_caching),
                       DYN_KEY(kv_cache_block_size),
                       DYN_KEY(seed)};
#undef DYN_KEY

}  // namespace

Result<Config> config_from_json(const Json& json) {
  const JsonObject* members = json.if_object();
  if (members == nullptr) {
    return fail(Errc::invalid_argument,
                "engine arguments must be a JSON object, not " + std::string(json.kind_name()));
  }
  Config out;
  for (const auto& [name, value] : *members) {
    const auto key = std::ranges::find(kKeys, name, &Key::name);
    if (key == kKeys.end()) {
      std::string known;
      for (const Key& other : kKeys) known += (known.empty() ? "" : ", ") + std::string(other.name);
      return fail(Error(Errc::invalid_argument,
                        "unknown engine argument '" + name + "'; known are " + known)
                      .with_param(name));
    }
    DYN_CHECK(key->read_into(key->name, value, out));
  }
  return out;
}

std::uint32_t default_threads() {
  const std::uint32_t logical = std::max(1U, std::thread::hardware_concurrency());
  // "1" when cores run two threads each; absent where there is no such thing.
  std::ifstream smt("/sys/devices/system/cpu/smt/active");
  const bool two_per_core = smt.get() == '1';
  const std::uint32_t physical = two_per_core ? std::max(1U, logical / 2) : logical;
  return std::max(1U, physical - 1);
}

}  // namespace dynamo::engines::llama
