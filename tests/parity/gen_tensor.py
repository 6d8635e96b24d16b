"""Golden tensors for tests/tensor, computed by PyTorch 2.13.0 (CPU) and written
by safetensors 0.8.0.

    python tests/parity/gen_tensor.py tests/golden/tensor
    python tests/parity/gen_tensor.py --read FILE   # prints what FILE holds

ops.safetensors holds, for each case of test_ops.c, the inputs (<case>.in0 ...),
the result (<case>.out), the weights of the scalar that is differentiated
(<case>.w: d = sum(out * w)) and its gradients (<case>.grad0 ...). All f64.
optim.safetensors holds parameters, gradients and the results of five steps.
"""

import sys

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file

torch.manual_seed(20)


def rand(*shape):
    return torch.randn(shape, dtype=torch.float64)


def positive(*shape):
    return torch.rand(*shape, dtype=torch.float64) + 0.3


IDS = torch.tensor([[0, 2, 1], [3, 3, 5]])
TARGETS = torch.tensor([2, 0, -100, 1])
MASK = torch.tensor([[True, True, False], [True, False, True], [False, True, True]])
INDEX = torch.tensor([2, 0, 2])
GATHER = torch.tensor([[0, 2], [1, 1], [3, 0]])


def lstm(layers, bidirectional, inputs, size, hidden):
    directions = 2 if bidirectional else 1
    weights = []
    for layer in range(layers):
        for _ in range(directions):
            width = inputs if layer == 0 else hidden * directions
            weights += [rand(4 * hidden, width) * 0.5, rand(4 * hidden, hidden) * 0.5]
            weights += [rand(4 * hidden) * 0.5, rand(4 * hidden) * 0.5]

    def run(x, *w):
        zeros = torch.zeros(layers * directions, x.shape[0], hidden, dtype=x.dtype)
        return torch.lstm(
            x, (zeros, zeros), list(w), True, layers, 0.0, False, bidirectional, True
        )

    return [rand(2, size, inputs)] + weights, run


lstm_in, lstm_run = lstm(2, True, 3, 4, 2)


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


def batch_norm(training):
    def run(x, w, b):
        mean = torch.tensor([0.1, -0.2, 0.3], dtype=x.dtype)
        var = torch.tensor([1.1, 0.8, 1.3], dtype=x.dtype)
        return F.batch_norm(x, mean, var, w, b, training, 0.1, 1e-5)

    return run


def ce(weights=None, smoothing=0.0):
    return lambda x: F.cross_entropy(x, TARGETS, weights, ignore_index=-100, label_smoothing=smoothing)


CLASS_WEIGHTS = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
x34 = lambda: [rand(3, 4)]
image = lambda: [rand(2, 4, 5, 5)]
attention = lambda: [rand(2, 2, 3, 4), rand(2, 2, 3, 4), rand(2, 2, 3, 4)]

