// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dynamo::base {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

std::unexpected<Error> failure(int error, const std::filesystem::path& path) {
  Errc code = Errc::internal;
  if (error == ENOENT || error == ENOTDIR) code = Errc::not_found;
  if (error == EACCES || error == EPERM) code = Errc::permission_denied;
  return fail(code, "cannot read " + path.string() + ": " + std::generic_category().message(error));
}

std::unexpected<Error> too_large(const std::filesystem::path& path, std::size_t limit_bytes) {
  return fail(Errc::payload_too_large, "cannot read " + path.string() + ": larger than " +
                                           std::to_string(limit_bytes) + " bytes");
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit_bytes) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return failure(errno, path);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failure(errno, path);
  if (S_ISDIR(status.st_mode)) return failure(EISDIR, path);
  const auto expected = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  if (expected > limit_bytes) return too_large(path, limit_bytes);

  // The size is a hint only: files of /proc say 0, and a file may grow while it is read.
  std::string content(std::min(std::max<std::size_t>(expected + 1, 4096), limit_bytes + 1), '\0');
  std::size_t used = 0;
  for (;;) {
    if (used > limit_bytes) return too_large(path, limit_bytes);
    if (used == content.size()) content.resize(std::min(content.size() * 2, limit_bytes + 1));
    const ssize_t got = ::read(file.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(errno, path);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

}  // namespace dynamo::base
