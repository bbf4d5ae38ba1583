# SPDX-License-Identifier: Apache-2.0
"""Random conversations, expressions and templates for jinja_differential.py."""

WORDS = ["hello", "World", "a b", "", " ", "\n", "  padded  ", "x\ny", "<b>&\"'</b>", "it's", "你好", "naïve", "😀é",
         "<|im_end|>", "</think>", "<think>t</think>after", "İSTANBUL ß ﬁ Σας", "tab\there", "ǅ", "a-b_c", "TRUE", "12",
         "3.7", "-5", "0x1f", "1e3", "line\r\nline", "{{ x }}", "{% raw %}", "\\n", "\u2028", "\u00a0x\u00a0", "%s %d", "{}"]

VALUES = {
    "d": {"b": 2, "a": 1, "c": {"x": [1, 2.5, None, True, "é<&'\">"]}, "items": "KEY", "_p": 3, "update": 4},
    "e": {}, "l": [3, 1, 2], "el": [], "s": "  Hello World  ", "es": "", "n": 7, "f": 3.0, "g": 0.1, "neg": -5,
    "t": True, "no": False, "z": None, "u": "naïve 你好 😀 İß", "big": 12345678901234567890, "mixed": [1, "a", None, 2.5, True, [1]],
    "nested": [[1, 2], [3, [4]], []], "objs": [{"k": "a", "v": 1}, {"k": "B", "v": 2}, {"k": "a", "v": 3, "n": {"m": 1}}],
    "q": "it's \"q\"", "nl": "a\nb\n\nc\n", "html": "<b>&\"'</b>", "words": ["one", "Two", "three"], "num": "42", "fl": "4.25",
    "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None, "tool_calls": []}],
}
NAMES = list(VALUES) + ["missing", "x", "y", "self", "loop"]


def word(rng):
    return rng.choice(WORDS)


def text(rng):
    return "".join(word(rng) + rng.choice(["", " ", "\n"]) for _ in range(rng.randrange(4)))


def value(rng, depth=0):
    kind = rng.randrange(9 if depth < 3 else 7)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.choice([0, 1, -1, 42, 10**15, -(2**63), 2**64 - 1])
    if kind == 2:
        return rng.choice([0.0, 1.5, -2.25, 1e16, 1e-7, 123456.789])
    if kind <= 6:
        return text(rng)
    if kind == 7:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {word(rng) or "k": value(rng, depth + 1) for _ in range(rng.randrange(4))}


def schema(rng, depth=0):
    kind = rng.choice(["string", "integer", "boolean", "object", "array"] if depth < 3 else ["string", "number"])
    made = {"type": kind if rng.random() < 0.9 else [kind, "null"]}
    if rng.random() < 0.5:
        made["description"] = text(rng)
    if rng.random() < 0.2:
        made["enum"] = [word(rng) for _ in range(2)]
    if rng.random() < 0.2:
        made["default"] = value(rng, 2)
    if kind == "object":
        made["properties"] = {f"p{i}": schema(rng, depth + 1) for i in range(rng.randrange(4))}
        if rng.random() < 0.5:
            made["required"] = list(made["properties"])[:1]
    if kind == "array":
        made["items"] = schema(rng, depth + 1)
    return made


def tool(rng):
    function = {"name": rng.choice(["get_weather", "f", "search"])}
    if rng.random() < 0.9:
        function["description"] = text(rng)
    if rng.random() < 0.9:
        function["parameters"] = {"type": "object", "properties": {f"a{i}": schema(rng, 1) for i in range(rng.randrange(4))}}
    return {"type": "function", "function": function} if rng.random() < 0.9 else function


def tool_call(rng):
    import json
    arguments = {f"a{i}": value(rng, 1) for i in range(rng.randrange(3))}
    made = {"type": "function", "function": {"name": rng.choice(["get_weather", "f"]),
                                             "arguments": json.dumps(arguments) if rng.random() < 0.3 else arguments}}
    if rng.random() < 0.8:
        made["id"] = rng.choice(["call_1", "abcdefghi", "call_2"])
    return made


def content(rng):
    kind = rng.random()
    if kind < 0.75:
        return text(rng)
    if kind < 0.82:
        return None
    parts = [{"type": "text", "text": text(rng)} for _ in range(rng.randrange(3))]
    if rng.random() < 0.4:
        parts.insert(0, {"type": rng.choice(["image", "image_url", "video", "audio"])})
    return parts


