// SPDX-License-Identifier: Apache-2.0
#include "parsers/delimited_parser.h"

#include <algorithm>
#include <utility>

#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kOpener = 0;
constexpr int kCloser = 1;
constexpr int kExit = 2;
constexpr int kGrammar = 3;  // first id of the grammar's markers

void add(std::vector<Marker>& markers, const std::vector<std::string>& texts, int id) {
  for (const std::string& text : texts) markers.push_back({text, id});
}

MarkerSet text_markers(const ReasoningSpec& reasoning, const Grammar* grammar) {
  std::vector<Marker> markers;
  add(markers, reasoning.openers, kOpener);
  add(markers, reasoning.closers, kCloser);
  if (grammar != nullptr) {
    for (Marker marker : grammar->text_markers()) {
      markers.push_back({marker.text, marker.id + kGrammar});
    }
  }
  return MarkerSet(markers);
}

MarkerSet thought_markers(const ReasoningSpec& reasoning, const Grammar* grammar) {
  std::vector<Marker> markers;
  add(markers, reasoning.closers, kCloser);
  if (grammar != nullptr) {
    const auto inside = grammar->thought_markers();
    for (Marker marker : grammar->text_markers()) {
      if (std::ranges::find(inside, marker.id) != inside.end()) {
        markers.push_back({marker.text, marker.id + kGrammar});
      }
    }
  }
  add(markers, reasoning.exits, kExit);
  if (!reasoning.keeps_inner_openers) {
    for (const std::string& opener : reasoning.openers) {
      // An exit that begins like the opener ends the thought first (kimi_k3).
      const bool exits_first = std::ranges::any_of(
          reasoning.exits, [&](const std::string& exit) { return opener.starts_with(exit); });
      if (!exits_first) markers.push_back({opener, kOpener});
    }
  }
  return MarkerSet(markers);
}

/// Whether a marker can be nothing but markup; a bracket or a word is prose too.
bool is_markup(std::string_view text) {
  const char c = text[0];
  const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return text.size() > 1 && !word;
}

MarkerSet markup_only(const ReasoningSpec& reasoning, const Grammar* grammar) {
  std::vector<Marker> markers;
  const auto add_markup = [&](std::string_view text) {
    if (is_markup(text)) markers.push_back({text, 0});
  };
  for (const std::string& opener : reasoning.openers) add_markup(opener);
  for (const std::string& closer : reasoning.closers) add_markup(closer);
  if (grammar != nullptr) {
    for (const Marker& marker : grammar->text_markers()) add_markup(marker.text);
  }
  return MarkerSet(markers);
}

MarkerSet boundary_markers(const ReasoningSpec& reasoning, const Grammar* grammar) {
  std::vector<Marker> markers;
  add(markers, reasoning.openers, kOpener);
  add(markers, reasoning.closers, kCloser);
  add(markers, reasoning.exits, kExit);
  if (grammar != nullptr) {
    for (const Marker& marker : grammar->text_markers()) {
      if (is_markup(marker.text)) markers.push_back({marker.text, kExit});
    }
  }
  return MarkerSet(markers);
}

}  // namespace

std::string Grammar::take_rejected(std::size_t& first_bytes) {
  first_bytes = 0;
  return {};
}

DelimitedParser::DelimitedParser(const ParserOptions& options, ReasoningSpec reasoning, IdStyle ids,
                                 std::unique_ptr<Grammar> grammar)
    : reasoning_(std::move(reasoning)),
      grammar_(std::move(grammar)),
      emitter_(options, ids),
      text_set_(text_markers(reasoning_, grammar_.get())),
      thought_set_(thought_markers(reasoning_, grammar_.get())),
      markup_set_(markup_only(reasoning_, grammar_.get())) {
  const bool given = options.starting_state != StartingState::unspecified;
  const bool inside =
      given ? options.starting_state == StartingState::reasoning : reasoning_.starts_inside;
  if (reasoning_.active() && inside) {
    state_ = State::reasoning;
    label_due_ = !reasoning_.label.empty();
  } else if (reasoning_.first_boundary_decides && !given) {
    state_ = State::undecided;
    boundary_set_ = boundary_markers(reasoning_, grammar_.get());
  }
  if (state_ == State::text && grammar_ != nullptr && grammar_->primed()) state_ = State::call;
  if (options.guided_json && reasoning_.active()) {
    after_start_ = state_;
    state_ = State::start;
  }
}

void DelimitedParser::feed(std::string_view delta, std::vector<Event>& out) {
  emitter_.begin_feed(out);
  if (!reasoning_.prefix.empty() && !delta.empty()) {
    emit_text(std::exchange(reasoning_.prefix, {}));
  }
  if (held_.empty()) {
    run(delta, false, OutputEnd::stop);
    return;
  }
  std::string input = std::exchange(held_, {});
  input += delta;
  run(input, false, OutputEnd::stop);
}

