// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace dynamo::config {

/// What a variable holds; see variables.inc.
enum class Type : std::uint8_t { boolean, number, real, seconds, milliseconds, text, list, secret };

/// One line of the catalogue.
struct Entry {
  std::string_view name;  ///< of the environment variable
  Type type = Type::text;
  std::string_view default_text;  ///< as it would stand in the environment; empty: unset
  double low = 0;                 ///< numbers and reals outside [low, high] are refused
  double high = 0;
  std::string_view unit;
  std::string_view library;  ///< who reads it
  std::string_view meaning;  ///< one line of Markdown
};

/// Every variable, in the order of variables.inc.
std::span<const Entry> catalogue() noexcept;

/// The variable's member in a TOML file: the reference's name where it has one, else the variable's
/// name in lower case without "DYN_RUNTIME_" or "DYN_".
std::string toml_key(const Entry& entry);

/// The catalogue as a page of Markdown (docs/configuration.md).
std::string catalogue_markdown();

/// "number", "seconds", …
std::string_view to_string(Type type) noexcept;

namespace detail {

enum class Id : std::uint16_t {
#define DYN_SWITCH(id, ...) id,
#define DYN_NUMBER(id, ...) id,
#define DYN_REAL(id, ...) id,
#define DYN_SECONDS(id, ...) id,
#define DYN_MILLISECONDS(id, ...) id,
#define DYN_TEXT(id, ...) id,
#define DYN_LIST(id, ...) id,
#define DYN_SECRET(id, ...) id,
#include <dynamo/config/variables.inc>
#undef DYN_SWITCH
#undef DYN_NUMBER
#undef DYN_REAL
#undef DYN_SECONDS
#undef DYN_MILLISECONDS
#undef DYN_TEXT
#undef DYN_LIST
#undef DYN_SECRET
};

}  // namespace detail

/// A variable as an argument: its place in the catalogue and the C++ type of its value.
template <class T>
struct Variable {
  using value_type = T;
  std::uint16_t index;
};

/// The variables by name: `get(var::http_body_limit_mb)` is a std::uint64_t.
namespace var {

// NOLINTBEGIN(bugprone-macro-parentheses): names and types

#define DYN_DETAIL_PLAIN(id, type)             \
  inline constexpr Variable<type> id {         \
    static_cast<std::uint16_t>(detail::Id::id) \
  }
#define DYN_DETAIL_MAYBE(id, type, text)                                             \
  inline constexpr Variable<                                                         \
      std::conditional_t<std::string_view(text).empty(), std::optional<type>, type>> \
      id {                                                                           \
    static_cast<std::uint16_t>(detail::Id::id)                                       \
  }
#define DYN_SWITCH(id, ...) DYN_DETAIL_PLAIN(id, bool);
#define DYN_NUMBER(id, name, text, ...) DYN_DETAIL_MAYBE(id, std::uint64_t, text);
#define DYN_REAL(id, name, text, ...) DYN_DETAIL_MAYBE(id, double, text);
#define DYN_SECONDS(id, name, text, ...) DYN_DETAIL_MAYBE(id, std::chrono::nanoseconds, text);
#define DYN_MILLISECONDS(id, name, text, ...) DYN_DETAIL_MAYBE(id, std::chrono::nanoseconds, text);
#define DYN_TEXT(id, ...) DYN_DETAIL_PLAIN(id, std::string);
#define DYN_LIST(id, ...) DYN_DETAIL_PLAIN(id, std::vector<std::string>);
#define DYN_SECRET(id, ...) DYN_DETAIL_PLAIN(id, std::vector<std::string>);
#include <dynamo/config/variables.inc>
#undef DYN_SWITCH
#undef DYN_NUMBER
#undef DYN_REAL
#undef DYN_SECONDS
#undef DYN_MILLISECONDS
#undef DYN_TEXT
#undef DYN_LIST
#undef DYN_SECRET
#undef DYN_DETAIL_PLAIN
#undef DYN_DETAIL_MAYBE
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace var

}  // namespace dynamo::config
