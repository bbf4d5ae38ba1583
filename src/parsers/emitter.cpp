// SPDX-License-Identifier: Apache-2.0
#include "parsers/emitter.h"

#include <dynamo/base/assert.h>
#include <dynamo/base/log.h>
#include <dynamo/base/rng.h>
#include <dynamo/base/uuid.h>

#include <algorithm>

#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {

Emitter::Emitter(const ParserOptions& options, IdStyle ids)
    : ids_(ids),
      whole_(options.delivery == CallDelivery::whole),
      parallel_(options.parallel_tool_calls),
      only_tool_(options.tool_choice == ToolChoice::named ? options.named_tool : std::string()),
      held_bytes_limit_(options.held_bytes_limit),
      rng_(options.rng),
      layout_space_(options.guided_json && (options.tool_choice == ToolChoice::required ||
                                            options.tool_choice == ToolChoice::named)),
      behind_call_(layout_space_),
      hold_reasoning_(options.reasoning_when_content_empty) {}

void Emitter::begin_feed(std::vector<Event>& out) noexcept {
  out_ = &out;
  out_base_ = out.size();
}

void Emitter::push(EventKind kind, std::string_view piece) {
  if (piece.empty()) return;
  if (out_->size() > out_base_ && out_->back().kind == kind) {
    out_->back().text += piece;
    return;
  }
  Event& event = out_->emplace_back();
  event.kind = kind;
  if (kind == EventKind::call_arguments) event.index = next_index_ - 1;
  event.text = piece;
}

void Emitter::push_text(std::string_view piece) {
  if (hold_reasoning_) {
    // White space alone is no content; it waits behind the thought.
    if (std::ranges::all_of(piece, is_json_space)) {
      held_blank_ += piece;
      if (held_blank_.size() > held_bytes_limit_) release_reasoning(EventKind::reasoning);
      return;
    }
    content_seen_ = true;
    release_reasoning(EventKind::reasoning);
  }
  push(EventKind::text, piece);
}

void Emitter::release_reasoning(EventKind as) {
  hold_reasoning_ = false;
  push(as, held_reasoning_);
  if (as == EventKind::reasoning || held_reasoning_.empty()) push(EventKind::text, held_blank_);
  held_reasoning_.clear();
  held_blank_.clear();
}

void Emitter::show(std::string_view piece) {
  if (piece.empty()) return;
  if (trace_ != nullptr) {
    if (trace_->items.empty() || trace_->items.back().kind != Trace::Kind::text) {
      trace_->items.push_back({.kind = Trace::Kind::text});
    }
    trace_->items.back().text += piece;
  }
  if (!behind_call_) {
    push_text(piece);
    return;
  }
  if (held_space_.empty() && leading_space(piece) == 0 && !may_become_space(piece)) {
    behind_call_ = false;
    push_text(piece);
    return;
  }
  held_space_ += piece;
  while (const std::size_t n = leading_space(std::string_view(held_space_).substr(blank_bytes_))) {
    blank_bytes_ += n;
  }
  const std::string_view rest = std::string_view(held_space_).substr(blank_bytes_);
  if (held_space_.size() < held_bytes_limit_ && (rest.empty() || may_become_space(rest))) return;
  behind_call_ = false;
  push_text(held_space_);
  held_space_.clear();
  blank_bytes_ = 0;
}

void Emitter::raw_text(std::string_view text, bool ends) {
  while (!text.empty()) {
    const MarkerSet::Hit hit = seam_.markup().scan(text, !ends);
    this->text(text.substr(0, hit.position));
    marker();
    if (hit.id == MarkerSet::kNone) break;
    text.remove_prefix(hit.position + hit.length);
  }
}

