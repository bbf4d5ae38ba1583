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

DelimitedParser::DelimitedParser(const ParserOptions& options, ReasoningSpec reasoning, IdStyle ids,
                                 std::unique_ptr<Grammar> grammar)
    : BytewiseParser(options, ids),
      reasoning_(std::move(reasoning)),
      grammar_(std::move(grammar)),
      text_set_(text_markers(reasoning_, grammar_.get())),
      thought_set_(thought_markers(reasoning_, grammar_.get())),
      reads_words_(grammar_ != nullptr && grammar_->reads_words()) {
  emitter_.guard(markup_only(reasoning_, grammar_.get()));
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

std::size_t DelimitedParser::step(std::string_view window, bool at_end) {
  if (!reasoning_.prefix.empty()) emit_text(std::exchange(reasoning_.prefix, {}));
  switch (state_) {
    case State::start:
      return step_start(window, at_end);
    case State::undecided:
      return step_undecided(window, at_end);
    case State::text:
      return step_text(window, at_end);
    case State::reasoning:
      return step_reasoning(window, at_end);
    case State::call:
      return step_call(window, at_end);
    case State::verbatim:
      emitter_.text(window, true);
      return window.size();
  }
  return 0;
}

std::size_t DelimitedParser::take_run(std::string_view input) {
  if (!reasoning_.prefix.empty()) return 0;
  std::size_t size = 0;
  switch (state_) {
    case State::text:
      size = text_set_.unmarked(input);
      if (size == 0) return 0;
      emit_text(input.substr(0, size), true);
      return size;
    case State::reasoning:
      if (label_due_) return 0;
      size = thought_set_.unmarked(input);
      emit_reasoning(input.substr(0, size));
      return size;
    case State::call:
      return taken_.empty() ? grammar_->take_run(input, emitter_) : 0;
    case State::verbatim:
      emitter_.text(input, true);
      return input.size();
    default:
      return 0;
  }
}

void DelimitedParser::end(OutputEnd end, std::string_view rest) {
  if (state_ == State::start) {
    state_ = after_start_;
    if (!start_space_.empty()) give_back(std::exchange(start_space_, {}));
    return;
  }
  if (state_ == State::call) {
    if (!grammar_->finish(end, emitter_)) {
      leave_call();
    } else if (reject(rest)) {
      return;
    }
  }
  if (!undecided_.empty()) {
    // It was text; now it is read as such.
    state_ = State::text;
    give_back(std::exchange(undecided_, {}));
    return;
  }
  if (!thought_.empty()) emitter_.reasoning(std::exchange(thought_, {}));
}

// What was taken for a call is text, and `rest` follows it. True when something is given back.
bool DelimitedParser::reject(std::string_view rest) {
  state_ = in_thought_ ? State::reasoning : State::text;
  std::string text = std::exchange(taken_, {});
  text += rest;
  const std::size_t first = grammar_->rejected_bytes();
  const std::string_view certain = std::string_view(text).substr(0, first);
  if (in_thought_) {
    emit_reasoning(certain);
  } else {
    emit_text(certain);
  }
  give_back(std::string_view(text).substr(certain.size()));
  return text.size() > certain.size();
}

void DelimitedParser::emit_text(std::string_view piece, bool closed) {
  if (piece.empty()) return;
  last_ = piece.back();
  if (only_space_ && !std::ranges::all_of(piece, is_json_space)) only_space_ = false;
  if (reads_words_) note_word(piece);
  emitter_.text(piece, closed);
}

void DelimitedParser::note_word(std::string_view piece) {
  // A character of white space may have begun before the piece.
  const std::size_t known = word_.size() - std::min<std::size_t>(word_.size(), 3);
  word_ += piece;
  const std::string_view text = word_;
  std::size_t begin = text.size();
  while (begin > known && trailing_space(text.substr(0, begin)) == 0) --begin;
  if (begin == known) begin = 0;
  constexpr std::size_t kBytesLimit = 2 * kNameBytesLimit;
  if (text.size() - begin > kBytesLimit) begin = text.size() - kBytesLimit;
  word_.erase(0, begin);
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
  word_.clear();
}

void DelimitedParser::leave_reasoning() {
  state_ = State::text;
  if (!thought_.empty()) emitter_.reasoning(std::exchange(thought_, {}));
}

// Guided output that begins like JSON is no thought, whatever the parser's default.
std::size_t DelimitedParser::step_start(std::string_view window, bool at_end) {
  const bool spaced = start_space_.size() >= kLeadingSpaceLimit;
  if (!spaced) {
    if (const std::size_t space = leading_space(window)) {
      start_space_ += window.substr(0, space);
      return space;
    }
    if (may_become_space(window) && !at_end) return 0;
    std::vector<Marker> markers;
    add(markers, reasoning_.openers, kOpener);
    const MarkerSet::Hit hit = MarkerSet(markers).match(window, at_end);
    if (hit.id == MarkerSet::kNone && hit.length != 0) return 0;
    if (hit.id == MarkerSet::kNone && (window[0] == '{' || window[0] == '[')) {
      after_start_ = State::text;
      text_set_ = text_markers({}, grammar_.get());
    }
  }
  state_ = after_start_;
  start_space_ += window;
  give_back(std::exchange(start_space_, {}));
  return window.size();
}

std::size_t DelimitedParser::step_undecided(std::string_view window, bool at_end) {
  const MarkerSet::Hit hit = boundary_set_.scan(window, at_end);
  undecided_ += window.substr(0, hit.position);
  if (hit.id == MarkerSet::kNone) {
    if (undecided_.size() > emitter_.held_bytes_limit()) {
      state_ = State::text;
      give_back(std::exchange(undecided_, {}));
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
                           : hit.position + step_text(window.substr(hit.position), at_end);
}

std::size_t DelimitedParser::step_text(std::string_view window, bool at_end) {
  const MarkerSet::Hit hit = text_set_.scan(window, at_end);
  emit_text(window.substr(0, hit.position), hit.position == window.size());
  if (hit.id != MarkerSet::kNone) emitter_.marker();
  switch (hit.id) {
    case MarkerSet::kNone:
      return hit.position;
    case kOpener:
      enter_reasoning();
      return hit.position + hit.length;
    case kCloser:
      emitter_.mark(Trace::Kind::orphan, kCloser);
      word_.clear();
      return hit.position + hit.length;
    default:
      return enter_grammar(hit.id - kGrammar, window, hit);
  }
}

std::size_t DelimitedParser::enter_grammar(int id, std::string_view window,
                                           const MarkerSet::Hit& hit) {
  const std::string word = std::exchange(word_, {});
  const Grammar::Place place{.marker = window.substr(hit.position, hit.length),
                             .word = word,
                             .last = last_,
                             .at_start = only_space_};
  switch (grammar_->enter(id, place, emitter_)) {
    case Grammar::Entry::taken:
      in_thought_ = state_ == State::reasoning;
      state_ = State::call;
      if (grammar_->may_reject()) taken_ = place.marker;
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

std::size_t DelimitedParser::step_reasoning(std::string_view window, bool at_end) {
  const MarkerSet::Hit hit = thought_set_.scan(window, at_end);
  std::string_view piece = window.substr(0, hit.position);
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
        emit_text(window.substr(hit.position, hit.length));
        return hit.position + hit.length;
      }
      return hit.position + step_text(window.substr(hit.position), at_end);
    default:
      if (!thought_.empty()) emitter_.reasoning(std::exchange(thought_, {}));
      return enter_grammar(hit.id - kGrammar, window, hit);
  }
}

std::size_t DelimitedParser::step_call(std::string_view window, bool at_end) {
  const Grammar::Step step = grammar_->consume(window, at_end, emitter_);
  if (!taken_.empty()) taken_ += window.substr(0, step.consumed);
  switch (step.state) {
    case Grammar::State::inside:
      if (!grammar_->may_reject()) taken_.clear();
      return step.consumed;
    case Grammar::State::left:
      leave_call();
      break;
    case Grammar::State::rejected:
      if (reject({})) return step.consumed;
      break;
  }
  // A grammar may leave without consuming.
  return step.consumed == 0 ? this->step(window, at_end) : step.consumed;
}

void DelimitedParser::leave_call() {
  state_ = in_thought_ ? State::reasoning : State::text;
  if (emitter_.calls_started() > 0) only_space_ = false;
  last_ = 0;
  taken_.clear();
}

}  // namespace dynamo::parsers::detail
