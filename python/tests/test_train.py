"""The trainer in this process: the program's bits, Ctrl-C, errors, callbacks, the display."""

import io
import json
import os
import pathlib
import signal
import sys
import threading
import time

import pytest
import torch
from runs import PROGRAM, program, settings

import galore_cpp as galore
from galore_cpp._worker import Worker


@pytest.fixture
def config(tmp_path):
    """The options of a run."""
    return settings(tmp_path)


def run_program(config, **more):
    """Runs the same configuration by the program, from a file."""
    path = config["output_dir"].parent / "config.yaml"
    path.write_text(json.dumps({**config, **more}, default=str))
    program("train", path)


def bytes_of(folder, name="model.safetensors"):
    return (folder / name).read_bytes()


@pytest.mark.skipif(not PROGRAM, reason="GALORE_PROGRAM is not set")
def test_a_run_has_the_bits_of_the_program(config, tmp_path):
    result = galore.train(config, progress=False)
    run_program(config, output_dir=tmp_path / "program")
    assert bytes_of(result.output_dir) == bytes_of(tmp_path / "program")
    state = "checkpoint-6/optimizer.safetensors"
    assert bytes_of(result.output_dir, state) == bytes_of(tmp_path / "program", state)
    events = [json.loads(line) for line in (tmp_path / "program" / "metrics.jsonl").read_text().splitlines()]
    assert result.losses == [(event["step"], event["loss"]) for event in events if event["event"] == "step"]


def test_the_result_is_that_of_the_log(config, capfd):
    result = galore.train(config, progress=False)
    written = [json.loads(line) for line in (result.output_dir / "metrics.jsonl").read_text().splitlines()]
    assert result.events == written
    assert result.steps == 6 and [step for step, _ in result.losses] == [1, 2, 3, 4, 5, 6]
    assert result.loss == result.losses[-1][1] < result.losses[0][1]
    assert [event["step"] for event in result.evaluations] == [3, 6]
    assert result.metrics["eval_loss"] == result.evaluations[-1]["eval_loss"]
    assert capfd.readouterr() == ("", "")


def test_files_keywords_and_a_second_run(config, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps(config, default=str))
    first = galore.train(file, progress=False)
    second = galore.train(file, output_dir=tmp_path / "second", progress=False)
    third = galore.train(config, output_dir=tmp_path / "third", max_steps=2, progress=False)
    assert first.losses == second.losses and third.steps == 2
    assert bytes_of(first.output_dir) == bytes_of(second.output_dir)


def test_a_callback_hears_of_events_while_the_run_goes_on(config):
    heard, threads = [], set()

    def callback(event):
        heard.append(event)
        threads.add(threading.current_thread())

    result = galore.train(config, callback=callback, progress=False)
    assert heard == result.events and threads == {threading.main_thread()}
    assert [event["step"] for event in heard if event["event"] == "checkpoint"] == [4, 6]


def test_an_exception_of_a_callback_saves_and_stops(config):
    class Enough(Exception):
        """Raised by the callback."""

    def callback(event):
        if event["event"] == "step" and event["step"] == 2:
            raise Enough

    config.update(max_steps=100_000, save_steps=100_000, eval_steps=100_000, logging_steps=1)
    with pytest.raises(Enough):
        galore.train(config, callback=callback, progress=False)
    saved = [path.name for path in config["output_dir"].glob("checkpoint-*")]
    assert len(saved) == 1 and int(saved[0].removeprefix("checkpoint-")) >= 2


def test_ctrl_c_saves_and_raises_and_the_session_goes_on(config, capfd):
    config.update(max_steps=100_000, save_steps=100_000, eval_steps=100_000)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    started = threading.Event()

    def interrupt():
        started.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        galore.train(config, callback=lambda event: started.set() if event["event"] == "step" else None)
    thread.join()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == before
    out, shown = capfd.readouterr()
    (saved,) = config["output_dir"].glob("checkpoint-*")
    step = int(saved.name.removeprefix("checkpoint-"))
    assert out == "" and f"saved {saved}" in shown
    config.update(max_steps=step + 3, resume_from_checkpoint="auto")
    result = galore.train(config, progress=False)
    assert result.steps == step + 3 and result.losses[0][0] == step + 1


