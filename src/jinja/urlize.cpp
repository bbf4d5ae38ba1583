// SPDX-License-Identifier: Apache-2.0
#include "jinja/urlize.h"

#include <algorithm>

#include "jinja/markup.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

bool is_letter(char c) noexcept {
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}
bool is_digit_char(char c) noexcept {
  return c >= '0' && c <= '9';
}
/// \w for one byte; bytes of multi-byte characters count as letters.
bool is_word(char c) noexcept {
  return is_letter(c) || is_digit_char(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

/// Bytes of a scheme that makes a link by itself, or 0.
std::size_t scheme_length(std::string_view text) noexcept {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (text.size() >= scheme.size() && to_lower(text.substr(0, scheme.size())) == scheme) {
      return scheme.size();
    }
  }
  return 0;
}

/// `:port` and `/path` behind a host.
bool is_rest_of_address(std::string_view rest) noexcept {
  if (rest.starts_with(':')) {
    std::size_t digits = 1;
    while (digits < rest.size() && digits <= 5 && is_digit_char(rest[digits])) ++digits;
    if (digits == 1) return false;
    rest.remove_prefix(digits);
  }
  return rest.empty() || rest.front() == '/' || rest.front() == '?' || rest.front() == '#';
}

/// A dotted host whose last label satisfies `is_last`.
template <class IsLast>
bool is_host(std::string_view text, std::size_t label_min, std::size_t labels_min,
             IsLast&& is_last) {
  std::vector<std::size_t> ends;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const bool inside =
        at < text.size() && (is_word(text[at]) || text[at] == '-' || text[at] == '%');
    if (inside) continue;
    const std::string_view label = text.substr(begin, at - begin);
    if (ends.size() >= labels_min && is_last(label) && is_rest_of_address(text.substr(at))) {
      return true;
    }
    if (at == text.size() || text[at] != '.' || label.size() < label_min) return false;
    ends.push_back(at);
    begin = at + 1;
  }
  return false;
}

bool is_top_level(std::string_view label) {
  const std::string lower = to_lower(label);
  if (lower.starts_with("xn--")) return lower.size() >= 6 && lower.size() <= 63;
  return lower.size() >= 2 && lower.size() <= 63 &&
         std::all_of(lower.begin(), lower.end(), is_letter);
}

bool is_ip_address(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view inside = text.substr(1, end - 1);
    const bool plausible =
        std::count(inside.begin(), inside.end(), ':') >= 2 &&
        std::all_of(inside.begin(), inside.end(), [](char c) {
          return c == ':' || is_digit_char(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
        });
    return plausible && is_rest_of_address(text.substr(end + 1));
  }
  std::size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (at >= text.size() || text[at] != '.') return false;
      ++at;
    }
    const std::size_t begin = at;
    while (at < text.size() && at - begin < 3 && is_digit_char(text[at])) ++at;
    if (at == begin) return false;
  }
  return is_rest_of_address(text.substr(at));
}

bool is_address(std::string_view text) {
  const std::size_t scheme = scheme_length(text);
  const bool www = text.size() > 4 && to_lower(text.substr(0, 4)) == "www.";
  if (scheme != 0 || www) {
    const std::string_view host = text.substr(scheme != 0 ? scheme : 4);
    if (is_host(host, 1, 0, is_top_level)) return true;
    if (scheme != 0 && is_ip_address(host)) return true;
  }
  return is_host(text, 2, 1, [](std::string_view label) {
    constexpr std::string_view kKnown[] = {"com", "net", "int", "edu", "gov", "org", "info", "mil"};
    return std::find(std::begin(kKnown), std::end(kKnown), to_lower(label)) != std::end(kKnown);
  });
}

bool is_email(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) return false;
  const std::string_view host = text.substr(at + 1);
  const std::size_t dot = host.rfind('.');
  return !host.empty() && is_word(host.front()) && dot != std::string_view::npos && dot > 0 &&
         dot + 1 < host.size() &&
         std::all_of(host.begin(), host.begin() + static_cast<std::ptrdiff_t>(dot),
                     [](char c) { return is_word(c) || c == '.' || c == '-'; }) &&
         std::all_of(host.begin() + static_cast<std::ptrdiff_t>(dot) + 1, host.end(), is_word);
}

std::size_t count_of(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string_view::npos;
       at += what.size()) {
    ++n;
  }
  return n;
}

