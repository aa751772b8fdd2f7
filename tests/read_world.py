"""Reads an exported world of the benchmark with numpy alone and checks that its rows are what it says."""

import json
import pathlib
import struct
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
TYPES = {"F32": "<f4", "I32": "<i4", "I64": "<i8"}


def tensors(name):
    raw = (folder / name).read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    read = {}
    for key, entry in header.items():
        start, end = entry["data_offsets"]
        values = np.frombuffer(raw[8 + length + start : 8 + length + end], TYPES[entry["dtype"]])
        read[key] = values.reshape(entry["shape"])
    return read


def dense(rows, name, values, columns):
    starts, ids = rows[f"{name}_starts"], rows[f"{name}_ids"]
    table = np.zeros((len(starts) - 1, columns), np.float32)
    table[np.repeat(np.arange(len(starts) - 1), np.diff(starts)), ids] = rows[f"{name}_{values}"]
    return table


about = json.loads((folder / "world.json").read_text())
assert about["format"] == "csae-benchmark-world" and about["version"] == 1
world = tensors("world.safetensors")
d_model = about["config"]["d_model"]
assert np.allclose(np.linalg.norm(world["directions"], axis=1), 1, atol=1e-5)
# A modulating rule's effect is already in the strength of the feature that it acts on.
said = np.array([rule["kind"] != "modulating" for rule in about["rules"]])

for split in about["splits"]:
    rows = tensors(split["file"])
    x = rows["activations"]
    assert x.shape == (split["rows"], d_model)
    active = dense(rows, "active", "strengths", about["config"]["n_features"])
    fired = dense(rows, "fired", "amounts", len(about["rules"]))
    for place, rule in enumerate(about["rules"]):
        together = (active[:, rule["parts"]] > 0).all(axis=1)
        assert (together | (fired[:, place] == 0)).all(), "a rule fired without its parts"
    noise = x - active @ world["directions"] - (fired * said) @ world["effects"]
    assert abs(noise.mean()) < 0.05 * about["noise"]
    assert abs(noise.std() / about["noise"] - 1) < 0.05, (noise.std(), about["noise"])
    left = x - active @ world["directions"]
    assert left.var() > 1.05 * noise.var(), "the effects explain nothing"
    print(f"numpy {np.__version__} reads {split['name']}: {x.shape}, noise {noise.std():.3f}")