@pytest.mark.skipif(not PROGRAM, reason="GALORE_PROGRAM is not set")
def test_a_run_that_resumes_has_the_bits_of_one_that_did_not_stop(config, tmp_path):
    config.update(lr_scheduler_type="constant")

    def callback(event):
        if event["event"] == "checkpoint":
            raise StopIteration

    with pytest.raises(StopIteration):
        galore.train(config, max_steps=1000, callback=callback, progress=False)
    last = max(int(path.name.removeprefix("checkpoint-")) for path in config["output_dir"].glob("checkpoint-*"))
    result = galore.train(config, max_steps=last + 2, resume_from_checkpoint="auto", progress=False)
    run_program(config, output_dir=tmp_path / "program", max_steps=last + 2)
    assert bytes_of(result.output_dir) == bytes_of(tmp_path / "program")


def test_pythons_lock_is_free_while_a_run_computes(config):
    ticks, done = 0, threading.Event()

    def count():
        nonlocal ticks
        while not done.wait(0.001):
            ticks += 1

    thread = threading.Thread(target=count)
    thread.start()
    result = galore.train(config, max_steps=40, eval_steps=1000, logging_steps=1000, progress=False)
    done.set()
    thread.join()
    assert ticks > 10 and result.steps == 40, ticks


def test_wrong_options_are_value_errors_of_one_line(config):
    with pytest.raises(ValueError, match=r"^\[train\] unknown option 'max_step'; the nearest known one is 'max_steps'$"):
        galore.train(config, max_step=3, progress=False)
    with pytest.raises(ValueError, match=r"^\[train\] learning_rate: expected a number.* given 'high'$"):
        galore.train(config, learning_rate="high", progress=False)
    with pytest.raises(ValueError, match=r"nproc_per_node\] expected 1 in Python"):
        galore.train(config, nproc_per_node=2, progress=False)
    with pytest.raises(TypeError, match="not JSON serializable|not iterable"):
        galore.train(config, learning_rate=object(), progress=False)
    with pytest.raises(RuntimeError, match="^[^\n]*missing.jsonl[^\n]*$") as caught:
        galore.train(config, train_file="missing.jsonl", progress=False)
    assert type(caught.value) is RuntimeError and not list(config["output_dir"].iterdir())
    assert galore.train(config, progress=False).steps == 6


def test_threads_of_torch_stay_as_they_were(config):
    torch.set_num_threads(1)
    galore.train(config, threads=2, max_steps=1, progress=False)
    assert torch.get_num_threads() == 1
    found = torch.zeros(1)
    threading.Thread(target=lambda: found.fill_(torch.get_num_threads())).start()
    time.sleep(0.1)
    assert found.item() == 1


def test_the_example_runs(tmp_path):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "examples"))
    import train_in_process
    assert train_in_process.main(str(tmp_path)) == [14, 15, 16, 17]


class Terminal(io.StringIO):
    """A stream that tqdm draws on."""

    def isatty(self):
        return True


def test_lines_and_a_bar_go_to_stderr(config, monkeypatch, capfd):
    galore.train(config)
    out, shown = capfd.readouterr()
    assert out == "" and "step 6/6" in shown and "\r" not in shown and "configuration:" not in shown
    pytest.importorskip("tqdm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    galore.train(config, output_dir=config["output_dir"].with_name("bar"))
    drawn = terminal.getvalue()
    assert "6/6" in drawn and "saved " in drawn and "step 3: eval_loss" in drawn and "step 6/6" not in drawn
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    plain = Terminal()
    monkeypatch.setattr(sys, "stderr", plain)
    galore.train(config, output_dir=config["output_dir"].with_name("plain"))
    assert "step 6/6" in plain.getvalue()


class Stubborn:
    """Work that goes on after it was asked to stop."""

    def __init__(self):
        self.asked, self.may_end = threading.Event(), threading.Event()

    def run(self):
        self.may_end.wait(60)

    def stop(self):
        self.asked.set()

    def take(self, seconds):
        time.sleep(seconds)
        return ["text"]


def test_a_second_interrupt_does_not_wait():
    work = Stubborn()

    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        work.asked.wait(60)
        time.sleep(0.3)  # until the main thread waits
        # The kernel may give a signal to any thread; one that arrives here wakes no other.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    worker, seen = Worker(work), []
    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        with worker:
            for text in worker.texts():
                seen.append(text)
                if len(seen) == 1:
                    thread.start()
    thread.join()
    assert seen and work.asked.is_set() and worker._thread.is_alive()
    work.may_end.set()
    worker._thread.join()
