// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"

#include <dynamo/base/json.h>
#include <dynamo/git_info.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace dynamo::run {
namespace {

struct Later {
  std::string_view word;
  std::string_view message;
};

// Words of the reference's grammar that this build knows but does not offer.
constexpr std::array kInputsOfOthers{
    Later{"grpc", "in=grpc (KServe) is not part of this build yet; use in=http"},
    Later{"dyn", "in=dyn:// (worker mode) is not part of this build yet; use in=http"},
};
constexpr std::array kEnginesOfOthers{
    Later{"mistralrs", "out=mistralrs does not exist here; use out=llama (llama.cpp)"},
    Later{"mocker", "out=mocker is not part of this build yet; use out=echo"},
    Later{"auto",
          "out=auto (remote models) is not part of this build yet; use out=llama or out=echo"},
    Later{"dyn",
          "out=dyn (remote models) is not part of this build yet; use out=llama or out=echo"},
    Later{"vllm", "vLLM workers are started by its Python component: python -m dynamo.vllm"},
    Later{"sglang", "SGLang workers are started by its Python component: python -m dynamo.sglang"},
    Later{"trtllm",
          "TensorRT-LLM workers are started by its Python component: python -m dynamo.trtllm"},
};
// Flags of the distributed part; accepting and ignoring them would be a lie.
constexpr std::array<std::string_view, 11> kFlagsOfOthers{
    "--router-mode",         "--kv-overlap-score-weight",
    "--router-temperature",  "--use-kv-events",
    "--router-replica-sync", "--router-track-active-blocks",
    "--migration-limit",     "--store-kv",
    "--discovery-backend",   "--request-plane",
    "--event-plane"};

template <std::size_t N>
const Later* find_later(const std::array<Later, N>& table, std::string_view word) {
  const auto at =
      std::find_if(table.begin(), table.end(), [&](const Later& l) { return l.word == word; });
  return at == table.end() ? nullptr : &*at;
}

Result<void> read_input(std::string_view word, Arguments& out) {
  if (word == "http") {
    out.input = Input::http;
  } else if (word == "text") {
    out.input = Input::text;
  } else if (word == "stdin") {
    out.input = Input::stdin_text;
  } else if (word.starts_with("batch:")) {
    out.input = Input::batch;
    out.batch_file = word.substr(6);
    if (out.batch_file.empty()) {
      return fail(Errc::invalid_argument, "in=batch: needs a file: in=batch:prompts.jsonl");
    }
  } else if (const Later* later = find_later(kInputsOfOthers, word.substr(0, word.find(':')))) {
    return fail(Errc::unimplemented, std::string(later->message));
  } else {
    return fail(Errc::invalid_argument, "Invalid in= option '" + std::string(word) +
                                            "'; expected http, text, stdin or batch:FILE");
  }
  return {};
}

Result<void> read_engine(std::string_view word, const Surroundings& surroundings, Arguments& out) {
  if (word == "echo" || word == "echo_full") {
    out.engine = Engine::echo;
  } else if (word == "llama" || word == "llamacpp") {
    if (!surroundings.has_llama) {
      return fail(Errc::unimplemented,
                  "out=llama is not in this build. Rebuild with ./x build --features llama");
    }
    out.engine = Engine::llama;
  } else if (word.starts_with("replay:")) {
    out.engine = Engine::replay;
    out.replay_file = word.substr(7);
    if (out.replay_file.empty()) {
      return fail(Errc::invalid_argument, "out=replay: needs a file: out=replay:answers.jsonl");
    }
  } else if (const Later* later = find_later(kEnginesOfOthers, word.substr(0, word.find(':')))) {
    return fail(Errc::unimplemented, std::string(later->message));
  } else {
    return fail(Errc::invalid_argument, "Invalid out= option '" + std::string(word) +
                                            "'; expected llama, echo or replay:FILE");
  }
  return {};
}

/// A flag that sets a variable of the catalogue.
struct Setting {
  CLI::Option* option;
  void (*set)(config::Overrides& overrides, std::string text);
};

struct CommandLine {
  CLI::App app{"Serves a model, or talks to it: dynamo-run [in=X] [out=Y] [MODEL] [flags]",
               "dynamo-run"};
  std::string positional;
  bool version = false;
  bool print_config = false;
  std::vector<Setting> settings;

  explicit CommandLine(Arguments& out);