def message(rng, role):
    made = {"role": role}
    if rng.random() < 0.97:
        made["content"] = content(rng)
    if role == "assistant":
        if rng.random() < 0.3:
            made["tool_calls"] = [tool_call(rng) for _ in range(rng.randrange(3))]
        if rng.random() < 0.2:
            made[rng.choice(["reasoning_content", "thinking", "reasoning"])] = rng.choice([text(rng), None])
    if role == "tool":
        if rng.random() < 0.7:
            made["tool_call_id"] = "call_1"
        if rng.random() < 0.5:
            made["name"] = "f"
    return made


def conversation(rng):
    """Variables of one request: mostly well-formed turns, sometimes any order."""
    messages = []
    if rng.random() < 0.5:
        messages.append(message(rng, rng.choice(["system", "system", "developer"])))
    for _ in range(rng.randrange(5)):
        if rng.random() < 0.15:
            messages.append(message(rng, rng.choice(["system", "user", "assistant", "tool", "function", "odd"])))
            continue
        messages.append(message(rng, "user"))
        if rng.random() < 0.8:
            messages.append(message(rng, "assistant"))
            if messages[-1].get("tool_calls"):
                messages += [message(rng, "tool") for _ in messages[-1]["tool_calls"]]
    if rng.random() < 0.7:
        messages.append(message(rng, "user"))
    made = {"messages": messages, "add_generation_prompt": rng.random() < 0.7,
            "tools": [tool(rng) for _ in range(rng.randrange(1, 4))] if rng.random() < 0.4 else None, "documents": None}
    if rng.random() < 0.1:
        made["documents"] = [{"title": word(rng), "text": text(rng), "doc_id": i} for i in range(2)]
    for name, choices in {"enable_thinking": [True, False], "thinking": [True, False], "date_string": ["26 Jul 2024"],
                          "tools_in_user_message": [True, False], "builtin_tools": [["brave_search"], []],
                          "custom_tools": [None], "reasoning_effort": ["low", "high"], "citations": ["accurate"],
                          "keep_past_thinking": [True], "available_tools": [None], "controls": [{"length": "long"}]}.items():
        if rng.random() < 0.08:
            made[name] = rng.choice(choices)
    return made


# ----------------------------------------------------------------------------------------------- expressions

FILTERS = ["abs", "capitalize", "center(9)", "count", "default('D')", "d('D', true)", "dictsort", "dictsort(true, 'value')",
           "dictsort(reverse=true)", "escape", "e", "filesizeformat", "filesizeformat(true)", "first", "float", "float(1.5)", "forceescape",
           "indent", "indent(2, true)", "indent('>', blank=true)", "int", "int(5)", "int(base=16)", "join", "join(', ')", "join('-', 'k')",
           "last", "length", "list", "lower", "items", "map('upper')", "map('length')", "map(attribute='k')",
           "map(attribute='n.m', default=0)", "map('default', 'x')", "min", "max", "min(attribute='v')", "max(case_sensitive=true)",
           "reject('string')", "reject", "rejectattr('k', 'eq', 'a')", "replace('l', 'L')", "replace('o', '0', 1)", "replace('', '-')",
           "reverse", "round", "round(1)", "round(2, 'floor')", "round(0, 'ceil')", "round(-1)", "safe", "select", "select('number')",
           "select('gt', 1)", "selectattr('k', 'equalto', 'a')", "selectattr('n')", "slice(2)", "slice(3, 'f')", "batch(2)", "batch(2, 0)",
           "sort", "sort(reverse=true)", "sort(attribute='k')", "sort(case_sensitive=true)", "sort(attribute='k,v')", "string",
           "striptags", "sum", "sum('v')", "sum(start=1.5)", "title", "tojson", "tojson(indent=2)", "tojson(ensure_ascii=true)",
           "tojson(sort_keys=true)", "tojson(separators=(',', ':'))", "trim", "trim('HeloW ')", "truncate(5)", "truncate(5, true, '', 0)",
           "truncate(9, end='…')", "unique", "unique(attribute='k')", "unique(true)", "upper", "urlencode", "wordcount", "wordwrap(5)",
           "xmlattr", "groupby('k')", "groupby('v') | list", "attr('k')", "attr('upper')", "pprint", "format(1, 2)", "nope"]

TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "mapping", "sequence",
         "iterable", "callable", "odd", "even", "divisibleby(3)", "divisibleby 2", "lower", "upper", "in [1, 2, 'a']", "in 'abc'",
         "sameas none", "sameas(true)", "eq 7", "ne 7", "lt 5", "gt(2)", "ge 3", "le 3", "==(3)", "escaped", "filter", "test", "nope"]

METHODS = ["upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", "strip()", "lstrip()", "rstrip()",
           "strip(' Hd')", "split()", "split(' ')", "split('l', 1)", "rsplit('l', 1)", "rsplit(None, 1)", "splitlines()", "splitlines(true)",
           "startswith('  H')", "startswith(('x', ' '))", "endswith('  ')", "find('o')", "rfind('o')", "index('o')", "count('l')",
           "count('l', 4)", "replace('l', 'L')", "replace('l', 'L', 1)", "join(['a', 'b'])", "join(words)", "partition(' ')", "rpartition('o')",
           "removeprefix('  ')", "removesuffix('  ')", "zfill(12)", "ljust(20, '*')", "rjust(20)", "center(21, '.')", "expandtabs(4)",
           "isdigit()", "isalpha()", "isspace()", "isupper()", "islower()", "istitle()", "isalnum()", "isnumeric()", "isidentifier()", "isascii()", "isprintable()",
           "format(1, 2)", "get('a')", "get('zz', 5)", "get('zz')", "items()", "keys()", "values()", "copy()", "items() | list",
           "keys() | sort", "values() | list", "update({})", "append(1)", "pop()", "index(1)", "count(1)", "real", "nope()", "nope", "k", "a",
           "encode is defined", "bit_length()", "is_integer()"]

FORMATS = ["'%s|%5s|%-5s|' % (s, n, n)", "'%d %05d %+d' % (n, neg, n)", "'%x %X %o %#x' % (n, 255, 8, 255)", "'%.2f %e %g' % (f, g, big)",
           "'%r %a' % (u, u)", "'%(a)s %(b)03d' % d", "'%c%c' % ('x', 65)", "'%5.1f%%' % g", "'%s' % l", "'%s' % d", "'%s %s' % l", "'%s' % (l,)",
           "'{} {}'.format(n, s)", "'{0} {1} {0}'.format(n, s)", "'{a} {b!r}'.format(a=1, b=u)", "'{:>10}|{:<10}|{:^10}'.format(n, s, f)",
           "'{:05d} {:+} {:,}'.format(n, n, big)", "'{:.3f} {:e} {:g} {:%}'.format(f, g, f, g)", "'{:x} {:#b} {:o}'.format(255, 5, 8)",
           "'{0[a]} {1[0]}'.format(d, l)", "'{0.a}'.format(d)", "'{{}} {}'.format(1)", "'{:{w}}'.format(n, w=5)", "'{!s:>5}'.format(z)",
           "'{:*^9}'.format('ab')", "'{:_}'.format(1234567)", "'{}'.format()", "'{:d}'.format('x')", "'{:s}'.format(n)", "'{:.2}'.format('abcdef')",
           "'{:10.3}'.format(g)", "'{:n}'.format(n)", "'{a'.format(a=1)", "'}'.format()", "'%s'", "'%' % 1", "'%d' % 'x'", "'%s %s' % (1,)"]


def literal(rng):
    return rng.choice(["1", "0", "-1", "2", "10", "1.5", "-0.5", "1e3", "'a'", "'Hello'", "\"it's\"", "'é\\n'", "true", "false", "none", "[]", "{}",
                       "[1, 2, 3]", "['b', 'A', 'c']", "{'a': 1, 'b': [2]}", "(1, 'x')", "()", "(1,)", "1_000", "0x1F", "0b11", "'a' 'b'",
                       "[[1, 2], [3]]", "{1: 2, 'k': none}", "range(4)", "range(5, 0, -2)", "dict(a=1)", "namespace(a=1)", "''", "3 ** 4"])


