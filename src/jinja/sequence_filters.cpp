// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "jinja/arguments.h"
#include "jinja/builtin.h"
#include "jinja/item_getter.h"
#include "jinja/markup.h"
#include "jinja/pretty.h"
#include "jinja/text_operations.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

Value make_iterator(Iterator* iterator) noexcept {
  Value v;
  v.tag = Tag::iterator;
  v.iterator = iterator;
  return v;
}

Value length(Interpreter&, const Value* a) {
  return make_int(require_length(a[0]));
}

Value list(Interpreter& in, const Value* a) {
  return make_pointer(Tag::list, to_list(in, a[0]));
}

Value first(Interpreter& in, const Value* a) {
  Cursor cursor = iterate(a[0]);
  Value item;
  if (cursor.next(in, item)) return item;
  return in.undefined_hint("No first item, sequence was empty.");
}

/// A list of what reversed() would walk, or null for what it refuses.
const List* to_reversible(Interpreter& in, const Value& v) {
  switch (v.tag) {
    case Tag::undefined:
    case Tag::string:
    case Tag::json_array:
    case Tag::list:
    case Tag::tuple:
    case Tag::json_object:
    case Tag::dict:
    case Tag::dict_view:
    case Tag::range:
      return to_list(in, v);
    default:
      return nullptr;
  }
}

Value last(Interpreter& in, const Value* a) {
  // A list's end needs no walk.
  if (a[0].is_array() || a[0].tag == Tag::range || a[0].is_string()) {
    if (require_length(a[0]) == 0) return in.undefined_hint("No last item, sequence was empty.");
    return in.item(a[0], make_int(-1));
  }
  const List* items = to_reversible(in, a[0]);
  if (!items) fail_type("'" + std::string(type_name(a[0])) + "' object is not reversible");
  if (items->size == 0) return in.undefined_hint("No last item, sequence was empty.");
  return items->items[items->size - 1];
}

class ReversedItems final : public Iterator {
 public:
  explicit ReversedItems(const List* list) : list_(list), left_(list->size) {}
  bool next(Interpreter&, Value& item) override {
    if (left_ == 0) return false;
    item = list_->items[--left_];
    return true;
  }

 private:
  const List* list_;
  std::uint32_t left_;
};

Value reverse(Interpreter& in, const Value* a) {
  if (a[0].is_string()) {
    return slice(in, a[0], make_none(), make_none(), make_int(-1));
  }
  if (const List* items = to_reversible(in, a[0])) {
    return make_iterator(in.arena().make<ReversedItems>(items));
  }
  if (!is_iterable(a[0])) fail_type("argument must be iterable");
  const List* items = to_list(in, a[0]);
  Value* reversed = in.arena().array<Value>(items->size);
  std::reverse_copy(items->items, items->items + items->size, reversed);
  return make_pointer(Tag::list, in.arena().make<List>(reversed, items->size));
}

Value join(Interpreter& in, const Value* a) {
  const Value separator = a[1].is_missing() ? make_string({}) : a[1];
  const ItemGetter getter(in, a[2]);
  Cursor cursor = iterate(a[0]);
  std::string out;
  if (!in.autoescape()) {
    std::string between;
    append_str(between, separator);
    bool first_item = true;
    for (Value item; cursor.next(in, item);) {
      in.charge(1);
      if (!first_item) out += between;
      first_item = false;
      append_str(out, getter.get(in, item));
      if (out.size() > in.options().budget.memory_bytes) {
        fail_limit("a joined text does not fit the memory budget");
      }
    }
    return in.text(out);
  }
  // One safe part makes the others be escaped.
  ListBuilder items(in.arena());
  bool markup = separator.is_markup();
  for (Value item; cursor.next(in, item);) {
    in.charge(1);
    const Value v = getter.get(in, item);
    markup = markup || v.is_markup();
    items.add(v);
  }
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    if (i != 0) markup ? append_escaped(out, separator) : append_str(out, separator);
    markup ? append_escaped(out, items.items()[i]) : append_str(out, items.items()[i]);
  }
  return in.text(out, markup);
}

Value default_filter(Interpreter&, const Value* a) {
  const Value otherwise = a[1].is_missing() ? make_string({}) : a[1];
  return a[0].is_undefined() || (bool_or(a[2], false) && !is_true(a[0])) ? otherwise : a[0];
}

class MappingItems final : public Iterator {
 public:
  explicit MappingItems(const Value& mapping) : mapping_(mapping) {}
  bool next(Interpreter& in, Value& item) override {
    if (mapping_.is_undefined()) return false;
    if (!mapping_.is_mapping()) fail_type("Can only get item pairs from a mapping.");
    if (!started_) {
      DictView* view = in.arena().make<DictView>();
      view->kind = ViewKind::items;
      if (mapping_.tag == Tag::dict) {
        view->dict = mapping_.dict;
      } else {
        view->object = mapping_.json_object;
      }
      cursor_ = iterate(make_pointer(Tag::dict_view, view));
      started_ = true;
    }
    return cursor_.next(in, item);
  }

 private:
  Value mapping_;
  Cursor cursor_;
  bool started_ = false;
};

Value items(Interpreter& in, const Value* a) {
  return make_iterator(in.arena().make<MappingItems>(a[0]));
}

