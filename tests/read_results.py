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



def tensors(path):
    """safetensors: eight bytes of length, a JSON header, numbers."""
    raw = path.read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:start])
    header.pop("__metadata__", None)
    assert all(entry["dtype"] == "F32" for entry in header.values())

    def values(entry):
        begin, end = entry["data_offsets"]
        return np.frombuffer(raw[start + begin : start + end], "<f4").reshape(entry["shape"])

    return {name: values(entry) for name, entry in header.items()}


tensor = tensors(run / "export" / "weights.safetensors").__getitem__

directions = tensor("topk.decoder")
assert np.allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-5), "directions have length 1"
bundle = json.loads((run / "export" / "bundle.json").read_text())
assert tensor("lm.token_embedding").shape[0] == len(bundle["vocab"])
features = json.loads((run / "export" / "features.json").read_text())
assert {name: len(f) for name, f in features.items()} == {"topk": 256, "attention": 256}
# FVU again, from the exported files alone.
export = run / "export"
sample = np.load(export / "held_out_sample.npy")
told = json.loads((export / "held_out_sample.json").read_text())
rows = sample.astype("f8")
assert rows.shape == (told["rows"], told["d_model"]) and len(rows) > 1_000


def check_fvu(name, rebuilt, expected):
    fvu = ((rows - rebuilt) ** 2).sum() / ((rows - rows.mean(0)) ** 2).sum()
    assert abs(fvu - expected) < 1e-4, (name, fvu, expected)
    assert 0 < fvu < 1, (name, fvu)


pca = tensors(export / told["pca"]["file"])
first = pca["components"][: told["pca"]["components"]]
centred = rows - pca["mean"]
check_fvu("pca", centred @ first.T @ first + pca["mean"], told["pca"]["fvu"])


def strongest(before, k):
    """The k largest of each row, 0 elsewhere and below 0."""
    least = np.sort(before, axis=1)[:, -k][:, None]
    return np.where(before >= least, np.maximum(before, 0), 0)


for name, one in told["autoencoders"].items():
    # As SAELens computes a topk autoencoder with apply_b_dec_to_input.
    config = json.loads((export / one["extractor"] / "cfg.json").read_text())
    assert config["architecture"] == "topk" and config["apply_b_dec_to_input"]
    assert (config["d_in"], config["dtype"]) == (told["d_model"], "float32")
    sae = tensors(export / one["extractor"] / "sae_weights.safetensors")
    assert sorted(sae) == ["W_dec", "W_enc", "b_dec", "b_enc"]
    code = strongest((rows - sae["b_dec"]) @ sae["W_enc"] + sae["b_enc"], config["k"])
    check_fvu(f"{name}, SAELens", code @ sae["W_dec"] + sae["b_dec"], one["extractor_fvu"])
    if config["metadata"]["csae"]["remark"] == "the whole model":
        assert one["fvu"] == one["extractor_fvu"]

    # As sparsify does.
    (folder,) = (export / "sparsify" / name).iterdir()
    config = json.loads((folder / "cfg.json").read_text())
    assert config["activation"] == "topk" and not config["transcode"]
    coder = tensors(folder / "sae.safetensors")
    assert coder["encoder.weight"].shape == (config["num_latents"], config["d_in"])
    before = (rows - coder["b_dec"]) @ coder["encoder.weight"].T + coder["encoder.bias"]
    code = strongest(np.maximum(before, 0), config["k"])
    check_fvu(f"{name}, sparsify", code @ coder["W_dec"] + coder["b_dec"], one["extractor_fvu"])

print(f"numpy {np.__version__} reads {run}: {', '.join(means)}; FVU again on {len(rows)} rows")
