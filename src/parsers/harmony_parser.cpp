// SPDX-License-Identifier: Apache-2.0
#include "parsers/harmony_parser.h"

#include <utility>

#include "parsers/grammar.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kStart = 0;
constexpr int kEnd = 1;
constexpr int kMessage = 2;
constexpr int kChannel = 3;
constexpr int kConstrain = 4;
constexpr int kReturn = 5;
constexpr int kCall = 6;

/// Headers are a role, a channel, a recipient and a content type.
constexpr std::size_t kHeaderBytesLimit = 4 * kNameBytesLimit;
/// Separates the parts of a header where a marker stood; no text of a model holds it.
constexpr char kChannelMark = '\x01';
constexpr char kConstrainMark = '\x02';

struct Header {
  std::string_view role;
  std::string_view channel;
  std::string_view recipient;
  bool json = false;
};

std::string_view next_word(std::string_view& text) {
  text = trim_left(text);
  std::size_t end = 0;
  while (end < text.size() && leading_space(text.substr(end)) == 0 && text[end] != kChannelMark &&
         text[end] != kConstrainMark) {
    ++end;
  }
  if (end == 0 && !text.empty()) end = 1;
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

Header parse_header(std::string_view text) {
  Header header;
  bool channel_next = false;
  bool type_next = false;
  bool first = true;
  while (true) {
    const std::string_view word = next_word(text);
    if (word.empty()) return header;
    if (word[0] == kChannelMark) {
      channel_next = true;
    } else if (word[0] == kConstrainMark) {
      type_next = true;
    } else if (word.starts_with("to=")) {
      header.recipient = word.substr(3);
    } else if (channel_next) {
      header.channel = word;
      channel_next = false;
    } else if (type_next) {
      header.json = header.json || word == "json";
      type_next = false;
    } else if (first) {
      header.role = word;
    }
    first = false;
  }
}

}  // namespace

HarmonyParser::HarmonyParser(const ParserOptions& options, Role role)
    : BytewiseParser(options, IdStyle::call_uuid),
      role_(role),
      markers_({{"<|start|>", kStart},
                {"<|end|>", kEnd},
                {"<|message|>", kMessage},
                {"<|channel|>", kChannel},
                {"<|constrain|>", kConstrain},
                {"<|return|>", kReturn},
                {"<|call|>", kCall}}) {
  emitter_.guard(markers_);
}

std::size_t HarmonyParser::step(std::string_view window, bool at_end) {
  if (state_ == State::handed_over) {
    emitter_.text(window, true);
    return window.size();
  }
  // A marker that is cut off is markup in a header or call, and text elsewhere.
  const bool markup = state_ == State::header || (state_ == State::body && body_ == Body::call);
  const MarkerSet::Hit hit = markers_.scan(window, at_end && !markup);
  take_text(window.substr(0, hit.position), hit.position == window.size());
  if (hit.id != MarkerSet::kNone) take_marker(hit.id, window.substr(hit.position, hit.length));
  return hit.position + hit.length;
}

std::size_t HarmonyParser::take_run(std::string_view input) {
  if (state_ == State::handed_over) {
    emitter_.text(input, true);
    return input.size();
  }
  const bool decided = state_ == State::body && body_ != Body::undecided;
  if (!decided && !(state_ == State::outside && outside_text_)) return 0;
  const std::size_t size = markers_.unmarked(input);
  take_text(input.substr(0, size), true);
  return size;
}

void HarmonyParser::end(OutputEnd, std::string_view) {
  if (state_ == State::body && body_ == Body::call) {
    if (arguments_.is_complete_json()) {
      emitter_.end_call(Closure::unfenced);
    } else {
      emitter_.abandon_call();
    }
  }
  if (body_ == Body::undecided) answer(std::exchange(undecided_, {}));
  state_ = State::outside;
  body_ = Body::dropped;
}

void HarmonyParser::show(std::string_view piece) {
  emitter_.text(piece, closed_);
}

void HarmonyParser::take_text(std::string_view piece, bool closed) {
  if (piece.empty()) return;
  closed_ = closed;
  switch (state_) {
    case State::outside:
      take_outside(piece);
      return;
    case State::header:
      if (header_.size() < kHeaderBytesLimit) {
        header_ += piece;
        raw_header_ += piece;
      }
      return;
    case State::body:
      break;
    case State::handed_over:
      emitter_.text(piece);
      return;
  }
  switch (body_) {
    case Body::thought:
      thought(piece);
      break;
    case Body::answer:
      answer(piece);
      break;
    case Body::undecided:
      undecided_ += piece;
      if (!may_be_json() || undecided_.size() > emitter_.held_bytes_limit()) {
        body_ = Body::answer;
        answer(std::exchange(undecided_, {}));
      }
      break;
    case Body::call:
      emitter_.arguments(arguments_.feed(piece));
      break;
    case Body::dropped:
      break;
  }
}

