"""Small ONNX files for tests/export/test_onnxruntime.c, made by onnx 1.23.2, with
inputs and the outputs that its reference evaluator gives.

    python tests/parity/gen_onnx.py tests/golden/onnx

linear.onnx    x F32 [B, 4] -> y [B, 3] = x W + b, and its sum over columns, s [B]
masked.onnx    ids I64 [B, T], present BOOL [B, T] -> rows F32 [B, 3]: sums of the
               rows of a table that are present
half.onnx      x F16 [B, 2] -> y F16 [B, 2]
bytes.onnx     pixels U8 [B, 2, 2] -> y I8 [B, 2, 2] = pixels / 2 - 100
damaged.onnx   linear.onnx without its second half
newer.onnx     linear.onnx of opset 99
cases.safetensors   <model>.<input or output>
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import save_file

rng = np.random.default_rng(6)


def value(name, dtype, *sizes):
    return helper.make_tensor_value_info(name, dtype, sizes)


def model(nodes, inputs, outputs, opset=17, **constants):
    graph = helper.make_graph(
        nodes, "test", inputs, outputs,
        [numpy_helper.from_array(a, n) for n, a in constants.items()])
    return helper.make_model(graph, ir_version=8,
                             opset_imports=[helper.make_opsetid("", opset)])


def linear(opset=17):
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["h"]),
         helper.make_node("Add", ["h", "b"], ["y"]),
         helper.make_node("ReduceSum", ["y", "axis"], ["s"], keepdims=0)],
        [value("x", T.FLOAT, "B", 4)],
        [value("y", T.FLOAT, "B", 3), value("s", T.FLOAT, "B")], opset,
        w=WEIGHT, b=np.float32([0.5, -1, 2]), axis=np.int64([1]))


def masked():
    return model(
        [helper.make_node("Gather", ["table", "ids"], ["rows_of_ids"]),
         helper.make_node("Cast", ["present"], ["ones"], to=T.FLOAT),
         helper.make_node("Unsqueeze", ["ones", "last"], ["weights"]),
         helper.make_node("Mul", ["rows_of_ids", "weights"], ["kept"]),
         helper.make_node("ReduceSum", ["kept", "tokens"], ["rows"], keepdims=0)],
        [value("ids", T.INT64, "B", "T"), value("present", T.BOOL, "B", "T")],
        [value("rows", T.FLOAT, "B", 3)],
        table=rng.standard_normal((6, 3), np.float32), last=np.int64([2]),
        tokens=np.int64([1]))


def half():
    return model(
        [helper.make_node("Mul", ["x", "scale"], ["y"])],
        [value("x", T.FLOAT16, "B", 2)], [value("y", T.FLOAT16, "B", 2)],
        scale=np.float16([0.5, -2]))


def bytes_model():
    return model(
        [helper.make_node("Cast", ["pixels"], ["f"], to=T.FLOAT),
         helper.make_node("Mul", ["f", "half"], ["g"]),
         helper.make_node("Sub", ["g", "hundred"], ["h"]),
         helper.make_node("Cast", ["h"], ["y"], to=T.INT8)],
        [value("pixels", T.UINT8, "B", 2, 2)], [value("y", T.INT8, "B", 2, 2)],
        half=np.float32(0.5), hundred=np.float32(100))


WEIGHT = rng.standard_normal((4, 3), np.float32)
CASES = {
    "linear": (linear(), {"x": rng.standard_normal((5, 4), np.float32)}),
    "masked": (masked(), {"ids": rng.integers(0, 6, (4, 3)),
                          "present": rng.random((4, 3)) < 0.6}),
    "half": (half(), {"x": np.float16([[1, 2], [-3, 0.25], [8, -1]])}),
    "bytes": (bytes_model(), {"pixels": np.arange(0, 256, 22, np.uint8)
                              .reshape(3, 2, 2)}),
}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, (proto, inputs) in CASES.items():
        onnx.checker.check_model(proto, full_check=True)
        (folder / f"{name}.onnx").write_bytes(proto.SerializeToString())
        outputs = dict(zip((o.name for o in proto.graph.output),
                           ReferenceEvaluator(proto).run(None, inputs)))
        for key, array in {**inputs, **outputs}.items():
            tensors[f"{name}.{key}"] = np.ascontiguousarray(array)
    whole = (folder / "linear.onnx").read_bytes()
    (folder / "damaged.onnx").write_bytes(whole[:len(whole) // 2])
    (folder / "newer.onnx").write_bytes(linear(opset=99).SerializeToString())
    save_file(tensors, folder / "cases.safetensors")


main()
