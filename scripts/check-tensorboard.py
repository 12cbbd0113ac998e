#!/usr/bin/env python3
"""Compares a run's event files, read by TensorBoard's own reader, with metrics.jsonl.

    python3 -m venv venv && venv/bin/pip install tensorboard
    build/release/galore train ... --report_to all --output_dir RUN
    venv/bin/python scripts/check-tensorboard.py RUN

It was last run with tensorboard 2.21.0.
"""

import json
import math
import pathlib
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = {
    "step": {
        "loss": "train/loss",
        "grad_norm": "train/grad_norm",
        "grad_norm_projected": "train/grad_norm_projected",
        "learning_rate": "train/learning_rate",
        "tokens_per_second": "speed/tokens_per_second",
        "memory_bytes": "memory/bytes",
        "mean_rank": "train/mean_rank",
    },
    "eval": {"eval_loss": "eval/loss", "perplexity": "eval/perplexity"},
}


def as_float32(value):
    return math.nan if value is None else struct.unpack("f", struct.pack("f", value))[0]


def expected_scalars(lines):
    """Returns tag -> [(step, value)] as in metrics.jsonl."""
    scalars = {}
    for line in lines:
        event = json.loads(line)
        for field, tag in TAGS.get(event["event"], {}).items():
            if field in event:
                scalars.setdefault(tag, []).append((event["step"], as_float32(event[field])))
    return scalars


def main():
    run = pathlib.Path(sys.argv[1])
    accumulator = EventAccumulator(str(run / "runs"), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    expected = expected_scalars((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    faults = 0
    for tag, points in expected.items():
        found = [(event.step, event.value) for event in accumulator.Scalars(tag)]
        same = len(found) == len(points) and all(
            a[0] == b[0] and (a[1] == b[1] or math.isnan(a[1]) and math.isnan(b[1])) for a, b in zip(found, points)
        )
        if not same:
            print(f"{tag}: expected {points[:3]}... ({len(points)}), found {found[:3]}... ({len(found)})")
            faults += 1
    text = [event.tensor_proto.string_val[0].decode() for event in accumulator.Tensors("configuration")]
    faults += not any("| learning_rate |" in table for table in text)
    print(f"check-tensorboard: {len(expected)} tags, {faults} faults", file=sys.stderr)
    return 1 if faults or not expected else 0


if __name__ == "__main__":
    sys.exit(main())
