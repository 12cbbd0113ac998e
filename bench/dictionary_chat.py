#!/usr/bin/env python3
"""Pre-trains a small model on the Bible and a dictionary, tunes it to answer questions, and counts right answers.

    bench/dictionary_chat.py [--output FOLDER] [--words N] [--pretrain_steps N] [--sft_steps N]

--repeats and --bible_bytes make a text in which the words come up often enough for a short pre-training.

The dictionary is WordNet (package dict-wn, fetched by apt if it is not installed); the text of the
Bible comes from scripts/demo. All words and their meanings are in the text of the pre-training.
Four of five words are asked in the tuning; answers to the others, which the tuning has not seen,
are compared with the dictionary, letter by letter, before and after. Full tuning with GaLore and
LoRA start from the same model. Answers to words that were asked in the tuning are counted, too.
"""

import argparse
import gzip
import json
import pathlib
import re
import subprocess
import sys

TEMPLATE = """{% for m in messages %}<{{ m.role }}> {% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}
{% endgeneration %}{% else %}{{ m.content }}
{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant> {% endif %}"""
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 4096, "hidden_size": 256,
          "intermediate_size": 688, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4,
          "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "initializer_range": 0.02,
          "tie_word_embeddings": False}


def dictionary_folder(output):
    installed = pathlib.Path("/usr/share/dictd")
    if (installed / "wn.index").exists():
        return installed
    unpacked = output / "wordnet"
    if not unpacked.exists():
        subprocess.run(["apt-get", "download", "dict-wn"], cwd=output, check=True)
        subprocess.run(["dpkg-deb", "-x", str(next(output.glob("dict-wn*.deb"))), str(unpacked)], check=True)
    return unpacked / "usr/share/dictd"


def number(text):
    """A number of the index, in base 64."""
    value = 0
    for digit in text:
        value = 64 * value + DIGITS.index(digit)
    return value


def meanings(folder):
    """The first meaning of each plain word: ("rain", "water falling in drops")."""
    entries = gzip.decompress((folder / "wn.dict.dz").read_bytes())
    for line in (folder / "wn.index").read_text(encoding="utf-8").splitlines():
        word, begin, length = line.split("\t")[:3]
        if not re.fullmatch("[a-z]{4,9}", word):
            continue
        entry = entries[number(begin):number(begin) + number(length)].decode("utf-8")
        entry = " ".join(entry.split())
        found = re.match(r"\S+ (?:n|v|adj|adv)(?: 1)?: ([^;\[\"]+)", entry)
        meaning = found.group(1).strip() if found else ""
        if 8 <= len(meaning) <= 40 and meaning.isascii():
            yield word, meaning


def question(word):
    return f"What does {word} mean?"


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(args, *words, stdin=None):
    threads = [] if words[0] == "train-tokenizer" else ["--threads", args.threads]
    words = [args.galore, *map(str, [*words, *threads])]
    print("$", " ".join(words), file=sys.stderr)
    return subprocess.run(words, input=stdin, stdout=subprocess.PIPE, text=True, check=True).stdout


def exact_matches(args, model, pairs, adapter=None):
    asked = "".join(f"{question(word)}\n/reset\n" for word, _ in pairs)
    more = ["--adapter_name_or_path", adapter] if adapter else []
    out = run(args, "generate", "--model_name_or_path", model, *more, "--chat", "--json", "--max_new_tokens", 32,
              stdin=asked)
    replies = [json.loads(line)["text"].strip() for line in out.splitlines()]
    return sum(reply == meaning for reply, (_, meaning) in zip(replies, pairs, strict=True))


def prepare(args):
    output = args.output
    output.mkdir(parents=True, exist_ok=True)
    bible = pathlib.Path("demo/kjv-train.txt")
    if not bible.exists():
        raise SystemExit("demo/kjv-train.txt is missing: run scripts/demo max_steps=1 first")
    every = list(dict.fromkeys(meanings(dictionary_folder(output))))
    pairs = every[::max(1, len(every) // args.words)][:args.words]
    lines = [f"{word} means: {meaning}" for word, meaning in pairs]
    verses = bible.read_text(encoding="utf-8")[:args.bible_bytes]
    (output / "text.txt").write_text("\n\n".join(lines * args.repeats) + "\n\n" + verses, encoding="utf-8")
    asked, held_out = [p for i, p in enumerate(pairs) if i % 5], pairs[::5]
    rows = write_rows(output / "chats.jsonl", [{"messages": [
        {"role": "user", "content": question(word)}, {"role": "assistant", "content": meaning}]}
        for word, meaning in asked])
    (output / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    return rows, asked, held_out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galore", default="build/release/galore")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("demo/dictionary"))
    parser.add_argument("--words", type=int, default=500)
    parser.add_argument("--pretrain_steps", type=int, default=1500)
    parser.add_argument("--sft_steps", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=10, help="of each meaning in the text of the pre-training")
    parser.add_argument("--bible_bytes", type=int, help="of the Bible's text; default: all")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    rows, asked, held_out = prepare(args)
    tokenizer, base = args.output / "tokenizer", args.output / "base"
    run(args, "train-tokenizer", "--input", args.output / "text.txt", "--vocab_size", 4096, "--output", tokenizer)
    (tokenizer / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    shared = ["--tokenizer_name", tokenizer, "--max_length", 128, "--per_device_train_batch_size", 8, "--seed", 1,
              "--lr_scheduler_type", "cosine", "--warmup_steps", 0.1]
    galore = ["--optim", "galore_adamw", "--optim_args", "rank=64,update_proj_gap=100,scale=0.25"]
    run(args, "train", "--config_name", args.output / "config.json", "--train_file", args.output / "text.txt",
        "--output_dir", base, "--learning_rate", 0.01, "--max_steps", args.pretrain_steps, *galore, *shared)
    tune = ["train", "--model_name_or_path", base, "--stage", "sft", "--train_file", rows, "--max_steps", args.sft_steps]
    run(args, *tune, "--output_dir", args.output / "full", "--learning_rate", 0.003, *galore, *shared)
    run(args, *tune, "--output_dir", args.output / "lora", "--learning_rate", 0.003, "--optim", "adamw_torch",
        "--adapter", "lora", "--adapter_args", "r=16,lora_alpha=32,target_modules=all-linear", *shared)
    answers = {"before": (base, None), "full, GaLore": (args.output / "full", None), "LoRA": (base, args.output / "lora")}
    known = asked[:len(held_out)]
    print(f"| model | right of {len(held_out)} not in the tuning | right of {len(known)} in the tuning |\n|---|---|---|")
    for name, (model, adapter) in answers.items():
        print(f"| {name} | {exact_matches(args, model, held_out, adapter)} | {exact_matches(args, model, known, adapter)} |")


if __name__ == "__main__":
    main()
