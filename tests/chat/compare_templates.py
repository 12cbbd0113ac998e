#!/usr/bin/env python3
"""Compares rendered chat templates with those of Python's jinja2 as transformers sets it up.

    compare_templates.py RENDER_CHAT FOLDER...

RENDER_CHAT is the program of that name (ninja render_chat). Every *.jinja file of the folders is
rendered over conversations with system turns, tools, tool calls, several turns and mistakes. Texts and
the places of generation blocks must be equal to the byte; where Python raises, the program must, too.
"""

import collections
import json
import pathlib
import subprocess
import sys

from transformers.utils import chat_template_utils

TOOL = {"type": "function", "function": {
    "name": "get_weather", "description": "Tells the weather <now> & later.\nIn \"one\" line.",
    "parameters": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string", "description": "Größe, e.g. São Paulo"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
        "days": {"type": ["integer", "null"], "minimum": 0, "maximum": 1e16, "items": {"type": "number"}},
        "nested": {"type": "object", "properties": {"deep": {"type": "boolean", "default": False}}}}},
    "return": {"type": "string"}}}
PLAIN_TOOL = {"name": "add", "description": "Adds", "parameters": {
    "type": "object", "properties": {"a": {"type": "number"}}, "required": []}}


def call(arguments, **more):
    return {"type": "function", "id": "call12345",
            "function": {"name": "get_weather", "arguments": arguments}, **more}


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


USER, REPLY = turn("user", "  Hello <b>you</b> & 'me' \n"), turn("assistant", "Hi!\n\nHow are you? 😀 ")
SYSTEM = turn("system", "You are \"helpful\".\n ")
ARGUMENTS = {"city": "Köln\t\"x\"", "days": 3, "share": 0.1, "flag": True, "none": None, "list": [1, [], {}]}
CHATS = {
    "one": [USER],
    "turn": [USER, REPLY],
    "system": [SYSTEM, USER, REPLY, turn("user", "Again")],
    "long": [SYSTEM] + [USER, REPLY] * 3 + [turn("user", "")],
    "tool call": [USER, turn("assistant", "", tool_calls=[call(ARGUMENTS)]),
                  turn("tool", "{\"degrees\": 20}", name="get_weather", tool_call_id="call12345"), REPLY],
    "tool text": [SYSTEM, USER, turn("assistant", "Wait", tool_calls=[call("{\"city\": \"x\"}")]),
                  turn("tool", "20", name="get_weather", tool_call_id="call12345")],
    "two calls": [USER, turn("assistant", "", tool_calls=[call({"city": "a"}), call({"city": "b"}, id="call67890")]),
                  turn("tool", "1", tool_call_id="call12345"), turn("tool", "2", tool_call_id="call67890"),
                  REPLY, turn("user", "thanks")],
    "reasoning": [USER, turn("assistant", "<think>\nhm\n</think>\n\nYes", reasoning_content="hm, so"),
                  turn("user", "more"), turn("assistant", "<think>a</think>b</think>c")],
    "thinking": [USER, turn("assistant", "done", thinking="first this")],
    "parts": [turn("user", [{"type": "text", "text": "What?"}, {"type": "image", "image": "x"},
                            {"type": "text", "text": " b"}]), turn("assistant", [{"type": "text", "text": "That"}])],
    "developer": [turn("developer", "Be brief."), USER, REPLY],
    "function": [USER, turn("function", "3", name="add"), REPLY, turn("ipython", "x")],
    "assistant first": [REPLY, USER],
    "twice user": [USER, USER],
    "unknown role": [turn("pope", "Hi")],
    "no content": [{"role": "user"}],
    "null content": [USER, turn("assistant", None, tool_calls=[call({"city": "a"})])],
    "empty": [],
}
EXTRAS = [{}, {"add_generation_prompt": True}, {"tools": [TOOL]},
          {"tools": [TOOL, PLAIN_TOOL], "add_generation_prompt": True, "enable_thinking": False},
          {"documents": [{"title": "T", "text": "x"}], "date_string": "1 Jan 2025", "enable_thinking": True,
           "reasoning_effort": "high", "keep_past_thinking": True, "tools": []}]


def variables():
    for name, messages in CHATS.items():
        for number, extra in enumerate(EXTRAS):
            yield f"{name}/{number}", {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>",
                                       "messages": messages, "tools": None, "documents": None,
                                       "add_generation_prompt": False, **extra}


def expected(source, values):
    """Returns the text and the places in bytes, or the exception."""
    try:
        template = chat_template_utils._compile_jinja_template(source)
        values = json.loads(json.dumps(values))  # templates may change what they get
        text = template.render(**values)
        try:
            _, places = chat_template_utils._render_with_assistant_indices(
                template, values["messages"], values["tools"], values["documents"],
                values["add_generation_prompt"], **{k: v for k, v in values.items() if k not in (
                    "messages", "tools", "documents", "add_generation_prompt")})
        except Exception:
            places = []
        at = [len(text[:n].encode()) for pair in places for n in pair]
        return {"text": text, "assistant": [list(p) for p in zip(at[::2], at[1::2])]}
    except Exception as error:  # any error of the template or of its data
        return {"error": f"{type(error).__name__}: {error}"}


def difference(want, have):
    if ("error" in want) != ("error" in have):
        return f"python {want.get('error', 'renders')!r:.300}, we {have.get('error', 'render')!r:.300}"
    if "error" in want:
        return None
    if want["text"] != have["text"]:
        at = next((i for i, (a, b) in enumerate(zip(want["text"], have["text"])) if a != b),
                  min(len(want["text"]), len(have["text"])))
        return f"at {at}: python {want['text'][max(0, at - 40):at + 40]!r}, we {have['text'][max(0, at - 40):at + 40]!r}"
    if want["assistant"] != have["assistant"] and len(want["assistant"]) == len(have["assistant"]):
        return f"places: python {want['assistant']}, we {have['assistant']}"
    return None


def main():
    program, files = sys.argv[1], sorted(f for d in sys.argv[2:] for f in pathlib.Path(d).glob("*.jinja"))
    cases = [(f, name, f.read_text(encoding="utf-8"), v) for f in files for name, v in variables()]
    lines = "".join(json.dumps({"template": s, "variables": v}) + "\n" for _, _, s, v in cases)
    out = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    counts, wrong = collections.Counter(), collections.defaultdict(list)
    for (file, name, source, values), line in zip(cases, out, strict=True):
        want, have = expected(source, values), json.loads(line)
        counts["errors" if "error" in want else "texts"] += 1
        if text := difference(want, have):
            wrong[file.name].append(f"{name}: {text}")
    for file, faults in wrong.items():
        print(f"{file}: {len(faults)} differ\n  " + "\n  ".join(faults[:2]))
    print(f"compare_templates: {len(files)} templates, {len(cases)} renderings ({counts['texts']} texts, "
          f"{counts['errors']} errors), {sum(map(len, wrong.values()))} differ")
    return 1 if wrong or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
