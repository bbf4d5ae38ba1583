// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <cstddef>
#include <filesystem>
#include <string>

namespace dynamo::base {

/// The whole file. Errors name the path: not_found, permission_denied, payload_too_large (over
/// `limit_bytes`), internal (read failure). Blocks; not for a shard.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::size_t limit_bytes = std::size_t{1} << 31);

}  // namespace dynamo::base
