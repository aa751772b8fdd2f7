"""Reads a finished run as other programs do: the AI-Scientist harness, numpy, any safetensors reader."""

import json
import pathlib
import struct
import sys

import numpy as np

run = pathlib.Path(sys.argv[1])

# The harness's own line.
results = json.loads((run / "final_info.json").read_text())
means = {k: v["means"] for k, v in results.items()}
for dataset, values in means.items():
    for key in (
        "final_train_loss_mean",
        "best_val_loss_mean",
        "total_train_time_mean",
        "avg_inference_tokens_per_second_mean",
    ):
        assert values[key] > 0, (dataset, key)
    assert values["topk_l0_max_mean"] <= 32, "more than k features are active in a row"
    assert values["attention_fvu_mean"] < 1

everything = np.load(run / "all_results.npy", allow_pickle=True).item()
for dataset in means:
    # As the harness's plots read them.
    losses = everything[f"{dataset}_0_val_info"]
    steps = [info["iter"] for info in losses]
    assert steps == sorted(steps)
    assert abs(min(info["val/loss"] for info in losses) - means[dataset]["best_val_loss_mean"]) < 1e-12
    assert all(info["train/loss"] > 0 for info in losses)
    assert all(info["loss"] > 0 for info in everything[f"{dataset}_0_train_info"])
    assert everything[f"{dataset}_0_final_info"]["final_train_loss"] > 0

# safetensors: eight bytes of length, a JSON header, numbers.
raw = (run / "export" / "weights.safetensors").read_bytes()
length = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8 : 8 + length])


def tensor(name):
    start, end = header[name]["data_offsets"]
    assert header[name]["dtype"] == "F32"
    return np.frombuffer(raw[8 + length + start : 8 + length + end], "<f4").reshape(header[name]["shape"])


directions = tensor("topk.decoder")
assert np.allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-5), "directions have length 1"
bundle = json.loads((run / "export" / "bundle.json").read_text())
assert tensor("lm.token_embedding").shape[0] == len(bundle["vocab"])
features = json.loads((run / "export" / "features.json").read_text())
assert {name: len(f) for name, f in features.items()} == {"topk": 256, "attention": 256}
print(f"numpy {np.__version__} reads {run}: {', '.join(means)}")
