"""tests/golden/train/recommendation.safetensors: embeddings, losses and
gradients of the recommenders on small graphs, which
tests/train/test_recommendation.c compares with.

    python tests/parity/gen_recommendation.py

A case "lightgcn" has under "lightgcn.": the graph (offsets, neighbours, users),
a batch of triples (all: users, items, negatives; size), the model's parameters
(param.*), perhaps the items' features, and what comes of them, computed in
double precision: embeddings of all nodes, loss, gradients (grad.*).

Peer: torch_geometric 2.8.1 (LightGCN, SAGEConv; BPR by its BPRLoss), torch
2.13.0. Its LSTM aggregation runs on through the padding of shorter lists, so the
case "sage_lstm" has a graph in which all nodes have as many neighbours;
"sage_lstm_uneven" runs the same LSTM of torch over each list alone.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch_geometric.nn import LightGCN, SAGEConv
from torch_geometric.nn.models.lightgcn import BPRLoss

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPERATURE, L2 = 0.25, 0.03
# name, kind, aggregator, layers, loss, cosine, features, regular
CASES = [
    ("lightgcn", "lightgcn", None, 3, "bpr", False, False, False),
    ("lightgcn_features", "lightgcn", None, 2, "softmax", True, True, False),
    ("sage_mean", "sage", "mean", 2, "bpr", False, False, False),
    ("sage_mean_features", "sage", "mean", 2, "softmax", False, True, False),
    ("sage_max", "sage", "max", 3, "softmax", True, False, False),
    ("sage_lstm", "sage", "lstm", 2, "bpr", False, False, True),
    ("sage_lstm_uneven", "sage", "lstm", 2, "bpr", True, False, False),
]


class EachAlone(torch.nn.Module):
    """The last state of an LSTM over each list, without padding."""

    def __init__(self, lstm):
        super().__init__()
        self.lstm = lstm

    def forward(self, x, index, ptr=None, dim_size=None, dim=-2, **_):
        rows = []
        for node in range(dim_size):
            some = x[index == node]
            last = self.lstm(some[None])[0][0, -1] if len(some) else \
                x.new_zeros(x.shape[1])
            rows.append(last)
        return torch.stack(rows)


def draw_edges(users, items, regular, generator):
    if regular:
        return [(u, (u + k * k) % items) for u in range(users) for k in range(4)]
    had = torch.rand(users, items, generator=generator) < .25
    had[1] = False     # a user without anything
    had[:, 2] = False  # an item that nobody had
    had[0, 0] = True
    return [tuple(e) for e in had.nonzero().tolist()]


def csr(users, items, edges):
    lists = [[] for _ in range(users + items)]
    for u, i in sorted(edges):
        lists[u].append(users + i)
        lists[users + i].append(u)
    counts = torch.tensor([0] + [len(x) for x in lists]).cumsum(0)
    return counts, torch.tensor([n for x in lists for n in sorted(x)])


def draw_batch(users, items, edges, size, negatives, generator):
    picked = [edges[i] for i in
              torch.randint(len(edges), (size,), generator=generator)]
    others = torch.randint(items, (size, negatives), generator=generator)
    return (torch.tensor([u for u, _ in picked]),
            torch.tensor([i for _, i in picked]) + users, others + users)


class Model(torch.nn.Module):
    def __init__(self, kind, aggregator, layers, users, items, dim, features,
                 graph, alone):
        super().__init__()
        self.kind, self.users, self.layers = kind, users, layers
        self.embedding = torch.nn.Embedding(users + items, dim)
        self.item_features = features
        if features is not None:
            self.features = torch.nn.Linear(features.shape[1], dim)
        offsets, neighbours = graph
        degrees = offsets.diff()
        self.warm = (degrees > 0).double()[:, None]
        targets = torch.arange(len(degrees)).repeat_interleave(degrees)
        self.edge_index = torch.stack([neighbours, targets])
        if kind == "lightgcn":
            self.net = LightGCN(users + items, dim, layers)
            self.net.embedding = self.embedding
        else:
            self.convs = torch.nn.ModuleList(
                SAGEConv(dim, dim, aggr=aggregator, project=aggregator == "max")
                for _ in range(layers))
            for conv in self.convs if alone else []:
                conv.aggr_module = EachAlone(conv.aggr_module.lstm)

    def start(self):
        x = self.embedding.weight
        if self.item_features is None:
            return x
        items = (x * self.warm)[self.users:] + self.features(self.item_features)
        return torch.cat([x[:self.users], items])

    def forward(self):
        x = self.start()
        if self.kind == "lightgcn":
            # PyG's forward reads its embedding; here it may be computed.
            out = x / (self.layers + 1)
            for conv in self.net.convs:
                x = conv(x, self.edge_index)
                out = out + x / (self.layers + 1)
            return out
        for i, conv in enumerate(self.convs):
            x = conv(x, self.edge_index)
            x = x.relu() if i < self.layers - 1 else x
        return x


def loss_of(model, batch, kind, cosine):
    users, items, others = batch
    z = model()
    if cosine:
        z = torch.nn.functional.normalize(z)
    had = (z[users] * z[items]).sum(-1) / TEMPERATURE
    had_not = (z[users][:, None] * z[others]).sum(-1) / TEMPERATURE
    if kind == "bpr":
        loss = BPRLoss()(had.repeat_interleave(had_not.shape[1]),
                         had_not.flatten())
    else:
        logits = torch.cat([had[:, None], had_not], 1)
        loss = torch.nn.functional.cross_entropy(
            logits, torch.zeros(len(had), dtype=torch.long))
    rows = model.start()[torch.cat([users, items, others.flatten()])]
    return loss + L2 / 2 * rows.pow(2).sum() / len(users)


def make_case(case, users, items, dim, size, seed):
    name, kind, aggregator, layers, loss_kind, cosine, wide, regular = case
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    edges = draw_edges(users, items, regular, generator)
    graph = csr(users, items, edges)
    features = torch.randn(items, 5, generator=generator).double() if wide \
        else None
    model = Model(kind, aggregator, layers, users, items, dim, features, graph,
                  name.endswith("uneven")).float().double()
    if features is not None:
        features.copy_(features.float().double())
    for p in model.parameters():
        p.data.copy_((p.data * .5).float().double())
    batch = draw_batch(users, items, edges, size, 3, generator)
    loss = loss_of(model, batch, loss_kind, cosine)
    loss.backward()
    out = {"users": torch.tensor(users), "offsets": graph[0],
           "neighbours": graph[1].int(), "size": torch.tensor(size),
           "all": torch.cat([b.flatten() for b in batch]),
           "embeddings": model().detach(), "loss": loss.detach()}
    if wide:
        out["item_features"] = features
    for key, p in model.named_parameters():
        if key.startswith("net."):
            continue
        out[f"param.{key}"] = p.detach()
        out[f"grad.{key}"] = p.grad
    return {f"{name}.{k}": (v.float() if v.is_floating_point() else v).contiguous()
            for k, v in out.items()}


def write(path, users, items, dim, size, seed):
    tensors = {}
    for case in CASES:
        if case[-1]:
            items = users
        tensors |= make_case(case, users, items, dim, size, seed)
    save_file({k: v.clone() for k, v in tensors.items()}, path)
    return [case[0] for case in CASES]


if __name__ == "__main__":
    sys.exit(not write(ROOT / "tests/golden/train/recommendation.safetensors",
                       6, 9, 4, 7, 1))
