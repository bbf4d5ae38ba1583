// SPDX-License-Identifier: Apache-2.0
#include "text_mode.h"

#include <dynamo/base/uuid.h>

#include <atomic>
#include <cstdio>
#include <future>
#include <iostream>
#include <iterator>
#include <mutex>
#include <thread>

#include <signal.h>
#include <unistd.h>

#include "line_editor.h"

namespace dynamo::run {
namespace {

// Input is one prompt: a bound keeps a stray pipe from filling the memory.
constexpr std::size_t kStdinLimitBytes = std::size_t{64} << 20;

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// Turns SIGINT into a flag while it lives.
class InterruptFlag {
 public:
  InterruptFlag() {
    raised_ = 0;
    struct sigaction action{};
    action.sa_handler = [](int) { raised_ = 1; };
    ::sigaction(SIGINT, &action, &before_);
  }
  ~InterruptFlag() { ::sigaction(SIGINT, &before_, nullptr); }
  InterruptFlag(const InterruptFlag&) = delete;
  InterruptFlag& operator=(const InterruptFlag&) = delete;
  static bool take() { return std::exchange(raised_, 0) != 0; }

 private:
  static inline volatile sig_atomic_t raised_ = 0;
  struct sigaction before_{};
};

// Asks on another thread, so that this one can watch for Ctrl-C.
Result<ChatAnswer> ask_interruptibly(Chat& chat, const Json& request) {
  const auto context = runtime::Context::create(base::Uuid::random().to_string());
  auto answer = std::async(std::launch::async, [&] { return chat.ask(request, print, context); });
  while (answer.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    if (InterruptFlag::take()) context->stop();
  }
  return answer.get();
}

}  // namespace

Json message(std::string_view role, std::string_view content) {
  return Json::object({{"role", Json(role)}, {"content", Json(content)}});
}

Json chat_request(const RequestDefaults& defaults, Json::Array messages) {
  return Json::object({{"model", Json(defaults.model)},
                       {"messages", Json(std::move(messages))},
                       {"stream", Json(true)},
                       {"temperature", Json(defaults.temperature)},
                       {"max_completion_tokens", Json(defaults.max_completion_tokens)},
                       {"n", Json(1)}});
}

int run_text(Chat& chat, const RequestDefaults& defaults) {
  const InterruptFlag interrupt;
  LineEditor editor("User: ");
  Json::Array messages;
  while (auto line = editor.read()) {
    InterruptFlag::take();  // a Ctrl-C at the prompt has been dealt with
    if (line->find_first_not_of(" \t") == std::string::npos) continue;
    messages.push_back(message("user", *line));
    auto answer = ask_interruptibly(chat, chat_request(defaults, messages));
    print("\n");
    if (!answer) {
      std::fprintf(stderr, "error: %s\n", answer.error().message().c_str());
      messages.pop_back();  // as if it had not been asked
      continue;
    }
    Json turn = message("assistant", answer->text);
    if (!answer->reasoning.empty()) turn["reasoning_content"] = Json(answer->reasoning);
    messages.push_back(std::move(turn));
  }
  print("\n");
  return 0;
}

int run_stdin(Chat& chat, const RequestDefaults& defaults) {
  std::string prompt;
  for (char buffer[65536]; std::cin.read(buffer, sizeof buffer) || std::cin.gcount() > 0;) {
    prompt.append(buffer, static_cast<std::size_t>(std::cin.gcount()));
    if (prompt.size() > kStdinLimitBytes) {
      std::fprintf(stderr, "error: standard input is larger than %zu MiB\n",
                   kStdinLimitBytes >> 20);
      return 1;
    }
  }
  while (!prompt.empty() && (prompt.back() == '\n' || prompt.back() == '\r')) prompt.pop_back();
  if (prompt.empty()) {
    std::fprintf(
        stderr, "error: standard input is empty; pipe a prompt in, or use in=text on a terminal\n");
    return 1;
  }
  const InterruptFlag interrupt;
  const auto answer = ask_interruptibly(chat, chat_request(defaults, {message("user", prompt)}));
  print("\n");
  if (!answer) {
    std::fprintf(stderr, "error: %s\n", answer.error().message().c_str());
    return 1;
  }
  return 0;
}

}  // namespace dynamo::run
