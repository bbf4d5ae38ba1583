// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dynamo::engines::llama {

/// Element type of the KV cache.
enum class CacheType : std::uint8_t { f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0 };
/// How the weights get into memory.
enum class LoadMode : std::uint8_t { automatic, none, mmap, mlock, mmap_mlock, direct_io };

/// A low-rank adapter that is applied to every request.
struct LoraAdapter {
  std::string name;
  std::string path;
  float scale = 1.0F;
};

/// How a GGUF model is run. The names of the members are the JSON keys of --extra-engine-args,
/// except `automatic`, which is "auto".
struct Config {
  /// Layers on the GPU, negative: all. Unset: all with a GPU build, else none.
  std::optional<std::int32_t> n_gpu_layers;
  /// KV cells of all sequences together, and the longest context of one of them (but never more
  /// than the model was trained for). 0: the model's context, at most 8192.
  std::uint32_t n_ctx = 0;
  std::uint32_t n_batch = 512;  ///< most tokens of one step
  /// Most tokens that are computed at once. 0: 512 on a GPU, 48 on a CPU: there llama.cpp computes
  /// the attention of 64 and more tokens by other code, with other rounding, so that answers would
  /// depend on what else is in the step (measured: up to 1.0 per logit, and none below 64 with one
  /// thread; it costs a tenth of the prefill speed).
  std::uint32_t n_ubatch = 0;
  std::uint32_t max_num_seqs = 8;
  std::uint32_t max_waiting = 256;
  /// 0: one less than the machine has physical cores, at least 1: more threads than idle cores
  /// make the library spin at every barrier (measured: 10 to 50 times slower).
  std::uint32_t n_threads = 0;
  std::uint32_t n_threads_batch = 0;  ///< 0: as n_threads
  CacheType cache_type_k = CacheType::f16;
  CacheType cache_type_v = CacheType::f16;
  LoadMode load_mode = LoadMode::automatic;
  std::vector<LoraAdapter> lora;
  bool enable_prefix_caching = true;
  std::uint32_t kv_cache_block_size = 16;
  std::optional<std::uint64_t> seed;
};

/// Errors: Errc::invalid_argument naming the key that is unknown or has the wrong kind of value.
Result<Config> config_from_json(const Json& json);

/// max(1, physical cores - 1).
std::uint32_t default_threads();

}  // namespace dynamo::engines::llama
