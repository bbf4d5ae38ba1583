// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokenizer/gguf.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <numeric>
#include <system_error>
#include <utility>

#include <fmt/core.h>

namespace dynamo::tokenizer {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF values are read in place");

using Type = GgufMetadata::Type;
constexpr std::size_t kFirstReadBytes = std::size_t{1} << 20;

/// Width of a value of fixed size; 0 for strings, arrays and unknown types.
constexpr std::size_t width_of(Type type) noexcept {
  switch (type) {
    case Type::uint8:
    case Type::int8:
    case Type::boolean:
      return 1;
    case Type::uint16:
    case Type::int16:
      return 2;
    case Type::uint32:
    case Type::int32:
    case Type::float32:
      return 4;
    case Type::uint64:
    case Type::int64:
    case Type::float64:
      return 8;
    case Type::string:
    case Type::array:
      break;
  }
  return 0;
}

template <class T>
T load(std::string_view bytes) noexcept {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::optional<std::int64_t> integer_from(Type type, std::string_view bytes) noexcept {
  switch (type) {
    case Type::uint8:
      return load<std::uint8_t>(bytes);
    case Type::int8:
      return load<std::int8_t>(bytes);
    case Type::boolean:
      return load<std::uint8_t>(bytes) != 0 ? 1 : 0;
    case Type::uint16:
      return load<std::uint16_t>(bytes);
    case Type::int16:
      return load<std::int16_t>(bytes);
    case Type::uint32:
      return load<std::uint32_t>(bytes);
    case Type::int32:
      return load<std::int32_t>(bytes);
    case Type::int64:
      return load<std::int64_t>(bytes);
    case Type::uint64: {
      const auto value = load<std::uint64_t>(bytes);
      if (value > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
      return static_cast<std::int64_t>(value);
    }
    case Type::float32:
    case Type::float64:
    case Type::string:
    case Type::array:
      break;
  }
  return std::nullopt;
}

std::optional<double> real_from(Type type, std::string_view bytes) noexcept {
  if (type == Type::float32) return static_cast<double>(load<float>(bytes));
  if (type == Type::float64) return load<double>(bytes);
  if (type == Type::uint64) return static_cast<double>(load<std::uint64_t>(bytes));
  if (const auto value = integer_from(type, bytes)) return static_cast<double>(*value);
  return std::nullopt;
}

/// Reads forward over bytes that may end too early; `missing` then says how many more are needed.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) noexcept : bytes_(bytes) {}

  std::size_t offset() const noexcept { return offset_; }
  std::uint64_t missing() const noexcept { return missing_; }

  bool take(std::uint64_t count, std::string_view& out) noexcept {
    const std::size_t left = bytes_.size() - offset_;
    if (count > left) {
      missing_ = count - left;
      return false;
    }
    out = bytes_.substr(offset_, static_cast<std::size_t>(count));
    offset_ += static_cast<std::size_t>(count);
    return true;
  }
  template <class T>
  bool take_value(T& value) noexcept {
    std::string_view bytes;
    if (!take(sizeof(T), bytes)) return false;
    value = load<T>(bytes);
    return true;
  }
  bool take_string(std::string_view& out) noexcept {
    std::uint64_t length = 0;
    return take_value(length) && take(length, out);
  }
  std::string_view from(std::size_t start) const noexcept {
    return bytes_.substr(start, offset_ - start);
  }

 private:
  std::string_view bytes_;
  std::size_t offset_ = 0;
  std::uint64_t missing_ = 0;
};

}  // namespace

std::vector<std::string_view> GgufMetadata::Array::strings() const {
  std::vector<std::string_view> out;
  if (type_ != Type::string) return out;
  out.reserve(size_);
  Cursor cursor(bytes_);
  std::string_view text;
  while (out.size() < size_ && cursor.take_string(text)) out.push_back(text);
  return out;
}

std::optional<std::int64_t> GgufMetadata::Array::integer(std::size_t index) const noexcept {
  const std::size_t width = width_of(type_);
  if (width == 0 || index >= size_) return std::nullopt;
  return integer_from(type_, bytes_.substr(index * width, width));
}

std::optional<double> GgufMetadata::Array::real(std::size_t index) const noexcept {
  const std::size_t width = width_of(type_);
  if (width == 0 || index >= size_) return std::nullopt;
  return real_from(type_, bytes_.substr(index * width, width));
}

Result<GgufMetadata> GgufMetadata::parse(std::string_view bytes, const GgufLimits& limits) {
  const std::size_t size = std::min(bytes.size(), limits.metadata_bytes);
  auto copy = std::make_unique<char[]>(std::max<std::size_t>(size, 1));
  std::memcpy(copy.get(), bytes.data(), size);
  std::size_t wanted = 0;
  auto parsed = parse_owned(std::move(copy), size, size == bytes.size(), limits, wanted);
  if (!parsed && wanted != 0) {
    return fail(
        Errc::payload_too_large,
        fmt::format("GGUF metadata is longer than the limit of {} bytes", limits.metadata_bytes));
  }
  return parsed;
}

Result<GgufMetadata> GgufMetadata::read(const std::filesystem::path& path,
                                        const GgufLimits& limits) {
  std::error_code ec;
  const auto status = std::filesystem::status(path, ec);
  if (!std::filesystem::exists(status)) {
    return fail(Errc::not_found, fmt::format("{}: no such file", path.string()));
  }
  if (!std::filesystem::is_regular_file(status)) {
    return fail(Errc::invalid_argument, fmt::format("{}: not a regular file", path.string()));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return fail(Errc::permission_denied, fmt::format("{}: cannot be opened", path.string()));

  // The length of the metadata is only known once it has been read: read more until it is enough.
  std::size_t size = std::min(kFirstReadBytes, limits.metadata_bytes);
  for (;;) {
    auto bytes = std::make_unique_for_overwrite<char[]>(std::max<std::size_t>(size, 1));
    file.clear();
    file.seekg(0);
    file.read(bytes.get(), static_cast<std::streamsize>(size));
    if (file.bad()) return fail(Errc::internal, fmt::format("{}: read failed", path.string()));
    const auto got = static_cast<std::size_t>(file.gcount());
    std::size_t wanted = 0;
    auto parsed = parse_owned(std::move(bytes), got, got < size, limits, wanted);
    if (parsed || wanted == 0) {
      if (!parsed) return std::unexpected(std::move(parsed.error()).with(path.string()));
      return parsed;
    }
    if (size >= limits.metadata_bytes) {
      return fail(Errc::payload_too_large,
                  fmt::format("{}: GGUF metadata is longer than the limit of {} bytes",
                              path.string(), limits.metadata_bytes));
    }
    size = std::min(limits.metadata_bytes, std::max(size * 4, wanted));
  }
}

/// `wanted` becomes non-zero when the bytes ended too early and more exist (`!at_end`): the length
/// to try next.
Result<GgufMetadata> GgufMetadata::parse_owned(std::unique_ptr<char[]> bytes, std::size_t size,
                                               bool at_end, const GgufLimits& limits,
                                               std::size_t& wanted) {
  Cursor cursor(std::string_view(bytes.get(), size));
  const auto too_short = [&](std::string_view where) {
    if (!at_end) {
      const std::uint64_t need =
          size + std::min<std::uint64_t>(cursor.missing(), limits.metadata_bytes);
      wanted = static_cast<std::size_t>(std::max<std::uint64_t>(need, 1));
    }
    return fail(Errc::invalid_argument,
                fmt::format("GGUF ends inside {} at offset {}", where, cursor.offset()));
  };

  GgufMetadata out;
  std::string_view magic;
  if (!cursor.take(4, magic)) return too_short("its magic number");
  if (magic != "GGUF") return fail(Errc::invalid_argument, "not a GGUF file (wrong magic number)");
  if (!cursor.take_value(out.version_)) return too_short("its version");
  if (out.version_ != 2 && out.version_ != 3) {
    return fail(Errc::invalid_argument,
                fmt::format("GGUF version {} (2 and 3 little endian are supported)", out.version_));
  }
  std::uint64_t entry_count = 0;
  if (!cursor.take_value(out.tensor_count_) || !cursor.take_value(entry_count))
    return too_short("its header");
  if (entry_count > limits.entries) {
    return fail(
        Errc::payload_too_large,
        fmt::format("GGUF has {} metadata entries, the limit is {}", entry_count, limits.entries));
  }

  for (std::uint64_t i = 0; i < entry_count; ++i) {
    Entry entry;
    std::uint32_t type = 0;
    if (!cursor.take_string(entry.key)) return too_short(fmt::format("the key of entry {}", i));
    if (entry.key.size() > limits.key_bytes) {
      return fail(Errc::invalid_argument,
                  fmt::format("GGUF key {} has {} bytes", i, entry.key.size()));
    }
    if (!cursor.take_value(type)) return too_short(fmt::format("'{}'", entry.key));
    entry.type = static_cast<Type>(type);
    const auto bad_type = [&](std::uint32_t number) {
      return fail(Errc::invalid_argument,
                  fmt::format("GGUF entry '{}' has unknown type {}", entry.key, number));
    };
    if (entry.type == Type::string) {
      if (!cursor.take_string(entry.bytes)) return too_short(fmt::format("'{}'", entry.key));
    } else if (entry.type == Type::array) {
      std::uint32_t element = 0;
      if (!cursor.take_value(element) || !cursor.take_value(entry.count)) {
        return too_short(fmt::format("'{}'", entry.key));
      }
      entry.element = static_cast<Type>(element);
      if (entry.count > limits.array_elements) {
        return fail(Errc::payload_too_large,
                    fmt::format("GGUF array '{}' has {} elements, the limit is {}", entry.key,
                                entry.count, limits.array_elements));
      }
      const std::size_t start = cursor.offset();
      if (entry.element == Type::string) {
        std::string_view text;
        for (std::uint64_t k = 0; k < entry.count; ++k) {
          if (!cursor.take_string(text))
            return too_short(fmt::format("element {} of '{}'", k, entry.key));
        }
      } else if (const std::size_t width = width_of(entry.element); width != 0) {
        std::string_view all;
        if (!cursor.take(entry.count * width, all))
          return too_short(fmt::format("'{}'", entry.key));
      } else {
        return fail(
            Errc::invalid_argument,
            fmt::format("GGUF array '{}' has elements of unsupported type {}", entry.key, element));
      }
      entry.bytes = cursor.from(start);
    } else if (const std::size_t width = width_of(entry.type); width != 0) {
      if (!cursor.take(width, entry.bytes)) return too_short(fmt::format("'{}'", entry.key));
    } else {
      return bad_type(type);
    }
    out.entries_.push_back(entry);
  }

  // Sorted for lookup; the first of two equal keys counts.
  const auto order = [&] {
    std::vector<std::uint32_t> by_key(out.entries_.size());
    std::iota(by_key.begin(), by_key.end(), 0U);
    std::ranges::sort(by_key, {},
                      [&](std::uint32_t k) { return std::pair(out.entries_[k].key, k); });
    return by_key;
  }();
  std::vector<Entry> sorted;
  sorted.reserve(order.size());
  out.file_order_.resize(order.size());
  for (const std::uint32_t k : order) {
    out.file_order_[k] = static_cast<std::uint32_t>(sorted.size());
    sorted.push_back(out.entries_[k]);
  }
  out.entries_ = std::move(sorted);
  out.bytes_ = std::move(bytes);
  return out;
}

const GgufMetadata::Entry* GgufMetadata::find(std::string_view key) const noexcept {
  const auto at = std::ranges::lower_bound(entries_, key, {}, &Entry::key);
  return at != entries_.end() && at->key == key ? &*at : nullptr;
}

bool GgufMetadata::contains(std::string_view key) const noexcept {
  return find(key) != nullptr;
}

std::optional<Type> GgufMetadata::type_of(std::string_view key) const noexcept {
  const Entry* entry = find(key);
  return entry != nullptr ? std::optional(entry->type) : std::nullopt;
}

std::optional<std::string_view> GgufMetadata::string(std::string_view key) const noexcept {
  const Entry* entry = find(key);
  if (entry == nullptr || entry->type != Type::string) return std::nullopt;
  return entry->bytes;
}

std::optional<std::int64_t> GgufMetadata::integer(std::string_view key) const noexcept {
  const Entry* entry = find(key);
  if (entry == nullptr || width_of(entry->type) == 0 || entry->type == Type::boolean)
    return std::nullopt;
  return integer_from(entry->type, entry->bytes);
}

std::optional<double> GgufMetadata::real(std::string_view key) const noexcept {
  const Entry* entry = find(key);
  if (entry == nullptr || width_of(entry->type) == 0 || entry->type == Type::boolean)
    return std::nullopt;
  return real_from(entry->type, entry->bytes);
}

std::optional<bool> GgufMetadata::boolean(std::string_view key) const noexcept {
  const Entry* entry = find(key);
  if (entry == nullptr || entry->type != Type::boolean) return std::nullopt;
  return load<std::uint8_t>(entry->bytes) != 0;
}

std::optional<GgufMetadata::Array> GgufMetadata::array(std::string_view key) const noexcept {
  const Entry* entry = find(key);
  if (entry == nullptr || entry->type != Type::array) return std::nullopt;
  Array out;
  out.type_ = entry->element;
  out.size_ = static_cast<std::size_t>(entry->count);
  out.bytes_ = entry->bytes;
  return out;
}

std::vector<std::string_view> GgufMetadata::keys() const {
  std::vector<std::string_view> out;
  out.reserve(file_order_.size());
  for (const std::uint32_t k : file_order_) out.push_back(entries_[k].key);
  return out;
}

}  // namespace dynamo::tokenizer
