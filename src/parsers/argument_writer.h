// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "parsers/emitter.h"

namespace dynamo::parsers::detail {

/// Writes the members of an arguments object to the open call, in the order of appearance, without
/// white space.
class ArgumentWriter {
 public:
  void begin() noexcept { members_ = 0; }
  /// Starts a member; its value follows as JSON text through Emitter::arguments.
  void key(std::string_view name, Emitter& out);
  /// A whole member.
  void member(std::string_view name, std::string_view json, Emitter& out);
  void end(Emitter& out);
  /// The last member was taken back by Emitter::truncate_arguments.
  void forget_last() noexcept { --members_; }
  std::size_t members() const noexcept { return members_; }

 private:
  std::size_t members_ = 0;
};

}  // namespace dynamo::parsers::detail
