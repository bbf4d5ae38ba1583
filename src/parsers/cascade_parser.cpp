// SPDX-License-Identifier: Apache-2.0
#include "parsers/cascade_parser.h"

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

std::uint32_t GuidedFirstParser::calls_started() const noexcept {
  const std::uint32_t json = json_->calls_started();
  return json > 0 && !parallel_ ? json : json + own_->calls_started();
}

void GuidedFirstParser::pass_on(std::vector<Event>& out) {
  for (Event& event : json_events_) {
    if (event.kind == EventKind::text) {
      own_->feed(event.text, own_events_);
      pass_on_own(out);
    } else {
      out.push_back(std::move(event));
    }
  }
  json_events_.clear();
}

// The JSON stands at the start of the output, so its calls come before all others.
void GuidedFirstParser::pass_on_own(std::vector<Event>& out) {
  const std::uint32_t before = json_->calls_started();
  for (Event& event : own_events_) {
    const bool call = event.kind != EventKind::text && event.kind != EventKind::reasoning;
    if (call && before > 0 && !parallel_) continue;
    if (call) event.index += before;
    out.push_back(std::move(event));
  }
  own_events_.clear();
}

void GuidedFirstParser::feed(std::string_view delta, std::vector<Event>& out) {
  json_->feed(delta, json_events_);
  pass_on(out);
}

void GuidedFirstParser::finish(std::vector<Event>& out, OutputEnd end) {
  json_->finish(json_events_, end);
  pass_on(out);
  own_->finish(own_events_, end);
  pass_on_own(out);
}

}  // namespace dynamo::parsers::detail
