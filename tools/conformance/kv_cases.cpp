// SPDX-License-Identifier: Apache-2.0
#include "kv_cases.h"

#include <charconv>

#include <fmt/format.h>

namespace dynamo::conformance {

std::uint64_t hash_of(const Json* value) {
  if (value == nullptr || value->if_string() == nullptr) return 0;
  const std::string& text = *value->if_string();
  std::uint64_t hash = 0;
  if (text.starts_with("0x")) std::from_chars(text.data() + 2, text.data() + text.size(), hash, 16);
  return hash;
}

std::optional<std::uint64_t> optional_number_of(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr ? std::nullopt : value->as_uint64();
}

std::uint64_t number_of(const Json& object, std::string_view name, std::uint64_t otherwise) {
  return optional_number_of(object, name).value_or(otherwise);
}

double real_of(const Json& object, std::string_view name, double otherwise) {
  const Json* value = object.find(name);
  return value == nullptr ? otherwise : value->as_double().value_or(otherwise);
}

bool flag_of(const Json& object, std::string_view name, bool otherwise) {
  const Json* value = object.find(name);
  return value == nullptr || value->if_bool() == nullptr ? otherwise : *value->if_bool();
}

std::string text_of(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr || value->if_string() == nullptr ? std::string() : *value->if_string();
}

const Json::Array& list_of(const Json& object, std::string_view name) {
  static const Json::Array empty;
  const Json* value = object.find(name);
  return value == nullptr || value->if_array() == nullptr ? empty : *value->if_array();
}

std::vector<tokens::Token> tokens_of(const Json& object, std::string_view name) {
  std::vector<tokens::Token> out;
  for (const Json& token : list_of(object, name))
    out.push_back(static_cast<tokens::Token>(token.as_uint64().value_or(0)));
  return out;
}

std::string bytes_of(const Json& object, std::string_view name) {
  const std::string hex = text_of(object, name);
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

std::string label(kv_router::WorkerKey worker) {
  return fmt::format("{}:{}", static_cast<std::uint64_t>(worker.worker),
                     static_cast<std::uint32_t>(worker.rank));
}

void expect_equal(Tally& tally, std::string_view id, std::string_view expected,
                  std::string_view got) {
  if (expected == got) {
    tally.pass();
  } else {
    tally.fail(id, expected, got);
  }
}

namespace {

struct Schema {
  std::string_view name;
  void (*run)(const Json& file, Tally& tally);
};
constexpr Schema kSchemas[] = {
    {"kv-event-plane-capture/1", run_event_plane_capture},
    {"kv-hash-vectors/1", run_hash_vectors},
    {"kv-indexer-scenarios/1", run_index_scenarios},
    {"kv-router-event-vectors/1", run_router_events},
    {"kv-scheduler-scenarios/1", run_scheduler_scenarios},
    {"kv-selection-trace/1", run_selection_trace},
    {"kv-token-block-vectors/1", run_token_block_vectors},
    {"kv-zmq-event-vectors/1", run_engine_events},
};

}  // namespace

Result<void> run_kv(const Options& options, Tally& tally) {
  for (const std::string& path : options.files) {
    DYN_TRY(const Json file, read_json(path));
    const std::string schema = text_of(file, "schema");
    const Schema* known = nullptr;
    for (const Schema& one : kSchemas)
      if (one.name == schema) known = &one;
    if (known == nullptr)
      return fail(Errc::invalid_argument, path + ": unknown schema '" + schema + "'");
    known->run(file, tally);
  }
  return {};
}

}  // namespace dynamo::conformance
