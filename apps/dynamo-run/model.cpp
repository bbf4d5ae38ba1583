// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <dynamo/base/file.h>
#include <dynamo/base/log.h>
#include <dynamo/engines/echo/echo_engine.h>
#include <dynamo/engines/replay/replay_engine.h>

#ifdef DYNAMO_HAS_LLAMA
#include <dynamo/engines/llama/config.h>
#include <dynamo/engines/llama/llama_engine.h>
#endif

#include <cstdio>

#include <unistd.h>

namespace dynamo::run {
namespace {

constexpr std::size_t kSettingsLimitBytes = std::size_t{1} << 20;

// The JSON of --extra-engine-args; an empty object when there is none.
Result<Json> engine_settings(const Arguments& arguments) {
  if (arguments.extra_engine_args.empty()) return Json::object();
  auto text = base::read_file(arguments.extra_engine_args, kSettingsLimitBytes);
  if (!text) return fail(std::move(text).error().with("--extra-engine-args"));
  auto json = parse_json(*text);
  if (!json) return fail(std::move(json).error().with(arguments.extra_engine_args));
  return json;
}

llm::ModelCardOptions card_options(const Arguments& arguments) {
  llm::ModelCardOptions options;
  options.name = arguments.model_name;
  options.chat_template = arguments.custom_jinja_template;
  options.kv_block_size_tokens =
      arguments.kv_cache_block_size.value_or(options.kv_block_size_tokens);
  options.runtime_config.context_length = arguments.context_length;
  if (!arguments.tool_call_parser.empty())
    options.runtime_config.tool_call_parser = arguments.tool_call_parser;
  if (!arguments.reasoning_parser.empty())
    options.runtime_config.reasoning_parser = arguments.reasoning_parser;
  return options;
}

// The card of an engine that has no model of its own.
Result<llm::ModelCardPtr> card_only(const Arguments& arguments, std::string_view engine) {
  if (arguments.model_path.empty()) {
    return fail(Errc::invalid_argument,
                "out=" + std::string(engine) +
                    " needs a model for its tokenizer and template: a .gguf file or a Hugging "
                    "Face folder");
  }
  return llm::load_model_card(arguments.model_path, card_options(arguments));
}

Result<LoadedModel> load_echo(const Arguments& arguments) {
  if (!arguments.extra_engine_args.empty()) {
    return fail(Errc::invalid_argument,
                "--extra-engine-args: the echo engine has no settings (DYN_TOKEN_ECHO_DELAY_MS "
                "sets its pace)");
  }
  DYN_TRY(auto card, card_only(arguments, "echo"));
  return LoadedModel{std::move(card), std::make_shared<engines::echo::EchoEngine>(
                                          engines::echo::options_from_configuration())};
}

Result<LoadedModel> load_replay(const Arguments& arguments) {
  if (!arguments.extra_engine_args.empty()) {
    return fail(Errc::invalid_argument,
                "--extra-engine-args: the replay engine has no settings outside its file");
  }
  DYN_TRY(auto card, card_only(arguments, "replay"));
  DYN_TRY(auto engine, engines::replay::ReplayEngine::load(arguments.replay_file, card->tokenizer));
  return LoadedModel{std::move(card), std::move(engine)};
}

#ifdef DYNAMO_HAS_LLAMA

// Writes "loading 42 %" over itself on a terminal.
bool show_progress(float done) {
  static int shown = -1;
  const int percent = static_cast<int>(done * 100);
  if (percent != shown && ::isatty(STDERR_FILENO) != 0) {
    shown = percent;
    std::fprintf(stderr, "\rloading the model: %d %%%s", percent, percent >= 100 ? "\n" : "");
  }
  return true;
}

Result<LoadedModel> load_llama(const Arguments& arguments, runtime::ComputePool& pool) {
  DYN_TRY(const Json settings, engine_settings(arguments));
  auto config = engines::llama::config_from_json(settings);
  if (!config) return fail(std::move(config).error().with("--extra-engine-args"));
  if (arguments.context_length) config->n_ctx = *arguments.context_length;
  if (arguments.kv_cache_block_size) config->kv_cache_block_size = *arguments.kv_cache_block_size;

  engines::llama::LoadOptions options;
  options.progress = show_progress;
  options.compute_pool = &pool;
  DYN_TRY(std::shared_ptr<llm::TokenEngine> engine,
          engines::llama::LlamaEngine::load(arguments.model_path, *config, std::move(options)));
  // The engine knows what it can hold; a prompt that does not fit is refused before it gets there.
  llm::ModelCardOptions card = card_options(arguments);
  card.runtime_config.context_length = engine->info().context_length;
  card.kv_block_size_tokens = config->kv_cache_block_size;
  DYN_TRY(auto loaded, llm::load_model_card(arguments.model_path, card));
  return LoadedModel{std::move(loaded), std::move(engine)};
}

#endif

}  // namespace

Result<LoadedModel> load_model(const Arguments& arguments,
                               [[maybe_unused]] runtime::ComputePool& pool) {
#ifdef DYNAMO_HAS_LLAMA
  if (arguments.engine == Engine::llama) return load_llama(arguments, pool);
#endif
  return arguments.engine == Engine::replay ? load_replay(arguments) : load_echo(arguments);
}

std::string device_line(const Arguments& arguments) {
  if (arguments.engine != Engine::llama) return {};
#if defined(DYNAMO_HAS_CUDA)
  return "CUDA on";
#elif defined(DYNAMO_HAS_METAL)
  return "Metal on";
#elif defined(__APPLE__)
  return "CPU mode. Rebuild with ./x build --release --features metal for Metal";
#else
  return "CPU mode. Rebuild with ./x build --release --features cuda for an NVIDIA GPU";
#endif
}

}  // namespace dynamo::run
