// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "jinja/arguments.h"
#include "jinja/builtin.h"
#include "jinja/compare.h"
#include "jinja/markup.h"
#include "jinja/strftime.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

/// The sandbox's MAX_RANGE.
constexpr std::int64_t kRangeMax = 100000;

Value range(Interpreter& in, const Value& /*self*/, const CallArgs& args) {
  if (!args.named.empty()) fail_type("range() takes no keyword arguments");
  if (args.positional.empty() || args.positional.size() > 3) {
    fail_type("range expected 1 to 3 arguments, got " + std::to_string(args.positional.size()));
  }
  for (const Value& v : args.positional) {
    if (!v.is_integral()) require_int(v, "range()");
    if (v.tag == Tag::big)
      fail_limit("Range too big. The sandbox blocks ranges larger than 100000.");
  }
  Range r{0, 0, 1};
  if (args.positional.size() == 1) {
    r.stop = require_int(args.positional[0], "stop");
  } else {
    r.start = require_int(args.positional[0], "start");
    r.stop = require_int(args.positional[1], "stop");
    if (args.positional.size() == 3) r.step = require_int(args.positional[2], "step");
  }
  if (r.step == 0) fail_type("range() arg 3 must not be zero");
  // The number of items, without overflow.
  const double span =
      (static_cast<double>(r.stop) - static_cast<double>(r.start)) / static_cast<double>(r.step);
  if (span > static_cast<double>(kRangeMax)) {
    fail_limit("Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  }
  if (span <= 0) r = {0, 0, 1};
  return make_pointer(Tag::range, in.arena().make<Range>(r));
}

DictBuilder build_dict(Interpreter& in, const CallArgs& args) {
  DictBuilder dict(in.arena(), args.named.size() + 4);
  if (args.positional.size() > 1) {
    fail_type("dict expected at most 1 argument, got " + std::to_string(args.positional.size()));
  }
  if (!args.positional.empty()) {
    const Value& source = args.positional.front();
    if (source.tag == Tag::dict) {
      for (std::uint32_t i = 0; i < source.dict->size; ++i) {
        dict.set(source.dict->entries[i].key, source.dict->entries[i].value);
      }
    } else if (source.tag == Tag::json_object) {
      for (const JsonObject::Member& m : *source.json_object) {
        dict.set(make_string(m.key), from_json(in.arena(), m.value));
      }
    } else {
      Cursor cursor = iterate(source);
      for (Value item; cursor.next(in, item);) {
        in.charge(1);
        const List* pair = to_list(in, item);
        if (pair->size != 2) {
          fail_type("dictionary update sequence element has length " + std::to_string(pair->size) +
                    "; 2 is required");
        }
        dict.set(pair->items[0], pair->items[1]);
      }
    }
  }
  for (const NamedArg& n : args.named) dict.set(make_string(n.name), n.value);
  return dict;
}

Value dict(Interpreter& in, const Value& /*self*/, const CallArgs& args) {
  return build_dict(in, args).value();
}

Value make_namespace(Interpreter& in, const Value& /*self*/, const CallArgs& args) {
  return make_pointer(Tag::name_space, in.arena().make<NamespaceObject>(build_dict(in, args)));
}

Value cycler(Interpreter& in, const Value& /*self*/, const CallArgs& args) {
  if (args.positional.empty()) fail_type("at least one item has to be provided");
  if (!args.named.empty()) fail_type("cycler() takes no keyword arguments");
  const Value items = make_list(in.arena(), args.positional);
  return make_pointer(Tag::cycler, in.arena().make<Cycler>(items.list->span(), std::size_t{0}));
}

Value joiner(Interpreter& in, const Value* a) {
  const Value separator = a[1].is_missing() ? make_string(", ") : a[1];
  return make_pointer(Tag::joiner, in.arena().make<Joiner>(separator, false));
}

Value raise_exception(Interpreter&, const Value* a) {
  std::string message;
  append_str(message, a[1]);
  throw Failure{FailureKind::raise, std::move(message)};
}

Value strftime_now(Interpreter& in, const Value* a) {
  const Clock& clock = in.options().clock ? *in.options().clock : Clock::system();
  const std::string_view format = require_text(a[1], "strftime() argument 1");
  return in.text(format_time(clock.system_now(), in.options().utc_offset, format));
}

/// Latin filler. The words do not follow Jinja2's list: nobody can rely on random text.
Value lipsum(Interpreter& in, const Value* a) {
  constexpr std::string_view kWords[] = {
      "lorem",  "ipsum", "dolor",  "sit",     "amet",   "consectetur", "adipiscing",
      "elit",   "sed",   "do",     "eiusmod", "tempor", "incididunt",  "ut",
      "labore", "et",    "dolore", "magna",   "aliqua"};
  const std::int64_t paragraphs = int_or(a[1], 5, "n");
  const bool html = bool_or(a[2], true);
  const std::int64_t least = int_or(a[3], 20, "min");
  const std::int64_t most = int_or(a[4], 100, "max");
  if (most <= least || least < 0) fail_type("empty range for randrange()");
  std::string out;
  for (std::int64_t p = 0; p < paragraphs; ++p) {
    const std::int64_t words =
        least + static_cast<std::int64_t>(in.random() % static_cast<std::uint64_t>(most - least));
    in.charge(static_cast<std::uint64_t>(words) + 1);
    if (p > 0) out += html ? "\n" : "\n\n";
    if (html) out += "<p>";
    for (std::int64_t w = 0; w < words; ++w) {
      const std::string_view word = kWords[in.random() % std::size(kWords)];
      if (w > 0) out.push_back(' ');
      out += w == 0 ? capitalize(word) : std::string(word);
    }
    out.push_back('.');
    if (html) out += "</p>";
  }
  return in.text(out, html);
}

constexpr Builtin kGlobals[] = {
    {.name = "range", .raw = range},
    {.name = "dict", .raw = dict},
    {.name = "namespace", .raw = make_namespace},
    {.name = "cycler", .raw = cycler},
    {.name = "joiner", .bound = joiner, .params = {"sep"}},
    {.name = "lipsum", .bound = lipsum, .params = {"n", "html", "min", "max"}},
    {.name = "raise_exception", .bound = raise_exception, .params = {"message"}, .required = 1},
    {.name = "strftime_now", .bound = strftime_now, .params = {"format"}, .required = 1},
};

}  // namespace

std::span<const Builtin> globals() noexcept {
  return kGlobals;
}

}  // namespace dynamo::jinja::detail
