// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/output_parser.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace dynamo::parsers::detail {

/// Two parsers in a row: the text that the first finds is the input of the second. For pairs whose
/// syntaxes have nothing to do with each other.
class CascadeParser final : public OutputParser {
 public:
  CascadeParser(std::unique_ptr<OutputParser> thoughts, std::unique_ptr<OutputParser> calls)
      : thoughts_(std::move(thoughts)), calls_(std::move(calls)) {}

  void feed(std::string_view delta, std::vector<Event>& out) override;
  void finish(std::vector<Event>& out, OutputEnd end) override;
  std::uint32_t calls_started() const noexcept override { return calls_->calls_started(); }

 private:
  void pass_on(std::vector<Event>& out);
  void pass_on_calls(std::vector<Event>& out);

  std::unique_ptr<OutputParser> thoughts_;
  std::unique_ptr<OutputParser> calls_;
  std::vector<Event> events_;
  std::vector<Event> call_events_;
  bool call_open_ = false;
  std::vector<Event> held_thoughts_;  // while a call is open
};

/// A forced choice of a family that is no grammar: what is not the JSON that the engine was told to
/// write is read by the family's own parser.
class GuidedFirstParser final : public OutputParser {
 public:
  /// With `parallel`, calls of the own parser are delivered behind those of the JSON.
  GuidedFirstParser(std::unique_ptr<OutputParser> json, std::unique_ptr<OutputParser> own,
                    bool parallel)
      : json_(std::move(json)), own_(std::move(own)), parallel_(parallel) {}

  void feed(std::string_view delta, std::vector<Event>& out) override;
  void finish(std::vector<Event>& out, OutputEnd end) override;
  std::uint32_t calls_started() const noexcept override;

 private:
  void pass_on(std::vector<Event>& out);
  void pass_on_own(std::vector<Event>& out);

  std::unique_ptr<OutputParser> json_;
  std::unique_ptr<OutputParser> own_;
  bool parallel_;
  std::vector<Event> json_events_;
  std::vector<Event> own_events_;
};

}  // namespace dynamo::parsers::detail
