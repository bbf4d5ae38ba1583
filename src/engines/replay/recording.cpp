// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/engines/replay/recording.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace dynamo::engines::replay {
namespace {

using llm::FinishReason;
using llm::TokenId;
using tokenizer::Tokenizer;

constexpr std::int64_t kDelayMsMax = 3'600'000;

std::unexpected<Error> bad(std::string_view member, std::string_view expected) {
  return fail(Errc::invalid_argument,
              "`" + std::string(member) + "`: expected " + std::string(expected));
}

std::string at_most(std::size_t limit, std::string_view what) {
  return "at most " + std::to_string(limit) + " " + std::string(what);
}

Result<std::vector<TokenId>> read_ids(const Json& json, const Tokenizer& tokenizer) {
  const Json::Array* array = json.if_array();
  if (array == nullptr) return bad("token_ids", "an array");
  std::vector<TokenId> ids;
  ids.reserve(array->size());
  for (const Json& one : *array) {
    const auto id = one.as_uint64();
    if (!id || *id >= tokenizer.vocab_size()) {
      return bad("token_ids",
                 "ids below " + std::to_string(tokenizer.vocab_size()) + ", got " + one.dump());
    }
    ids.push_back(static_cast<TokenId>(*id));
  }
  return ids;
}

Result<FinishReason::Kind> read_finish_reason(const Json& json) {
  const std::string* name = json.if_string();
  if (name != nullptr && *name == "stop") return FinishReason::Kind::stop;
  if (name != nullptr && *name == "length") return FinishReason::Kind::length;
  if (name != nullptr && *name == "content_filter") return FinishReason::Kind::content_filter;
  return bad("finish_reason", "stop, length or content_filter, got " + json.dump());
}

Result<void> read_member(const JsonObject::Member& member, const Tokenizer& tokenizer,
                         Recording::Answer& answer) {
  const auto& [key, value] = member;
  if (key == "text") {
    const std::string* text = value.if_string();
    if (text == nullptr) return bad(key, "a string");
    DYN_TRY(answer.tokens, tokenizer.encode(*text));
  } else if (key == "token_ids") {
    DYN_TRY(answer.tokens, read_ids(value, tokenizer));
  } else if (key == "match") {
    const std::string* match = value.if_string();
    if (match == nullptr || match->size() > Recording::kMatchBytesMax)
      return bad(key, "a string of " + at_most(Recording::kMatchBytesMax, "bytes"));
    answer.match = *match;
  } else if (key == "finish_reason") {
    DYN_TRY(answer.finish, read_finish_reason(value));
  } else if (key == "delay_ms") {
    const auto delay = value.as_int64();
    if (!delay || *delay < 0 || *delay > kDelayMsMax)
      return bad(key, "an integer from 0 to " + std::to_string(kDelayMsMax));
    answer.delay = std::chrono::milliseconds(*delay);
  } else {
    return fail(Errc::invalid_argument, "unknown member `" + key +
                                            "`; known are match, text, token_ids, finish_reason "
                                            "and delay_ms");
  }
  return {};
}

Result<Recording::Answer> read_answer(std::string_view line, const Tokenizer& tokenizer) {
  DYN_TRY(const Json json, parse_json(line));
  const JsonObject* object = json.if_object();
  if (object == nullptr)
    return fail(Errc::invalid_argument,
                "expected a JSON object, got " + std::string(json.kind_name()));
  if (object->contains("text") == object->contains("token_ids"))
    return fail(Errc::invalid_argument, "expected either `text` or `token_ids`");
  Recording::Answer answer;
  for (const JsonObject::Member& member : *object) {
    DYN_CHECK(read_member(member, tokenizer, answer));
  }
  if (answer.tokens.size() > Recording::kAnswerTokensMax) {
    return fail(Errc::invalid_argument, "expected an answer of " +
                                            at_most(Recording::kAnswerTokensMax, "tokens") +
                                            ", got " + std::to_string(answer.tokens.size()));
  }
  return answer;
}

}  // namespace

Result<Recording> Recording::parse(std::string_view text, const Tokenizer& tokenizer) {
  Recording recording;
  std::vector<Answer>& answers = recording.answers_;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;

    const std::string where = "line " + std::to_string(number);
    if (answers.size() == kAnswersMax)
      return fail(Errc::invalid_argument, where + ": expected " + at_most(kAnswersMax, "answers"));
    auto answer = read_answer(line, tokenizer);
    if (!answer) {
      return fail(Error(Errc::invalid_argument, std::move(answer).error().message()).with(where));
    }
    if (std::ranges::find(answers, answer->match, &Answer::match) != answers.end()) {
      return fail(Errc::invalid_argument,
                  where + ": another line has the same `match`, " + Json(answer->match).dump());
    }
    answers.push_back(*std::move(answer));
  }
  if (answers.empty()) return fail(Errc::invalid_argument, "there is no answer in it");
  return recording;
}

const Recording::Answer* Recording::find(std::string_view prompt) const {
  const Answer* best = nullptr;
  std::size_t best_end = 0;
  for (const Answer& answer : answers_) {
    const std::size_t at = prompt.rfind(answer.match);
    if (at == std::string_view::npos) continue;
    const std::size_t end = answer.match.empty() ? 0 : at + answer.match.size();
    if (best == nullptr || end > best_end ||
        (end == best_end && answer.match.size() > best->match.size())) {
      best = &answer;
      best_end = end;
    }
  }
  return best;
}

}  // namespace dynamo::engines::replay