// Whether the undecided body begins like JSON, as far as it goes.
bool HarmonyParser::may_be_json() {
  if (looks_like_json_) return true;
  const std::string_view rest = trim_left(std::string_view(undecided_).substr(blank_bytes_));
  blank_bytes_ = undecided_.size() - rest.size();
  if (blank_bytes_ >= kLeadingSpaceLimit) return false;
  if (rest.empty() || may_become_space(rest)) return true;
  looks_like_json_ = rest[0] == '{' || rest[0] == '[';
  return looks_like_json_;
}

// Text without any message is an answer too; white space around messages is layout.
void HarmonyParser::take_outside(std::string_view piece) {
  if (outside_text_) {
    show(piece);
    return;
  }
  space_ += piece;
  const std::string_view rest = trim_left(std::string_view(space_).substr(blank_bytes_));
  blank_bytes_ = space_.size() - rest.size();
  const bool blank = rest.empty() || may_become_space(rest);
  if (blank && space_.size() < kHeaderBytesLimit) return;
  outside_text_ = true;
  show(space_);
  space_.clear();
}

void HarmonyParser::separate(Last kind) {
  if (std::exchange(new_message_, false) && last_ == kind) {
    if (kind == Last::thought) {
      emitter_.reasoning("\n");
    } else {
      show("\n");
    }
  }
  last_ = kind;
}

void HarmonyParser::answer(std::string_view piece) {
  if (piece.empty()) return;
  separate(Last::answer);
  show(piece);
}

void HarmonyParser::thought(std::string_view piece) {
  if (role_ == Role::tools_only) return;
  separate(Last::thought);
  emitter_.reasoning(piece);
}

void HarmonyParser::begin_header(std::string_view marker) {
  state_ = State::header;
  header_.clear();
  raw_header_ = marker;
}

void HarmonyParser::take_marker(int id, std::string_view marker) {
  emitter_.mark(Trace::Kind::orphan, id);
  emitter_.marker();
  closed_ = false;
  space_.clear();
  blank_bytes_ = 0;
  outside_text_ = false;
  if (state_ == State::body) end_body(id);
  switch (id) {
    case kStart:
      begin_header(marker);
      break;
    case kChannel:
      if (state_ == State::header) {
        raw_header_ += marker;
      } else {
        begin_header(marker);
      }
      header_ += kChannelMark;
      break;
    case kConstrain:
      if (state_ == State::header) {
        header_ += kConstrainMark;
        raw_header_ += marker;
      }
      break;
    case kMessage:
      if (state_ != State::header) begin_header({});
      begin_body(marker);
      break;
    case kEnd:
    case kReturn:
    case kCall:
      state_ = State::outside;
      break;
    default:
      break;
  }
}

void HarmonyParser::begin_body(std::string_view marker) {
  const Header header = parse_header(header_);
  state_ = State::body;
  new_message_ = true;
  undecided_.clear();
  blank_bytes_ = 0;
  looks_like_json_ = false;
  constexpr std::string_view kFunctions = "functions.";
  const bool foreign = !header.role.empty() && header.role != "assistant";
  if (foreign) {
    body_ = Body::dropped;
  } else if (!header.recipient.empty() && header.channel != "final") {
    if (role_ == Role::reasoning_only) {
      emitter_.text(raw_header_);
      emitter_.text(marker);
      state_ = State::handed_over;
      return;
    }
    const std::string_view name = header.recipient.starts_with(kFunctions)
                                      ? header.recipient.substr(kFunctions.size())
                                      : std::string_view();
    body_ = name.empty() || name.size() > kNameBytesLimit ? Body::dropped : Body::call;
    if (body_ == Body::call) {
      last_ = Last::none;
      arguments_.begin();
      emitter_.start_call(name);
    }
  } else if (header.channel == "analysis") {
    body_ = Body::thought;
  } else if (header.channel == "final") {
    body_ = Body::answer;
  } else {
    body_ = header.json ? Body::dropped : Body::undecided;
  }
}

void HarmonyParser::end_body(int id) {
  if (body_ == Body::call) {
    if (arguments_.empty()) emitter_.arguments("{}");
    emitter_.end_call(id == kCall ? Closure::fenced : Closure::end_of_text);
  } else if (body_ == Body::undecided && id != kCall) {
    answer(std::exchange(undecided_, {}));
  }
  undecided_.clear();
  blank_bytes_ = 0;
  body_ = Body::dropped;
  state_ = State::outside;
}

}  // namespace dynamo::parsers::detail
