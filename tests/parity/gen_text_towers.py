"""Golden weights, inputs, outputs and gradients of the text towers, computed by
torch 2.13.0, transformers 5.23.0 (BertModel) and open_clip 3.3.0 on the CPU.

    python tests/parity/gen_text_towers.py tests/golden/models

Files are those of gen_models.py, which made the cases of the older towers.
"""

import sys
from pathlib import Path

import torch
import torch.nn as nn
from open_clip.transformer import TextTransformer
from safetensors.torch import save_file
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers import BertConfig, BertModel

OUT = Path(*sys.argv[1:])
VOCABULARY, CONTEXT = 32, 8
DROPPED = ("text_projection", "attn_mask", "position_ids", "token_type_ids")


def texts():
    """Ids of four texts; one fills the context, one has a single token."""
    lengths = torch.tensor([8, 3, 1, 5])
    ids = torch.randint(1, VOCABULARY, (4, CONTEXT))
    for row, n in enumerate(lengths):
        ids[row, n:] = 0
    return ids, lengths


def save(case, module, out, ids, lengths, names):
    w = torch.randn_like(out)
    module.zero_grad()
    (out * w).sum().backward()
    tensors = {"in.ids": ids, "in.lengths": lengths, "out.eval": out, "w": w}
    for name in names:
        tensors[f"grad.{name}"] = module.get_parameter(name).grad
    weights = {k: v.clone().contiguous() for k, v in module.state_dict().items()
               if k.split(".")[-1] not in DROPPED}
    save_file(weights, OUT / f"{case}.weights.safetensors")
    save_file({k: v.detach().contiguous() for k, v in tensors.items()},
              OUT / f"{case}.safetensors")


def shake(module):
    """Moves every parameter off its initial zeros and ones."""
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn_like(p) * 0.1)


class Attention(nn.Module):
    """Yang et al. 2016: a softmax over the scores of the states."""

    def __init__(self, width):
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, states):
        share = self.score(torch.tanh(self.hidden(states))).softmax(0)
        return (share * states).sum(0)


class Recurrent(nn.Module):
    def __init__(self, kind, bidirectional, attention, vocabulary=VOCABULARY,
                 token_width=7, width=6):
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, token_width, padding_idx=0)
        cell = {"lstm": nn.LSTM, "gru": nn.GRU}[kind]
        setattr(self, kind, cell(token_width, width, 2, batch_first=True,
                                 bidirectional=bidirectional))
        self.kind, self.directions = kind, 1 + bidirectional
        if attention:
            self.attention = Attention(width * self.directions)

    def forward(self, ids, lengths, pooling):
        packed = pack_padded_sequence(self.token_embedding(ids), lengths,
                                      batch_first=True, enforce_sorted=False)
        out, last = getattr(self, self.kind)(packed)
        if pooling == "last":
            last = last[0] if self.kind == "lstm" else last
            return torch.cat(list(last[-self.directions:]), 1)
        x, _ = pad_packed_sequence(out, batch_first=True)
        pool = {"mean": lambda s: s.mean(0), "max": lambda s: s.amax(0),
                "attention": getattr(self, "attention", None)}[pooling]
        return torch.stack([pool(row[:n]) for row, n in zip(x, lengths)])


def recurrent(kind, pooling, bidirectional):
    torch.manual_seed(11)
    module = Recurrent(kind, bidirectional, pooling == "attention")
    ids, lengths = texts()
    names = ["token_embedding.weight", f"{kind}.weight_ih_l0",
             f"{kind}.weight_hh_l1", f"{kind}.bias_hh_l0"]
    if bidirectional:
        names.append(f"{kind}.weight_hh_l1_reverse")
    if pooling == "attention":
        names += ["attention.hidden.weight", "attention.score.weight"]
    save(f"{kind}_{pooling}", module, module(ids, lengths, pooling), ids,
         lengths, names)


class Cnn(nn.Module):
    """Text by text, without padding but the zeros that windows reach into."""

    def __init__(self, vocabulary=VOCABULARY, token_width=6, width=4,
                 windows=(1, 3, 4)):
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, token_width, padding_idx=0)
        self.convs = nn.ModuleList([
            nn.Conv1d(token_width, width, h, padding=h - 1) for h in windows])

    def forward(self, ids, lengths):
        rows = [self.token_embedding(row[:n]).T for row, n in zip(ids, lengths)]
        return torch.stack([
            torch.cat([conv(x).relu().amax(1) for conv in self.convs])
            for x in rows])


