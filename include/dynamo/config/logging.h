// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/log.h>

#include <filesystem>
#include <vector>

namespace dynamo::config {

/// Log options from the environment and from TOML files with `log_level = "info"` and a table
/// `[log_filters]` of target = level. Files, lowest first: /opt/dynamo/etc/logging.toml, then the
/// one that DYN_LOGGING_CONFIG_PATH names. DYN_LOG, when set, replaces `log_level` and is more
/// telling than `log_filters`.
/// Errors: a file that cannot be read or is not such TOML.
/// Source: lib/runtime/src/logging.rs (v1.5.0).
Result<base::LogOptions> log_options();
Result<base::LogOptions> log_options(const std::vector<std::filesystem::path>& files);

}  // namespace dynamo::config
