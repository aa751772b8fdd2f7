"""A training step of attention between the active features, written as usual: one token for each of them."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from timing import arguments, report

a = arguments(width=128, features=256, composition=128, heads=8, k=32, batch=512)
torch.set_num_threads(a.threads)
torch.set_default_device(a.device)
torch.manual_seed(0)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(a.width, a.features)
        self.tokens = nn.Parameter(torch.randn(a.features, a.composition) / a.composition**0.5)
        self.query_key_value = nn.Linear(a.composition, 3 * a.composition)
        self.output = nn.Linear(a.composition, a.composition)
        self.gate = nn.Linear(a.composition, 1)
        self.score = nn.Linear(a.composition, 1)
        self.decoder = nn.Linear(a.features, a.width)

    def forward(self, x):
        features = F.relu(self.encoder(x))
        values, places = features.topk(a.k, dim=-1, sorted=False)
        tokens = F.embedding(places, self.tokens) * values.unsqueeze(-1)
        batch, k, width = tokens.shape
        parts = self.query_key_value(tokens).split(width, -1)
        query, key, value = (y.view(batch, k, a.heads, -1).transpose(1, 2) for y in parts)
        weights = F.softmax(query @ key.transpose(-2, -1) / (width // a.heads) ** 0.5, -1)
        mixed = self.output((weights @ value).transpose(1, 2).reshape(batch, k, width))
        gate = torch.sigmoid(self.gate(mixed)).squeeze(-1)
        code = gate * F.relu(self.score(mixed)).squeeze(-1) + (1 - gate) * values
        rebuilt = self.decoder(torch.zeros_like(features).scatter(-1, places, code))
        return F.mse_loss(rebuilt, x)


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
rows = torch.randn(8, a.batch, a.width)
done = 0


def step():
    global done
    done += 1
    model(rows[done % len(rows)]).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


report(f"PyTorch {torch.__version__}", step, a.seconds, device=a.device)
