// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/hash.h>
#include <dynamo/base/json.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace dynamo::base {

// --- JsonObject ----------------------------------------------------------------------------------

namespace {

constexpr std::size_t kIndexAbove = 8;

// Secret of the process, so that a client cannot choose keys that fall on one slot.
std::uint64_t key_seed() {
  static const std::uint64_t seed = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
  }();
  return seed;
}

}  // namespace

// Open addressing: a slot holds a member's position plus one, 0 is free. Less than half is used.
struct JsonObject::Index {
  std::vector<std::uint32_t> slots;

  std::size_t first_slot(std::string_view key) const {
    return xxh3_64(key, key_seed()) & (slots.size() - 1);
  }
  std::size_t next_slot(std::size_t slot) const { return (slot + 1) & (slots.size() - 1); }

  void rebuild(const std::vector<Member>& members) {
    std::size_t size = 32;
    while (size < members.size() * 4) size *= 2;
    slots.assign(size, 0);
    for (std::size_t i = 0; i < members.size(); ++i) insert(members[i].key, i);
  }

  void insert(std::string_view key, std::size_t position) {
    std::size_t slot = first_slot(key);
    while (slots[slot] != 0) slot = next_slot(slot);
    slots[slot] = static_cast<std::uint32_t>(position + 1);
  }
};

JsonObject::JsonObject() = default;
JsonObject::JsonObject(std::initializer_list<std::pair<std::string_view, Json>> members) {
  members_.reserve(members.size());
  for (const auto& [key, value] : members) set(key, value);
}
JsonObject::JsonObject(const JsonObject& other)
    : members_(other.members_),
      index_(other.index_ ? std::make_unique<Index>(*other.index_) : nullptr) {}
JsonObject::JsonObject(JsonObject&&) noexcept = default;
JsonObject& JsonObject::operator=(const JsonObject& other) {
  if (this != &other) *this = JsonObject(other);
  return *this;
}
JsonObject& JsonObject::operator=(JsonObject&&) noexcept = default;
JsonObject::~JsonObject() = default;

std::size_t JsonObject::size() const noexcept {
  return members_.size();
}
bool JsonObject::empty() const noexcept {
  return members_.empty();
}
JsonObject::iterator JsonObject::begin() noexcept {
  return members_.begin();
}
JsonObject::iterator JsonObject::end() noexcept {
  return members_.end();
}
JsonObject::const_iterator JsonObject::begin() const noexcept {
  return members_.begin();
}
JsonObject::const_iterator JsonObject::end() const noexcept {
  return members_.end();
}

const Json* JsonObject::find(std::string_view key) const noexcept {
  if (!index_) {
    for (const Member& member : members_)
      if (member.key == key) return &member.value;
    return nullptr;
  }
  for (std::size_t slot = index_->first_slot(key); index_->slots[slot] != 0;
       slot = index_->next_slot(slot)) {
    const Member& member = members_[index_->slots[slot] - 1];
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

Json* JsonObject::find(std::string_view key) noexcept {
  return const_cast<Json*>(std::as_const(*this).find(key));
}

Json& JsonObject::operator[](std::string_view key) {
  if (Json* found = find(key)) return *found;
  // Growing from one would move the first members three times.
  if (members_.empty()) members_.reserve(4);
  members_.push_back({std::string(key), Json()});
  if (index_ && members_.size() * 2 <= index_->slots.size()) {
    index_->insert(key, members_.size() - 1);
  } else if (members_.size() > kIndexAbove) {
    if (!index_) index_ = std::make_unique<Index>();
    index_->rebuild(members_);
  }
  return members_.back().value;
}

void JsonObject::set(std::string_view key, Json value) {
  (*this)[key] = std::move(value);
}

bool JsonObject::erase(std::string_view key) {
  const auto found = std::ranges::find(members_, key, &Member::key);
  if (found == members_.end()) return false;
  members_.erase(found);
  if (members_.size() <= kIndexAbove) {
    index_.reset();
  } else {
    index_->rebuild(members_);
  }
  return true;
}

bool JsonObject::operator==(const JsonObject& other) const {
  return size() == other.size() && std::ranges::all_of(members_, [&](const Member& member) {
           const Json* theirs = other.find(member.key);
           return theirs != nullptr && *theirs == member.value;
         });
}

// --- Json ----------------------------------------------------------------------------------------

namespace {

constexpr double kTwo63 = 0x1p63;
constexpr double kTwo64 = 0x1p64;

std::optional<std::int64_t> exact_int64(double value) noexcept {
  if (!(value >= -kTwo63 && value < kTwo63) || std::trunc(value) != value) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

std::optional<std::uint64_t> exact_uint64(double value) noexcept {
  if (!(value >= 0 && value < kTwo64) || std::trunc(value) != value) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

}  // namespace

Json::Json(unsigned long value) noexcept : Json(static_cast<unsigned long long>(value)) {}

Json::Json(unsigned long long value) noexcept {
  if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    value_ = static_cast<std::int64_t>(value);
  } else {
    value_ = static_cast<std::uint64_t>(value);
  }
}

std::string_view Json::kind_name() const noexcept {
  switch (kind()) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "boolean";
    case Kind::integer:
    case Kind::unsigned_integer:
      return "integer";
    case Kind::real:
      return "number";
    case Kind::string:
      return "string";
    case Kind::array:
      return "array";
    case Kind::object:
      return "object";
  }
  return "null";
}

std::optional<std::int64_t> Json::as_int64() const noexcept {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
  if (const auto* value = std::get_if<double>(&value_)) return exact_int64(*value);
  return std::nullopt;
}

std::optional<std::uint64_t> Json::as_uint64() const noexcept {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) {
    if (*value < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*value);
  }
  if (const auto* value = std::get_if<std::uint64_t>(&value_)) return *value;
  if (const auto* value = std::get_if<double>(&value_)) return exact_uint64(*value);
  return std::nullopt;
}

std::optional<double> Json::as_double() const noexcept {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*value);
  return std::nullopt;
}

