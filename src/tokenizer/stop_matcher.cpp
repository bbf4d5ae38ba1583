// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokenizer/stop_matcher.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace dynamo::tokenizer {
namespace {

std::vector<StopMatcher::StopString> with_visibility(std::span<const std::string> stops,
                                                     bool visible) {
  std::vector<StopMatcher::StopString> list;
  list.reserve(stops.size());
  for (const std::string& stop : stops) list.push_back({stop, visible});
  return list;
}

}  // namespace

StopMatcher::StopMatcher(std::span<const std::string> stops, bool visible)
    : StopMatcher(with_visibility(stops, visible)) {}

StopMatcher::StopMatcher(std::vector<StopString> stops) : stops_(std::move(stops)) {
  if (std::ranges::all_of(stops_, [](const StopString& s) { return s.text.empty(); })) return;
  // Of two stop strings complete at the same byte, this one is reported.
  const auto better = [&](std::uint32_t a, std::uint32_t b) {
    if (a == 0 || b == 0) return a != 0 ? a : b;
    if (stops_[a - 1].visible != stops_[b - 1].visible) return stops_[a - 1].visible ? b : a;
    return std::min(a, b);
  };
  nodes_.emplace_back();
  for (std::size_t i = 0; i < stops_.size(); ++i) {
    std::uint32_t node = 0;
    std::uint32_t depth = 0;
    for (const char c : stops_[i].text) {
      const auto byte = static_cast<unsigned char>(c);
      std::uint32_t next = child(node, byte);
      if (next == 0) {
        next = static_cast<std::uint32_t>(nodes_.size());
        nodes_.push_back({.next_sibling = nodes_[node].first_child, .byte = byte});
        nodes_[node].first_child = next;
      }
      node = next;
      ++depth;
      if (!stops_[i].visible) nodes_[node].hidden_depth = depth;
    }
    if (node != 0)
      nodes_[node].match = better(nodes_[node].match, static_cast<std::uint32_t>(i + 1));
  }
  // Breadth first: the failure links of a level need those of the levels above.
  std::vector<std::uint32_t> queue;
  queue.reserve(nodes_.size());
  queue.push_back(0);
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const std::uint32_t parent = queue[i];
    for (std::uint32_t node = nodes_[parent].first_child; node != 0;
         node = nodes_[node].next_sibling) {
      Node& n = nodes_[node];
      n.fail = parent == 0 ? 0 : advance(nodes_[parent].fail, n.byte);
      n.match = better(n.match, nodes_[n.fail].match);
      n.hidden_depth = std::max(n.hidden_depth, nodes_[n.fail].hidden_depth);
      queue.push_back(node);
    }
  }
}

std::uint32_t StopMatcher::child(std::uint32_t node, unsigned char byte) const noexcept {
  std::uint32_t c = nodes_[node].first_child;
  while (c != 0 && nodes_[c].byte != byte) c = nodes_[c].next_sibling;
  return c;
}

std::uint32_t StopMatcher::advance(std::uint32_t node, unsigned char byte) const noexcept {
  for (;;) {
    if (const std::uint32_t next = child(node, byte); next != 0) return next;
    if (node == 0) return 0;
    node = nodes_[node].fail;
  }
}

StopMatcher::Step StopMatcher::feed(std::string_view text) {
  if (stopped_) return {};
  if (nodes_.empty()) return {text, std::nullopt};

  // Releases the first `count` bytes of held_ + text.
  const auto release = [&](std::size_t count) -> std::string_view {
    if (held_.empty()) return text.substr(0, count);
    released_.assign(held_, 0, count);
    if (count > held_.size()) released_.append(text.substr(0, count - held_.size()));
    return released_;
  };

  const Node& root = nodes_.front();
  const bool one_start = nodes_[root.first_child].next_sibling == 0;
  std::uint32_t state = state_;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (state == 0 && one_start) {
      const void* found =
          std::memchr(text.data() + i, nodes_[root.first_child].byte, text.size() - i);
      if (found == nullptr) break;
      i = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    }
    state = advance(state, static_cast<unsigned char>(text[i]));
    const std::uint32_t match = nodes_[state].match;
    if (match == 0) continue;
    const StopString& stop = stops_[match - 1];
    std::size_t end = held_.size() + i + 1;
    if (!stop.visible) end -= stop.text.size();
    const Step step{release(end), Hit{match - 1, stop.visible}};
    stopped_ = true;
    held_.clear();
    return step;
  }
  state_ = state;
  const std::size_t total = held_.size() + text.size();
  const std::size_t count = total - nodes_[state].hidden_depth;
  const std::string_view released = release(count);
  if (count >= held_.size()) {
    held_.assign(text.substr(count - held_.size()));
  } else {
    held_.erase(0, count);
    held_.append(text);
  }
  return {released, std::nullopt};
}

std::string_view StopMatcher::finish() {
  if (stopped_) return {};
  stopped_ = true;
  released_ = std::exchange(held_, {});
  return released_;
}

}  // namespace dynamo::tokenizer
