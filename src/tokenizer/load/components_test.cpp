// SPDX-License-Identifier: Apache-2.0
// The components one by one, against results of the Python package (testdata/*.json).
#include "tokenizer/load/components.h"

#include <dynamo/base/file.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::tokenizer::components_test {
namespace {

Json read_cases(const std::string& name) {
  const auto text = base::read_file(DYNAMO_SOURCE_DIR "/src/tokenizer/testdata/" + name);
  EXPECT_TRUE(text);
  auto json = parse_json(text.value_or("null"));
  EXPECT_TRUE(json);
  return json.value_or(Json());
}

std::string text_at(const Json& list, std::size_t i) {
  return *list.at(i)->if_string();
}

TEST(Components, NormalizersGiveWhatTheLibraryGives) {
  const Json file = read_cases("normalizer_cases.json");
  const Json& texts = *file.find("texts");
  for (const Json& entry : *file.find("cases")->if_array()) {
    const auto normalizer = detail::make_normalizer(*entry.find("normalizer"), {});
    ASSERT_TRUE(normalizer) << normalizer.error().message();
    for (std::size_t i = 0; i < texts.if_array()->size(); ++i) {
      const std::string text = text_at(texts, i);
      const std::string expected = text_at(*entry.find("results"), i);
      std::string got;
      bool at_origin = true;
      ASSERT_TRUE((*normalizer)->apply(text, got, at_origin));
      EXPECT_EQ(Json(got).dump(), Json(expected).dump())
          << entry.find("normalizer")->find("type")->dump() << " on " << Json(text).dump();
      if ((*normalizer)->keeps(text)) {
        EXPECT_EQ(got, text);
      }
    }
  }
}

TEST(Components, PreTokenizersGiveWhatTheLibraryGives) {
  const Json file = read_cases("pre_tokenizer_cases.json");
  const Json& texts = *file.find("texts");
  for (const Json& entry : *file.find("cases")->if_array()) {
    const auto plan = detail::make_pre_tokenizer(*entry.find("pre_tokenizer"), false, {});
    ASSERT_TRUE(plan) << plan.error().message();
    for (std::size_t i = 0; i < texts.if_array()->size(); ++i) {
      const std::string text = text_at(texts, i);
      detail::Pieces pieces;
      pieces.reset(text, true);
      for (const auto& step : plan->steps) ASSERT_TRUE(step->apply(pieces));
      Json got = Json::array();
      for (const detail::Range& range : pieces.list.ranges()) {
        got.push_back(pieces.text.substr(range.begin, range.end - range.begin));
      }
      EXPECT_EQ(got.dump(), entry.find("pieces")->at(i)->dump())
          << entry.find("pre_tokenizer")->dump() << " on " << Json(text).dump();
    }
  }
}

TEST(Components, DecodersGiveWhatTheLibraryGives) {
  const Json file = read_cases("decoder_cases.json");
  const Json& vocabulary = *file.find("vocab");
  for (const Json& entry : *file.find("cases")->if_array()) {
    const Json json = Json::object(
        {{"decoder", *entry.find("decoder")},
         {"model",
          Json::object({{"type", "WordLevel"}, {"vocab", vocabulary}, {"unk_token", "a"}})}});
    const auto tokenizer = Tokenizer::from_json_text(json.dump());
    ASSERT_TRUE(tokenizer) << tokenizer.error().message();
    for (std::size_t i = 0; i < file.find("tokens")->if_array()->size(); ++i) {
      const Json& expected = *entry.find("texts")->at(i);
      if (expected.is_null()) continue;  // the library itself fails here
      std::vector<TokenId> ids;
      for (const Json& token : *file.find("tokens")->at(i)->if_array()) {
        ids.push_back(
            static_cast<TokenId>(vocabulary.find(*token.if_string())->as_uint64().value()));
      }
      EXPECT_EQ(Json((*tokenizer)->decode(ids, false)).dump(), expected.dump())
          << entry.find("decoder")->dump() << " on list " << i;
    }
  }
}

TEST(Components, ErrorsNameThePartAndTheField) {
  const auto message = [](const auto& made) {
    return made ? std::string() : made.error().message();
  };
  const auto parse = [](std::string_view text) { return *parse_json(text); };
  EXPECT_EQ(message(detail::make_normalizer(parse(R"({"type": "Strip", "strip_left": 3})"), {})),
            "normalizer (Strip): 'strip_left' must be a boolean, found integer");
  EXPECT_EQ(message(detail::make_normalizer(parse(R"({"type": "Nope"})"), {})),
            "normalizer: unknown type 'Nope'");
  EXPECT_EQ(message(detail::make_normalizer(parse("7"), {})),
            "normalizer: expected an object, found integer");
  EXPECT_NE(
      message(detail::make_pre_tokenizer(
                  parse(R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Removed"})"),
                  false, {}))
          .find("group without ')'"),
      std::string::npos);
  EXPECT_NE(
      message(detail::make_pre_tokenizer(
                  parse(R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Eaten"})"),
                  false, {}))
          .find("'behavior' must be"),
      std::string::npos);
  EXPECT_NE(message(detail::make_affixes(
                        parse(R"({"type": "TemplateProcessing", "single": [{"SpecialToken":
      {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "special_tokens": {}})")))
                .find("no ids for special token '<s>'"),
            std::string::npos);
}

}  // namespace
}  // namespace dynamo::tokenizer::components_test