void DelimitedParser::finish(std::vector<Event>& out, OutputEnd end) {
  emitter_.begin_feed(out);
  const std::string input = std::exchange(held_, {});
  run(input, true, end);
  if (!undecided_.empty()) {
    // It was text; now it is read as such.
    state_ = State::text;
    const std::string text = std::exchange(undecided_, {});
    run(text, true, end);
  }
  emitter_.text(std::exchange(behind_seam_, {}));
  if (!thought_.empty()) emitter_.reasoning(std::exchange(thought_, {}));
  emitter_.finish();
}

void DelimitedParser::run(std::string_view input, bool at_end, OutputEnd end) {
  std::string again;  // backs `input` once something taken in an earlier feed was given back
  call_begin_ = nullptr;
  while (true) {
    while (!input.empty()) {
      const std::size_t consumed = step(input, at_end);
      input.remove_prefix(consumed);
      if (std::exchange(rejected_, false)) {
        input = give_back(input, again);
      } else if (consumed == 0 && state_ != State::verbatim) {
        break;
      }
    }
    if (!at_end || state_ != State::call) break;
    if (!grammar_->finish(end, emitter_)) {
      leave_call();
      break;
    }
    input = give_back(input, again);
  }
  if (!at_end) held_ = std::string(input);
}

// Text that was taken for a call and is none. What was taken in this feed is still in the input,
// so that a text full of false starts is not copied over and over.
std::string_view DelimitedParser::give_back(std::string_view input, std::string& again) {
  state_ = in_thought_ ? State::reasoning : State::text;
  std::size_t first_bytes = 0;
  std::string taken = grammar_->take_rejected(first_bytes);
  std::string_view rest(taken);
  if (call_begin_ != nullptr) {
    rest = std::string_view(call_begin_,
                            static_cast<std::size_t>(input.data() - call_begin_) + input.size());
  } else {
    taken += input;
    again = std::move(taken);
    rest = again;
  }
  if (in_thought_) {
    emit_reasoning(rest.substr(0, first_bytes));
  } else {
    emit_text(rest.substr(0, first_bytes));
  }
  return rest.substr(first_bytes);
}

std::size_t DelimitedParser::step(std::string_view input, bool at_end) {
  switch (state_) {
    case State::start:
      return step_start(input, at_end);
    case State::undecided:
      return step_undecided(input, at_end);
    case State::text:
      return step_text(input, at_end);
    case State::reasoning:
      return step_reasoning(input, at_end);
    case State::call:
      return step_call(input, at_end);
    case State::verbatim:
      emitter_.text(input);
      return input.size();
  }
  return 0;
}

void DelimitedParser::emit_text(std::string_view piece) {
  if (piece.empty()) return;
  last_ = piece.back();
  if (only_space_ && !std::ranges::all_of(piece, is_json_space)) only_space_ = false;
  if (seam_.empty()) {
    emitter_.text(piece);
  } else {
    emit_behind_seam(piece);
  }
}

// `text` was emitted. Behind it stands a marker, or what may become one, unless it is the last.
void DelimitedParser::note_tail(std::string_view text, bool followed) {
  if (!followed) {
    tail_.clear();
    return;
  }
  if (text.empty()) return;
  tail_ += text.substr(text.size() - std::min(text.size(), markup_set_.longest_bytes()));
  const MarkerSet::Hit hit = markup_set_.scan(tail_, false);
  tail_.erase(0, hit.id == MarkerSet::kNone ? hit.position : tail_.size());
}

void DelimitedParser::emit_behind_seam(std::string_view piece) {
  behind_seam_ += piece;
  while (true) {
    const std::string joined = seam_ + behind_seam_;
    const MarkerSet::Hit hit = markup_set_.scan(joined, false);
    if (hit.position >= seam_.size()) break;
    if (hit.id == MarkerSet::kNone) return;  // may still be completed
    behind_seam_.erase(0, hit.position + hit.length - seam_.size());
    if (behind_seam_.empty()) return;
  }
  seam_.clear();
  emitter_.text(std::exchange(behind_seam_, {}));
}

void DelimitedParser::emit_reasoning(std::string_view piece) {
  if (reasoning_.whole_thoughts) {
    thought_ += piece;
  } else {
    emitter_.reasoning(piece);
  }
}

void DelimitedParser::enter_reasoning() {
  state_ = State::reasoning;
  label_due_ = !reasoning_.label.empty();
  last_ = 0;
}

void DelimitedParser::leave_reasoning() {
  state_ = State::text;
  if (!thought_.empty()) emitter_.reasoning(std::exchange(thought_, {}));
}

// Guided output that begins like JSON is no thought, whatever the parser's default.
std::size_t DelimitedParser::step_start(std::string_view input, bool at_end) {
  const std::string_view rest = trim_left(input);
  const bool spaced = input.size() - rest.size() >= kLeadingSpaceLimit;
  const bool waits = !spaced && (rest.empty() || may_become_space(rest));
  if (waits && !at_end) return 0;
  if (!spaced && !waits) {
    std::vector<Marker> markers;
    add(markers, reasoning_.openers, kOpener);
    const MarkerSet::Hit hit = MarkerSet(markers).match(rest, at_end);
    if (hit.id == MarkerSet::kNone && hit.length != 0) return 0;
    if (hit.id == MarkerSet::kNone && (rest[0] == '{' || rest[0] == '[')) {
      after_start_ = State::text;
      text_set_ = text_markers({}, grammar_.get());
    }
  }
  state_ = after_start_;
  return step(input, at_end);
}