CASES = {
    "add": ([rand(3, 4), rand(4)], torch.add),
    "sub": ([rand(3, 4), rand(3, 1)], torch.sub),
    "mul": ([rand(3, 4), rand(4)], torch.mul),
    "div": ([rand(3, 4), positive(4)], torch.div),
    "maximum": ([rand(3, 4), rand(3, 4)], torch.maximum),
    "add_scalar": (x34(), lambda x: x + 1.5),
    "mul_scalar": (x34(), lambda x: x * -2.5),
    "pow_scalar": ([positive(3, 4)], lambda x: x**1.7),
    "clamp": (x34(), lambda x: x.clamp(-0.5, 0.8)),
    "neg": (x34(), torch.neg),
    "exp": (x34(), torch.exp),
    "log": ([positive(3, 4)], torch.log),
    "sqrt": ([positive(3, 4)], torch.sqrt),
    "abs": (x34(), torch.abs),
    "relu": (x34(), torch.relu),
    "gelu": (x34(), F.gelu),
    "gelu_tanh": (x34(), lambda x: F.gelu(x, approximate="tanh")),
    "quick_gelu": (x34(), quick_gelu),
    "silu": (x34(), F.silu),
    "sigmoid": (x34(), torch.sigmoid),
    "log_sigmoid": (x34(), F.logsigmoid),
    "tanh": (x34(), torch.tanh),
    "softplus": (x34(), F.softplus),
    "masked_fill": ([rand(2, 3, 3)], lambda x: x.masked_fill(MASK, -3.0)),
    "where": ([rand(3, 3), rand(3)], lambda x, y: torch.where(MASK, x, y)),
    "sum": (x34(), lambda x: x.sum(1, keepdim=True)),
    "mean": (x34(), lambda x: x.mean(0)),
    "amax": (x34(), lambda x: x.amax(-1)),
    "logsumexp": (x34(), lambda x: x.logsumexp(1)),
    "sum_all": (x34(), torch.sum),
    "mean_all": (x34(), torch.mean),
    "norm_all": (x34(), torch.linalg.vector_norm),
    "normalize": (x34(), lambda x: F.normalize(x, dim=-1)),
    "matmul": ([rand(2, 3, 4), rand(4, 2)], torch.matmul),
    "linear": ([rand(2, 3, 4), rand(5, 4), rand(5)], F.linear),
    "linear_plain": ([rand(3, 4), rand(5, 4)], F.linear),
    "conv2d": (
        image() + [rand(6, 2, 3, 3), rand(6)],
        lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1, groups=2),
    ),
    "batch_norm_train": ([rand(4, 3, 2, 2), rand(3), rand(3)], batch_norm(True)),
    "batch_norm_eval": ([rand(4, 3, 2, 2), rand(3), rand(3)], batch_norm(False)),
    "layer_norm": (
        [rand(2, 3, 5), rand(5), rand(5)],
        lambda x, w, b: F.layer_norm(x, (5,), w, b, 1e-6),
    ),
    "max_pool2d": (image(), lambda x: F.max_pool2d(x, 3, 2, 1)),
    "avg_pool2d": (image(), lambda x: F.avg_pool2d(x, 2, 2, 1)),
    "adaptive_avg_pool2d": (image(), lambda x: F.adaptive_avg_pool2d(x, (2, 3))),
    "embedding": ([rand(6, 3)], lambda w: F.embedding(IDS, w, padding_idx=3)),
    "attention": (attention(), F.scaled_dot_product_attention),
    "attention_mask": (
        attention(),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=MASK),
    ),
    "attention_causal": (
        attention(),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    ),
    "lstm": (lstm_in, lambda x, *w: lstm_run(x, *w)[0]),
    "lstm_hidden": (lstm_in, lambda x, *w: lstm_run(x, *w)[1]),
    "softmax": (x34(), lambda x: x.softmax(0)),
    "log_softmax": (x34(), lambda x: x.log_softmax(-1)),
    "cross_entropy": ([rand(4, 3)], ce()),
    "cross_entropy_weights": ([rand(4, 3)], ce(CLASS_WEIGHTS)),
    "cross_entropy_smooth": ([rand(4, 3)], ce(smoothing=0.1)),
    "reshape": (x34(), lambda x: x.reshape(2, -1)),
    "flatten": ([rand(2, 3, 2)], lambda x: x.flatten(1, 2)),
    "unflatten": (x34(), lambda x: x.unflatten(1, (2, -1))),
    "transpose": (x34(), lambda x: x.transpose(0, 1)),
    "permute": ([rand(2, 3, 2)], lambda x: x.permute(2, 0, 1)),
    "unsqueeze": (x34(), lambda x: x.unsqueeze(1)),
    "squeeze": ([rand(3, 1, 2)], lambda x: x.squeeze(1)),
    "expand": ([rand(3, 1)], lambda x: x.expand(2, 3, 4)),
    "expand_as": ([rand(1, 4), rand(3, 4)], lambda x, y: x.expand_as(y) + 0 * y),
    "cat": ([rand(2, 3), rand(2, 2)], lambda x, y: torch.cat([x, y], 1)),
    "stack": ([rand(2, 3), rand(2, 3)], lambda x, y: torch.stack([x, y], 1)),
    "chunk": ([rand(2, 6)], lambda x: x.chunk(3, 1)[1]),
    "narrow": ([rand(2, 6)], lambda x: x.narrow(1, 2, 3)),
    "select": ([rand(2, 3, 2)], lambda x: x.select(1, -1)),
    "index_select": (x34(), lambda x: x.index_select(0, INDEX)),
    "gather": (x34(), lambda x: x.gather(1, GATHER)),
    "contiguous": (x34(), lambda x: x.t().contiguous()),
    "channels_last": (image(), lambda x: x.contiguous(memory_format=torch.channels_last)),
    "clone": (x34(), torch.clone),
}


