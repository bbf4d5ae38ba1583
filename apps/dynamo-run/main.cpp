// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/log.h>
#include <dynamo/config/logging.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "arguments.h"
#include "serve.h"
#include "tokenize_mode.h"

namespace {

constexpr int kUsageError = 2;

// -v and -vv set the filter unless DYN_LOG says otherwise.
dynamo::Result<void> start_logging(int verbosity) {
  DYN_TRY(auto options, dynamo::config::log_options());
  if (verbosity > 0 && std::getenv("DYN_LOG") == nullptr) {
    options.filter = verbosity > 1 ? "trace" : "debug";
  }
  return dynamo::base::init_logging(options);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == "tokenize") {
    return dynamo::run::run_tokenize(std::span(words).subspan(1));
  }
  dynamo::run::Surroundings surroundings;
  surroundings.stdin_is_terminal = ::isatty(STDIN_FILENO) != 0;
#ifdef DYNAMO_HAS_LLAMA
  surroundings.has_llama = true;
#endif
  // Without any word on a terminal there is nothing to do but explain.
  const bool asks_for_help = words.empty() && surroundings.stdin_is_terminal;
  const auto arguments = dynamo::run::parse_arguments(words, surroundings);
  if (!asks_for_help && !arguments) {
    std::fprintf(stderr, "dynamo-run: %s\nTry dynamo-run --help\n",
                 arguments.error().message().c_str());
    return kUsageError;
  }
  using Action = dynamo::run::Arguments::Action;
  if (asks_for_help || arguments->action == Action::help) {
    std::fputs(dynamo::run::usage_text().c_str(), stdout);
    return 0;
  }
  if (arguments->action == Action::version) {
    std::printf("%s\n", dynamo::run::version_text().c_str());
    return 0;
  }
  if (auto started = start_logging(arguments->verbosity); !started) {
    std::fprintf(stderr, "dynamo-run: %s\n", started.error().message().c_str());
    return kUsageError;
  }
  if (arguments->action == Action::print_config) return dynamo::run::print_config(*arguments);
  return dynamo::run::run(*arguments);
}
