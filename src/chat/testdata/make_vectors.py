#!/usr/bin/env python3
"""Makes vectors.json: small templates of our own, rendered by Python's jinja2 as transformers sets it up.

    make_vectors.py [--check]        (needs transformers 4.57 or 5.24, and jinja2 3.1.6)

A case whose rendering fails in Python has "fails": true instead of a text. --check writes nothing and
fails if the file holds other cases than the transformers at hand gives: both majors must agree.
"""

import json
import pathlib
import sys

import transformers
from transformers.utils import chat_template_utils

HERE = pathlib.Path(__file__).resolve().parent

VALUES = {
    "s": "Hello, Wörld! ", "t": "a,b,,c", "html": "<b>\"x\" & 'y'</b>", "empty": "", "multi": "one\n  two\n\nthree",
    "n": 7, "neg": -7, "r": 2.5, "big": 1e16, "small": 1e-5, "yes": True, "no": False, "nothing": None,
    "list": [3, 1, 2], "words": ["beta", "Alpha", "gamma"], "mixed": [1, "x", None, 2.5, True, [1], {"k": "v"}],
    "d": {"b": 1, "a": {"c": [1, 2]}, "items": "own", "é": "ü"},
    "rows": [{"n": "x", "v": 2, "o": True}, {"n": "y", "v": 1}, {"n": "X", "v": 2, "o": False}],
    "bos_token": "<s>", "eos_token": "</s>",
    "messages": [{"role": "system", "content": "Be kind. "}, {"role": "user", "content": " Hi "},
                 {"role": "assistant", "content": "Hello!\n", "tool_calls": [
                     {"type": "function", "function": {"name": "f", "arguments": {"x": 1, "y": "é"}}}]},
                 {"role": "tool", "content": "42"}, {"role": "assistant", "content": "It is 42. "}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
}

EXPRESSIONS = """
n / 2 | n // 2 | neg // 2 | neg % 3 | n ** 2 | 2 ** -1 | -n ** 2 | 7.5 // 2 | -7.5 % 2 | n + r | n * 1.0 | 0.1 + 0.2
big | small | 1e22 | 100.0 | 123456789.123 | 1_000 | 0x1F | 0b101 | 1e3 | 12.50 | -0.0
s ~ n ~ none ~ yes ~ r | s + t | 'a' * 3 | [1, 2] + [3] | (1, 2) + (3,) | [0] * 3 | 'a' 'b'
1 < 2 < 3 | 1 < 2 > 3 | 'a' < 'b' | [1, 2] < [1, 3] | 1 == 1.0 | 1 == true | '1' == 1 | none == none | list == [3, 1, 2]
'o' in s | 'z' not in s | 3 in list | 'b' in d | 'a' in words | not yes | not no and yes | yes or no | empty or 'x' | n and 'y'
'a' if yes else 'b' | 'a' if no | ('a' if no) is defined | n if n > 5 else -n | 1 if no else 2 if no else 3
list[0] | list[-1] | list[5] | list[1:] | list[:-1] | list[::-1] | list[::2] | s[1:4] | s[-3:] | s[::-1] | 'héllo'[1] | s[7]
d.b | d['b'] | d.items | d['items'] | d.nope | d.nope is defined | d.get('b') | d.get('q', 'z') | d.get('q') | d.a.c[1]
d.keys() ~ '' | d.keys() | list | d.values() | list | d.items() | list | d | dict | d.items() | length | d | length | d.copy().b
s.upper() | s.lower() | s.strip() | s.lstrip('He') | s.rstrip() | 'xxaxx'.strip('x') | s.title() | "it's a".title() | s.capitalize()
t.split(',') | t.split(',', 1) | t.rsplit(',', 1) | ' a  b '.split() | 'a b c'.split(none, 1) | 'a b c'.rsplit(maxsplit=1) | multi.splitlines() | multi.splitlines(true)
s.startswith('He') | s.startswith(('x', 'H')) | s.endswith('! ') | s.find('l') | s.rfind('l') | s.find('q') | s.count('l') | s.index('W') | s.replace('l', 'L') | s.replace('l', 'L', 1) | 'ab'.replace('', '-')
'-'.join(words) | 'a{}b{}'.format(1, 'x') | '{0} {1} {0}'.format('a', 'b') | '{x:>5}|{y:.2f}'.format(x='a', y=1.5) | '{:05d} {:,}'.format(42, 1) | '%s-%d-%.2f' % ('a', 3, 1.5) | '%5s|%-5s|' % ('a', 'b') | '%(k)s' % {'k': 'v'} | '100%%' % () | '%r' % 'a'
'12'.isdigit() | 'ab'.isalpha() | 'a1'.isalnum() | ' '.isspace() | 'AB'.isupper() | 'ab'.islower() | '7'.zfill(3) | '-7'.zfill(4) | 'a'.ljust(3, '.') | 'a'.rjust(3) | 'a'.center(4, '*')
'a=b=c'.partition('=') | 'a=b=c'.rpartition('=') | 'abc'.removeprefix('a') | 'abc'.removesuffix('c')
s is string | n is number | n is integer | r is float | yes is boolean | yes is number | nothing is none | d is mapping | list is sequence | list is iterable | n is iterable | s is sequence | q is defined | q is undefined
n is odd | 4 is even | 9 is divisibleby 3 | n is eq 7 | n is ne 7 | n is gt 3 | n is lt(3) | n is sameas 7 | 3 is in list | 'x' is not in list | yes is true | no is false | 'a' is lower | 'A' is upper | range is callable | n is not string
s | upper | s | trim | s | title | 'foo-bar (baz)' | title | s | capitalize | s | length | list | length | s | replace('l', 'L') | empty | default('x') | q | default('x') | empty | default('x', true) | q | d('y')
list | first | list | last | [] | first | list | sum | list | min | list | max | list | sort | words | sort | words | sort(case_sensitive=true) | list | sort(reverse=true) | rows | sort(attribute='v,n') | map(attribute='n') | join
list | join(',') | rows | join('+', attribute='n') | mixed | join('/') | words | map('upper') | list | rows | map(attribute='v') | list | rows | map(attribute='o', default='-') | list
rows | selectattr('o', 'defined') | list | length | rows | selectattr('o') | map(attribute='n') | list | rows | rejectattr('v', 'equalto', 1) | map(attribute='n') | list | list | select('odd') | list | list | reject('odd') | list | mixed | select | list | length
list | reverse | list | s | reverse | words | unique | list | ['a', 'A', 'b'] | unique | list | rows | groupby('v') | map('first') | list | d | dictsort | d | items | list | first | list | batch(2) | list | list | slice(2) | list
'3' | int | 'x' | int | 'x' | int(-1) | '3.7' | int | '1f' | int(0, 16) | '2.5' | float | 'x' | float | r | int | n | string | 2.567 | round(2) | 2.5 | round | 7 | round(-1) | 2.1 | round(0, 'ceil') | neg | abs
multi | indent | multi | indent(2, true) | multi | indent('>>', blank=true) | 'a b c d e f' | truncate(5) | 'abcdefghij' | truncate(5, true, '!', 0) | 'a b c' | wordcount | html | e | html | safe | html | string | (html | safe) + '<x>'
mixed | tojson | d | tojson | d | tojson(indent=2) | d | tojson(ensure_ascii=true) | d | tojson(sort_keys=true) | d | tojson(separators=(',', ':')) | html | tojson | s | tojson | big | tojson | small | tojson | nothing | tojson | '\\x01\\x7f\\u00e9\\n' | tojson | [] | tojson(indent=1) | {1: 2, none: 3, true: 4} | tojson
mixed | string | d | string | (1,) | string | () | string | {'a': "it's"} | string | "a\\"b'c" | list | ['\\n\\\\'] | string | [none, true, 1.0] | string | {1: 'a', 2.5: 'b'} | string
range(3) | list | range(1, 10, 3) | list | range(3, 0, -1) | list | dict(a=1, b=2) | tojson | dict([('x', 1)]) | tojson | namespace(a=1).a | [1, 2, 3] | map('string') | join
messages[0]['content'] | messages[-1].role | messages[1:] | length | messages | map(attribute='role') | join(' ') | messages | selectattr('role', 'in', ['user', 'tool']) | list | length | messages[2].tool_calls[0].function.arguments | tojson
none.x is defined | q.x | nothing + 1 | s + 1 | list.append(4) | d.update({}) | s.nope() | q() | 1 / 0 | list | nope | n is nope | {'a': 1}['b'] is defined | int('3') | range(1000000) | raise_exception('stop') | '%d' % 'x' | messages | selectattr('role') | length
1, 2 | (1) | (1,) | [] | {} | {'a': 1,} | [1,] | true and none | not q | q == q2 | q in list | 'x' in none | -s | +n | ~ s | s.__class__ | s['upper']() | s | attr('upper')
""".strip().splitlines()

TEMPLATES = [
    "{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last }}{{ loop.length }}"
    "{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }},{% else %}none{% endfor %}",
    "{% for x in [] %}x{% else %}none{% endfor %}{% for x in list if x > 1 %}{{ loop.index }}:{{ x }} {% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for x in list %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in list %}{% for y in words %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% set x = 1 %}{% for y in list %}{% set x = x + y %}{{ x }} {% endfor %}{{ x }}",
    "{% set ns = namespace(x=1, seen=false) %}{% for y in list %}{% set ns.x = ns.x + y %}{% endfor %}{{ ns.x }}{{ ns.seen }}{{ ns.q }}",
    "{% if no %}a{% elif n > 5 %}b{% else %}c{% endif %}{% if yes %}{% set inner = 5 %}{% endif %}{{ inner }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set text %}<{{ s }}>{% set hidden = 1 %}{% endset %}{{ text }}{{ hidden }}{% set up | upper | trim %} x {% endset %}{{ up }}",
    "{% macro m(a, b=2, c=a) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=5) }}{{ m() }}{{ m.name }}{{ m(1, 2, 3) }}",
    "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, k=4) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro box(t) %}<{{ t }}>{{ caller('in') }}</{{ t }}>{% endmacro %}{% call(x) box('b') %}{{ x }}{{ n }}{% endcall %}",
    "{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% set z = 1 %}{% macro m() %}{{ z }}{% endmacro %}{% set z = 2 %}{{ m() }}{% for z in [3] %}{{ m() }}{% endfor %}",
    "{% macro m(xs) %}{% for x in xs %}{{ x }}{% endfor %}{% endmacro %}{{ m([1]) ~ m('ab') }}{{ m(*[[7]]) }}{{ m(**{'xs': [8]}) }}",
    "{% with q = 1, w = n %}{{ q }}{{ w }}{% endwith %}{{ q }}{% filter upper %}a{{ s }}{% endfilter %}",
    "{% raw %}{{ x }}{% y %}{% endraw %}{# comment {{ x }} #}a{#- c -#} b {{- ' c' -}} d",
    "a\n  {% if yes %}\n  b\n  {% endif %}\nc\n", "a\n  {%- if yes %}\n  b\n  {%- endif -%}\n  c\n\n",
    "a\n  {%+ if yes +%}\n  b\n{% endif %}  \n  {# x #}\n  {{ n }}\n d", "  {% set x = 1 %}\n\n  {{ x }}  {% if yes %} y {% endif %} z",
    "{{ [1, 2,\n  3] }}\n{{ {'a': {'b': 1}}['a'] }}{{ '}}' }}{{ \"{%\" }}\r\nx\r\n",
    "{% set x = messages | selectattr('role', 'equalto', 'tool') %}{% if x %}true{% endif %}{% for m in x %}{{ m.role }}{% endfor %}{% for m in x %}again{% endfor %}",
    "{% for m in messages %}{% generation %}{{ m.role }}{% endgeneration %}|{% endfor %}",
    "{% for m in messages %}{% if m.role == 'assistant' %}ü{% generation %}{% set x = m.content %}{{ x }}ß{% endgeneration %}{{ x }}{% endif %}{% endfor %}",
    "{% block head %}H{{ n }}{% endblock %}{% block tail %}T{% endblock tail %}", "{{ self.head }}{{ loop }}{{ caller }}",
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}{% generation %}"
    "{{ m['content'] + '<|im_end|>\n' }}{% endgeneration %}{% else %}{{ m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}",
    "{{- bos_token }}\n{%- set offset = 1 if messages[0].role == 'system' else 0 %}\n{%- for m in messages[offset:] %}\n"
    "    {%- if (m.role == 'user') != (loop.index0 % 2 == 0) and not (m.tool_calls is defined or m.role == 'tool') %}\n"
    "        {{- raise_exception('Roles must alternate: ' ~ m.role) }}\n    {%- endif %}\n    {{- m.content | trim }}{{ eos_token }}\n{%- endfor %}",
    "{%- for t in tools %}\n{{- t | tojson(indent=4) }}\n{{- '\\n' }}\n{%- endfor %}{{ strftime_now('%%') }}",
    "{% for m in messages if m.role != 'system' %}{% if m.tool_calls %}{% for c in m.tool_calls %}<call>"
    "{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}</call>{% endfor %}{% endif %}{% endfor %}",
    "{% for x in list %}{% endfor", "{{ ", "{% if %}{% endif %}", "{% nope %}", "{{ 'a }}", "{{ (1 }}", "{% endfor %}",
    "{% for x in n %}{% endfor %}", "{% for x in nothing %}{% endfor %}", "{% set s.x = 1 %}", "{% set a, b = [1] %}", "{{ 1 ~ }}",
    "{% include 'x' %}", "{% if yes is string is string %}{% endif %}", "{% macro m(a=1, b) %}{% endmacro %}", "{# x",
]