 private:
  template <const auto& variable, class T>
  CLI::Option* add(const char* flag, T& to, const std::string& meaning) {
    const std::string name(config::catalogue()[variable.index].name);
    CLI::Option* option = app.add_option(flag, to, meaning + " [" + name + "]");
    settings.push_back({option, [](config::Overrides& overrides, std::string text) {
                          overrides.set(variable, std::move(text));
                        }});
    return option;
  }
};

CommandLine::CommandLine(Arguments& out) {
  namespace var = config::var;
  app.option_defaults()->take_last();
  app.add_option("model", positional, "a .gguf file or a Hugging Face folder");
  add<var::model_path>("--model-path", out.model_path, "the same as MODEL, which wins");
  add<var::model_name>("--model-name", out.model_name, "served name");
  add<var::http_host>("--http-host", out.http_host, "address to listen on")->capture_default_str();
  add<var::http_port>("--http-port", out.http_port, "port to listen on, 0: any free one")
      ->capture_default_str();
  add<var::tls_cert_path>("--tls-cert-path", out.tls_cert_path, "PEM certificate chain");
  add<var::tls_key_path>("--tls-key-path", out.tls_key_path, "PEM private key");
  add<var::http_api_keys>("--api-key", out.api_keys,
                          "accept this bearer token (repeatable); without any, everyone is served")
      ->take_all()
      ->delimiter(',');
  app.add_flag_function("-v", [](std::int64_t) {}, "debug log; -vv: trace");
  app.add_option("--context-length", out.context_length, "context in tokens, at most the model's");
  add<var::kv_cache_block_tokens>("--kv-cache-block-size", out.kv_cache_block_size,
                                  "tokens per KV block");
  add<var::extra_engine_args>("--extra-engine-args", out.extra_engine_args,
                              "JSON file with settings of the engine");
  add<var::request_template>(
      "--request-template", out.request_template,
      "JSON file with model, temperature and max_completion_tokens for requests that lack them");
  add<var::custom_jinja_template>("--custom-jinja-template", out.custom_jinja_template,
                                  "chat template to use instead of the model's");
  add<var::tool_call_parser>("--tool-call-parser", out.tool_call_parser,
                             "how the model writes tool calls");
  add<var::reasoning_parser>("--reasoning-parser", out.reasoning_parser,
                             "how the model marks its reasoning");
  app.add_flag("--print-config", print_config,
               "print every setting with its source as JSON and end");
  app.add_flag("--version", version, "print the version and end");
  app.footer(
      "in=   http | text | stdin | batch:FILE   (default: text on a terminal, else stdin)\n"
      "out=  llama | echo | replay:FILE         (default: llama when it is compiled in)\n"
      "A flag sets the variable named behind it; docs/configuration.md lists all variables.");
}

/// Flags over the environment over files over defaults.
Result<void> read_layers(const CommandLine& line, Arguments& out) {
  namespace var = config::var;
  config::Layers layers;
  for (const Setting& setting : line.settings) {
    if (setting.option->count() == 0) continue;
    std::string text;
    for (const std::string& value : setting.option->reduced_results())
      text.append(text.empty() ? "" : ",").append(value);
    setting.set(layers.overrides, std::move(text));
  }
  if (!line.positional.empty()) layers.overrides.set(var::model_path, line.positional);
  // -v gives way to DYN_LOG, as in the reference.
  if (out.verbosity > 0 && std::getenv("DYN_LOG") == nullptr)
    layers.overrides.set(var::log_filter, out.verbosity > 1 ? "trace" : "debug");
  DYN_TRY(config::Configuration resolved, config::Configuration::load(layers));
  out.model_path = resolved.get(var::model_path);
  out.model_name = resolved.get(var::model_name);
  out.http_host = resolved.get(var::http_host);
  out.http_port = static_cast<std::uint16_t>(resolved.get(var::http_port));
  out.tls_cert_path = resolved.get(var::tls_cert_path);
  out.tls_key_path = resolved.get(var::tls_key_path);
  if (const auto tokens = resolved.get(var::kv_cache_block_tokens); tokens)
    out.kv_cache_block_size = static_cast<std::uint32_t>(*tokens);
  out.extra_engine_args = resolved.get(var::extra_engine_args);
  out.request_template = resolved.get(var::request_template);
  out.custom_jinja_template = resolved.get(var::custom_jinja_template);
  out.tool_call_parser = resolved.get(var::tool_call_parser);
  out.reasoning_parser = resolved.get(var::reasoning_parser);
  out.api_keys = resolved.get(var::http_api_keys);
  out.configuration = std::move(resolved);
  return {};
}

Result<void> check(Arguments& arguments) {
  if (arguments.tls_cert_path.empty() != arguments.tls_key_path.empty()) {
    return fail(Errc::invalid_argument,
                "--tls-cert-path and --tls-key-path must be provided together");
  }
  if (arguments.context_length == 0u)
    return fail(Errc::invalid_argument, "--context-length must be greater than 0");
  if (arguments.model_path.empty() && arguments.engine == Engine::llama) {
    return fail(Errc::invalid_argument,
                "out=llama needs a model: dynamo-run out=llama path/to/model.gguf   (./x run "
                "fetches and serves a small one)");
  }
  return {};
}

}  // namespace

