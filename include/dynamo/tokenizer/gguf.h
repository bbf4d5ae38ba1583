// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::tokenizer {

/// What a reader of GGUF metadata accepts. The defaults are several times what real files have.
struct GgufLimits {
  std::size_t metadata_bytes = std::size_t{256} << 20;
  std::uint64_t entries = 65'536;
  std::uint64_t array_elements = 16'777'216;
  std::size_t key_bytes = 65'535;  ///< the format's own limit
};

/// The key-value metadata of a GGUF file (versions 2 and 3, little endian). Tensors are not read.
///
/// Owns a copy of the metadata region; views returned live as long as this. No length of the file
/// is trusted: all are checked against the bytes that are there and against the limits. Immutable;
/// const access from any number of threads. Movable, not copyable.
/// Source: the GGUF description in ggml/docs/gguf.md.
class GgufMetadata {
 public:
  enum class Type : std::uint32_t {
    uint8 = 0,
    int8 = 1,
    uint16 = 2,
    int16 = 3,
    uint32 = 4,
    int32 = 5,
    float32 = 6,
    boolean = 7,
    string = 8,
    array = 9,
    uint64 = 10,
    int64 = 11,
    float64 = 12
  };

  /// An array of one element type, read in place. Arrays of arrays are refused: no file has them.
  class Array {
   public:
    Type type() const noexcept { return type_; }
    std::size_t size() const noexcept { return size_; }
    /// All elements as strings; empty when they are not strings. O(size).
    std::vector<std::string_view> strings() const;
    /// Numbers and booleans, converted; none for other types or an index out of range. O(1).
    std::optional<std::int64_t> integer(std::size_t index) const noexcept;
    std::optional<double> real(std::size_t index) const noexcept;

   private:
    friend class GgufMetadata;
    Type type_ = Type::uint8;
    std::size_t size_ = 0;
    std::string_view bytes_;
  };

  /// Reads the head of a file, no more than the metadata needs. Blocks.
  /// Errors: those of opening a file; invalid_argument naming the key or offset of what is broken;
  /// payload_too_large naming the limit.
  static Result<GgufMetadata> read(const std::filesystem::path& path,
                                   const GgufLimits& limits = {});
  /// From bytes that begin with the file's head; what follows the metadata is ignored.
  static Result<GgufMetadata> parse(std::string_view bytes, const GgufLimits& limits = {});

  std::uint32_t version() const noexcept { return version_; }
  std::uint64_t tensor_count() const noexcept { return tensor_count_; }

  bool contains(std::string_view key) const noexcept;
  std::optional<Type> type_of(std::string_view key) const noexcept;
  /// The value under `key` when it has that kind; integers of any width, in range of the result.
  std::optional<std::string_view> string(std::string_view key) const noexcept;
  std::optional<std::int64_t> integer(std::string_view key) const noexcept;
  std::optional<double> real(std::string_view key) const noexcept;  ///< also integers
  std::optional<bool> boolean(std::string_view key) const noexcept;
  std::optional<Array> array(std::string_view key) const noexcept;
  /// All keys in file order.
  std::vector<std::string_view> keys() const;

 private:
  struct Entry {
    std::string_view key;
    Type type = Type::uint8;
    Type element = Type::uint8;  ///< of arrays
    std::uint64_t count = 0;     ///< of arrays
    std::string_view bytes;      ///< the value without type and lengths
  };
  const Entry* find(std::string_view key) const noexcept;
  static Result<GgufMetadata> parse_owned(std::unique_ptr<char[]> bytes, std::size_t size,
                                          bool at_end, const GgufLimits& limits,
                                          std::size_t& wanted);

  std::unique_ptr<char[]> bytes_;
  std::vector<Entry> entries_;  ///< sorted by key
  std::vector<std::uint32_t> file_order_;
  std::uint32_t version_ = 0;
  std::uint64_t tensor_count_ = 0;
};

}  // namespace dynamo::tokenizer