std::size_t DelimitedParser::step_undecided(std::string_view input, bool at_end) {
  const MarkerSet::Hit hit = boundary_set_.scan(input, at_end);
  undecided_ += input.substr(0, hit.position);
  if (hit.id == MarkerSet::kNone) {
    if (undecided_.size() > emitter_.held_bytes_limit()) {
      state_ = State::text;
      emit_text(std::exchange(undecided_, {}));
    }
    return hit.position;
  }
  const std::string before = std::exchange(undecided_, {});
  state_ = State::text;
  if (hit.id == kOpener) {
    emit_text(before);
    enter_reasoning();
    return hit.position + hit.length;
  }
  emitter_.reasoning(before);
  // The exit is read again, as text.
  return hit.id == kCloser ? hit.position + hit.length
                           : hit.position + step_text(input.substr(hit.position), at_end);
}

std::size_t DelimitedParser::step_text(std::string_view input, bool at_end) {
  const MarkerSet::Hit hit = text_set_.scan(input, at_end);
  emit_text(input.substr(0, hit.position));
  note_tail(input.substr(0, hit.position), hit.position < input.size());
  if (hit.id != MarkerSet::kNone && seam_.empty()) seam_ = tail_;
  switch (hit.id) {
    case MarkerSet::kNone:
      return hit.position;
    case kOpener:
      enter_reasoning();
      return hit.position + hit.length;
    case kCloser:
      emitter_.mark(Trace::Kind::orphan, kCloser);
      return hit.position + hit.length;
    default:
      return enter_grammar(hit.id - kGrammar, input, hit);
  }
}

std::size_t DelimitedParser::enter_grammar(int id, std::string_view input,
                                           const MarkerSet::Hit& hit) {
  const Grammar::Place place{.marker = input.substr(hit.position, hit.length),
                             .before = input.substr(0, hit.position),
                             .last = hit.position > 0 ? input[hit.position - 1] : last_,
                             .at_start = only_space_};
  switch (grammar_->enter(id, place, emitter_)) {
    case Grammar::Entry::taken:
      in_thought_ = state_ == State::reasoning;
      state_ = State::call;
      call_begin_ = place.marker.data();
      break;
    case Grammar::Entry::deleted:
      break;
    case Grammar::Entry::plain:
      if (state_ == State::reasoning) {
        emit_reasoning(place.marker);
      } else {
        emit_text(place.marker);
      }
      break;
  }
  return hit.position + hit.length;
}

std::size_t DelimitedParser::step_reasoning(std::string_view input, bool at_end) {
  const MarkerSet::Hit hit = thought_set_.scan(input, at_end);
  std::string_view piece = input.substr(0, hit.position);
  if (label_due_) {
    const std::string_view label = reasoning_.label;
    if (label.starts_with(piece) && piece.size() < label.size()) {
      if (hit.id == MarkerSet::kNone && !at_end) return 0;
      piece = {};
    } else if (piece.starts_with(label)) {
      piece.remove_prefix(label.size());
    }
    label_due_ = false;
  }
  emit_reasoning(piece);
  switch (hit.id) {
    case MarkerSet::kNone:
      return hit.position;
    case kOpener:
      return hit.position + hit.length;
    case kCloser:
      leave_reasoning();
      return hit.position + hit.length;
    case kExit:
      leave_reasoning();
      if (reasoning_.exits_for_good) {
        state_ = State::verbatim;
        return hit.position;
      }
      if (grammar_ == nullptr) {
        // Nobody reads it; it is handed on as it is, even where it could begin another marker.
        emit_text(input.substr(hit.position, hit.length));
        return hit.position + hit.length;
      }
      return hit.position + step_text(input.substr(hit.position), at_end);
    default:
      if (!thought_.empty()) emitter_.reasoning(std::exchange(thought_, {}));
      return enter_grammar(hit.id - kGrammar, input, hit);
  }
}

std::size_t DelimitedParser::step_call(std::string_view input, bool at_end) {
  const Grammar::Step step = grammar_->consume(input, at_end, emitter_);
  if (step.state == Grammar::State::left) {
    leave_call();
    // A grammar may leave without consuming; the text scanner always gets on.
    return step.consumed == 0 ? this->step(input, at_end) : step.consumed;
  }
  rejected_ = step.state == Grammar::State::rejected;
  return step.consumed;
}

void DelimitedParser::leave_call() {
  state_ = in_thought_ ? State::reasoning : State::text;
  if (emitter_.calls_started() > 0) only_space_ = false;
  last_ = 0;
}

}  // namespace dynamo::parsers::detail
