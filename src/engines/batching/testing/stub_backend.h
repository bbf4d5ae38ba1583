// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/assert.h>
#include <dynamo/engines/batching/backend.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engines/batching/grammar/gbnf_grammar.h"

namespace dynamo::engines::batching::testing {

/// A "model" whose next token depends on every token before it, so that a wrong prefix shows in the
/// answer, with the sequence memory of llama.cpp: cells shared by sequences, consecutive positions.
class StubBackend final : public Backend {
 public:
  static constexpr TokenId kEnd = 0;
  static constexpr std::uint32_t kVocabulary = 64;

  struct Options {
    std::uint32_t cells = 256;
    std::uint32_t context_length = 128;
    std::uint32_t sequences = 16;
    std::uint32_t batch_tokens = 32;
    bool can_share_prefixes = true;
    std::chrono::milliseconds step_time{0};
    /// Called at the begin of each step, with how many sequences take part; on the engine's thread.
    std::function<void(std::size_t sequences)> on_step;
  };
  StubBackend() : StubBackend(Options{}) {}
  explicit StubBackend(Options options) : options_(std::move(options)) {
    facts_ = {.name = "stub",
              .vocabulary_tokens = kVocabulary,
              .context_length = options_.context_length,
              .cells = options_.cells,
              .sequences = options_.sequences,
              .batch_tokens = options_.batch_tokens,
              .end_tokens = {kEnd},
              .can_share_prefixes = options_.can_share_prefixes};
  }

  /// What greedy decoding answers to `prompt`. The end token comes only when `ends` says so.
  static std::vector<TokenId> answer_to(std::vector<TokenId> tokens, std::size_t count) {
    std::vector<TokenId> out;
    for (std::size_t i = 0; i < count; ++i) {
      out.push_back(next_token(tokens));
      tokens.push_back(out.back());
    }
    return out;
  }
  static TokenId next_token(std::span<const TokenId> tokens) {
    // Never the end token: tests that want one use stop ids or logit bias.
    return 1 + static_cast<TokenId>(mix(tokens) % (kVocabulary - 1));
  }

  const ModelFacts& facts() const noexcept override { return facts_; }

  DecodeStatus decode(std::span<const BatchToken> batch) override {
    DYN_ASSERT(!batch.empty() && batch.size() <= facts_.batch_tokens);
    ++steps;
    largest_batch = std::max(largest_batch, batch.size());
    if (options_.on_step) {
      std::set<SequenceId> sequences;
      for (const BatchToken& token : batch) sequences.insert(token.sequence);
      options_.on_step(sequences.size());
    }
    for (auto left = options_.step_time; left.count() > 0; left -= std::chrono::milliseconds(1)) {
      if (abort_.load()) return DecodeStatus::aborted;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (abort_.load()) return DecodeStatus::aborted;
    if (!scripted.empty()) {
      const DecodeStatus status = scripted.front();
      scripted.pop_front();
      if (status != DecodeStatus::ok) return status;
    }
    if (batch.size() > free_cells()) return DecodeStatus::no_room;
    logits_.clear();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const BatchToken& token = batch[i];
      auto& cells = sequences_[token.sequence];
      DYN_ASSERT(token.position == cells.size());  // consecutive
      cells.push_back(std::make_shared<TokenId>(token.token));
      ++decoded_tokens;
      if (token.wants_logits) logits_[i] = scores(history(token.sequence));
    }
    return DecodeStatus::ok;
  }

  std::span<const float> logits(std::size_t index) override { return logits_.at(index); }

  void share(SequenceId from, SequenceId to, std::uint32_t begin, std::uint32_t end) override {
    const auto& source = sequences_[from];
    auto& target = sequences_[to];
    DYN_ASSERT(end <= source.size() && begin <= target.size());
    if (target.size() < end) target.resize(end);
    std::copy(source.begin() + begin, source.begin() + end, target.begin() + begin);
  }
  bool truncate(SequenceId sequence, std::uint32_t begin) override {
    auto& cells = sequences_[sequence];
    if (begin < cells.size()) cells.resize(begin);
    return true;
  }
  Result<void> reset() override {
    ++resets;
    sequences_.clear();
    if (reset_fails) return fail(Errc::internal, "no memory");
    return {};
  }
  void request_abort() noexcept override { abort_ = true; }

