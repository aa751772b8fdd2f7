"""nanoGPT's character-level transformer with its recipe for a laptop: a training step, or writing with a KV cache."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from timing import arguments, report

a = arguments(what="step", layers=4, heads=4, width=128, block=64, batch=12, vocabulary=65, characters=200)
torch.set_num_threads(a.threads)
torch.set_default_device(a.device)
torch.manual_seed(1337)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(a.width, bias=False) for _ in range(2))
        self.query_key_value = nn.Linear(a.width, 3 * a.width, bias=False)
        self.attention_output = nn.Linear(a.width, a.width, bias=False)
        self.mlp_input = nn.Linear(a.width, 4 * a.width, bias=False)
        self.mlp_output = nn.Linear(4 * a.width, a.width, bias=False)

    def forward(self, x, cache):
        batch, length, width = x.shape
        parts = self.query_key_value(self.norm1(x)).split(width, 2)
        query, key, value = (y.view(batch, length, a.heads, -1).transpose(1, 2) for y in parts)
        if cache:
            key, value = torch.cat([cache[0], key], 2), torch.cat([cache[1], value], 2)
        if cache is not None:
            cache[:] = [key, value]
        y = F.scaled_dot_product_attention(query, key, value, is_causal=length > 1)
        x = x + self.attention_output(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp_output(F.gelu(self.mlp_input(self.norm2(x))))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.characters, self.places = nn.Embedding(a.vocabulary, a.width), nn.Embedding(a.block, a.width)
        self.blocks = nn.ModuleList(Block() for _ in range(a.layers))
        self.norm = nn.LayerNorm(a.width, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                into_stream = name.endswith(("attention_output.weight", "mlp_output.weight"))
                nn.init.normal_(weight, 0.0, 0.02 / math.sqrt(2 * a.layers) if into_stream else 0.02)

    def forward(self, ids, caches=None, first=0):
        x = self.characters(ids) + self.places(torch.arange(first, first + ids.shape[1]))
        for place, block in enumerate(self.blocks):
            x = block(x, None if caches is None else caches[place])
        return self.norm(x) @ self.characters.weight.T


model = Model()
text = torch.randint(a.vocabulary, (200_000,))
matrices = [weight for weight in model.parameters() if weight.dim() >= 2]
vectors = [weight for weight in model.parameters() if weight.dim() < 2]
groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))


def step():
    starts = torch.randint(len(text) - a.block - 1, (a.batch, 1))
    windows = text[starts + torch.arange(a.block + 1)]
    logits = model(windows[:, :-1])
    F.cross_entropy(logits.reshape(-1, a.vocabulary), windows[:, 1:].reshape(-1)).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@torch.no_grad()
def write():
    ids, caches = torch.zeros((1, 1), dtype=torch.long), [[] for _ in model.blocks]
    for _ in range(a.characters):
        known = caches[0][0].shape[2] if caches[0] else 0
        if known == a.block:  # the window is full: go on from its last half
            caches = [[] for _ in model.blocks]
            logits = model(ids[:, -a.block // 2 :], caches)
        else:
            logits = model(ids[:, -1:], caches, known)
        ids = torch.cat([ids, torch.multinomial(F.softmax(logits[:, -1], -1), 1)], 1)


if a.what == "step":
    report(f"PyTorch {torch.__version__}, step", step, a.seconds, device=a.device)
else:
    report(f"PyTorch {torch.__version__}, a character", write, a.seconds, warm_up=1, least=2, per=a.characters)