def subscript(rng, depth):
    return rng.choice(["[0]", "[-1]", "['a']", "['items']", "[1:]", "[:2]", "[::-1]", "[-2:]", "[::2]", "[99]", "['k']", ".a", ".k", ".c.x", ".items", ".nope",
                       ".0", "[n]", "[5:1:-2]", "[:-1]", f"[{expression(rng, depth + 1)}]"])


def expression(rng, depth=0):
    if depth > 3:
        return rng.choice([rng.choice(NAMES), literal(rng)])
    kind = rng.randrange(17)
    if kind < 3:
        return rng.choice(NAMES)
    if kind < 4:
        return literal(rng)
    if kind < 7:
        return f"{expression(rng, depth + 1)} | {rng.choice(FILTERS)}"
    if kind < 8:
        return f"({expression(rng, depth + 1)}).{rng.choice(METHODS)}"
    if kind < 9:
        return f"{rng.choice(NAMES)}.{rng.choice(METHODS)}"
    if kind < 10:
        return f"({expression(rng, depth + 1)}){subscript(rng, depth)}"
    if kind < 11:
        return f"{rng.choice(NAMES)}{subscript(rng, depth)}"
    if kind < 12:
        return f"({expression(rng, depth + 1)} is {rng.choice(['', 'not '])}{rng.choice(TESTS)})"
    if kind < 14:
        op = rng.choice(["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"])
        return f"{expression(rng, depth + 1)} {op} {expression(rng, depth + 1)}"
    if kind < 15:
        return rng.choice(["not ", "-", "+", ""]) + f"({expression(rng, depth + 1)})"
    if kind < 16:
        return rng.choice([
            f"({expression(rng, depth + 1)} if {expression(rng, depth + 1)} else {expression(rng, depth + 1)})",
            f"({expression(rng, depth + 1)} if {expression(rng, depth + 1)})",
            f"[{expression(rng, depth + 1)}, {expression(rng, depth + 1)}]", f"({expression(rng, depth + 1)}, {expression(rng, depth + 1)})",
            f"{{'x': {expression(rng, depth + 1)}}}"])
    return rng.choice(FORMATS)


def expression_template(rng):
    made = expression(rng)
    form = rng.randrange(5)
    if form == 0:
        return "{{ (" + made + ") | tojson }}"
    if form == 1:
        return "{% for i in " + made + " %}[{{ i }}]{% else %}none{% endfor %}"
    if form == 2:
        return "{% set v = " + made + " %}{{ v }}{{ v is defined }}{{ 1 if v else 0 }}"
    return "{{ " + made + " }}"


# ----------------------------------------------------------------------------------------------- statements

LOOP_ATTRIBUTES = ["index", "index0", "first", "last", "length", "revindex", "revindex0", "previtem", "nextitem", "depth", "depth0",
                   "cycle('a', 'b')", "changed(i)", "nope"]
SPACE = ["", "", "", " ", "\n", "  ", "\n  ", "text", "\n\n", "\t", "a\n", "  b"]