void Emitter::reasoning(std::string_view piece) {
  if (piece.empty()) return;
  if (trace_ != nullptr) {
    if (trace_->items.empty() || trace_->items.back().kind != Trace::Kind::reasoning) {
      trace_->items.push_back({.kind = Trace::Kind::reasoning});
    }
    trace_->items.back().text += piece;
  }
  behind_call_ = layout_space_ && next_index_ == 0;
  held_space_.clear();
  blank_bytes_ = 0;
  if (!hold_reasoning_) {
    push(EventKind::reasoning, piece);
    return;
  }
  held_reasoning_ += piece;
  if (held_reasoning_.size() > held_bytes_limit_) release_reasoning(EventKind::reasoning);
}

std::string Emitter::new_id() {
  if (ids_ == IdStyle::positional) return "call-" + std::to_string(next_index_ + 1);
  std::string uuid =
      (rng_ != nullptr ? base::Uuid::random(*rng_) : base::Uuid::random()).to_string();
  if (ids_ == IdStyle::uuid) return uuid;
  if (ids_ == IdStyle::call_uuid) return "call-" + uuid;
  std::string id = "call_";
  for (const char c : uuid) {
    if (c != '-' && id.size() < 29) id += c;
  }
  return id;
}

bool Emitter::wanted(std::string_view name) const noexcept {
  if (!parallel_ && next_index_ > 0) return false;
  return only_tool_.empty() || only_tool_ == name;
}

void Emitter::start_call(std::string_view name, std::string_view id) {
  DYN_ASSERT(!in_call_);
  in_call_ = true;
  filtered_ = !wanted(name);
  buffering_ = whole_ && !filtered_;
  held_space_.clear();
  blank_bytes_ = 0;
  behind_call_ = true;
  buffer_.name = name;
  buffer_.id = filtered_ || !id.empty() ? std::string(id) : new_id();
  buffer_.arguments.clear();
  if (!filtered_ && !whole_) flush_call();
}

void Emitter::flush_call() {
  if (hold_reasoning_) release_reasoning(EventKind::reasoning);
  buffering_ = false;
  Event& event = out_->emplace_back();
  event.kind = EventKind::call_start;
  event.index = next_index_++;
  event.text = std::move(buffer_.name);
  event.id = std::move(buffer_.id);
  push(EventKind::call_arguments, buffer_.arguments);
  buffer_.arguments.clear();
}

void Emitter::arguments(std::string_view piece) {
  if (filtered_ || piece.empty()) return;
  if (!buffering_) {
    push(EventKind::call_arguments, piece);
    return;
  }
  buffer_.arguments += piece;
  if (trace_ == nullptr && buffer_.arguments.size() > held_bytes_limit_) flush_call();
}

void Emitter::truncate_arguments(std::size_t size) {
  DYN_ASSERT(revocable());
  buffer_.arguments.resize(std::min(size, buffer_.arguments.size()));
}

void Emitter::end_call(Closure closure) {
  DYN_ASSERT(in_call_);
  in_call_ = false;
  if (filtered_) return;
  if (trace_ != nullptr) {
    trace_->items.push_back({.kind = Trace::Kind::call, .call = buffer_, .closure = closure});
  }
  if (buffering_) flush_call();
  Event& event = out_->emplace_back();
  event.kind = EventKind::call_end;
  event.index = next_index_ - 1;
}

void Emitter::abandon_call() {
  DYN_ASSERT(in_call_);
  in_call_ = false;
  if (filtered_) return;
  DYN_LOG_DEBUG("parsers", "call_abandoned", {{"name", buffer_.name}});
  if (buffering_) {
    buffering_ = false;
    return;
  }
  Event& event = out_->emplace_back();
  event.kind = EventKind::call_end;
  event.complete = false;
  event.index = next_index_ - 1;
}

void Emitter::mark(Trace::Kind kind, int id) {
  if (trace_ != nullptr) trace_->items.push_back({.kind = kind, .id = id});
}

void Emitter::finish() {
  show(seam_.finish());
  held_space_.clear();
  if (hold_reasoning_) {
    release_reasoning(content_seen_ ? EventKind::reasoning : EventKind::text);
  }
}

}  // namespace dynamo::parsers::detail
