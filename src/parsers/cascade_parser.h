// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/output_parser.h>

#include <memory>
#include <string>
#include <string_view>
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

  std::unique_ptr<OutputParser> thoughts_;
  std::unique_ptr<OutputParser> calls_;
  std::vector<Event> events_;
};

/// Chooses between two parsers by the first character that is not white space: JSON or not.
class FirstByteParser final : public OutputParser {
 public:
  FirstByteParser(std::unique_ptr<OutputParser> json, std::unique_ptr<OutputParser> other)
      : json_(std::move(json)), other_(std::move(other)) {}

  void feed(std::string_view delta, std::vector<Event>& out) override;
  void finish(std::vector<Event>& out, OutputEnd end) override;
  std::uint32_t calls_started() const noexcept override {
    return chosen_ != nullptr ? chosen_->calls_started() : 0;
  }

 private:
  std::unique_ptr<OutputParser> json_;
  std::unique_ptr<OutputParser> other_;
  OutputParser* chosen_ = nullptr;
  std::string held_;
  std::size_t blank_bytes_ = 0;  // of held_, known to be white space
};

}  // namespace dynamo::parsers::detail
