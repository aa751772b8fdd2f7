"""A training step of composition units with refitted features, in dense tensors."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from timing import arguments, report

a = arguments(width=128, features=256, k=32, units=128, refit=3, batch=512)
torch.set_num_threads(a.threads)
torch.set_default_device(a.device)
torch.manual_seed(0)


def unit(columns):
    return columns / columns.norm(dim=0, keepdim=True)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        directions = unit(torch.randn(a.width, a.features))
        self.decoder, self.encoder = nn.Parameter(directions.clone()), nn.Parameter(directions.t().clone())
        self.encoder_bias = nn.Parameter(torch.zeros(a.features))
        self.decoder_bias = nn.Parameter(torch.zeros(a.width))
        self.effects = nn.Parameter(0.1 * torch.randn(a.units, a.width))
        self.parts = torch.randint(a.features, (a.units, 2))

    def code(self, centred):
        values, active = F.relu(centred @ self.encoder.t() + self.encoder_bias).topk(a.k, 1)
        on, chosen = (values > 0).float(), self.decoder.t()[active]  # [batch, k], [batch, k, width]
        gram = (chosen @ chosen.transpose(1, 2)) * on[:, None] * on[:, :, None]
        toward = (chosen @ centred[..., None])[..., 0]
        pace = 1 / gram.detach().abs().sum(2).amax(1, keepdim=True).clamp(min=1)
        for _ in range(a.refit):
            values = F.relu(values + pace * (toward - (gram @ values[..., None])[..., 0])) * on
        return values, active

    def strengths(self, values, active):
        dense = torch.zeros(len(values), a.features).scatter(1, active, values)
        parts = dense[:, self.parts.flatten()].view(len(dense), a.units, 2)
        return parts.clamp(min=1e-6).log().mean(-1).exp() * (parts > 0).all(-1)

    def forward(self, x):
        values, active = self.code(x - self.decoder_bias)
        alone = F.embedding_bag(active, self.decoder.t(), per_sample_weights=values, mode="sum")
        return alone + self.decoder_bias + self.strengths(values.detach(), active) @ self.effects


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
rows = torch.randn(8, a.batch, a.width)
done = 0


def step():
    global done
    x = rows[done % len(rows)]
    done += 1
    (x - model(x)).pow(2).mean().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        model.decoder.copy_(unit(model.decoder))


report(f"PyTorch {torch.__version__}", step, a.seconds, device=a.device)
