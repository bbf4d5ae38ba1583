// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/gbnf_follower.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace dynamo::engines::batching {
namespace {

constexpr std::size_t kItemsBeforeForgetting = 4096;

Error too_much(std::string what) {
  return Error(Errc::invalid_argument, "the grammar of guided decoding " + std::move(what))
      .with_param("guided_decoding");
}

}  // namespace

GbnfFollower::GbnfFollower(std::shared_ptr<const grammar::GbnfGrammar> grammar,
                           std::shared_ptr<const Vocabulary> vocabulary,
                           const GrammarLimits& limits)
    : vocabulary_(std::move(vocabulary)), limits_(limits), matcher_(std::move(grammar)) {}

bool GbnfFollower::feed(std::string_view text) {
  return std::ranges::all_of(
      text, [this](char c) { return matcher_.feed(static_cast<unsigned char>(c)); });
}

/// Whether the work since set_work_limit() was allowed, and the state is not too large.
Result<void> GbnfFollower::within_limits(std::uint64_t work) const {
  if (matcher_.out_of_work()) {
    return fail(
        too_much("is too costly: one token took more than " + std::to_string(work) + " steps"));
  }
  if (matcher_.items() > limits_.items) {
    return fail(too_much("needs too much memory: more than " + std::to_string(limits_.items) +
                         " items of state"));
  }
  return {};
}

Result<bool> GbnfFollower::allows(TokenId token) {
  if (vocabulary_->is_end(token)) return matcher_.complete();
  const std::string_view text = vocabulary_->text(token);
  if (text.empty()) return false;
  const auto mark = matcher_.mark();
  matcher_.set_work_limit(matcher_.work() + limits_.token_work);
  const bool fits = feed(text);
  DYN_CHECK(within_limits(limits_.token_work));
  matcher_.go_back(mark);
  return fits;
}

/// Marks those of `tokens`, which are sorted and share their first `depth` bytes, that go on from
/// the present state.
void GbnfFollower::find_allowed(std::span<const TokenId> tokens, std::size_t depth) {
  while (!tokens.empty() && vocabulary_->text(tokens.front()).size() == depth) {
    allowed_[tokens.front()] = true;
    tokens = tokens.subspan(1);
  }
  const auto byte_of = [&](TokenId token) {
    return static_cast<unsigned char>(vocabulary_->text(token)[depth]);
  };
  const auto here = matcher_.mark();
  int before = -1;  // the byte that led to the state behind `here`
  bool fits = false;
  while (!tokens.empty()) {
    const unsigned char byte = byte_of(tokens.front());
    const auto end = std::ranges::find_if(tokens, [&](TokenId t) { return byte_of(t) != byte; });
    const auto group = tokens.first(static_cast<std::size_t>(end - tokens.begin()));
    tokens = tokens.subspan(group.size());
    const bool same = before >= 0 && before < 0x80 && byte < 0x80 &&
                      matcher_.same_step(here, static_cast<unsigned char>(before), byte);
    if (!same) {
      matcher_.go_back(here);
      fits = matcher_.feed(byte);
      if (matcher_.out_of_work()) return;
    }
    before = byte;
    if (!fits) continue;
    const auto behind = matcher_.mark();
    find_allowed(group, depth + 1);
    if (matcher_.out_of_work()) return;
    matcher_.go_back(behind);
  }
  matcher_.go_back(here);
}

Result<void> GbnfFollower::mask(std::span<float> logits) {
  allowed_.assign(std::max(vocabulary_->size(), logits.size()), false);
  matcher_.set_work_limit(matcher_.work() + limits_.mask_work);
  find_allowed(vocabulary_->by_text(), 0);
  DYN_CHECK(within_limits(limits_.mask_work));
  if (matcher_.complete()) {
    for (const TokenId end : vocabulary_->ends()) {
      if (end < allowed_.size()) allowed_[end] = true;
    }
  }
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!allowed_[i]) logits[i] = -std::numeric_limits<float>::infinity();
  }
  return {};
}

Result<std::unique_ptr<Grammar>> make_gbnf_grammar(std::string_view gbnf,
                                                   std::shared_ptr<const Vocabulary> vocabulary,
                                                   const GrammarLimits& limits) {
  DYN_TRY(grammar::GbnfGrammar parsed, grammar::parse_gbnf(gbnf));
  return std::make_unique<GbnfFollower>(
      std::make_shared<const grammar::GbnfGrammar>(std::move(parsed)), std::move(vocabulary),
      limits);
}

Result<void> GbnfFollower::accept(TokenId token) {
  if (vocabulary_->is_end(token)) {
    if (matcher_.complete()) return {};
    return fail(Errc::internal, "an end that the grammar does not allow");
  }
  const std::string_view text = vocabulary_->text(token);
  matcher_.set_work_limit(matcher_.work() + limits_.token_work);
  const bool fits = !text.empty() && feed(text);
  DYN_CHECK(within_limits(limits_.token_work));
  if (!fits) return fail(Errc::internal, "a token that the grammar does not allow");
  if (matcher_.items() > 2 * kept_items_ + kItemsBeforeForgetting) {
    matcher_.forget_the_past();
    kept_items_ = matcher_.items();
  }
  return {};
}

}  // namespace dynamo::engines::batching
