// SPDX-License-Identifier: Apache-2.0
#include "runtime/cores.h"

#include <dynamo/base/file.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>

namespace dynamo::runtime {
namespace {

constexpr std::size_t kFileBytes = 65536;

std::optional<std::uint64_t> number(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

/// The tightest quota between the process's cgroup and the root.
std::optional<std::size_t> cgroup_cores() {
  const auto self = base::read_file("/proc/self/cgroup", kFileBytes);
  if (!self || !self->starts_with("0::")) return {};  // not (only) cgroup v2
  const auto line = std::string_view(*self).substr(0, self->find('\n'));
  const std::filesystem::path root = "/sys/fs/cgroup";
  auto folder = (root / std::filesystem::path(line.substr(3)).relative_path()).lexically_normal();
  std::optional<std::size_t> tightest;
  for (int depth = 0; depth < 32; ++depth, folder = folder.parent_path()) {
    if (const auto text = base::read_file(folder / "cpu.max", kFileBytes)) {
      if (const auto cores = cores_of_cpu_max(*text))
        tightest = std::min(tightest.value_or(*cores), *cores);
    }
    if (folder == root || !folder.has_relative_path()) break;
  }
  return tightest;
}

}  // namespace

std::optional<std::size_t> cores_of_cpu_max(std::string_view text) noexcept {
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return {};
  const auto quota = number(text.substr(0, space));
  const auto period = number(text.substr(space + 1));
  if (!quota || !period || *quota == 0 || *period == 0) return {};
  return static_cast<std::size_t>((*quota - 1) / *period + 1);
}

std::size_t available_cores() {
  static const std::size_t cores = [] {
    // glibc counts the affinity mask.
    const std::size_t mask = std::max(1u, std::thread::hardware_concurrency());
    return std::min(mask, cgroup_cores().value_or(mask));
  }();
  return cores;
}

}  // namespace dynamo::runtime
