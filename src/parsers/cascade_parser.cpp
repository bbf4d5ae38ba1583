// SPDX-License-Identifier: Apache-2.0
#include "parsers/cascade_parser.h"

#include <algorithm>
#include <iterator>

namespace dynamo::parsers::detail {

void CascadeParser::pass_on(std::vector<Event>& out) {
  for (Event& event : events_) {
    if (event.kind == EventKind::text) {
      calls_->feed(event.text, call_events_);
      pass_on_calls(out);
    } else if (event.kind == EventKind::reasoning) {
      (call_open_ ? held_thoughts_ : out).push_back(std::move(event));
    }
  }
  events_.clear();
}

// A thought that interrupts a call is delivered behind it.
void CascadeParser::pass_on_calls(std::vector<Event>& out) {
  for (Event& event : call_events_) {
    if (event.kind == EventKind::call_start) call_open_ = true;
    const bool ends = event.kind == EventKind::call_end;
    out.push_back(std::move(event));
    if (!ends) continue;
    call_open_ = false;
    std::ranges::move(held_thoughts_, std::back_inserter(out));
    held_thoughts_.clear();
  }
  call_events_.clear();
}

void CascadeParser::feed(std::string_view delta, std::vector<Event>& out) {
  thoughts_->feed(delta, events_);
  pass_on(out);
}

void CascadeParser::finish(std::vector<Event>& out, OutputEnd end) {
  thoughts_->finish(events_, end);
  pass_on(out);
  calls_->finish(call_events_, end);
  pass_on_calls(out);
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
