// SPDX-License-Identifier: Apache-2.0
#include "parsers/bytewise_parser.h"

#include <utility>

namespace dynamo::parsers::detail {

void BytewiseParser::feed(std::string_view delta, std::vector<Event>& out) {
  emitter_.begin_feed(out);
  drive(delta);
}

void BytewiseParser::drive(std::string_view input) {
  std::string joined;  // backs `input` once it is not the caller's
  std::size_t at = 0;
  std::size_t width = held_.size();  // of the window that was shown last
  if (width != 0) {
    joined = std::exchange(held_, {});
    joined += input;
    input = joined;
  }
  while (at < input.size()) {
    if (width == 0) {
      at += take_run(input.substr(at));
      if (at == input.size()) break;
    }
    if (at + width == input.size()) break;
    bytes_shown_ += ++width;
    const std::size_t consumed = step(input.substr(at, width), false);
    at += consumed;
    if (consumed != 0) width = 0;
    if (returned_.empty()) continue;
    // What came in this feed is still in the input, so that a text full of false starts is not
    // copied over and over.
    const std::string back = std::exchange(returned_, {});
    width = 0;
    if (back.size() <= at) {
      at -= back.size();
      continue;
    }
    std::string again = back;
    again += input.substr(at);
    joined = std::move(again);
    input = joined;
    at = 0;
  }
  held_ = std::string(input.substr(at));
}

void BytewiseParser::finish(std::vector<Event>& out, OutputEnd end) {
  emitter_.begin_feed(out);
  while (true) {
    const std::string window = std::exchange(held_, {});
    std::string_view rest = window;
    while (!rest.empty() && returned_.empty()) {
      const std::size_t consumed = step(rest, true);
      if (consumed == 0) break;
      rest.remove_prefix(consumed);
    }
    if (returned_.empty()) {
      this->end(end, rest);
    } else {
      returned_ += rest;
    }
    if (returned_.empty()) break;
    const std::string again = std::exchange(returned_, {});
    drive(again);
  }
  emitter_.finish();
}

}  // namespace dynamo::parsers::detail
