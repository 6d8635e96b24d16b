"""Writes tests/golden/report_events.bin: an event file whose records were made
by TensorBoard's own writer and protocol buffers.

Peer: tensorboard 2.21.0.

Usage: python tests/parity/gen_report_events.py > tests/golden/report_events.bin
"""

import io
import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

# Wall time, tag, step, value; the test holds the same list.
POINTS = [
    (1700000000.25, "train/loss", 1, 0.69314718),
    (1700000001.5, "train/loss", 300, -2.5),
    (1700000002.75, "val/Größe/f1_macro", 0, 0.0),
    (1700000003.0, "x" * 200, 2**40 + 5, 1e-30),
    (1700000004.0, "diverged", 7, float("inf")),
]

stream = io.BytesIO()
writer = RecordWriter(stream)
writer.write(Event(wall_time=1700000000.125,
                   file_version="brain.Event:2").SerializeToString())
for wall_time, tag, step, value in POINTS:
    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
    writer.write(Event(wall_time=wall_time, step=step,
                       summary=summary).SerializeToString())
sys.stdout.buffer.write(stream.getvalue())