class Templates:
    def __init__(self, rng):
        self.rng = rng
        self.budget = 14

    def tag(self, inside):
        rng = self.rng
        return "{%" + rng.choice(["", "", "", "-", "+"]) + f" {inside} " + rng.choice(["", "", "", "-", "+"]) + "%}"

    def output(self):
        rng = self.rng
        simple = rng.choice(["x", "y", "i", "n", "s", "a", "b", "missing", "ns.v", "loop.index", "words[0]", "x ~ y", "1 + 1", "m()", "m(1)", "m(x, b=2)", "caller()",
                             "varargs", "kwargs", "loop." + rng.choice(LOOP_ATTRIBUTES), "i.k", "ns.w", "self", "m is defined"])
        made = simple if rng.random() < 0.8 else expression(rng, 2)
        return "{{" + rng.choice(["", "-"]) + f" {made} " + rng.choice(["", "-"]) + "}}"

    def iterable(self):
        return self.rng.choice(["l", "words", "d", "d.items()", "range(3)", "objs", "nested", "'abc'", "[]", "el", "missing", "l | reverse", "words | map('upper')", "e",
                                "objs | selectattr('v', 'gt', 1)", "range(n)", "d | dictsort", "l | batch(2)", "objs | groupby('k')", "z", "n"])

    def body(self, depth, loop=False):
        rng = self.rng
        return "".join(rng.choice(SPACE) + self.statement(depth, loop) for _ in range(rng.randrange(1, 4))) + rng.choice(SPACE)

    def statement(self, depth, loop):
        rng = self.rng
        self.budget -= 1
        if depth > 4 or self.budget < 0:
            return self.output()
        kind = rng.randrange(26)
        if kind < 6:
            return self.output()
        if kind < 9:
            target = rng.choice(["x", "y", "x", "ns.v", "x, y", "ns", "i", "n"])
            made = {"ns": "namespace(v=0, w=[])", "x, y": rng.choice(["1, 2", "(1, 'b')", "[3, 4]", "l"])}.get(
                target, rng.choice(["1", "x", "'s'", "n + 1", "y", "(ns.v or 0) + 1", "loop.index", "i", "x ~ 'z'", "[1, x]", "caller", "namespace(v=1)"]))
            return self.tag(f"set {target} = {made}")
        if kind < 13:
            target = rng.choice(["i", "i", "x", "k, v", "i, y"])
            test = rng.choice(["", "", " if i", " if x", " if i != 2", " if loop", " if i is defined", " if ns.v"])
            recursive = rng.choice(["", "", "", " recursive"])
            inside = self.body(depth + 1, True)
            if recursive and rng.random() < 0.7:
                inside += "{{ loop(i) if i is iterable and i is not string and loop.depth < 4 }}"
            otherwise = self.tag("else") + self.body(depth + 1, loop) if rng.random() < 0.25 else ""
            return self.tag(f"for {target} in {self.iterable()}{test}{recursive}") + inside + otherwise + self.tag("endfor")
        if kind < 16:
            test = rng.choice(["x", "y", "n > 3", "missing", "x is defined", "i == 1", "loop.first", "ns.v", "not x", "loop.last", "true", "false"])
            made = self.tag(f"if {test}") + self.body(depth + 1, loop)
            if rng.random() < 0.3:
                made += self.tag("elif y") + self.body(depth + 1, loop)
            if rng.random() < 0.4:
                made += self.tag("else") + self.body(depth + 1, loop)
            return made + self.tag("endif")
        if kind < 17:
            return self.tag(f"set x{rng.choice(['', ' | upper', ' | trim | length'])}") + self.body(depth + 1, loop) + self.tag("endset")
        if kind < 18:
            return self.tag(rng.choice(["with x = 1", "with y = x, x = 2", "with", "with i = i"])) + self.body(depth + 1, loop) + self.tag("endwith")
        if kind < 20:
            signature = rng.choice(["m()", "m(a)", "m(a, b=2)", "m(a=x, b=a)", "m(x)", "m(a, caller=none)"])
            return self.tag(f"macro {signature}") + self.body(depth + 1) + self.tag("endmacro")
        if kind < 21:
            call = rng.choice(["call m()", "call(a) m(1)", "call m(b=1)", "call(i, b=3) m(1)"])
            return self.tag(call) + self.body(depth + 1) + self.tag("endcall")
        if kind < 22:
            return self.tag(f"filter {rng.choice(['upper', 'trim', 'indent(2)', 'replace(x, y)', 'length'])}") + self.body(depth + 1, loop) + self.tag("endfilter")
        if kind < 23:
            return self.tag("generation") + self.body(depth + 1) + self.tag("endgeneration")
        if kind < 24:
            inside = self.tag(rng.choice(["break", "continue"])) if loop or rng.random() < 0.05 else self.output()
            return self.tag(f"if {rng.choice(['i == 1', 'loop.last', 'x', 'i'])}") + inside + self.tag("endif") if rng.random() < 0.9 else inside
        if kind < 25:
            return rng.choice(["{# comment #}", "{#- c -#}", "{# {{ x }} #}\n", "{% raw %}{{ x }}{% endraw %}", "{%- raw -%} {% x %} {%- endraw -%}\n",
                               self.tag("block b1") + self.body(depth + 1) + self.tag("endblock"),
                               self.tag("autoescape true") + "{{ html }}{{ html | safe }}{{ x }}" + self.tag("endautoescape"),
                               self.tag("print x, n"), self.tag("include 'y'"), self.tag("do x")])
        return rng.choice(["text", "<|x|>", " ", "\n", "é", "{", "%}", "}}"])


def statement_template(rng):
    return Templates(rng).body(0)
