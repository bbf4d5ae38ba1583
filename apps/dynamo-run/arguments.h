// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/config/configuration.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::run {

/// Where requests come from (`in=`).
enum class Input : std::uint8_t { http, text, stdin_text, batch };
/// What answers them (`out=`).
enum class Engine : std::uint8_t { echo, llama, replay };

/// The command line after all layers (defaults, environment, flags) are resolved.
/// Source: launch/dynamo-run (v0.9); its known bugs are not reproduced (spec bindings-cli,
/// weaknesses).
struct Arguments {
  enum class Action : std::uint8_t { run, help, version, print_config };
  Action action = Action::run;

  Input input = Input::text;
  std::string batch_file;  ///< for Input::batch
  Engine engine = Engine::echo;
  std::string replay_file;  ///< for Engine::replay

  std::string model_path;  ///< a .gguf file or a Hugging Face folder; empty when none was given
  std::string model_name;  ///< served name; empty: derived from the model
  std::string http_host = "127.0.0.1";
  std::uint16_t http_port = 8000;
  std::string tls_cert_path;
  std::string tls_key_path;
  std::vector<std::string> api_keys;  ///< never printed
  int verbosity = 0;                  ///< 1: debug, 2: trace

  std::optional<std::uint32_t> context_length;
  std::optional<std::uint32_t> kv_cache_block_size;
  std::string extra_engine_args;  ///< path of a JSON file
  std::string request_template;   ///< path of a JSON file
  std::string custom_jinja_template;
  std::string tool_call_parser;
  std::string reasoning_parser;
  /// Of the whole process; what flags set has Source::command_line.
  std::optional<config::Configuration> configuration;
  bool default_engine = false;  ///< `out=` was not given
};

/// What the process around the parser looks like; injected so that tests decide.
struct Surroundings {
  bool stdin_is_terminal = false;
  bool has_llama = false;
};

/// Reads `arguments` (without the program's name). `in=` and `out=` may stand anywhere, what
/// follows a lone `--` is ignored. Each flag also has a DYN_ variable: flag > environment > file >
/// default. Errors: Errc::invalid_argument, with a message for the terminal that names the word.
Result<Arguments> parse_arguments(std::span<const std::string_view> arguments,
                                  const Surroundings& surroundings);

/// The text of --help.
std::string usage_text();

/// "dynamo-run <git description> (features: …)"
std::string version_text();

/// The resolved command line as JSON (for --print-config); API keys are left out.
std::string arguments_json(const Arguments& arguments);

}  // namespace dynamo::run
