// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/unicode/normalization.h"

#include <dynamo/base/utf8.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include <utf8proc.h>

#include "tokenizer/unicode/data.h"
#include "tokenizer/unicode/properties.h"
#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer::unicode {
namespace {

constexpr bool composes(NormalizationForm form) noexcept {
  return form == NormalizationForm::nfc || form == NormalizationForm::nfkc;
}
constexpr bool compatible(NormalizationForm form) noexcept {
  return form == NormalizationForm::nfkc || form == NormalizationForm::nfkd;
}

constexpr std::uint16_t unsafe_flag(NormalizationForm form) noexcept {
  switch (form) {
    case NormalizationForm::nfc:
      return static_cast<std::uint16_t>(Flag::nfc_unsafe);
    case NormalizationForm::nfd:
      return static_cast<std::uint16_t>(Flag::nfd_changes);
    case NormalizationForm::nfkc:
      return static_cast<std::uint16_t>(Flag::nfkc_unsafe);
    case NormalizationForm::nfkd:
      return static_cast<std::uint16_t>(Flag::nfkd_changes);
  }
  return 0;
}

std::uint8_t combining_class(char32_t c) noexcept {
  return static_cast<std::uint8_t>(
      utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class);
}

bool listed(const char32_t* list, std::size_t count, char32_t c) noexcept {
  return std::binary_search(list, list + count, c);
}

void decompose(char32_t c, bool compat, std::vector<utf8proc_int32_t>& out) {
  if (c < 0x80) {
    out.push_back(static_cast<utf8proc_int32_t>(c));
    return;
  }
  if (compat &&
      listed(data::kNoCompatibilityDecomposition, data::kNoCompatibilityDecompositionCount, c)) {
    compat = false;
  }
  if (!compat && listed(data::kNoCanonicalDecomposition, data::kNoCanonicalDecompositionCount, c)) {
    out.push_back(static_cast<utf8proc_int32_t>(c));
    return;
  }
  utf8proc_int32_t buffer[32];  // the longest full decomposition has 18 characters
  const int flags = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compat ? UTF8PROC_COMPAT : 0);
  const utf8proc_ssize_t n =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer, std::size(buffer),
                              static_cast<utf8proc_option_t>(flags), nullptr);
  if (n <= 0 || n > static_cast<utf8proc_ssize_t>(std::size(buffer))) {
    out.push_back(static_cast<utf8proc_int32_t>(c));
    return;
  }
  out.insert(out.end(), buffer, buffer + n);
}

/// Canonical ordering: marks between two starters sorted by class, equal classes kept in order.
void reorder(std::vector<utf8proc_int32_t>& text) {
  std::size_t start = 0;
  while (start < text.size()) {
    if (combining_class(static_cast<char32_t>(text[start])) == 0) {
      ++start;
      continue;
    }
    std::size_t end = start;
    std::vector<std::pair<std::uint8_t, utf8proc_int32_t>> marks;
    while (end < text.size()) {
      const std::uint8_t ccc = combining_class(static_cast<char32_t>(text[end]));
      if (ccc == 0) break;
      marks.emplace_back(ccc, text[end]);
      ++end;
    }
    // Insertion keeps equal classes in order; runs are short, and long ones are mostly sorted.
    if (marks.size() < 64) {
      for (std::size_t i = 1; i < marks.size(); ++i) {
        const auto mark = marks[i];
        std::size_t k = i;
        for (; k > 0 && marks[k - 1].first > mark.first; --k) marks[k] = marks[k - 1];
        marks[k] = mark;
      }
    } else {
      std::vector<std::pair<std::uint8_t, utf8proc_int32_t>> sorted;
      sorted.reserve(marks.size());
      for (int ccc = 1; ccc < 256; ++ccc) {
        for (const auto& mark : marks) {
          if (mark.first == ccc) sorted.push_back(mark);
        }
      }
      marks.swap(sorted);
    }
    for (std::size_t i = 0; i < marks.size(); ++i) text[start + i] = marks[i].second;
    start = end;
  }
}

void normalize_segment(NormalizationForm form, std::string_view text,
                       std::vector<utf8proc_int32_t>& buffer, std::string& out) {
  buffer.clear();
  for (std::size_t i = 0; i < text.size();) {
    const Scalar s = scalar_at(text, i);
    decompose(s.value, compatible(form), buffer);
    i += s.length;
  }
  reorder(buffer);
  if (composes(form)) {
    const utf8proc_ssize_t n = utf8proc_normalize_utf32(
        buffer.data(), static_cast<utf8proc_ssize_t>(buffer.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (n >= 0) buffer.resize(static_cast<std::size_t>(n));
  }
  for (const utf8proc_int32_t c : buffer) base::append_utf8(out, static_cast<char32_t>(c));
}

/// Scans from `from`; returns the start of the first segment that may change and its end, or
/// {size, size}. A segment begins at a starter and ends before a starter that nothing changes.
struct Span {
  std::size_t begin;
  std::size_t end;
};
Span next_change(NormalizationForm form, std::string_view text, std::size_t from) noexcept {
  const Tables& t = tables();
  const std::uint16_t unsafe = unsafe_flag(form);
  const auto combining = static_cast<std::uint16_t>(Flag::combining);
  std::size_t i = from;
  std::size_t starter = from;
  std::uint8_t last_class = 0;
  bool found = false;
  while (i < text.size()) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      if (found) return {starter, i};
      while (text.size() - i >= 8) {
        std::uint64_t eight;
        std::memcpy(&eight, text.data() + i, 8);
        if ((eight & 0x8080808080808080U) != 0) break;
        i += 8;
      }
      while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
      starter = i - 1;
      last_class = 0;
      continue;
    }
    const Scalar s = scalar_at(text, i);
    const std::uint16_t f = t.flags[t.properties[s.value]];
    if ((f & (unsafe | combining)) == 0) {
      if (found) return {starter, i};
      starter = i;
      last_class = 0;
    } else if (!found) {
      if ((f & unsafe) != 0) {
        // What decomposes only has no business with the character before it.
        found = true;
      } else {
        const std::uint8_t ccc = combining_class(s.value);
        if (ccc < last_class) found = true;
        last_class = ccc;
      }
    }
    i += s.length;
  }
  return found ? Span{starter, text.size()} : Span{text.size(), text.size()};
}

}  // namespace

std::size_t normalized_prefix(NormalizationForm form, std::string_view text) noexcept {
  return next_change(form, text, 0).begin;
}

void normalize(NormalizationForm form, std::string_view text, std::string& out) {
  std::vector<utf8proc_int32_t> buffer;
  std::size_t at = 0;
  while (at < text.size()) {
    const Span change = next_change(form, text, at);
    out.append(text.substr(at, change.begin - at));
    if (change.begin < change.end) {
      normalize_segment(form, text.substr(change.begin, change.end - change.begin), buffer, out);
    }
    at = change.end;
  }
}

}  // namespace dynamo::tokenizer::unicode
