"""Units that find their parts by gradient: soft attention of each unit over the features, annealed to one feature a slot.

    trainer benchmark --export=world --seed=0
    python annealed_units.py world found.json
    trainer benchmark --score=found.json --out=scores

A variant of csae's units, which are given their parts by a screening. The rest is as there: TopK with a
refit, the units' strength a geometric mean of their parts', the features not changed by what units learn.
Needs numpy, safetensors and torch.
"""

import argparse
import json
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file

SLOTS = torch.tensor([2] * 64 + [3] * 40 + [4] * 24)  # of each of the 128 units: 48 pairs, 32 triples, 16 quadruples are there
UNITS_FROM = 0.3  # share of the steps


def unit(columns):
    return columns / columns.norm(dim=0, keepdim=True)


class Model(torch.nn.Module):
    def __init__(self, d_model, n_features, k, refit_steps=3):
        super().__init__()
        directions = unit(torch.randn(d_model, n_features))
        self.D, self.W = torch.nn.Parameter(directions.clone()), torch.nn.Parameter(directions.T.clone())
        self.b_e, self.b = torch.nn.Parameter(torch.zeros(n_features)), torch.nn.Parameter(torch.zeros(d_model))
        self.attention = torch.nn.Parameter(0.5 * torch.randn(len(SLOTS), 4, n_features))
        self.effects = torch.nn.Parameter(0.05 * torch.randn(len(SLOTS), d_model))
        self.k, self.refit_steps, self.temperature = k, refit_steps, None

    def code(self, x):
        """[rows, n_features]: the k strongest, refitted by sweeps over them."""
        centred = x - self.b
        values, active = F.relu(centred @ self.W.T + self.b_e).topk(self.k, 1)
        picked = self.D.T[active]
        gram = picked @ picked.transpose(1, 2)
        on = (values > 0).float()
        toward = (picked @ centred[..., None])[..., 0]
        pace = 1 / gram.detach().abs().sum(2).amax(1, keepdim=True).clamp(min=1)
        for _ in range(self.refit_steps):
            values = F.relu(values + pace * (toward - (gram @ values[..., None])[..., 0])) * on
        return torch.zeros(len(x), self.W.shape[0]).scatter(1, active, values)

    def strengths(self, code):
        """[rows, units]: the geometric mean of what each slot attends to."""
        attention = (self.attention / self.temperature).softmax(2).flatten(0, 1)
        seen = (code @ attention.T).view(len(code), len(SLOTS), 4)
        real = torch.arange(4) < SLOTS[:, None]
        logs = torch.where(real, (seen + 1e-3).log(), torch.zeros(()))
        return ((logs.sum(2) / SLOTS).exp() - 1e-3).clamp(min=0)

    def forward(self, x):
        code = self.code(x)
        out = code @ self.D.T + self.b
        strengths = None
        if self.temperature is not None:
            strengths = self.strengths(code.detach())
            out = out + strengths @ self.effects
        return out, strengths


def train(rows, model, steps, learning_rate, coldest):
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    for step in range(steps):
        rate = learning_rate * min(1, (step + 1) / 100) * min(1, (steps - step) / (0.2 * steps))
        optimizer.param_groups[0]["lr"] = rate
        share = (step / steps - UNITS_FROM) / (0.95 - UNITS_FROM)
        if share >= 0:
            model.temperature = coldest ** min(share, 1)
        x = rows[torch.randint(len(rows), (512,))]
        out, strengths = model(x)
        loss = (x - out).square().sum(1).mean() / x.shape[1]
        if strengths is not None:
            loss = loss + 1e-3 * (model.effects.norm(dim=1) * strengths.mean(0)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.D.copy_(unit(model.D))
        if step % 500 == 0:
            print(f"step {step}: {loss:.3f}", flush=True)


@torch.no_grad()
def combinations(model, rows):
    """Every unit with two different parts or more, scored by the energy that it adds on a row."""
    strengths = torch.cat([model(x)[1] for x in rows.split(2048)])
    energy = strengths.square().mean(0) * model.effects.square().sum(1)
    best = {}
    for place, slots in enumerate(SLOTS.tolist()):
        parts = tuple(sorted(set(model.attention[place, :slots].argmax(1).tolist())))
        if len(parts) > 1 and energy[place] > best.get(parts, (0, None))[0]:
            best[parts] = (float(energy[place]), model.effects[place].tolist())
    ranked = sorted(best.items(), key=lambda item: -item[1][0])
    return [{"parts": list(parts), "score": score, "effect": effect} for parts, (score, effect) in ranked]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("world")
    parser.add_argument("found")
    for name, default in (("steps", 4000), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("learning-rate", 3e-3), ("coldest", 0.05)):
        parser.add_argument(f"--{name}", type=float, default=default)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    about = json.load(open(f"{options.world}/world.json"))
    load = lambda split: torch.from_numpy(load_file(f"{options.world}/{split}.safetensors")["activations"].copy())
    rows, threshold = load("training"), load("threshold")
    mean = rows.mean(0)
    model = Model(rows.shape[1], about["config"]["n_features"], round(1.25 * about["config"]["mean_l0"]))
    began = time.time()
    train(rows - mean, model, options.steps, options.learning_rate, options.coldest)
    with torch.no_grad():
        left = sum(float((x - mean - model(x - mean)[0]).square().sum()) for x in threshold.split(2048))
        codes = torch.cat([model.code(x - mean) for x in threshold.split(2048)])
        sharpest = (model.attention / model.temperature).softmax(2).amax(2)
    variance = float((threshold - threshold.mean(0)).square().sum())
    sharp = float(torch.cat([row[:slots] for row, slots in zip(sharpest, SLOTS.tolist())]).mean())
    print(f"{time.time() - began:.0f} s, FVU {left / variance:.4f}, mean largest attention {sharp:.2f}")
    found = {
        "name": "annealed attention",
        "world": about["config"],
        "directions": model.D.T.tolist(),
        "firing": {"rows": len(codes), "features": [np.flatnonzero(on).tolist() for on in (codes > 0).T.numpy()]},
        "combinations": combinations(model, threshold - mean),
    }
    json.dump(found, open(options.found, "w"))


if __name__ == "__main__":
    main()