  /// A grammar is a text of letters; each stands for the token of its place in the alphabet.
  Result<std::unique_ptr<Grammar>> make_grammar(std::string_view gbnf) const override;

  std::vector<TokenId> history(SequenceId sequence) const {
    std::vector<TokenId> out;
    const auto found = sequences_.find(sequence);
    if (found == sequences_.end()) return out;
    for (const auto& cell : found->second) out.push_back(*cell);
    return out;
  }
  std::size_t free_cells() const {
    std::set<const TokenId*> used;
    for (const auto& [id, cells] : sequences_) {
      for (const auto& cell : cells) used.insert(cell.get());
    }
    return facts_.cells - used.size();
  }

  std::deque<DecodeStatus> scripted;  ///< results of the next steps
  bool reset_fails = false;
  std::size_t steps = 0;
  std::size_t resets = 0;
  std::size_t decoded_tokens = 0;
  std::size_t largest_batch = 0;

 private:
  static std::uint64_t mix(std::span<const TokenId> tokens) {
    std::uint64_t out = 0xcbf29ce484222325;
    for (const TokenId token : tokens) out = (out ^ (token + 1)) * 0x100000001b3;
    return out ^ (out >> 29);
  }
  static std::vector<float> scores(const std::vector<TokenId>& tokens) {
    std::vector<float> out(kVocabulary);
    const std::uint64_t seed = mix(tokens);
    for (std::uint32_t i = 0; i < kVocabulary; ++i) {
      out[i] = static_cast<float>((seed >> (i % 40)) % 17) / 10.0F;
    }
    out[kEnd] = -2.0F;
    out[next_token(tokens)] = 5.0F;
    return out;
  }

  Options options_;
  ModelFacts facts_;
  std::map<SequenceId, std::vector<std::shared_ptr<TokenId>>> sequences_;  // cells are shared
  std::map<std::size_t, std::vector<float>> logits_;
  std::atomic<bool> abort_{false};
};

/// Allows exactly the tokens of a text, then the end token. A '!' in the text costs too much.
class TextGrammar final : public Grammar {
 public:
  explicit TextGrammar(std::vector<TokenId> tokens) : tokens_(std::move(tokens)) {}
  Result<bool> allows(TokenId token) override {
    if (at_ < tokens_.size() && tokens_[at_] == kTooCostly)
      return fail(Errc::invalid_argument, "the grammar is too costly");
    return fits(token);
  }
  Result<void> mask(std::span<float> logits) override {
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (!fits(static_cast<TokenId>(i))) logits[i] = -std::numeric_limits<float>::infinity();
    }
    return {};
  }
  Result<void> accept(TokenId token) override {
    if (!fits(token)) return fail(Errc::internal, "not allowed");
    ++at_;
    return {};
  }
  static constexpr TokenId kTooCostly = 1'000'000;

 private:
  bool fits(TokenId token) const {
    return token == (at_ < tokens_.size() ? tokens_[at_] : StubBackend::kEnd);
  }

  std::vector<TokenId> tokens_;
  std::size_t at_ = 0;
};

inline Result<std::unique_ptr<Grammar>> StubBackend::make_grammar(std::string_view gbnf) const {
  DYN_CHECK(grammar::parse_gbnf(gbnf));
  std::vector<TokenId> tokens;
  for (const char c : gbnf) {
    if (c >= 'a' && c <= 'z') tokens.push_back(static_cast<TokenId>(1 + (c - 'a')));
    if (c == '!') tokens.push_back(TextGrammar::kTooCostly);
  }
  return std::make_unique<TextGrammar>(std::move(tokens));
}

}  // namespace dynamo::engines::batching::testing
