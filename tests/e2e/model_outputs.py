# SPDX-License-Identifier: Apache-2.0
"""What models of nineteen families would say in one conversation, each in its own notation.

Every text was written for these tests in the form that the family's chat template and parser prescribe. The
conversation: the user asks for the weather in two cities (two calls, in parallel where the family can), the answers are
converted to Fahrenheit by a second tool, and then the model speaks. NOTE holds what tends to break notations.
"""
import dataclasses
import json

THOUGHT = "Two cities, so I ask twice: [a] {b}."
PREFIX = "Let me look that up."
FINAL = "Paris: 64.4 °F, Zürich: 48.2 °F; so Zürich < Paris. [done] {ok} 👍"
PROSE = "A list [1, 2], a set {x}, a tag <b>bold</b>, a sum a < b && c, and functools.reduce: all plain text."
NOTE = 'say "hi" & 5 < 6 \\ [x] {y}\n2nd line: ✓'
PARIS = {"city": "Paris", "days": 2, "note": NOTE}
ZURICH = {"city": "Zürich", "days": 1, "note": ""}
CONVERT = {"celsius": [18, 9.5], "options": {"to": "fahrenheit", "exact": True}}

# What the last message of each step says, and the scripts match.
ASK = "weather in Paris and Zürich"
PARIS_RESULT, ZURICH_RESULT, CONVERTED = "Paris: 18 degrees", "Zürich: 9.5 degrees", "64.4 and 48.2"
CUT, TALK, FORCED, NAMED = "cut me off", "just talk", "you must call", "you must convert"
STRUCTURED = "as JSON, please"
REPORT = {"city": "Zürich", "degrees": 9.5, "tags": ["cold", "a \"quoted\" one"]}


def text_of(value):
    return json.dumps(value, ensure_ascii=False)


@dataclasses.dataclass(frozen=True)
class Family:
    name: str
    calls: callable  # [(name, arguments)] -> text
    tokenizer: str = "qwen3"
    tool_parser: str = ""  # default: the name
    reasoning_parser: str = ""
    thought: tuple = ("", "")  # what stands around a thought
    say: callable = lambda text: text  # the notation of an answer
    preface: callable = lambda text: text  # the notation of text in front of calls
    start: str = ""  # stands at the end of the prompt, not in the output
    end: str = "<|im_end|>"
    end_of_call: str = ""  # another token that ends an answer, part of its calls
    parallel: bool = True
    markers: tuple = ()  # never in content
    template_args: dict = dataclasses.field(default_factory=dict)  # that turn the thought on

    @property
    def ends(self):
        """The tokens at which an engine stops."""
        return [end for end in (self.end, self.end_of_call) if end]

    def think(self, text=THOUGHT):
        return self.thought[0] + text + self.thought[1] if self.reasoning_parser else ""

    def script(self):
        """The file of the replay engine: match -> text."""
        paris, zurich = ("get_weather", PARIS), ("get_weather", ZURICH)
        first = [paris, zurich] if self.parallel else [paris]
        end_of_calls = "" if self.end_of_call else self.end
        answers = {
            ASK: self.think() + self.preface(PREFIX) + self.calls(first) + end_of_calls,
            ZURICH_RESULT: self.think() + self.calls([("convert", CONVERT)]) + end_of_calls,
            CONVERTED: self.think() + self.say(FINAL) + self.end,
            TALK: self.think() + self.say(PROSE) + self.end,
            FORCED: text_of([{"name": "get_weather", "parameters": ZURICH}]) + self.end,
            NAMED: text_of(CONVERT) + self.end,
            STRUCTURED: self.think() + self.say(text_of(REPORT)) + self.end,
        }
        if not self.parallel:
            answers[PARIS_RESULT] = self.think() + self.calls([zurich]) + end_of_calls
        lines = [{"match": match, "text": text.removeprefix(self.start)} for match, text in answers.items()]
        cut = self.think() + self.preface(PREFIX) + self.calls([paris])
        lines.append({"match": CUT, "text": cut[:cut.index("hi\\" if "hi\\" in cut else "hi\"") + 1].removeprefix(self.start),
                      "finish_reason": "length"})
        return "".join(text_of(line) + "\n" for line in lines)


def hermes(calls):
    return "".join(f"\n<tool_call>\n{text_of({'name': name, 'arguments': arguments})}\n</tool_call>" for name, arguments in calls)


def json_list(opener, closer="", key="arguments"):
    return lambda calls: opener + text_of([{"name": name, key: arguments} for name, arguments in calls]) + closer