class Batches final : public Iterator {
 public:
  Batches(const Value& source, std::int64_t size, const Value& fill)
      : source_(source), size_(size), fill_(fill) {}
  bool next(Interpreter& in, Value& item) override {
    in.check_stack();
    if (!started_) {
      cursor_ = iterate(source_);
      started_ = true;
    }
    ListBuilder batch(in.arena());
    // Jinja2 takes an item before it looks at the size, so a size of 0 never ends a batch.
    Value next;
    if (!held_.is_missing()) {
      batch.add(held_);
      held_ = Value{};
    }
    while (cursor_.next(in, next)) {
      in.charge(1);
      if (batch.size() == static_cast<std::uint64_t>(size_) && (batch.size() != 0 || size_ == 0)) {
        held_ = next;
        item = batch.list();
        return true;
      }
      batch.add(next);
    }
    if (batch.size() == 0) return false;
    if (!is_absent(fill_)) {
      while (batch.size() < size_) {
        in.charge(1);
        batch.add(fill_);
      }
    }
    item = batch.list();
    return true;
  }

 private:
  Value source_;
  std::int64_t size_;
  Value fill_;
  Value held_{};
  Cursor cursor_;
  bool started_ = false;
};

Value batch(Interpreter& in, const Value* a) {
  return make_iterator(in.arena().make<Batches>(a[0], require_int(a[1], "linecount"), a[2]));
}

class Slices final : public Iterator {
 public:
  Slices(const Value& source, std::int64_t slices, const Value& fill)
      : source_(source), slices_(slices), fill_(fill) {}
  bool next(Interpreter& in, Value& item) override {
    if (!items_) {
      items_ = to_list(in, source_);
      if (slices_ == 0) fail_type("integer division or modulo by zero");
    }
    if (number_ >= slices_) return false;
    in.charge(1);
    const std::int64_t each = items_->size / slices_;
    const std::int64_t extra = items_->size % slices_;
    const std::int64_t begin = number_ * each + std::min(number_, extra);
    const std::int64_t end = begin + each + (number_ < extra ? 1 : 0);
    ListBuilder part(in.arena(), static_cast<std::size_t>(end - begin) + 1);
    for (std::int64_t i = begin; i < end; ++i) part.add(items_->items[i]);
    if (!is_absent(fill_) && number_ >= extra) part.add(fill_);
    ++number_;
    item = part.list();
    return true;
  }

 private:
  Value source_;
  std::int64_t slices_;
  Value fill_;
  const List* items_ = nullptr;
  std::int64_t number_ = 0;
};

Value slices(Interpreter& in, const Value* a) {
  return make_iterator(in.arena().make<Slices>(a[0], require_int(a[1], "slices"), a[2]));
}

Value sum(Interpreter& in, const Value* a) {
  const ItemGetter getter(in, a[1]);
  Value total = a[2].is_missing() ? make_int(0) : a[2];
  if (total.is_string()) fail_type("sum() can't sum strings [use ''.join(seq) instead]");
  Cursor cursor = iterate(a[0]);
  for (Value item; cursor.next(in, item);) {
    in.charge(1);
    total = add(in, total, getter.get(in, item));
  }
  return total;
}

Value random_item(Interpreter& in, const Value* a) {
  const std::int64_t size = require_length(a[0]);
  if (size == 0) return in.undefined_hint("No random item, sequence was empty.");
  return in.item(
      a[0], make_int(static_cast<std::int64_t>(in.random() % static_cast<std::uint64_t>(size))));
}

Value attr(Interpreter& in, const Value* a) {
  if (a[0].is_undefined()) fail_with_undefined(a[0]);
  const Attribute& name = *make_attribute(in.arena(), require_text(a[1], "attribute name"));
  const Value v = in.attribute(a[0], name);
  // Items of a mapping are no attributes.
  const bool is_item = a[0].is_mapping() && !name.dict_method && !v.is_undefined();
  return is_item ? make_undefined(UndefinedKind::attribute, &name.info, a[0].tag) : v;
}

Value pretty_print(Interpreter& in, const Value* a) {
  return in.text(pretty_format(a[0]));
}

constexpr Builtin kFilters[] = {
    {.name = "length", .bound = length},
    {.name = "count", .bound = length},
    {.name = "list", .bound = list},
    {.name = "first", .bound = first},
    {.name = "last", .bound = last},
    {.name = "reverse", .bound = reverse},
    {.name = "join", .bound = join, .params = {"d", "attribute"}},
    {.name = "default", .bound = default_filter, .params = {"default_value", "boolean"}},
    {.name = "d", .bound = default_filter, .params = {"default_value", "boolean"}},
    {.name = "items", .bound = items},
    {.name = "batch", .bound = batch, .params = {"linecount", "fill_with"}, .required = 1},
    {.name = "slice", .bound = slices, .params = {"slices", "fill_with"}, .required = 1},
    {.name = "sum", .bound = sum, .params = {"attribute", "start"}},
    {.name = "random", .bound = random_item},
    {.name = "attr", .bound = attr, .params = {"name"}, .required = 1},
    {.name = "pprint", .bound = pretty_print},
};

}  // namespace

std::span<const Builtin> sequence_filters() noexcept {
  return kFilters;
}

}  // namespace dynamo::jinja::detail
