// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>
#include <dynamo/kv_router/worker_key.h>
#include <dynamo/tokens/hash.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kinds.h"

/// Case files of the KV router: their fields, and a runner for each schema.
namespace dynamo::conformance {

/// "0x" and up to 16 hex digits; a malformed one is 0, which no case file contains by accident.
std::uint64_t hash_of(const Json* value);
std::uint64_t number_of(const Json& object, std::string_view name, std::uint64_t otherwise = 0);
std::optional<std::uint64_t> optional_number_of(const Json& object, std::string_view name);
double real_of(const Json& object, std::string_view name, double otherwise = 0);
bool flag_of(const Json& object, std::string_view name, bool otherwise = false);
std::string text_of(const Json& object, std::string_view name);
/// Empty when absent or of another kind.
const Json::Array& list_of(const Json& object, std::string_view name);
std::vector<tokens::Token> tokens_of(const Json& object, std::string_view name);
/// Bytes of a hex text.
std::string bytes_of(const Json& object, std::string_view name);
/// "worker:rank", as the files write worker keys.
std::string label(kv_router::WorkerKey worker);

/// Passes when the texts are equal.
void expect_equal(Tally& tally, std::string_view id, std::string_view expected,
                  std::string_view got);

void run_hash_vectors(const Json& file, Tally& tally);
void run_token_block_vectors(const Json& file, Tally& tally);
void run_engine_events(const Json& file, Tally& tally);
void run_router_events(const Json& file, Tally& tally);
void run_event_plane_capture(const Json& file, Tally& tally);
void run_index_scenarios(const Json& file, Tally& tally);
void run_scheduler_scenarios(const Json& file, Tally& tally);
void run_selection_trace(const Json& file, Tally& tally);

}  // namespace dynamo::conformance
