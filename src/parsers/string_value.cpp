// SPDX-License-Identifier: Apache-2.0
#include "parsers/string_value.h"

#include <array>
#include <span>

#include "parsers/json_text.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

struct Entity {
  std::string_view text;
  std::string_view value;
};

// "&amp;" is replaced before what stands behind it in the list, so that "&amp;quot;" becomes a
// quote while "&amp;lt;" stays "&lt;".
constexpr std::array<Entity, 9> kXml{{{"&lt;", "<"},
                                      {"&gt;", ">"},
                                      {"&quot;", "\""},
                                      {"&#x27;", "'"},
                                      {"&#39;", "'"},
                                      {"&amp;quot;", "\""},
                                      {"&amp;#x27;", "'"},
                                      {"&amp;#39;", "'"},
                                      {"&amp;", "&"}}};
constexpr std::array<Entity, 7> kGlm{{{"&lt;", "<"},
                                      {"&gt;", ">"},
                                      {"&quot;", "\""},
                                      {"&apos;", "'"},
                                      {"&amp;quot;", "\""},
                                      {"&amp;apos;", "'"},
                                      {"&amp;", "&"}}};

std::span<const Entity> entities_of(Entities kind) noexcept {
  switch (kind) {
    case Entities::xml:
      return kXml;
    case Entities::glm:
      return kGlm;
    case Entities::none:
      break;
  }
  return {};
}

}  // namespace

std::string decode_entities(std::string_view text, Entities kind) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    bool found = false;
    if (text[i] == '&') {
      for (const Entity& entity : entities_of(kind)) {
        if (!text.substr(i).starts_with(entity.text)) continue;
        out += entity.value;
        i += entity.text.size();
        found = true;
        break;
      }
    }
    if (!found) out += text[i++];
  }
  return out;
}

void StringValue::begin(const Options& options) {
  *this = StringValue();
  options_ = options;
}

// Bytes of the entity at the front; npos when it may still become one.
std::size_t StringValue::entity(std::string_view text, bool at_end,
                                std::string_view& value) const noexcept {
  for (const Entity& entity : entities_of(options_.entities)) {
    if (text.starts_with(entity.text)) {
      // "&amp;" may be the beginning of "&amp;quot;".
      if (!at_end && entity.text == "&amp;") {
        for (const Entity& longer : entities_of(options_.entities)) {
          if (longer.text.size() > text.size() && longer.text.starts_with(text)) {
            return std::string_view::npos;
          }
        }
      }
      value = entity.value;
      return entity.text.size();
    }
  }
  if (at_end) return 0;
  for (const Entity& entity : entities_of(options_.entities)) {
    if (entity.text.starts_with(text)) return std::string_view::npos;
  }
  return 0;
}

void StringValue::put(std::string_view text, std::string& out) {
  if (options_.null_word && !quoted_) {
    head_ += text;
    if (head_.size() <= 4 &&
        equals_ignoring_case(head_, std::string_view("null").substr(0, head_.size()))) {
      return;
    }
    out += '"';
    quoted_ = true;
    append_json_escaped(out, head_);
    head_.clear();
    return;
  }
  if (!quoted_) out += '"';
  quoted_ = true;
  append_json_escaped(out, text);
}

void StringValue::take(bool at_end, std::string& out) {
  std::string_view rest = pending_;
  while (!rest.empty()) {
    if (options_.trim) {
      if (const std::size_t n = leading_space(rest)) {
        if (begun_) space_ += rest.substr(0, n);
        rest.remove_prefix(n);
        continue;
      }
      if (!at_end && may_become_space(rest)) break;
    }
    std::size_t n = 0;
    std::string_view value;
    if (rest[0] == '&') {
      n = entity(rest, at_end, value);
      if (n == std::string_view::npos) break;
    }
    if (!space_.empty()) {
      put(space_, out);
      space_.clear();
    }
    begun_ = true;
    if (n != 0) {
      put(value, out);
      rest.remove_prefix(n);
      continue;
    }
    // A run without anything special.
    n = 1;
    while (n < rest.size() && rest[n] != '&' &&
           (!options_.trim ||
            (leading_space(rest.substr(n)) == 0 && !may_become_space(rest.substr(n))))) {
      ++n;
    }
    put(rest.substr(0, n), out);
    rest.remove_prefix(n);
  }
  pending_.erase(0, pending_.size() - rest.size());
}

void StringValue::feed(std::string_view piece, std::string& out) {
  pending_ += piece;
  take(false, out);
}

void StringValue::finish(std::string& out) {
  take(true, out);
  if (options_.null_word && !quoted_ && equals_ignoring_case(head_, "null")) {
    out += "null";
    return;
  }
  if (!quoted_) {
    out += '"';
    append_json_escaped(out, head_);
  }
  out += '"';
}

}  // namespace dynamo::parsers::detail