def ops():
    held = {}
    for name, (inputs, function) in CASES.items():
        leaves = [x.clone().requires_grad_() for x in inputs]
        out = function(*leaves)
        weights = rand(*out.shape)
        (out * weights).sum().backward()
        held[name + ".out"] = out.detach().contiguous().clone()
        held[name + ".w"] = weights
        for i, leaf in enumerate(leaves):
            held[f"{name}.in{i}"] = leaf.detach()
            held[f"{name}.grad{i}"] = leaf.grad.contiguous()
    return held


def optimise(make, shapes, clip=None):
    """Five steps with given gradients; returns everything by name."""
    held = {}
    params = [torch.nn.Parameter(torch.randn(*s)) for s in shapes]
    for i, p in enumerate(params):
        held[f"start{i}"] = p.detach().clone()
    optimiser = make(params)
    for step in range(5):
        for i, p in enumerate(params):
            p.grad = torch.randn_like(p)
            held[f"step{step}.grad{i}"] = p.grad.clone()
        if clip:
            norm = torch.nn.utils.clip_grad_norm_(params, clip)
            held[f"step{step}.norm"] = norm.double()
        optimiser.step()
        for i, p in enumerate(params):
            held[f"step{step}.param{i}"] = p.detach().clone()
    return held


def optim():
    shapes = [(3, 2, 2, 2), (5,), (4, 3)]
    makers = {
        "adamw": lambda p: torch.optim.AdamW(
            p, lr=1e-2, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.1, foreach=False
        ),
        "sgd": lambda p: torch.optim.SGD(
            p, lr=1e-2, momentum=0.9, weight_decay=0.05, nesterov=True, foreach=False
        ),
        "plain": lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=0.05, foreach=False),
    }
    held = {}
    for name, make in makers.items():
        clip = 2.5 if name == "adamw" else None
        for key, value in optimise(make, shapes, clip).items():
            held[f"{name}.{key}"] = value
    return held


def dtypes():
    return {
        "f32": torch.tensor([[1.5, -2.0], [0.25, 3e38]]),
        "f64": torch.tensor([1e300, -0.1], dtype=torch.float64),
        "f16": torch.tensor([0.5, -65504.0], dtype=torch.float16),
        "bf16": torch.tensor([0.5, -3.0e38], dtype=torch.bfloat16),
        "i32": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
        "i64": torch.tensor(-(2**63), dtype=torch.int64),
        "u8": torch.tensor([0, 7, 255], dtype=torch.uint8),
        "bool": torch.tensor([[True, False, True]]),
        "empty": torch.zeros(0, 3),
        "\u6a21\u578b.weight": torch.tensor([8.0]),
    }


def describe(path):
    """One line per tensor in name order: what the reference reader sees."""
    with safe_open(path, "pt") as file:
        for key, value in sorted((file.metadata() or {}).items()):
            print(f"{key}={value}")
        for name in sorted(file.keys()):
            t = file.get_tensor(name)
            print(name, str(t.dtype)[6:], list(t.shape), t.flatten().tolist())


def main(args):
    if args[0] == "--read":
        describe(args[1])
        return
    save_file(ops(), f"{args[0]}/ops.safetensors", {"made_by": "PyTorch"})
    save_file(optim(), f"{args[0]}/optim.safetensors")
    save_file(dtypes(), f"{args[0]}/dtypes.safetensors", {"a": "b", "\u8bcd": "\u2713"})


main(sys.argv[1:])
