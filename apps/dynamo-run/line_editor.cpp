// SPDX-License-Identifier: Apache-2.0
#include "line_editor.h"

#include <cerrno>
#include <cstdio>

#include <histedit.h>
#include <unistd.h>

namespace dynamo::run {

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
