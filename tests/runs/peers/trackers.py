"""What the trackers' own programs make of records and of exported folders.

    pip install tensorboard wandb "mlflow-skinny<3.13"
    python trackers.py            # the records that trackers.test.ts expects
    python trackers.py <folder>   # reads tb/, ml/ and wb/ below it (KEEP=1 on the test prints the folder)
"""

import io
import struct
import sys
import zlib
from pathlib import Path


def records():
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    def framed(event):
        out = io.BytesIO()
        RecordWriter(out).write(event.SerializeToString())
        return out.getvalue().hex()

    print(framed(event_pb2.Event(wall_time=1.5, file_version="brain.Event:2")))
    value = summary_pb2.Summary.Value(tag="train/loss", simple_value=0.25)
    print(framed(event_pb2.Event(wall_time=1.5, step=300, summary=summary_pb2.Summary(value=[value]))))


def tensorboard(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for home in sorted(folder.glob("*/seed-*")):
        events = EventAccumulator(str(home))
        events.Reload()
        tags = events.Tags()["scalars"]
        losses = events.Scalars("train/loss")
        print("tensorboard", home.name, len(tags), "tags;", len(losses), "losses, the last at step", losses[-1].step, losses[-1].value)


def mlflow(folder):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=folder.resolve().as_uri())
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            history = client.get_metric_history(run.info.run_id, "train/loss")
            print("mlflow", experiment.name, run.info.run_name, run.info.status, run.data.params["seed"], len(history), history[-1].step, history[-1].value)


def wandb(folder):
    from wandb.proto import wandb_internal_pb2

    for log in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        data = log.read_bytes()
        ident, magic, version = struct.unpack("<4sHB", data[:7])
        assert (ident, magic, version) == (b":W&B", 0xBEE1, 0)
        at, parts, found = 7, [], []
        while at < len(data):
            left = 32768 - at % 32768
            if left < 7:
                at += left
                continue
            crc, length, kind = struct.unpack("<IHB", data[at : at + 7])
            piece = data[at + 7 : at + 7 + length]
            assert zlib.crc32(piece, zlib.crc32(bytes([kind]))) == crc
            parts.append(piece)
            if kind in (1, 4):
                one = wandb_internal_pb2.Record()
                one.ParseFromString(b"".join(parts))
                found.append(one)
                parts = []
            at += 7 + length
        kinds = [one.WhichOneof("record_type") for one in found]
        run = next(one.run for one in found if one.HasField("run"))
        history = [one.history for one in found if one.HasField("history")]
        print("wandb", run.display_name, run.project, len(run.config.update), "settings;", len(history), "steps; last", history[-1].step.num, kinds[0], kinds[-1])


if len(sys.argv) == 1:
    records()
else:
    base = Path(sys.argv[1])
    tensorboard(base / "tb")
    mlflow(base / "ml")
    wandb(base / "wb")
