#!/usr/bin/env python3
"""Offline Q-learning of Wordle by tokens, with a conservative term: an experiment of "Stop Regressing".

    bench/value_wordle.py [--words 100] [--alphas 1 3 10] [--seeds 3] [--size tiny]

Words are those of Debian's wamerican with five letters. The games are those of an imperfect player,
who half of the time guesses a word that fits all answers and otherwise any word. A letter is an
action; a guess that misses costs 1. The answer to a guess is five tokens, each of which says a
letter and its colour. Q-values are learned with task: q_value from a target network (double DQN),
with alpha times the next-token cross entropy. Measured is the share of held-out, partly played
games that are won by the next guess, whose letters are those of the highest Q.

The defaults are the smallest game that a small model learns at all: 100 words, two layers of width
64. With 1000 words and separate tokens for colours, 2000 updates taught nothing, not even by plain
next-token prediction. A run takes one to two minutes of a processor; all runs (2 heads, 3 alphas, 3
optimizers, 3 seeds) take about an hour and a half. Complete runs are not repeated.
"""

import json
import pathlib
import random
import string
import subprocess

from value_runs import config, optimizer_settings, parser, spread, table, train, write_rows

START, GUESSES, LETTERS = 29, 6, 5
SIZES = {"tiny": (64, 2), "small": (128, 4)}
TOKENS = {letter: number for number, letter in enumerate(string.ascii_lowercase)}
COLOURS = {"absent": 0, "elsewhere": 1, "right": 2}
ANSWERS = 30  # the first of 78 tokens, each of which says a letter and its colour
VOCABULARY = ANSWERS + 3 * 26


def words_of(path, count, seed):
    found = sorted({line.strip() for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()})
    five = [word for word in found if len(word) == LETTERS and all(letter in string.ascii_lowercase for letter in word)]
    random.Random(seed).shuffle(five)
    return five[:count]


def answer(guess, secret):
    """Returns the colours of a guess. A letter that occurs once in the secret is coloured once."""
    colours = [COLOURS["right"] if a == b else COLOURS["absent"] for a, b in zip(guess, secret)]
    rest = [b for a, b in zip(guess, secret) if a != b]
    for place, letter in enumerate(guess):
        if colours[place] == COLOURS["absent"] and letter in rest:
            colours[place] = COLOURS["elsewhere"]
            rest.remove(letter)
    return tuple(colours)


def play(words, secret, draw, guesses=GUESSES):
    """Returns the guesses of an imperfect player, with their answers."""
    turns, fitting = [], list(words)
    for _ in range(guesses):
        guess = draw.choice(fitting if draw.random() < 0.5 else words)
        colours = answer(guess, secret)
        turns.append((guess, colours))
        if guess == secret:
            break
        fitting = [word for word in fitting if answer(guess, word) == colours] or [secret]
    return turns


def ids_of(turns):
    ids = [START]
    for guess, colours in turns:
        letters = [TOKENS[letter] for letter in guess]
        ids += letters + [ANSWERS + 26 * colour + letter for letter, colour in zip(letters, colours)]
    return ids


def game_row(turns, secret):
    rewards = [None]
    for guess, _ in turns:
        rewards += [0] * (LETTERS - 1) + [0 if guess == secret else -1] + [None] * LETTERS
    return {"input_ids": ids_of(turns), "rewards": rewards, "gamma": 0.99, "lambda": 0}


def held_out(words, seed, count):
    """Returns partly played games that are not won yet, with their secrets."""
    draw, games = random.Random(f"held out {seed}"), []
    while len(games) < count:
        secret = draw.choice(words)
        turns = play(words, secret, draw, guesses=draw.randint(1, 4))
        if turns[-1][0] != secret:
            games.append((ids_of(turns), secret))
    return games


def share_won(args, folder, games):
    """Guesses five letters by the highest Q and returns the share of secrets that are met."""
    states = [list(ids) for ids, _ in games]
    for _ in range(LETTERS):
        rows, out = folder / "states.jsonl", folder / "scores.jsonl"
        write_rows(rows, ({"input_ids": ids} for ids in states))
        subprocess.run([args.galore, "score", rows, "--model_name_or_path", folder, "--output_file", out, "--batch_size", "64",
                        "--max_length", "96", "--threads", str(args.threads)], check=True)
        for ids, line in zip(states, out.read_text().splitlines()):
            ids.append(json.loads(line)["best_action"][-1])
    right = sum(ids[-LETTERS:] == [TOKENS[letter] for letter in secret] for ids, (_, secret) in zip(states, games))
    return right / len(games)


def run(args, data, games, head, optimizer, alpha, seed):
    folder = data / f"{head}-{optimizer.replace(' ', '_')}-{alpha:g}"
    train(args, folder, {
        "config_name": args.out / "config.json", "task": "q_value", "value_head": head,
        "value_head_args": "v_min=-7,v_max=1,num_bins=51", "train_file": data / "train.jsonl", "eval_file": data / "eval.jsonl",
        "target_network": "model", "target_update_interval": 100, "cql_alpha": alpha, "max_steps": args.steps,
        "per_device_train_batch_size": 16, "max_length": 96, "seed": seed, "warmup_steps": 100, "lr_scheduler_type": "cosine",
        **optimizer_settings(optimizer, args.rate)})
    won = folder / "won.json"
    if not won.exists():
        won.write_text(json.dumps(share_won(args, folder, games)))
    return json.loads(won.read_text())


def main():
    made = parser(__doc__.split("\n")[0], "value-wordle")
    made.set_defaults(heads=["mse", "hl_gauss"])
    made.add_argument("--list", default="/usr/share/dict/words")
    made.add_argument("--words", type=int, default=100)
    made.add_argument("--games", type=int, default=10000)
    made.add_argument("--held_out", type=int, default=500)
    made.add_argument("--alphas", type=float, nargs="+", default=[1.0, 3.0, 10.0])
    made.add_argument("--steps", type=int, default=4000)
    made.add_argument("--rate", type=float, default=0.003)
    made.add_argument("--size", choices=list(SIZES), default="tiny")
    args = made.parse_args()
    words = words_of(args.list, args.words, 1)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "config.json").write_text(json.dumps(config(VOCABULARY, *SIZES[args.size], 96)))
    for optimizer in args.optimizers:
        rows = []
        for head in args.heads:
            shares = {alpha: [] for alpha in args.alphas}
            for seed in range(1, args.seeds + 1):
                data, draw = args.out / f"games-{seed}", random.Random(f"games {seed}")
                if not (data / "eval.jsonl").exists():
                    for name, count in (("train", args.games), ("eval", 500)):
                        secrets = [draw.choice(words) for _ in range(count)]
                        write_rows(data / f"{name}.jsonl", (game_row(play(words, word, draw), word) for word in secrets))
                for alpha in args.alphas:
                    shares[alpha].append(run(args, data, held_out(words, seed, args.held_out), head, optimizer, alpha, seed))
            rows.append((head, [spread(shares[alpha]) for alpha in args.alphas]))
        print(f"\nShare of games won by the next guess, {optimizer}\n")
        table("head", [f"alpha {alpha:g}" for alpha in args.alphas], rows)


if __name__ == "__main__":
    main()
