#!/usr/bin/env python3
"""Computes again, with numpy and from a run's exported files alone, what the run says of its language model
and of its autoencoders in it: cross-entropy of the held-out text untouched, ablated and with
reconstructions in place, the share recovered, and KL(clean | spliced). All must agree to 1e-3.

    python scripts/check_losses.py run_1 [input.txt]

Needs numpy and nothing else. With the text that the run was made of, as `shakespeare_char/input.txt`, it
also checks that the held-out text is the beginning of its last tenth. Autoencoders whose extractor is not
the whole model (refitted, composed) are left out; a run that has no other ends this with 1.
"""

import json
import pathlib
import struct
import sys

import numpy as np

MOST = 1e-3
WINDOWS_AT_ONCE = 64


def tensors(path):
    """safetensors: eight bytes of length, a JSON header, numbers."""
    raw = path.read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:start])
    header.pop("__metadata__", None)
    kinds = {"F32": "<f4", "F16": "<f2"}

    def values(entry):
        begin, end = entry["data_offsets"]
        numbers = np.frombuffer(raw[start + begin : start + end], kinds[entry["dtype"]])
        return numbers.reshape(entry["shape"]).astype("f4")

    return {name: values(entry) for name, entry in header.items()}


def erf(x):
    """Abramowitz and Stegun, 7.1.26: to 1.5e-7."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    powers = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1 - powers * np.exp(-x * x))


def norm(stream, gain):
    centred = stream - stream.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gain


class LanguageModel:
    """nanoGPT without biases, as `bundle.json` and `weights.safetensors` have it."""

    def __init__(self, export):
        self.bundle = json.loads((export / "bundle.json").read_text())
        self.shape = self.bundle["lm"]
        all_tensors = tensors(export / "weights.safetensors")
        self.weights = {n[3:]: t for n, t in all_tensors.items() if n.startswith("lm.")}
        self.id_of = {character: id for id, character in enumerate(self.bundle["vocab"])}

    def block(self, stream, number):
        weight = lambda name: self.weights[f"blocks.{number}.{name}"]
        windows, length, width = stream.shape
        heads = self.shape["n_heads"]
        parts = norm(stream, weight("attention_norm.gamma")) @ weight("query_key_value")
        parts = parts.reshape(windows, length, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
        query, key, value = parts
        scores = query @ key.swapaxes(-1, -2) / np.sqrt(width // heads)
        scores = np.where(np.tri(length, dtype=bool), scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = scores / scores.sum(-1, keepdims=True) @ value
        mixed = mixed.swapaxes(1, 2).reshape(windows, length, width)
        stream = stream + mixed @ weight("attention_output")
        hidden = norm(stream, weight("mlp_norm.gamma")) @ weight("mlp_input")
        hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
        return stream + hidden @ weight("mlp_output")

    def stream(self, ids):
        """The residual stream at the layer that is explained."""
        stream = self.weights["token_embedding"][ids] + self.weights["position_embedding"]
        for number in range(self.bundle["layer"]):
            stream = self.block(stream, number)
        return stream

    def predicted(self, stream):
        """The logarithms of the next character's chances."""
        for number in range(self.bundle["layer"], self.shape["n_layers"]):
            stream = self.block(stream, number)
        logits = norm(stream, self.weights["final_norm.gamma"]) @ self.weights["token_embedding"].T
        logits -= logits.max(-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def autoencoder(folder):
    """Raw rows to their reconstruction, as SAELens computes it; None if there is more to the model."""
    config = json.loads((folder / "cfg.json").read_text())
    if config["metadata"]["csae"]["remark"] != "the whole model":
        return None
    sae = tensors(folder / "sae_weights.safetensors")

    def rebuilt(rows):
        code = np.maximum((rows - sae["b_dec"]) @ sae["W_enc"] + sae["b_enc"], 0)
        if "threshold" in sae:
            code = np.where(code > np.maximum(sae["threshold"], 0), code, 0)
        elif "k" in config:
            least = np.sort(code, axis=1)[:, -config["k"]][:, None]
            code = np.where(code >= least, code, 0)
        return code @ sae["W_dec"] + sae["b_dec"]

    return rebuilt


def measured(lm, text, ways):
    """For each way to replace rows: cross-entropy and KL from the untouched model, means in f64."""
    length = lm.shape["block_size"]
    half = length // 2
    ids = np.array([lm.id_of[character] for character in text])
    starts = np.arange(0, len(ids) - length, length - half)
    sums = {name: np.zeros(2) for name in ways}
    count = 0
    for some in np.split(starts, range(WINDOWS_AT_ONCE, len(starts), WINDOWS_AT_ONCE)):
        places = some[:, None] + np.arange(length)
        targets = ids[places + 1][:, half:, None]
        stream = lm.stream(ids[places])
        clean = lm.predicted(stream)[:, half:].astype("f8")
        count += targets.size
        for name, replace in ways.items():
            changed = stream.copy()
            rows = stream[:, half:].reshape(-1, stream.shape[-1])
            changed[:, half:] = replace(rows).reshape(changed[:, half:].shape)
            said = lm.predicted(changed)[:, half:].astype("f8")
            loss = -np.take_along_axis(said, targets, -1).sum()
            divergence = (np.exp(clean) * (clean - said)).sum()
            sums[name] += [loss, divergence]
    return {name: both / count for name, both in sums.items()}, count


def compare(what, ours, theirs):
    apart = abs(ours - theirs)
    print(f"  {what:<44} {ours:.6f}  run: {theirs:.6f}  apart: {apart:.1e}")
    assert apart < MOST, what


def main():
    run = pathlib.Path(sys.argv[1])
    export = run / "export"
    lm = LanguageModel(export)
    info = json.loads((run / "final_info.json").read_text())[lm.bundle["dataset"]]
    said = {name.removesuffix("_mean"): value for name, value in info["means"].items()}
    text = (export / "held_out_text.txt").read_bytes().decode()
    if len(sys.argv) > 2:
        whole = pathlib.Path(sys.argv[2]).read_bytes().decode()
        limit = json.loads((run / "config.json").read_text())["profile"]["text_limit"]
        whole = whole[:limit]
        # nanoGPT's split: the first nine tenths are to train on.
        assert whole[int(0.9 * len(whole)) :].startswith(text), "the held-out text is another"
        assert sorted(set(whole)) == lm.bundle["vocab"], "the vocabulary is another"

    mean = tensors(export / "pca.safetensors")["mean"]
    ways = {
        "clean": lambda rows: rows,
        "zero": np.zeros_like,
        "mean": lambda rows: np.broadcast_to(mean, rows.shape),
    }
    found = {}
    for folder in sorted((export / "saelens").iterdir()):
        rebuild = autoencoder(folder)
        if rebuild is None:
            print(f"  {folder.name}: the extractor is not the whole model, left out")
        else:
            found[folder.name] = ways[folder.name] = rebuild

    results, count = measured(lm, text, ways)
    assert count == info["final_info_dict"]["held_out_rows"], (count, "rows are not the run's")
    clean, zero, by_mean = (results[name][0] for name in ("clean", "zero", "mean"))
    compare("cross-entropy, clean", clean, said["held_out_ce_clean"])
    compare("cross-entropy, rows set to 0", zero, said["held_out_ce_zero_ablation"])
    compare("cross-entropy, mean in place", by_mean, said["held_out_ce_mean_ablation"])
    compare("KL, rows set to 0", results["zero"][1], said["held_out_kl_zero_ablation"])
    for name in found:
        spliced, kl = results[name]
        # The exported one is the first seed's.
        first = lambda measure: info["final_info_dict"][f"{name}_{measure}"][0]
        compare(f"{name}: cross-entropy, spliced", spliced, first("ce_spliced"))
        recovered = (zero - spliced) / (zero - clean)
        compare(f"{name}: recovered against 0", recovered, first("ce_recovered_zero"))
        recovered = (by_mean - spliced) / (by_mean - clean)
        compare(f"{name}: recovered against the mean", recovered, first("ce_recovered_mean"))
        compare(f"{name}: KL, spliced", kl, first("kl"))
    if not found:
        sys.exit(f"{run}: no autoencoder is a whole model; the language model alone agrees")
    print(f"numpy {np.__version__} agrees with {run} on {count} rows, {len(found)} autoencoders")


if __name__ == "__main__":
    main()
