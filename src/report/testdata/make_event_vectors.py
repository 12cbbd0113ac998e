#!/usr/bin/env python3
"""Writes events.tfevents beside itself: frames of TensorBoard's own writer, which event_file_test.cpp expects bit for
bit.

    python3 -m venv venv && venv/bin/pip install tensorboard && venv/bin/python make_event_vectors.py

Last written with tensorboard 2.21.0, protobuf 7.36.2.
"""

import pathlib

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

TIME = 1700000000.25


def main():
    events = [event_pb2.Event(wall_time=TIME, file_version="brain.Event:2")]
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    events.append(event_pb2.Event(wall_time=TIME, step=301, session_log=start))
    for step, loss in [(0, 11.5), (7, float("inf")), (300, 2.718281828), (1 << 40, -0.0)]:
        values = [
            summary_pb2.Summary.Value(tag="train/loss", simple_value=loss),
            summary_pb2.Summary.Value(tag="train/" + "x" * 200, simple_value=1e-3),
        ]
        events.append(event_pb2.Event(wall_time=TIME + 1, step=step, summary=summary_pb2.Summary(value=values)))
    metadata = summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text"))
    shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)])
    text = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=["| ü | 1 |\n".encode()])
    value = summary_pb2.Summary.Value(tag="configuration", metadata=metadata, tensor=text)
    events.append(event_pb2.Event(wall_time=TIME, step=5, summary=summary_pb2.Summary(value=[value])))
    path = pathlib.Path(__file__).with_name("events.tfevents")
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString(deterministic=True))
        writer.flush()


if __name__ == "__main__":
    main()
