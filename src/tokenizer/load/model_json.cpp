// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/load/model_json.h"

#include <fmt/core.h>

#include "tokenizer/load/fields.h"
#include "tokenizer/load/json_pull.h"
#include "tokenizer/model/bpe.h"
#include "tokenizer/model/unigram.h"
#include "tokenizer/model/word_models.h"

namespace dynamo::tokenizer::detail {
namespace {

constexpr std::string_view kPart = "model";
/// Nodes of the Unigram trie are counted in 24 bits; one byte of a token makes at most one.
constexpr std::size_t kUnigramBytesLimit = (std::size_t{1} << 24) - 1;

/// {"token": id, …}
Result<Vocabulary> read_vocabulary(JsonPull& json) {
  Vocabulary vocabulary;
  std::string_view token;
  std::string copy;
  std::uint32_t id = 0;
  if (!json.begin_object()) return fail(json.error());
  while (json.next_key(token)) {
    // An unescaped token lies in the reader, where the next read overwrites it.
    if (json.in_scratch(token)) {
      copy = token;
      token = copy;
    }
    if (!json.read_uint32(id)) return fail(json.error());
    DYN_CHECK(vocabulary.add(token, id));
  }
  if (!json.ok()) return fail(json.error());
  return vocabulary;
}

/// [["piece", score], …]
Result<void> read_scored_vocabulary(JsonPull& json, ModelText& out) {
  std::string_view token;
  if (!json.begin_array()) return fail(json.error());
  std::size_t bytes = 0;
  while (json.next_element()) {
    double score = 0;
    if (!json.begin_array() || !json.next_element() || !json.read_string(token))
      return fail(json.error());
    bytes += token.size();
    if (bytes > kUnigramBytesLimit) {
      return fail(Errc::invalid_argument, "model (Unigram): the vocabulary is over 16 MiB");
    }
    DYN_CHECK(out.vocabulary.add(token, static_cast<TokenId>(out.scores.size())));
    if (!json.next_element() || !json.read_double(score) || json.next_element())
      return fail(json.error());
    out.scores.push_back(score);
  }
  if (!json.ok()) return fail(json.error());
  return {};
}

Result<void> read_merges(std::string_view text, std::string_view whole, BpeModel& model) {
  JsonPull json(text, whole);
  // Real lists have 12 to 30 bytes per merge.
  model.reserve_merges(text.size() / 32);
  if (!json.begin_array()) return fail(json.error());
  std::string first;
  std::string_view left;
  std::string_view right;
  std::size_t index = 0;
  while (json.next_element()) {
    if (json.peek() == '[') {
      if (!json.begin_array() || !json.next_element() || !json.read_string(left))
        return fail(json.error());
      if (json.in_scratch(left)) {
        first = left;
        left = first;
      }
      if (!json.next_element() || !json.read_string(right) || json.next_element())
        return fail(json.error());
    } else {
      std::string_view line;
      if (!json.read_string(line)) return fail(json.error());
      if (index == 0 && line.starts_with("#version")) continue;
      const std::size_t space = line.find(' ');
      if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
        return fail(Errc::invalid_argument,
                    fmt::format("model (BPE): merge {} is not two tokens: '{}'", index, line));
      }
      left = line.substr(0, space);
      right = line.substr(space + 1);
    }
    DYN_CHECK(model.add_merge(left, right));
    ++index;
  }
  if (!json.ok()) return fail(json.error());
  return {};
}

Result<std::unique_ptr<Model>> read_bpe(ModelText& text, std::string_view whole, bool byte_level) {
  Fields fields(text.fields, kPart);
  BpeOptions options;
  options.byte_level = byte_level;
  const Json* unk = fields.member("unk_token");
  if (unk != nullptr && unk->is_string()) options.unk_token = *unk->if_string();
  options.continuing_prefix = fields.string("continuing_subword_prefix", "");
  options.end_suffix = fields.string("end_of_word_suffix", "");
  options.fuse_unk = fields.boolean("fuse_unk", false);
  options.byte_fallback = fields.boolean("byte_fallback", false);
  options.ignore_merges = fields.boolean("ignore_merges", false);
  const Json* dropout = fields.member("dropout");
  if (dropout != nullptr && !dropout->is_null() && dropout->as_double() != 0.0) {
    fields.wrong("dropout", "null or 0: random merges are for training");
  }
  if (!fields.ok()) return fields.failure();
  if (text.merges.empty()) return fail(Errc::invalid_argument, "model (BPE): no 'merges'");
  auto model = std::make_unique<BpeModel>(std::move(text.vocabulary), std::move(options));
  DYN_CHECK(read_merges(text.merges, whole, *model));
  model->finish();
  return model;
}

}  // namespace

