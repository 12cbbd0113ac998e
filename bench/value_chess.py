#!/usr/bin/env python3
"""Values of chess moves without search, as in "Stop Regressing", from positions that Stockfish annotates.

    bench/value_chess.py [--positions 10000] [--nodes 2000] [--seeds 3] [--sizes small large]

Needs Debian's stockfish (apt install stockfish). Positions come from its self-play after random
openings; it searches every legal move of a position with a fixed number of nodes, and the label of
a move is its win probability. A row has 70 tokens: the board, the side to move, castling and en
passant, and the move. Fewer than about 2000 nodes are not enough to search all moves of a position.
One position in eight of a game is kept, because neighbours are nearly alike: with all of them, 3000
positions come from 36 games and a model learns these games by heart. Measured on held-out positions
are Kendall's tau of the moves, the share of positions whose best move is found, and the calibration
of the spread.

A search takes about 2 ms of a processor, so 10000 positions, which give about 280,000 rows, take
three minutes. An update of 64 rows takes 0.07 s of a processor with the tiny model and 0.3 s with the
small one; a run has 5000. All runs (4 heads, 3 optimizers, 3 seeds, 2 sizes) take days: choose with
--heads, --optimizers and --sizes. Complete runs are not repeated.
"""

import json
import math
import random
import subprocess

from value_runs import config, optimizer_settings, parser, spread, table, train, write_rows

PIECES = ".PNBRQKpnbrqk"
SIDE, CASTLING, PASSANT, SQUARES, PROMOTION, VOCABULARY = 16, 20, 36, 48, 112, 120
SIZES = {"tiny": (64, 2), "small": (128, 4), "large": (256, 8)}
MATE = 10000
KEPT = 1 / 8  # share of a game's positions


class Engine:
    """Speaks UCI with stockfish."""

    def __init__(self, path, nodes):
        self.nodes = nodes
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ask("uci", "uciok")
        self.tell("setoption name Threads value 1")
        self.tell("setoption name MultiPV value 500")
        self.ask("isready", "readyok")

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def ask(self, command, last):
        self.tell(command)
        lines = []
        for line in self.process.stdout:
            lines.append(line.strip())
            if line.startswith(last):
                return lines
        raise SystemExit("stockfish ended")

    def position(self, moves):
        """Returns the FEN after these moves from the start."""
        self.tell("position startpos" + (" moves " + " ".join(moves) if moves else ""))
        return next(line[5:] for line in self.ask("d", "Checkers") if line.startswith("Fen: "))

    def moves(self):
        """Returns the score in centipawns of each legal move of the current position."""
        scores = {}
        for line in self.ask(f"go nodes {self.nodes}", "bestmove"):
            words = line.split()
            if "pv" not in words or "score" not in words or "upperbound" in words or "lowerbound" in words:
                continue
            kind, number = words[words.index("score") + 1:words.index("score") + 3]
            value = int(number) if kind == "cp" else math.copysign(MATE, int(number))
            scores[words[words.index("pv") + 1]] = value
        return scores


def win_probability(centipawns):
    """The formula of the paper's section 4.4, which is lichess's."""
    return 1 / (1 + math.exp(-0.00368208 * max(-MATE, min(MATE, centipawns))))


def square(name):
    return "abcdefgh".index(name[0]) + 8 * (int(name[1]) - 1)


def state_tokens(fen):
    board, side, castling, passant = fen.split()[:4]
    tokens = []
    for letter in board.replace("/", ""):
        tokens += [0] * int(letter) if letter.isdigit() else [PIECES.index(letter)]
    rights = sum(1 << place for place, letter in enumerate("KQkq") if letter in castling)
    return tokens + [SIDE + (side == "b"), CASTLING + rights, PASSANT + (0 if passant == "-" else 1 + "abcdefgh".index(passant[0]))]


def move_tokens(move):
    return [SQUARES + square(move[:2]), SQUARES + square(move[2:4]), PROMOTION + (" nbrq".index(move[4]) if len(move) > 4 else 0)]


