# SPDX-License-Identifier: Apache-2.0
"""dynamo-run on a terminal, in a pipe, and over a file of prompts."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

from conftest import DYNAMO_RUN, QWEN3

FAST = {**os.environ, "DYN_TOKEN_ECHO_DELAY_MS": "0", "DYN_LOG": "warn"}


def run(*arguments, stdin="", env=None, timeout=60, cwd=None):
    return subprocess.run([DYNAMO_RUN, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=timeout,
                          env={**FAST, **(env or {})}, cwd=cwd)


def test_help_version_and_wrong_use_have_their_exit_codes(tmp_path):
    assert run("--help").returncode == 0
    version = run("--version", cwd=tmp_path)
    assert version.returncode == 0 and version.stdout.startswith("dynamo-run ")
    assert run("--frobnicate").returncode == 2
    wrong = run("in=nothing", "out=echo")
    assert wrong.returncode == 2 and "Invalid in= option 'nothing'" in wrong.stderr


def test_no_arguments_on_a_terminal_print_the_usage():
    done = run()
    assert done.returncode in (0, 2) and "out=" in done.stdout + done.stderr


def test_a_missing_model_is_named():
    done = run("out=echo", "/nowhere/model.gguf", stdin="x")
    assert done.returncode == 1 and "/nowhere/model.gguf" in done.stderr


def test_a_recording_is_replayed_and_its_mistakes_are_named(tmp_path):
    recording = tmp_path / "answers.jsonl"
    recording.write_text('{"match": "colour", "text": "Blue."}\n{"text": "I do not know.<|im_end|>"}\n')
    told = run("in=stdin", f"out=replay:{recording}", QWEN3, stdin="which colour?")
    assert told.returncode == 0 and told.stdout.strip() == "Blue."
    assert run("in=stdin", f"out=replay:{recording}", QWEN3, stdin="who?").stdout.strip() == "I do not know."
    recording.write_text('{"text": "Blue."}\n{"txt": "Red."}\n')
    wrong = run("in=stdin", f"out=replay:{recording}", QWEN3, stdin="x")
    assert wrong.returncode == 1
    assert f"{recording}: line 2: expected either `text` or `token_ids`" in wrong.stderr


def test_print_config_shows_every_setting_with_its_source():
    done = run("--print-config", "out=echo", env={"DYN_HTTP_BODY_LIMIT_MB": "7"})
    value = json.loads(done.stdout)
    assert value["settings"]["DYN_HTTP_BODY_LIMIT_MB"] == {"value": 7, "source": "environment"}
    assert value["command"]["out"] == "echo"
    done = run("--print-config", "out=echo", "--http-port", "81", "--api-key", "secret", "--model-name=m", env={"DYN_HTTP_PORT": "82"})
    value = json.loads(done.stdout)
    assert value["settings"]["DYN_HTTP_PORT"] == {"value": 81, "source": "command line"}
    assert value["settings"]["DYN_MODEL_NAME"] == {"value": "m", "source": "command line"}
    assert value["settings"]["DYN_HTTP_API_KEYS"]["source"] == "command line" and "secret" not in done.stdout


def test_echo_without_a_model_says_what_it_needs():
    done = run("out=echo", stdin="x")
    assert done.returncode == 1 and "out=echo needs a model for its tokenizer and template" in done.stderr


def test_stdin_answers_once_and_ends():
    done = run("out=echo", QWEN3, stdin="hello from a pipe")
    assert done.returncode == 0
    assert done.stdout.strip() == "hello from a pipe"


def test_batch_keeps_order_and_reports_failures_per_line(tmp_path):
    file = tmp_path / "prompts.jsonl"
    lines = [json.dumps({"text": f"prompt number {i}"}) for i in range(20)]
    lines[7] = "{broken"
    lines[11] = json.dumps({"no_text": 1})
    file.write_text("\n".join(lines) + "\n")
    done = run(f"in=batch:{file}", "out=echo", QWEN3)
    assert done.returncode == 1, done.stderr  # two lines failed
    out = [json.loads(line) for line in (tmp_path / "output.jsonl").read_text().splitlines()]
    assert len(out) == 20
    for i, entry in enumerate(out):
        if i in (7, 11):
            assert "error" in entry and entry["line"] == i + 1
        else:
            assert entry["text"] == f"prompt number {i}" and entry["response"] == entry["text"]
            assert entry["tokens_out"] > 0 and entry["tokens_in"] > entry["tokens_out"] and entry["finish_reason"] == "stop"
    assert "tokens/s" in done.stderr and "2 failed" in done.stderr


class Terminal:
    def __init__(self, *arguments, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(DYNAMO_RUN, [DYNAMO_RUN, *map(str, arguments)], {**FAST, "TERM": "dumb", **(env or {})})
        self.seen = ""

    def read_until(self, pattern, seconds=20):
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.seen!r}"
            ready, _, _ = select.select([self.fd], [], [], 0.2)
            if ready:
                try:
                    self.seen += os.read(self.fd, 4096).decode(errors="replace")
                except OSError:
                    break
        match = re.search(pattern, self.seen)
        assert match, f"ended without {pattern!r}: {self.seen!r}"
        self.seen = self.seen[match.end():]

    def send(self, text):
        os.write(self.fd, text.encode())

    def status(self, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.fd, 4096).decode(errors="replace")
                except OSError:  # it has closed its side
                    time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError(f"still running after {seconds} s; it showed {self.seen!r}")


def test_text_mode_answers_keeps_the_conversation_and_leaves_on_ctrl_d():
    terminal = Terminal("in=text", "out=echo", QWEN3)
    terminal.read_until("User")
    terminal.send("good morning\r")
    terminal.read_until("good morning")  # what was typed
    terminal.read_until("good morning")  # the answer
    terminal.read_until("User")
    terminal.send("\x04")
    assert terminal.status() == 0


def test_ctrl_c_stops_an_answer_and_not_the_program():
    terminal = Terminal("in=text", "out=echo", QWEN3, env={"DYN_TOKEN_ECHO_DELAY_MS": "200"})
    terminal.read_until("User")
    terminal.send(" ".join(f"w{i}" for i in range(60)) + "\r")
    terminal.read_until(r"w59[\s\S]*w3")
    terminal.send("\x03")
    terminal.read_until("User", seconds=5)
    terminal.send("\x04")
    assert terminal.status() == 0


def test_keys_typed_during_an_answer_are_not_shown_in_it_and_count_at_the_next_prompt():
    terminal = Terminal("in=text", "out=echo", QWEN3, env={"DYN_TOKEN_ECHO_DELAY_MS": "150"})
    terminal.read_until("User")
    terminal.send("one two three four five six\r")
    terminal.read_until("one two three four five six")  # what was typed
    terminal.read_until("one")  # the answer has begun
    terminal.send("second question\r")
    terminal.read_until(" two three four five six")  # unbroken
    terminal.read_until("second question")  # at its prompt
    terminal.read_until("second")  # its answer
    terminal.send("\x04")
    assert terminal.status() == 0


def test_the_terminal_is_left_as_it_was_found_even_after_a_kill():
    for leave in (lambda t: t.send("\x04"), lambda t: os.kill(t.pid, signal.SIGTERM)):
        terminal = Terminal("in=text", "out=echo", QWEN3)
        before = termios.tcgetattr(terminal.fd)
        terminal.read_until("User")
        time.sleep(0.2)
        assert termios.tcgetattr(terminal.fd)[3] != before[3]
        leave(terminal)
        assert terminal.status() in (0, -signal.SIGTERM)
        assert termios.tcgetattr(terminal.fd) == before