Result<ModelText> read_model_text(JsonPull& json) {
  ModelText out;
  JsonObject small;
  std::string_view key;
  bool has_vocabulary = false;
  bool has_scores = false;
  if (!json.begin_object()) return fail(json.error());
  while (json.next_key(key)) {
    const std::string name(key);
    std::string_view raw;
    if (name == "vocab") {
      out.vocabulary = Vocabulary();
      out.scores.clear();
      has_vocabulary = true;
      has_scores = json.peek() == '[';
      if (has_scores) {
        DYN_CHECK(read_scored_vocabulary(json, out));
      } else {
        DYN_TRY(out.vocabulary, read_vocabulary(json));
      }
      continue;
    }
    if (!json.skip(raw)) return fail(json.error());
    if (name == "merges") {
      out.merges = raw;
    } else {
      auto value = parse_json(raw);
      if (!value) return std::unexpected(std::move(value.error()).with("model." + name));
      small.set(name, *std::move(value));
    }
  }
  if (!json.ok()) return fail(json.error());
  if (!has_vocabulary) return fail(Errc::invalid_argument, "model: no 'vocab'");
  const Json* type = small.find("type");
  const std::string* name = type != nullptr ? type->if_string() : nullptr;
  if (name == nullptr) {
    // Old files leave the type out.
    out.type = !out.merges.empty()                          ? ModelText::Type::bpe
               : has_scores                                 ? ModelText::Type::unigram
               : small.contains("max_input_chars_per_word") ? ModelText::Type::word_piece
                                                            : ModelText::Type::word_level;
  } else if (*name == "BPE") {
    out.type = ModelText::Type::bpe;
  } else if (*name == "WordPiece") {
    out.type = ModelText::Type::word_piece;
  } else if (*name == "WordLevel") {
    out.type = ModelText::Type::word_level;
  } else if (*name == "Unigram") {
    out.type = ModelText::Type::unigram;
  } else {
    return fail(Errc::invalid_argument, fmt::format("model: unknown type '{}'", *name));
  }
  if (has_scores != (out.type == ModelText::Type::unigram)) {
    return fail(Errc::invalid_argument,
                "model: 'vocab' is a list of pieces with scores for Unigram, else an object");
  }
  out.fields = Json(std::move(small));
  return out;
}

Result<std::unique_ptr<Model>> read_model(ModelText text, std::string_view whole, bool byte_level) {
  Fields fields(text.fields, kPart);
  switch (text.type) {
    case ModelText::Type::bpe:
      return read_bpe(text, whole, byte_level);
    case ModelText::Type::word_piece: {
      std::string unk = fields.string("unk_token", "[UNK]");
      std::string prefix = fields.string("continuing_subword_prefix", "##");
      const std::uint32_t limit = fields.unsigned_integer("max_input_chars_per_word", 100);
      if (!fields.ok()) return fields.failure();
      return std::make_unique<WordPieceModel>(std::move(text.vocabulary), std::move(unk),
                                              std::move(prefix), limit);
    }
    case ModelText::Type::word_level: {
      std::string unk = fields.string("unk_token", "<unk>");
      if (!fields.ok()) return fields.failure();
      return std::make_unique<WordLevelModel>(std::move(text.vocabulary), std::move(unk));
    }
    case ModelText::Type::unigram: {
      const Json* unk = fields.member("unk_id");
      std::optional<TokenId> unk_id;
      if (unk != nullptr && !unk->is_null())
        unk_id = fields.unsigned_integer("unk_id", std::nullopt);
      const bool byte_fallback = fields.boolean("byte_fallback", false);
      if (!fields.ok()) return fields.failure();
      if (unk_id && *unk_id >= text.scores.size()) {
        return fail(Errc::invalid_argument, fmt::format("model (Unigram): unk_id {} of {} pieces",
                                                        *unk_id, text.scores.size()));
      }
      return std::make_unique<UnigramModel>(std::move(text.vocabulary), std::move(text.scores),
                                            unk_id, byte_fallback);
    }
  }
  return fail(Errc::internal, "model: unknown type");
}

}  // namespace dynamo::tokenizer::detail
