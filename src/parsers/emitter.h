// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/event.h>
#include <dynamo/parsers/output_parser.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parsers/marker_set.h"
#include "parsers/text_seam.h"

namespace dynamo::parsers::detail {

/// How a call came to its end.
enum class Closure : std::uint8_t {
  fenced,       ///< by its own closing markup
  end_of_text,  ///< the text ended where the closing markup was due; all arguments were complete
  unfenced,     ///< as end_of_text, but something else (a torn marker) stood in its place
  repaired,     ///< the arguments were cut off and have been closed
};

/// Form of generated call ids.
enum class IdStyle : std::uint8_t {
  call_uuid,   ///< "call-" and a hyphenated UUID
  call_hex,    ///< "call_" and 24 hexadecimal digits
  uuid,        ///< a bare hyphenated UUID
  positional,  ///< "call-1", "call-2", …
};

/// What a grammar saw, for the batch conventions that need more than the events.
struct Trace {
  enum class Kind : std::uint8_t { text, reasoning, call, block_open, block_close, orphan, broken };
  struct Item {
    Kind kind = Kind::text;
    std::string text{};                 ///< text, reasoning
    ParsedCall call{};                  ///< call
    Closure closure = Closure::fenced;  ///< call
    int id = 0;                         ///< block_*, orphan, broken: the grammar's own number
  };
  std::vector<Item> items;
};

/// Turns what a grammar recognises into events: joins adjacent pieces, numbers calls, applies the
/// request's limits on calls, and delivers calls piece by piece or whole.
///
/// White space alone between two calls, or behind the last one, is layout of the markup and is not
/// emitted; before other text it is kept.
class Emitter {
 public:
  Emitter(const ParserOptions& options, IdStyle ids);

  /// Events go to `out` until the next call of begin_feed; pieces are joined only within one feed.
  void begin_feed(std::vector<Event>& out) noexcept;
  /// Records everything in `trace` too. Whole delivery only.
  void record(Trace* trace) noexcept { trace_ = trace; }

  /// What may not be formed by texts around a marker that was taken out (text_seam.h).
  void guard(MarkerSet markup) { seam_ = TextSeam(std::move(markup)); }
  /// `closed`: the piece is known not to end with the beginning of a marker.
  void text(std::string_view piece, bool closed = false) { show(seam_.text(piece, closed)); }
  /// Text that nobody has looked at yet: what is guarded against is left out. `ends`: the output
  /// ends with it, so what may become a marker is one that was cut off, and is left out too.
  void raw_text(std::string_view text, bool ends);
  /// A marker was taken out of the text here.
  void marker() { seam_.marker(); }
  void reasoning(std::string_view piece);

  /// A call begins; its arguments follow. An empty id is generated.
  void start_call(std::string_view name, std::string_view id = {});
  void arguments(std::string_view piece);
  void end_call(Closure closure);
  /// The call turned out broken or was cut off beyond repair.
  void abandon_call();
  bool in_call() const noexcept { return in_call_; }
  /// Whether pieces of the open call can still be taken back (whole delivery).
  bool revocable() const noexcept { return in_call_ && buffering_; }
  std::size_t arguments_size() const noexcept { return buffer_.arguments.size(); }
  /// Takes back arguments beyond `size`; only while revocable.
  void truncate_arguments(std::size_t size);

  /// Notes for the batch conventions; nothing in a stream.
  void mark(Trace::Kind kind, int id = 0);

  /// Releases what is held. No more events follow.
  void finish();

  std::uint32_t calls_started() const noexcept { return next_index_; }
  std::size_t held_bytes_limit() const noexcept { return held_bytes_limit_; }

 private:
  void show(std::string_view piece);
  void push(EventKind kind, std::string_view piece);
  void push_text(std::string_view piece);
  void release_reasoning(EventKind as);
  std::string new_id();
  bool wanted(std::string_view name) const noexcept;
  void flush_call();

  std::vector<Event>* out_ = nullptr;
  std::size_t out_base_ = 0;
  Trace* trace_ = nullptr;

  IdStyle ids_;
  bool whole_;
  bool parallel_;
  std::string only_tool_;  // named choice; empty: all
  std::size_t held_bytes_limit_;
  base::Rng* rng_;

  TextSeam seam_;
  std::uint32_t next_index_ = 0;
  bool in_call_ = false;
  bool filtered_ = false;   // the open call is not for the client
  bool buffering_ = false;  // the open call is delivered whole
  ParsedCall buffer_;

  bool layout_space_;  // white space before the first call is layout too (a forced choice)
  bool behind_call_;
  std::string held_space_;
  std::size_t blank_bytes_ = 0;  // of held_space_, known to be white space

  bool hold_reasoning_;
  bool content_seen_ = false;
  std::string held_reasoning_;
  std::string held_blank_;  // white space that came while the thought is held
};

}  // namespace dynamo::parsers::detail
