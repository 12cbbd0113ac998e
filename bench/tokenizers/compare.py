"""Compares the speed of encoding with the Python package `tokenizers`, alternately on the same
documents.

    python compare.py BENCH_ENCODE TEXT_FILE [--threads 1,2] [--bytes 4000] [--passes 3] TOKENIZER_JSON...

BENCH_ENCODE is the program of encode_speed.cpp. The package encodes with encode_batch. Prints one
JSON line for each tokenizer and number of threads: the median MB/s of both, and the median of the
ratios of neighbouring passes.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time


def documents(data, size):
    begin, found = 0, []
    while begin < len(data):
        end = data.find(b"\n", min(begin + size, len(data)))
        end = len(data) if end < 0 else end
        found.append(data[begin:end].decode("utf-8", "replace"))
        begin = end
    return found


def measure(options, path, threads):
    """Measures in a separate process, because the package reads the number of threads only once."""
    os.environ.update(RAYON_NUM_THREADS=str(threads), TOKENIZERS_PARALLELISM="true" if threads > 1 else "false")
    from tokenizers import Tokenizer, __version__
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    data = pathlib.Path(options.text).read_bytes()
    texts = documents(data, options.bytes)
    command = [options.program, path, options.text, str(options.bytes), str(threads)]
    ours, theirs = [], []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        for _ in range(options.passes):
            program.stdin.write("\n")
            program.stdin.flush()
            seconds, ids = program.stdout.readline().split()
            ours.append(float(seconds))
            start = time.perf_counter()
            count = 0
            for begin in range(0, len(texts), 1000):
                count += sum(len(e) for e in tokenizer.encode_batch_fast(texts[begin:begin + 1000], add_special_tokens=False))
            theirs.append(time.perf_counter() - start)
            if count != int(ids):
                raise SystemExit(f"{path}: {ids} ids here, {count} there")
        program.stdin.close()
    ratio = statistics.median(b / a for a, b in zip(ours, theirs))
    rate = lambda seconds: round(len(data) / statistics.median(seconds) / 1e6, 2)
    print(json.dumps({"tokenizer": pathlib.Path(path).parent.name, "threads": threads, "documents": len(texts), "ids": count,
                      "galore_mb_per_s": rate(ours), f"tokenizers_{__version__}_mb_per_s": rate(theirs),
                      "ratio": round(ratio, 2)}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program"), parser.add_argument("text"), parser.add_argument("tokenizers", nargs="+")
    parser.add_argument("--threads", default="1,2"), parser.add_argument("--bytes", type=int, default=4000)
    parser.add_argument("--passes", type=int, default=3), parser.add_argument("--one", action="store_true")
    options = parser.parse_args()
    for path in options.tokenizers:
        for threads in map(int, options.threads.split(",")):
            if options.one:
                measure(options, path, threads)
            else:
                subprocess.run([sys.executable, __file__, options.program, options.text, path, "--one", "--threads", str(threads),
                                "--bytes", str(options.bytes), "--passes", str(options.passes)], check=True)


if __name__ == "__main__":
    main()
