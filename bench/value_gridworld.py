#!/usr/bin/env python3
"""Values of a gridworld under noise and changing goals: the explanation of "Stop Regressing".

    bench/value_gridworld.py [--seeds 3] [--noise 0 2 5] [--phases 5] [--only noise|phases]

A slippery gridworld has walls, one goal and traps. Dynamic programming gives the exact value of
every cell under a fixed policy. A row is a cell as two tokens; its label is the exact value plus
Gaussian noise. The error is that of the read-outs against the exact values of all cells.

- noise: the labels' noise grows; each run sees the same number of labels.
- phases: the goal moves and training goes on from the last weights; the error is the one at the end
  of each phase.

One run takes about 5 seconds on two quiet cores; all runs (4 heads, 3 optimizers, 3 seeds) take
about 20 minutes. Complete runs are not repeated.
"""

import json
import random

from value_runs import OPTIMIZERS, config, optimizer_settings, parser, spread, table, train, write_rows

SIDE, GAMMA, SLIP = 16, 0.95, 0.2
MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0))
SUPPORT = "v_min=-20,v_max=20,num_bins=101"


def grid(seed, goal_seed):
    """Returns the walls and the reward of entering each cell."""
    draw = random.Random(seed)
    cells = [(x, y) for x in range(SIDE) for y in range(SIDE)]
    walls = set(draw.sample(cells, SIDE * SIDE // 8))
    free = [cell for cell in cells if cell not in walls]
    rewards = {cell: -5.0 for cell in draw.sample(free, 8)}
    rewards[random.Random(f"{seed} {goal_seed}").choice([cell for cell in free if cell not in rewards])] = 10.0
    return free, walls, rewards


def step(cell, move, walls):
    there = (cell[0] + move[0], cell[1] + move[1])
    return there if 0 <= there[0] < SIDE and 0 <= there[1] < SIDE and there not in walls else cell


def exact_values(seed, goal_seed):
    """Returns the value of every free cell under the best policy; a rewarded cell ends the episode."""
    free, walls, rewards = grid(seed, goal_seed)
    values = {cell: 0.0 for cell in free}
    change = 1.0
    while change > 1e-9:
        change = 0.0
        for cell in free:
            if cell in rewards:
                continue
            gains = []
            for move in MOVES:
                there = step(cell, move, walls)
                gains.append(rewards[there] if there in rewards else GAMMA * values[there])
            best = max(gains) * (1 - SLIP) + SLIP * sum(gains) / len(gains)
            change = max(change, abs(best - values[cell]))
            values[cell] = best
    return {cell: value for cell, value in values.items() if cell not in rewards}


def row(cell, label):
    return {"input_ids": [cell[0], SIDE + cell[1]], "label": label}


def write_data(folder, seed, goal_seed, noise, count):
    values = exact_values(seed, goal_seed)
    draw, cells = random.Random(f"labels {seed} {goal_seed} {noise:g}"), sorted(values)
    write_rows(folder / "train.jsonl",
               (row(cell, values[cell] + draw.gauss(0, noise)) for cell in (draw.choice(cells) for _ in range(count))))
    write_rows(folder / "exact.jsonl", (row(cell, values[cell]) for cell in cells))


def run(args, folder, data, head, optimizer, seed, start=None):
    settings = {"task": "value", "value_head": head, "train_file": data / "train.jsonl", "eval_file": data / "exact.jsonl",
                "max_steps": args.steps, "per_device_train_batch_size": 64, "max_length": 8, "seed": seed,
                "warmup_steps": 20, "lr_scheduler_type": "cosine", **optimizer_settings(optimizer, args.rate)}
    if start:
        settings["model_name_or_path"] = start
    else:
        settings |= {"config_name": args.out / "config.json", "value_head_args": SUPPORT}
    return train(args, folder, settings)


def noise_runs(args):
    for optimizer in args.optimizers:
        rows = []
        for head in args.heads:
            cells = []
            for noise in args.noise:
                errors = []
                for seed in range(1, args.seeds + 1):
                    data = args.out / f"noise-{noise:g}-{seed}"
                    if not (data / "exact.jsonl").exists():
                        write_data(data, seed, 0, noise, args.steps * 64)
                    name = f"{head}-{optimizer.replace(' ', '_')}"
                    errors.append(run(args, data / name, data, head, optimizer, seed)["eval_mae"])
                cells.append(spread(errors))
            rows.append((head, cells))
        print(f"\nMean absolute error by noise, {optimizer}\n")
        table("head", [f"noise {noise:g}" for noise in args.noise], rows)


def phase_runs(args):
    for optimizer in args.optimizers:
        rows = []
        for head in args.heads:
            errors = [[] for _ in range(args.phases)]
            for seed in range(1, args.seeds + 1):
                start = None
                for phase in range(args.phases):
                    data = args.out / f"phase-{phase}-{seed}"
                    if not (data / "exact.jsonl").exists():
                        write_data(data, seed, phase, args.phase_noise, args.steps * 64)
                    folder = data / f"{head}-{optimizer.replace(' ', '_')}"
                    errors[phase].append(run(args, folder, data, head, optimizer, seed, start)["eval_mae"])
                    start = folder
            rows.append((head, [spread(phase) for phase in errors]))
        print(f"\nMean absolute error at the end of each phase, {optimizer}\n")
        table("head", [f"goal {phase + 1}" for phase in range(args.phases)], rows)


def main():
    made = parser(__doc__.split("\n")[0], "value-gridworld")
    made.add_argument("--noise", type=float, nargs="+", default=[0, 2, 5])
    made.add_argument("--phases", type=int, default=5)
    made.add_argument("--phase_noise", type=float, default=2)
    made.add_argument("--steps", type=int, default=300)
    made.add_argument("--rate", type=float, default=0.003)
    made.add_argument("--only", choices=("noise", "phases"))
    args = made.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "config.json").write_text(json.dumps(config(2 * SIDE, 64, 2, 8)))
    if args.only != "phases":
        noise_runs(args)
    if args.only != "noise":
        phase_runs(args)


if __name__ == "__main__":
    main()
