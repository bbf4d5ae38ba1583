// SPDX-License-Identifier: Apache-2.0
#include "llm/backend/choice_decoder.h"

#include <algorithm>

namespace dynamo::llm::detail {

StopRules::StopRules(const PreprocessedRequest& request)
    : min_tokens(request.stop_conditions.min_tokens.value_or(0)),
      max_tokens(request.stop_conditions.max_tokens),
      strings(request.stop_conditions.stop.value_or(std::vector<std::string>{})),
      strings_visible(request.sampling_options.include_stop_str_in_output.value_or(false)) {
  const StopConditions& stop = request.stop_conditions;
  const auto add = [this](const std::optional<std::vector<TokenId>>& ids, IdMeaning meaning) {
    if (!ids) return;
    for (const TokenId id : *ids) ids_.push_back({id, meaning});
  };
  add(stop.stop_token_ids, IdMeaning::hidden);
  add(stop.stop_token_ids_hidden, IdMeaning::end_of_text);
  add(stop.stop_token_ids_visible, IdMeaning::visible);
  std::ranges::sort(ids_, {},
                    [](const StopId& stop_id) { return std::pair(stop_id.id, stop_id.meaning); });
}

StopRules::IdMeaning StopRules::meaning(TokenId id) const noexcept {
  const auto it = std::ranges::lower_bound(ids_, id, {}, &StopId::id);
  return it != ids_.end() && it->id == id ? it->meaning : IdMeaning::none;
}

ChoiceDecoder::ChoiceDecoder(std::shared_ptr<const tokenizer::Tokenizer> tokenizer,
                             std::span<const TokenId> prompt_tail, bool skip_special,
                             const StopRules& rules)
    : decoder_(std::move(tokenizer), prompt_tail, skip_special),
      matcher_(rules.strings, rules.strings_visible) {}

void ChoiceDecoder::stop(BackendOutput& out, FinishReason::Kind kind,
                         std::optional<StopReason> reason) {
  stopped_ = true;
  out.finish_reason = FinishReason{.kind = kind};
  out.stop_reason = std::move(reason);
}

// Decodes one token; true when it ended the choice.
bool ChoiceDecoder::step(TokenId id, BackendOutput& out, const StopRules& rules) {
  if (rules.max_tokens && generated_ >= *rules.max_tokens) {
    // The engine should have ended here.
    finish(out.text);
    stop(out, FinishReason::Kind::length, std::nullopt);
    return true;
  }
  ++generated_;
  if (generated_ < rules.min_tokens) {
    out.text += decoder_.step(id);
    return false;
  }
  const auto meaning = rules.meaning(id);
  if (meaning == StopRules::IdMeaning::end_of_text || meaning == StopRules::IdMeaning::hidden) {
    finish(out.text);
    const bool users = meaning == StopRules::IdMeaning::hidden;
    stop(out, FinishReason::Kind::stop,
         users ? std::optional<StopReason>(std::int64_t{id}) : std::nullopt);
    return true;
  }
  const std::string_view text = decoder_.step(id);
  if (meaning == StopRules::IdMeaning::visible) {
    out.text += matcher_.finish();
    out.text += text;
    out.text += decoder_.finish();
    stop(out, FinishReason::Kind::stop, std::int64_t{id});
    return true;
  }
  const auto found = matcher_.feed(text);
  out.text += found.release;
  if (!found.hit) return false;
  stop(out, FinishReason::Kind::stop, rules.strings[found.hit->index]);
  return true;
}

namespace {

// An engine that detokenizes itself says so even where a token has no text yet.
bool is_inside_character(const EngineOutput& in) {
  return in.tokens && !in.tokens->empty() &&
         std::ranges::none_of(*in.tokens, [](const auto& token) { return token.has_value(); });
}

}  // namespace

std::size_t ChoiceDecoder::feed(EngineOutput& in, BackendOutput& out, const StopRules& rules) {
  std::size_t counted = in.token_ids.size();
  engine_text_ = engine_text_ || in.text || is_inside_character(in);
  if (engine_text_) {
    // The engine detokenizes itself and has its own stop handling.
    if (in.text) out.text += *in.text;
    generated_ += static_cast<std::uint32_t>(counted);
  } else if (engine_finished_) {
    // An output behind the last one is passed on, as the reference does.
    for (const TokenId id : in.token_ids) out.text += decoder_.step(id);
    out.text += decoder_.finish();
  } else {
    for (std::size_t i = 0; i < in.token_ids.size(); ++i) {
      if (!step(in.token_ids[i], out, rules)) continue;
      // The token that ended the choice shows text only if a stop string or visible id did.
      const bool shown =
          out.stop_reason && rules.meaning(in.token_ids[i]) != StopRules::IdMeaning::hidden;
      counted = shown ? i + 1 : i;
      break;
    }
  }
  if (in.finish_reason && !stopped_) {
    engine_finished_ = true;
    out.finish_reason = std::move(in.finish_reason);
    finish(out.text);
  }
  if (in.stop_reason && !out.stop_reason) out.stop_reason = std::move(in.stop_reason);
  return counted;
}

void ChoiceDecoder::finish(std::string& text) {
  // Without a token there is no text; half a character in front would be the prompt's.
  if (engine_text_ || generated_ == 0) return;
  const auto found = matcher_.feed(decoder_.finish());
  text += found.release;
  text += matcher_.finish();
}

}  // namespace dynamo::llm::detail
