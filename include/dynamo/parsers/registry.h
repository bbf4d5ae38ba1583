// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace dynamo::parsers {

/// Every name that `--tool-call-parser` takes, aliases included, sorted.
std::span<const std::string_view> tool_parser_names() noexcept;
/// Every name that `--reasoning-parser` takes, aliases included, sorted.
std::span<const std::string_view> reasoning_parser_names() noexcept;

/// Exact and case-sensitive.
bool is_tool_parser(std::string_view name) noexcept;
/// Upper and lower case are the same.
bool is_reasoning_parser(std::string_view name) noexcept;

/// Whether the detokenizer has to keep special tokens for one of these parsers to see its markup
/// (`skip_special_tokens` is then false unless the client says otherwise). Either may be empty.
bool needs_special_tokens(std::string_view tool_parser, std::string_view reasoning_parser) noexcept;

/// Texts that end a call or block of this parser. Where one of them is a single token and a hidden
/// stop token, that token must become a visible stop token while tools are on.
std::span<const std::string_view> tool_end_markers(std::string_view tool_parser) noexcept;

/// Whether this parser wants the tool-call arguments of the history as objects (glm47).
bool wants_argument_objects(std::string_view tool_parser) noexcept;

}  // namespace dynamo::parsers
