"""A training step of a TopK autoencoder: dense decoder, Adam, directions of length 1."""

import torch
import torch.nn.functional as F

from timing import arguments, report

a = arguments(width=128, features=256, k=32, batch=512)
torch.set_num_threads(a.threads)
torch.set_default_device(a.device)
torch.manual_seed(0)
rows = torch.randn(8, a.batch, a.width)
encoder = torch.nn.Linear(a.width, a.features)
decoder = torch.nn.Parameter(F.normalize(torch.randn(a.features, a.width), dim=1))
bias = torch.nn.Parameter(torch.zeros(a.width))
optimizer = torch.optim.Adam([*encoder.parameters(), decoder, bias], lr=3e-4)
done = 0


def step():
    global done
    x = rows[done % len(rows)]
    done += 1
    features = F.relu(encoder(x - bias))
    values, places = features.topk(a.k, dim=1, sorted=False)
    rebuilt = torch.zeros_like(features).scatter(1, places, values) @ decoder + bias
    (rebuilt - x).pow(2).mean().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        decoder.div_(decoder.norm(dim=1, keepdim=True) + 1e-8)


report(f"PyTorch {torch.__version__}", step, a.seconds, device=a.device)