def llama3_json(calls):
    return "<|python_tag|>" + "; ".join(text_of({"name": name, "parameters": arguments}) for name, arguments in calls)


def deepseek_v3(calls):
    return "<｜tool▁calls▁begin｜>" + "\n".join(
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n{text_of(arguments)}\n```<｜tool▁call▁end｜>"
        for name, arguments in calls) + "<｜tool▁calls▁end｜>"


def deepseek_v3_1(calls):
    return "<｜tool▁calls▁begin｜>" + "".join(
        f"<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>{text_of(arguments)}<｜tool▁call▁end｜>" for name, arguments in calls) + "<｜tool▁calls▁end｜>"


def dsml(block, calls):
    def parameter(key, value):
        is_text = isinstance(value, str)
        return (f'<｜DSML｜parameter name="{key}" string="{"true" if is_text else "false"}">'
                f'{value if is_text else text_of(value)}</｜DSML｜parameter>\n')
    invokes = "".join(f'<｜DSML｜invoke name="{name}">\n' + "".join(parameter(*one) for one in arguments.items()) +
                      "</｜DSML｜invoke>\n" for name, arguments in calls)
    return f"\n\n<｜DSML｜{block}>\n{invokes}</｜DSML｜{block}>"


def plain(value):
    return value if isinstance(value, str) else text_of(value)


def qwen3_coder(calls):
    return "".join(
        f"\n<tool_call>\n<function={name}>\n" +
        "".join(f"<parameter={key}>\n{plain(value)}\n</parameter>\n" for key, value in arguments.items()) +
        "</function>\n</tool_call>" for name, arguments in calls)


def minimax_m2(calls):
    invokes = "".join(
        f'<invoke name="{name}">\n' +
        "".join(f'<parameter name="{key}">{plain(value)}</parameter>\n' for key, value in arguments.items()) +
        "</invoke>\n" for name, arguments in calls)
    return f"\n<minimax:tool_call>\n{invokes}</minimax:tool_call>"


def minimax_m3(calls):
    mark = "]<]minimax[>["

    def spell(value):
        if isinstance(value, dict):
            return "".join(f"{mark}<{key}>{spell(one)}{mark}</{key}>" for key, one in value.items())
        return spell_list(value) if isinstance(value, list) else plain(value)

    def spell_list(values):
        return "".join(f"{mark}<item>{spell(one)}{mark}</item>" for one in values)
    invokes = "".join(f'{mark}<invoke name="{name}">{spell(arguments)}{mark}</invoke>\n' for name, arguments in calls)
    return f"{mark}<tool_call>\n{invokes}{mark}</tool_call>"


def inkling(calls):
    return "".join(f'<|message_model|>{name}<|content_invoke_tool_json|>{text_of({"name": name, "args": arguments})}<|end_message|>'
                   for name, arguments in calls)


def glm47(calls):
    return "".join(
        f"<tool_call>{name}" +
        "".join(f"<arg_key>{key}</arg_key><arg_value>{plain(value)}</arg_value>" for key, value in arguments.items()) +
        "</tool_call>" for name, arguments in calls)


def kimi_k2(calls):
    return "<|tool_calls_section_begin|>" + "".join(
        f"<|tool_call_begin|>functions.{name}:{number}<|tool_call_argument_begin|>{text_of(arguments)}<|tool_call_end|>"
        for number, (name, arguments) in enumerate(calls)) + "<|tool_calls_section_end|>"


def gemma4(calls):
    def spell(value):
        if isinstance(value, str):
            return f'<|"|>{value}<|"|>'
        if isinstance(value, dict):
            return "{" + ",".join(f"{key}:{spell(one)}" for key, one in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(spell, value)) + "]"
        return text_of(value)
    return "".join(f"<|tool_call>call:{name}{spell(arguments)}<tool_call|>" for name, arguments in calls)


def pythonic(calls):
    def spell(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{spell(key)}: {spell(one)}" for key, one in value.items()) + "}"
        return "[" + ", ".join(map(spell, value)) + "]" if isinstance(value, list) else repr(value)
    return "[" + ", ".join(
        f"{name}({', '.join(f'{key}={spell(value)}' for key, value in arguments.items())})" for name, arguments in calls) + "]"


def harmony(calls):
    ((name, arguments),) = calls
    return (f"<|start|>assistant<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>"
            f"{text_of(arguments)}<|call|>")


THINK = ("<think>\n", "\n</think>\n\n")
XML = ("<tool_call", "</tool_call", "<function", "</function", "<parameter", "</parameter", "<think", "</think")

FAMILIES = [
    Family("hermes", hermes, reasoning_parser="qwen3", thought=THINK, markers=XML),
    Family("qwen3_coder", qwen3_coder, markers=XML),
    Family("nemotron_deci", json_list("<TOOLCALL>", "</TOOLCALL>"), tokenizer="llama2", end="</s>", reasoning_parser="nemotron_deci", thought=THINK,
           markers=("TOOLCALL>", "<think", "</think")),
    Family("llama3_json", llama3_json, tokenizer="llama3_1", end="<|eot_id|>", markers=("<|", "python_tag")),
    Family("pythonic", pythonic, tokenizer="llama3_1", end="<|eot_id|>", markers=("get_weather(", "<|")),
    Family("mistral", json_list("[TOOL_CALLS]"), tokenizer="mistral_nemo", end="</s>", markers=("[TOOL_CALLS", "</s")),
    Family("phi4", json_list("functools"), tokenizer="gpt4", end="<|endoftext|>", markers=("functools[",)),
    Family("jamba", json_list("<tool_calls>", "</tool_calls>"), tokenizer="llama2", end="</s>", markers=("<tool_calls", "</tool_calls")),
    Family("deepseek_v3", deepseek_v3, tokenizer="deepseek_v3", reasoning_parser="deepseek_r1", thought=THINK,
           end="<｜end▁of▁sentence｜>", markers=("<｜", "```", "think>")),
    Family("deepseek_v3_1", deepseek_v3_1, tokenizer="deepseek_v3", end="<｜end▁of▁sentence｜>", markers=("<｜",)),
    Family("deepseek_v3_2", lambda calls: dsml("function_calls", calls), tokenizer="deepseek_v3", reasoning_parser="deepseek_v3_2", thought=("", "</think>"),
           end="<｜end▁of▁sentence｜>", markers=("<｜", "｜DSML｜", "think>")),
    Family("deepseek_v4", lambda calls: dsml("tool_calls", calls), tokenizer="deepseek_v3", reasoning_parser="deepseek_v4",
           thought=("<think>", "</think>"), end="<｜end▁of▁sentence｜>", markers=("<｜", "｜DSML｜", "think>")),
    Family("minimax_m3", minimax_m3, tokenizer="gpt2", end="<|endoftext|>", reasoning_parser="minimax_m3",
           thought=("<mm:think>", "</mm:think>"), markers=("minimax[", "mm:think"), template_args={"thinking_mode": "enabled"}),
    Family("inkling", inkling, tokenizer="gpt2", end="<|endoftext|>", reasoning_parser="inkling",
           thought=("<|message_model|><|content_thinking|>", "<|end_message|>"),
           say=lambda text: f"<|message_model|><|content_text|>{text}<|end_message|>",
           preface=lambda text: f"<|message_model|><|content_text|>{text}<|end_message|>", markers=("<|",)),
    Family("minimax_m2", minimax_m2, tokenizer="gpt2", end="<|endoftext|>", reasoning_parser="minimax_m2", thought=("", "\n</think>\n\n"),
           markers=("minimax:", "<invoke", "</invoke", "<parameter", "</parameter", "think>")),
    Family("glm47", glm47, tokenizer="gpt2", end="<|endoftext|>", reasoning_parser="glm45", thought=("<think>", "</think>"), markers=XML + ("<arg_", "</arg_")),
    Family("kimi_k2", kimi_k2, reasoning_parser="kimi", thought=("◁think▷", "◁/think▷"), markers=("<|", "think▷")),
    Family("gemma4", gemma4, tokenizer="gpt2", end="<|endoftext|>", reasoning_parser="gemma4", thought=("<|channel>thought\n", "<channel|>"),
           markers=("<|", "|>", "call:"), template_args={"enable_thinking": True}),
    Family("harmony", harmony, tokenizer="gptoss", reasoning_parser="gpt_oss",
           thought=("<|channel|>analysis<|message|>", "<|end|>"),
           say=lambda text: f"<|start|>assistant<|channel|>final<|message|>{text}",
           preface=lambda text: f"<|start|>assistant<|channel|>commentary<|message|>{text}<|end|>",
           start="<|start|>assistant", end="<|return|>", end_of_call="<|call|>", parallel=False, markers=("<|", "commentary", "analysis", "assistant")),
]