Result<Arguments> parse_arguments(std::span<const std::string_view> arguments,
                                  const Surroundings& surroundings) {
  Arguments out;
  std::optional<std::string_view> input;
  std::optional<std::string_view> engine;
  std::vector<std::string> rest;
  for (const std::string_view word : arguments) {
    if (word == "--") break;
    // Only these two keys are ours: a flag or a path may contain '=' as well.
    if (word.starts_with("in=")) {
      if (input) return fail(Errc::invalid_argument, "in= is given twice");
      input = word.substr(3);
    } else if (word.starts_with("out=")) {
      if (engine) return fail(Errc::invalid_argument, "out= is given twice");
      engine = word.substr(4);
    } else {
      const std::string_view flag = word.substr(0, word.find('='));
      if (std::find(kFlagsOfOthers.begin(), kFlagsOfOthers.end(), flag) != kFlagsOfOthers.end()) {
        return fail(Errc::unimplemented,
                    std::string(flag) +
                        " belongs to distributed serving, which is not part of this build yet");
      }
      rest.emplace_back(word);
    }
  }

  CommandLine line(out);
  try {
    std::reverse(rest.begin(), rest.end());  // CLI11 takes the words from the back
    line.app.parse(rest);
  } catch (const CLI::CallForHelp&) {
    out.action = Arguments::Action::help;
    return out;
  } catch (const CLI::Error& error) {
    return fail(Errc::invalid_argument, error.what());
  }
  if (line.version) {
    out.action = Arguments::Action::version;
    return out;
  }
  out.verbosity = static_cast<int>(line.app.count("-v"));
  if (out.verbosity > 2)
    return fail(Errc::invalid_argument, "-v may be given at most twice (-v: debug, -vv: trace)");
  DYN_CHECK(read_layers(line, out));

  out.input = surroundings.stdin_is_terminal ? Input::text : Input::stdin_text;
  if (input) DYN_CHECK(read_input(*input, out));
  out.default_engine = !engine;
  out.engine = surroundings.has_llama ? Engine::llama : Engine::echo;
  if (engine) DYN_CHECK(read_engine(*engine, surroundings, out));
  if (line.print_config) {
    out.action = Arguments::Action::print_config;
    return out;
  }
  DYN_CHECK(check(out));
  return out;
}

std::string usage_text() {
  Arguments unused;
  return CommandLine(unused).app.help();
}

std::string version_text() {
  std::string text =
      "dynamo-run " DYNAMO_GIT_DESCRIBE " (version " DYNAMO_VERSION ", features: echo";
#ifdef DYNAMO_HAS_LLAMA
  text += ", llama";
#endif
#ifdef DYNAMO_HAS_CUDA
  text += ", cuda";
#endif
#ifdef DYNAMO_HAS_METAL
  text += ", metal";
#endif
  return text + ")";
}

std::string arguments_json(const Arguments& arguments) {
  constexpr std::array<std::string_view, 4> kInputs{"http", "text", "stdin", "batch"};
  constexpr std::array<std::string_view, 3> kEngines{"echo", "llama", "replay"};
  std::string text;
  JsonWriter out(text);
  out.begin_object()
      .member("in", kInputs[static_cast<std::size_t>(arguments.input)])
      .member("out", kEngines[static_cast<std::size_t>(arguments.engine)])
      .member("batch_file", arguments.batch_file)
      .member("replay_file", arguments.replay_file)
      .member("model_path", arguments.model_path)
      .member("model_name", arguments.model_name)
      .member("http_host", arguments.http_host)
      .member("http_port", std::uint32_t{arguments.http_port})
      .member("tls_cert_path", arguments.tls_cert_path)
      .member("tls_key_path", arguments.tls_key_path)
      .member("api_keys", static_cast<std::uint64_t>(arguments.api_keys.size()))
      .member("verbosity", arguments.verbosity)
      .member_or_null("context_length", arguments.context_length)
      .member_or_null("kv_cache_block_size", arguments.kv_cache_block_size)
      .member("extra_engine_args", arguments.extra_engine_args)
      .member("request_template", arguments.request_template)
      .member("custom_jinja_template", arguments.custom_jinja_template)
      .member("tool_call_parser", arguments.tool_call_parser)
      .member("reasoning_parser", arguments.reasoning_parser)
      .end_object();
  return text;
}

}  // namespace dynamo::run