def cases():
    for line in EXPRESSIONS:
        parts, start = line.split(" | "), 0
        # A filter stands behind its value; every prefix of a line is a case of its own.
        for end in range(1, len(parts) + 1):
            for begin in (start, end - 1):
                yield "{{ " + " | ".join(parts[begin:end]) + " }}"
            if end < len(parts) and not is_filter(parts[end]):
                start = end
    yield from TEMPLATES


def is_filter(text):
    return text.split("(")[0].strip() in chat_template_utils._compile_jinja_template("").environment.filters


def rendered(source):
    try:
        template = chat_template_utils._compile_jinja_template(source)
        pieces, places = [], []
        with template.environment.activate_tracker(pieces, places):
            pieces.extend(template.generate(**VALUES))
        text = template.render(**VALUES)
        if any(part in text for part in ("generator object", " at 0x", "range(", "<class", "<function", "<built-in")):
            return None  # prints an object of Python
        return {"template": source, "text": text}
    except Exception:
        return {"template": source, "fails": True}


def main():
    sources = list(dict.fromkeys(cases()))
    vectors = [vector for source in sources if (vector := rendered(source))]
    out = {"values": VALUES, "cases": vectors}
    text, path = json.dumps(out, ensure_ascii=False, indent=0) + "\n", HERE / "vectors.json"
    if "--check" not in sys.argv:
        path.write_text(text, encoding="utf-8")
    elif text != path.read_text(encoding="utf-8"):
        kept = json.loads(path.read_text(encoding="utf-8"))["cases"]
        other = [vector["template"] for vector in vectors if vector not in kept]
        sys.exit(f"make_vectors.py: transformers {transformers.__version__} gives other results: {other[:5]}")
    print(f"templates: {len(vectors)} cases, {sum('fails' in v for v in vectors)} fail, as with transformers "
          f"{transformers.__version__}")


if __name__ == "__main__":
    main()
