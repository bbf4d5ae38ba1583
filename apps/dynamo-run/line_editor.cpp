// SPDX-License-Identifier: Apache-2.0
#include "line_editor.h"

#include <cerrno>
#include <cstdio>
#include <iterator>

#include <histedit.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

namespace dynamo::run {
namespace {

// Keeps the terminal from collecting and showing lines itself while it lives, so that what is typed
// during an answer is neither shown in the middle of it nor changed (a line discipline that
// collects lines turns Ctrl-D into a zero byte for whoever reads single keys next): it waits for
// the next prompt. Puts the terminal back as it was, also when a signal ends the process.
class SingleKeys {
 public:
  SingleKeys() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    set_ = true;
    for (std::size_t i = 0; i < std::size(kEndingSignals); ++i) {
      struct sigaction action{};
      action.sa_handler = restore_and_end;
      action.sa_flags = static_cast<int>(SA_RESETHAND);
      ::sigaction(kEndingSignals[i], &action, &handlers_before_[i]);
      if (handlers_before_[i].sa_handler == SIG_IGN)  // as under nohup
        ::sigaction(kEndingSignals[i], &handlers_before_[i], nullptr);
    }
    termios keys = before_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
  }
  ~SingleKeys() {
    if (!set_) return;
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
    for (std::size_t i = 0; i < std::size(kEndingSignals); ++i)
      ::sigaction(kEndingSignals[i], &handlers_before_[i], nullptr);
  }
  SingleKeys(const SingleKeys&) = delete;
  SingleKeys& operator=(const SingleKeys&) = delete;

 private:
  static constexpr int kEndingSignals[] = {SIGTERM, SIGHUP, SIGQUIT};

  static void restore_and_end(int signal) {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    ::raise(signal);  // its handler has been reset: it ends the process
  }

  static inline termios before_{};
  struct sigaction handlers_before_[std::size(kEndingSignals)]{};
  bool set_ = false;
};

}  // namespace

struct LineEditor::Impl {
  explicit Impl(std::string text)
      : prompt(std::move(text)),
        edit(el_init("dynamo-run", stdin, stdout, stderr)),
        past(history_init()) {
    HistEvent event;
    history(past, &event, H_SETSIZE, 1000);
    history(past, &event, H_SETUNIQUE, 1);
    el_set(edit, EL_CLIENTDATA, this);
    el_set(
        edit, EL_PROMPT, +[](EditLine* line) -> char* {
          void* self = nullptr;
          el_get(line, EL_CLIENTDATA, &self);
          return static_cast<Impl*>(self)->prompt.data();
        });
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_SIGNAL, 0);
    // What the editor sets between two reads ("-x"): single keys too.
    el_set(edit, EL_SETTY, "-x", "-icanon", "-echo", nullptr);
    el_set(edit, EL_HIST, history, past);
    el_set(edit, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(edit, nullptr);
  }
  ~Impl() {
    el_end(edit);
    history_end(past);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  SingleKeys keys;  // before the editor takes its own note of the terminal's state
  std::string prompt;
  EditLine* edit;
  History* past;
};

LineEditor::LineEditor(std::string prompt) : impl_(std::make_unique<Impl>(std::move(prompt))) {}
LineEditor::~LineEditor() = default;

std::optional<std::string> LineEditor::read() {
  for (;;) {
    int length = 0;
    const char* line = el_gets(impl_->edit, &length);
    if (line == nullptr || length <= 0) {
      if (length < 0 && errno == EINTR) {  // Ctrl-C at the prompt
        el_reset(impl_->edit);
        std::fputs("\n", stdout);
        std::fflush(stdout);
        continue;
      }
      return std::nullopt;
    }
    std::string text(line, static_cast<std::size_t>(length));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    if (!text.empty()) {
      HistEvent event;
      history(impl_->past, &event, H_ENTER, text.c_str());
    }
    return text;
  }
}

}  // namespace dynamo::run
