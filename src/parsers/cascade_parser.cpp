// SPDX-License-Identifier: Apache-2.0
#include "parsers/cascade_parser.h"

#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {

void CascadeParser::pass_on(std::vector<Event>& out) {
  for (Event& event : events_) {
    if (event.kind == EventKind::text) {
      calls_->feed(event.text, out);
    } else if (event.kind == EventKind::reasoning) {
      out.push_back(std::move(event));
    }
  }
  events_.clear();
}

void CascadeParser::feed(std::string_view delta, std::vector<Event>& out) {
  thoughts_->feed(delta, events_);
  pass_on(out);
}

void CascadeParser::finish(std::vector<Event>& out, OutputEnd end) {
  thoughts_->finish(events_, end);
  pass_on(out);
  calls_->finish(out, end);
}

void FirstByteParser::feed(std::string_view delta, std::vector<Event>& out) {
  if (chosen_ != nullptr) {
    chosen_->feed(delta, out);
    return;
  }
  held_ += delta;
  const std::string_view rest = trim_left(std::string_view(held_).substr(blank_bytes_));
  blank_bytes_ = held_.size() - rest.size();
  const bool spaced = blank_bytes_ >= kLeadingSpaceLimit;
  if (!spaced && (rest.empty() || may_become_space(rest))) return;
  chosen_ = !spaced && (rest[0] == '{' || rest[0] == '[') ? json_.get() : other_.get();
  chosen_->feed(held_, out);
  held_ = {};
}

void FirstByteParser::finish(std::vector<Event>& out, OutputEnd end) {
  if (chosen_ == nullptr) {
    chosen_ = other_.get();
    chosen_->feed(held_, out);
  }
  chosen_->finish(out, end);
}

}  // namespace dynamo::parsers::detail
