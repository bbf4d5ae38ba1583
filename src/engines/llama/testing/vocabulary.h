// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokenizer/gguf.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dynamo::engines::llama::testing {

/// ASCII text to tokens of a byte-level vocabulary and back, by the longest token that matches: not
/// what a tokenizer does, but a text a model understands, and no more than these tests need.
class Vocabulary {
 public:
  static std::shared_ptr<const Vocabulary> load(const std::filesystem::path& gguf) {
    auto metadata = tokenizer::GgufMetadata::read(gguf);
    if (!metadata) return nullptr;
    auto out = std::make_shared<Vocabulary>();
    const auto array = metadata->array("tokenizer.ggml.tokens");
    for (const std::string_view token : array->strings()) {
      std::string text;
      for (std::size_t i = 0; i < token.size();) {
        if (token.substr(i).starts_with("Ġ")) {
          text += ' ';
          i += 2;
        } else if (token.substr(i).starts_with("Ċ")) {
          text += '\n';
          i += 2;
        } else {
          text += token[i++];
        }
      }
      out->ids_.emplace(text, static_cast<std::uint32_t>(out->texts_.size()));
      out->longest_ = std::max(out->longest_, text.size());
      out->texts_.push_back(std::move(text));
    }
    return out;
  }
  std::vector<std::uint32_t> encode(std::string_view text) const {
    std::vector<std::uint32_t> out;
    while (!text.empty()) {
      // Control tokens stand for themselves: nothing reaches into one.
      std::size_t size =
          std::min({longest_, text.size(), std::max<std::size_t>(1, text.find("<|", 1))});
      if (text.starts_with("<|")) size = text.find("|>") + 2;
      while (size > 1 && !ids_.contains(std::string(text.substr(0, size)))) --size;
      out.push_back(ids_.at(std::string(text.substr(0, size))));
      text.remove_prefix(size);
    }
    return out;
  }
  /// Without what looks like a control token.
  std::string decode(const std::vector<std::uint32_t>& tokens) const {
    std::string out;
    for (const std::uint32_t token : tokens) {
      if (!texts_[token].starts_with("<|")) out += texts_[token];
    }
    return out;
  }

 private:
  std::vector<std::string> texts_;
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::size_t longest_ = 0;
};

}  // namespace dynamo::engines::llama::testing