std::string linked(std::string_view word, const UrlizeOptions& options) {
  std::string_view middle_view = word;
  std::string head;
  while (!middle_view.empty()) {
    const std::size_t length = middle_view.starts_with("&lt;")                            ? 4
                               : middle_view.front() == '(' || middle_view.front() == '<' ? 1
                                                                                          : 0;
    if (length == 0) break;
    head += middle_view.substr(0, length);
    middle_view.remove_prefix(length);
  }
  std::size_t end = middle_view.size();
  while (end > 0) {
    const std::string_view kept = middle_view.substr(0, end);
    const char last = kept.back();
    const std::size_t length =
        kept.ends_with("&gt;")                                                     ? 4
        : last == ')' || last == '>' || last == '.' || last == ',' || last == '\n' ? 1
                                                                                   : 0;
    if (length == 0) break;
    end -= length;
  }
  std::string middle(middle_view.substr(0, end));
  std::string tail(middle_view.substr(end));
  constexpr std::pair<std::string_view, std::string_view> kPairs[] = {
      {"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}};
  for (const auto& [open, close] : kPairs) {
    const std::size_t opened = count_of(middle, open);
    if (opened <= count_of(middle, close)) continue;
    for (std::size_t i = std::min(opened, count_of(tail, close)); i > 0; --i) {
      const std::size_t cut = tail.find(close) + close.size();
      middle += tail.substr(0, cut);
      tail.erase(0, cut);
    }
  }
  const auto attribute = [](std::string_view name, std::string_view value) {
    if (value.empty()) return std::string();
    std::string out = " " + std::string(name) + "=\"";
    append_html_escaped(out, value);
    return out + "\"";
  };
  const std::string attributes =
      attribute("rel", options.rel) + attribute("target", options.target);
  const auto shown = [&](const std::string& url) {
    if (!options.trim_limit || static_cast<std::int64_t>(char_count(url)) <= *options.trim_limit) {
      return url;
    }
    const auto keep = static_cast<std::size_t>(std::max<std::int64_t>(*options.trim_limit, 0));
    return url.substr(0, char_offset(url, keep)) + "...";
  };
  if (is_address(middle)) {
    const bool scheme = middle.starts_with("https://") || middle.starts_with("http://");
    middle = "<a href=\"" + std::string(scheme ? "" : "https://") + middle + "\"" + attributes +
             ">" + shown(middle) + "</a>";
  } else if (middle.starts_with("mailto:") && is_email(std::string_view(middle).substr(7))) {
    middle = "<a href=\"" + middle + "\">" + middle.substr(7) + "</a>";
  } else if (middle.find('@') != std::string::npos && !middle.starts_with("www.") &&
             !middle.starts_with('@') && middle.find(':') == std::string::npos &&
             is_email(middle)) {
    middle = "<a href=\"mailto:" + middle + "\">" + middle + "</a>";
  } else {
    for (const std::string& scheme : options.extra_schemes) {
      if (middle != scheme && middle.starts_with(scheme)) {
        std::string link = "<a href=\"";
        link.append(middle).append(1, '"').append(attributes).append(1, '>');
        middle = link.append(middle).append("</a>");
      }
    }
  }
  return head + middle + tail;
}

}  // namespace

bool is_uri_scheme(std::string_view scheme) {
  const std::size_t colon = scheme.find(':');
  if (colon == std::string_view::npos || colon < 2) return false;
  const std::string_view rest = scheme.substr(colon + 1);
  return (rest.empty() || rest == "/" || rest == "//") &&
         std::all_of(scheme.begin(), scheme.begin() + static_cast<std::ptrdiff_t>(colon),
                     [](char c) { return is_word(c) || c == '.' || c == '+' || c == '-'; });
}

std::string urlize(std::string_view text, const UrlizeOptions& options) {
  std::string out;
  std::size_t begin = 0;
  bool in_space = false;
  const auto flush = [&](std::size_t end) {
    const std::string_view piece = text.substr(begin, end - begin);
    out += in_space ? std::string(piece) : linked(piece, options);
    begin = end;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t here = at;
    const bool space = is_space(next_char(text, at));
    if (space != in_space) {
      flush(here);
      in_space = space;
    }
  }
  flush(text.size());
  return out;
}

}  // namespace dynamo::jinja::detail