const Json* Json::find(std::string_view key) const noexcept {
  const JsonObject* object = if_object();
  return object ? object->find(key) : nullptr;
}

Json* Json::find(std::string_view key) noexcept {
  JsonObject* object = if_object();
  return object ? object->find(key) : nullptr;
}

const Json* Json::at(std::size_t index) const noexcept {
  const Array* array = if_array();
  return array && index < array->size() ? &(*array)[index] : nullptr;
}

namespace {

// "~1" is '/', "~0" is '~'; nothing else may follow '~'.
std::optional<std::string> unescape_token(std::string_view token) {
  std::string text;
  text.reserve(token.size());
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      text.push_back(token[i]);
      continue;
    }
    ++i;
    if (i == token.size() || (token[i] != '0' && token[i] != '1')) return std::nullopt;
    text.push_back(token[i] == '1' ? '/' : '~');
  }
  return text;
}

// Digits without leading zeros.
std::optional<std::size_t> array_index(std::string_view token) {
  if (token.empty() || token.size() > 18 || (token.size() > 1 && token[0] == '0'))
    return std::nullopt;
  std::size_t index = 0;
  for (const char c : token) {
    if (c < '0' || c > '9') return std::nullopt;
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  return index;
}

}  // namespace

const Json* Json::pointer(std::string_view path) const noexcept {
  const Json* value = this;
  while (!path.empty()) {
    if (path.front() != '/') return nullptr;
    path.remove_prefix(1);
    const std::string_view token = path.substr(0, path.find('/'));
    path.remove_prefix(token.size());
    if (value->is_array()) {
      const auto index = array_index(token);
      value = index ? value->at(*index) : nullptr;
    } else {
      const auto key = unescape_token(token);
      value = key ? value->find(*key) : nullptr;
    }
    if (value == nullptr) return nullptr;
  }
  return value;
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = JsonObject();
  JsonObject* object = if_object();
  DYN_ASSERT(object != nullptr);
  return (*object)[key];
}

void Json::push_back(Json value) {
  if (is_null()) value_ = Array();
  Array* array = if_array();
  DYN_ASSERT(array != nullptr);
  array->push_back(std::move(value));
}

bool Json::operator==(const Json& other) const {
  if (kind() == other.kind()) return value_ == other.value_;
  if (!is_number() || !other.is_number()) return false;
  // Different kinds of number are equal when both are the same integer exactly.
  if (const auto mine = as_int64()) return mine == other.as_int64();
  if (const auto mine = as_uint64()) return mine == other.as_uint64();
  return false;
}

}  // namespace dynamo::base