def cnn():
    torch.manual_seed(12)
    module = Cnn()
    ids, lengths = texts()
    save("text_cnn", module, module(ids, lengths), ids, lengths,
         ["token_embedding.weight", "convs.0.weight", "convs.2.weight",
          "convs.1.bias"])


class Bag(nn.Module):
    def __init__(self, vocabulary=VOCABULARY, token_width=5, width=9):
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, token_width, padding_idx=0)
        self.token_projection = nn.Linear(token_width, width, bias=False)

    def forward(self, ids, lengths):
        return torch.stack([
            self.token_projection(self.token_embedding(row[:n])).mean(0)
            for row, n in zip(ids, lengths)])


def bag():
    torch.manual_seed(13)
    module = Bag()
    ids, lengths = texts()
    save("bag_projected", module, module(ids, lengths), ids, lengths,
         ["token_embedding.weight", "token_projection.weight"])


def ngrams(ids, most, buckets):
    """For each place the rows of the n-grams that end there, by their text."""
    rows = []
    for at in range(len(ids)):
        rows.append([])
        for n in range(2, most + 1):
            words = [ids[i] if i >= 0 else 0 for i in range(at - n + 1, at + 1)]
            row = words[0]
            for word in words[1:]:
                row = (row * 116049371 + word) % buckets
            rows[-1].append(row)
    return rows


class NgramBag(Bag):
    def __init__(self, vocabulary=VOCABULARY, token_width=5, width=9, most=3,
                 buckets=11):
        super().__init__(vocabulary, token_width, width)
        self.ngram_embedding = nn.Embedding(buckets, token_width)
        self.most, self.buckets = most, buckets

    def forward(self, ids, lengths):
        means = []
        for row, n in zip(ids, lengths):
            found = torch.tensor(ngrams(row[:n].tolist(), self.most, self.buckets))
            x = self.token_embedding(row[:n]) + self.ngram_embedding(found).sum(1)
            means.append(self.token_projection(x).mean(0))
        return torch.stack(means)


def ngram_bag():
    torch.manual_seed(16)
    module = NgramBag()
    ids, lengths = texts()
    save("bag_ngrams", module, module(ids, lengths), ids, lengths,
         ["token_embedding.weight", "ngram_embedding.weight",
          "token_projection.weight"])


def bert(pooling):
    torch.manual_seed(14)
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=12, num_hidden_layers=2,
        num_attention_heads=3, intermediate_size=24, max_position_embeddings=10)
    module = BertModel(config, add_pooling_layer=pooling == "pooler").eval()
    shake(module)
    ids, lengths = texts()
    mask = (torch.arange(CONTEXT) < lengths[:, None]).long()
    result = module(input_ids=ids, attention_mask=mask)
    x = result.last_hidden_state
    out = {"cls": lambda: x[:, 0], "pooler": lambda: result.pooler_output,
           "mean": lambda: (x * mask[:, :, None]).sum(1) / lengths[:, None]}[pooling]()
    names = ["embeddings.word_embeddings.weight",
             "embeddings.position_embeddings.weight",
             "embeddings.token_type_embeddings.weight",
             "embeddings.LayerNorm.weight",
             "encoder.layer.0.attention.self.query.weight",
             "encoder.layer.1.attention.self.value.bias",
             "encoder.layer.0.attention.output.dense.weight",
             "encoder.layer.1.intermediate.dense.weight",
             "encoder.layer.1.output.LayerNorm.bias"]
    if pooling == "pooler":
        names.append("pooler.dense.weight")
    save(f"bert_{pooling}", module, out, ids, lengths, names)


def siglip():
    """As SigLIP's text tower: every place is attended to, pads are tokens."""
    torch.manual_seed(15)
    module = TextTransformer(
        context_length=CONTEXT, vocab_size=VOCABULARY, width=16, heads=2,
        layers=2, output_dim=None, no_causal_mask=True, pool_type="last",
        norm_layer=lambda width: nn.LayerNorm(width, eps=1e-6))
    shake(module)
    ids, _ = texts()
    save("transformer_siglip", module, module(ids), ids,
         torch.full((4,), CONTEXT), [
             "token_embedding.weight", "positional_embedding",
             "transformer.resblocks.0.attn.in_proj_weight",
             "transformer.resblocks.1.mlp.c_fc.weight", "ln_final.weight"])


def main():
    for kind in ("lstm", "gru"):
        recurrent(kind, "attention", True)
    recurrent("gru", "mean", True)
    recurrent("gru", "max", False)
    recurrent("gru", "last", True)
    cnn()
    bag()
    ngram_bag()
    for pooling in ("cls", "mean", "pooler"):
        bert(pooling)
    siglip()


if __name__ == "__main__":
    main()