def positions(engine, count, seed):
    """Yields positions with the scores of their moves, from games that begin at random."""
    draw, made, seen = random.Random(seed), 0, set()
    while made < count:
        line, opening = [], draw.randint(4, 16)
        for ply in range(120):
            fen = engine.position(line)
            scores = engine.moves()
            if not scores:
                break
            if ply >= opening and draw.random() < KEPT and fen not in seen:
                seen.add(fen)
                made += 1
                yield fen, scores
                if made == count:
                    return
            best = max(scores, key=scores.get)
            line.append(draw.choice(sorted(scores)) if ply < opening or draw.random() < 0.1 else best)


def make_data(args):
    data = args.out / "data"
    if (data / "eval.jsonl").exists():
        return data
    engine = Engine(args.stockfish, args.nodes)
    for name, count, seed in (("train", args.positions, 1), ("eval", args.held_out, 2)):
        rows, games = [], []
        for fen, scores in positions(engine, count, seed):
            state = state_tokens(fen)
            games.append(len(scores))
            rows += [{"input_ids": state + move_tokens(move), "label": win_probability(score)} for move, score in scores.items()]
        write_rows(data / f"{name}.jsonl.part", rows)
        (data / f"{name}-moves.json").write_text(json.dumps(games))
        (data / f"{name}.jsonl.part").rename(data / f"{name}.jsonl")
    engine.tell("quit")
    return data


def kendall(given, predicted):
    """Returns tau-b."""
    sign = lambda number: (number > 0) - (number < 0)
    both = same = other = 0
    for i in range(len(given)):
        for j in range(i):
            a, b = sign(given[i] - given[j]), sign(predicted[i] - predicted[j])
            both, same, other = both + a * b, same + a * a, other + b * b
    return both / math.sqrt(same * other) if same and other else None


def judge(data, folder):
    """Returns the mean tau and the share of positions whose best move is found."""
    given = [json.loads(line)["label"] for line in (data / "eval.jsonl").read_text().splitlines()]
    values = [json.loads(line)["value"] for line in (folder / "predictions.jsonl").read_text().splitlines()]
    taus, found, begin = [], 0, 0
    counts = json.loads((data / "eval-moves.json").read_text())
    for count in counts:
        labels, own = given[begin:begin + count], values[begin:begin + count]
        begin += count
        taus.append(kendall(labels, own))
        found += labels[own.index(max(own))] == max(labels)
    taus = [tau for tau in taus if tau is not None]
    return sum(taus) / len(taus), found / len(counts)


def run(args, data, size, head, optimizer, seed):
    folder = args.out / f"{size}-{head}-{optimizer.replace(' ', '_')}-{seed}"
    last = train(args, folder, {
        "config_name": args.out / f"{size}.json", "task": "value", "value_head": head,
        "value_head_args": "v_min=0,v_max=1,num_bins=128", "train_file": data / "train.jsonl", "eval_file": data / "eval.jsonl",
        "max_steps": args.steps, "per_device_train_batch_size": 64, "max_length": 72, "seed": seed, "warmup_steps": 200,
        "lr_scheduler_type": "cosine", **optimizer_settings(optimizer, args.rate)})
    if not (folder / "predictions.jsonl").exists():
        subprocess.run([args.galore, "eval", "--model_name_or_path", folder, "--eval_file", data / "eval.jsonl", "--max_length", "72",
                        "--predictions_file", folder / "predictions.jsonl", "--threads", str(args.threads)], check=True)
    return (*judge(data, folder), last["eval_calibration_error"])


def main():
    made = parser(__doc__.split("\n")[0], "value-chess")
    made.add_argument("--stockfish", default="/usr/games/stockfish")
    made.add_argument("--nodes", type=int, default=2000)
    made.add_argument("--positions", type=int, default=10000)
    made.add_argument("--held_out", type=int, default=200)
    made.add_argument("--steps", type=int, default=5000)
    made.add_argument("--rate", type=float, default=0.001)
    made.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["small", "large"])
    args = made.parse_args()
    data = make_data(args)
    for size in args.sizes:
        width, layers = SIZES[size]
        (args.out / f"{size}.json").write_text(json.dumps(config(VOCABULARY, width, layers, 72)))
        for optimizer in args.optimizers:
            rows = []
            for head in args.heads:
                runs = [run(args, data, size, head, optimizer, seed) for seed in range(1, args.seeds + 1)]
                rows.append((head, [spread(column) for column in zip(*runs)]))
            print(f"\n{size} model, {optimizer}\n")
            table("head", ["Kendall's tau", "best move found", "calibration error"], rows)


if __name__ == "__main__":
    main()
