#!/usr/bin/env python3
"""Loads the extractors that a run has exported with SAELens (and sparsify, if it is there) themselves,
and compares what they encode and decode with plain numpy on the run's own sample, to 1e-5.

    pip install sae-lens            # and eai-sparsify, if you like; both bring torch
    python scripts/check_saelens.py run_1

Not a part of ./test.sh, which needs neither; tests/read_results.py checks the same files with numpy.
"""

import json
import os
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import load_file

MOST = 1e-5  # of the largest number of a row


def encoded(sae, rows, k):
    before = np.maximum((rows - sae["b_dec"]) @ sae["W_enc"] + sae["b_enc"], 0)
    if "threshold" in sae:
        return np.where(before > np.maximum(sae["threshold"], 0), before, 0)
    if k is None:
        return before
    least = np.sort(before, axis=1)[:, -k][:, None]
    return np.where(before >= least, before, 0)


def compare(what, theirs, ours):
    apart = float((np.abs(theirs - ours) / np.abs(ours).max(1, keepdims=True)).max())
    print(f"  {what}: {apart:.1e} apart at most")
    assert apart < MOST, what


def check(folder, rows):
    from sae_lens import SAE, __version__

    print(f"{folder}, sae-lens {__version__}")
    model = SAE.load_from_disk(folder)
    config = json.loads((folder / "cfg.json").read_text())
    assert model.cfg.architecture() == config["architecture"]
    assert model.cfg.metadata.hook_name == config["metadata"]["hook_name"]
    ours = encoded(load_file(folder / "sae_weights.safetensors"), rows, config.get("k"))
    with torch.no_grad():
        code = model.encode(torch.from_numpy(rows))
        rebuilt = model.decode(code)
    compare("code", code.numpy(), ours)
    sae = load_file(folder / "sae_weights.safetensors")
    compare("reconstruction", rebuilt.numpy(), ours @ sae["W_dec"] + sae["b_dec"])
    lengths = model.W_dec.norm(dim=1)
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-5)
    return rebuilt.numpy()


def check_sparsify(folder, rows, rebuilt):
    if not torch.cuda.is_available():
        os.environ["SPARSIFY_DISABLE_TRITON"] = "1"  # its own decoder needs a graphics card
    try:
        from sparsify import SparseCoder
    except ImportError as missing:
        print(f"  sparsify not tried: {missing}")
        return
    (coder,) = SparseCoder.load_many(str(folder), local=True).values()
    with torch.no_grad():
        output = coder(torch.from_numpy(rows))
    compare("sparsify's reconstruction", output.sae_out.numpy(), rebuilt)


def check_transcoder(run):
    """What sparsify predicts of a perceptron, which is in runs on a generated language that train units."""
    export = run / "export"
    folder = export / "sparsify" / "transcoder"
    if not folder.exists():
        return
    inputs, outputs = (np.load(export / f"transcoder_{name}.npy") for name in ("inputs", "outputs"))
    (place,) = folder.iterdir()
    coder, config = load_file(place / "sae.safetensors"), json.loads((place / "cfg.json").read_text())
    tensors = {"b_enc": coder["encoder.bias"], "W_enc": coder["encoder.weight"].T, "b_dec": 0}
    predicted = encoded(tensors, inputs, config["k"]) @ coder["W_dec"] + coder["b_dec"]
    left = ((outputs - predicted) ** 2).sum() / ((outputs - outputs.mean(0)) ** 2).sum()
    (info,) = json.loads((run / "final_info.json").read_text()).values()
    said = info["final_info_dict"]["transcoder"]["sample_fvu"]
    print(f"{folder}: FVU {left:.6f} on {len(inputs)} rows, the run says {said:.6f}")
    assert abs(left - said) < 1e-4 * said
    check_sparsify(folder, inputs, predicted)


def main():
    run = pathlib.Path(sys.argv[1])
    export = run / "export"
    rows = np.load(export / "held_out_sample.npy")
    folders = sorted((export / "saelens").iterdir())
    assert folders, "the run has exported no autoencoder"
    for folder in folders:
        rebuilt = check(folder, rows)
        if (export / "sparsify" / folder.name).exists():
            check_sparsify(export / "sparsify" / folder.name, rows, rebuilt)
    check_transcoder(run)
    print(f"{len(folders)} autoencoders load and agree on {len(rows)} rows")


if __name__ == "__main__":
    main()
