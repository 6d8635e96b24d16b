"""Small ONNX files for tests/export/test_onnxruntime.c, made by onnx 1.23.2, with
inputs and the outputs that its reference evaluator gives; and what
onnxruntime 1.32.0 quantises for tests/export/test_onnx_int8.c.

    python tests/parity/gen_onnx.py tests/golden/onnx

linear.onnx    x F32 [B, 4] -> y [B, 3] = x W + b, and its sum over columns, s [B]
masked.onnx    ids I64 [B, T], present BOOL [B, T] -> rows F32 [B, 3]: sums of the
               rows of a table that are present
half.onnx      x F16 [B, 2] -> y F16 [B, 2]
bytes.onnx     pixels U8 [B, 2, 2] -> y I8 [B, 2, 2] = pixels / 2 - 100
damaged.onnx   linear.onnx without its second half
newer.onnx     linear.onnx of opset 99
cases.safetensors   <model>.<input or output>
int8.safetensors    int8.<name>: x, the weights of y = Gemm(relu(x W + b), V, c) and
                    z = x U, and of the model by quantize_dynamic() the weights,
                    their scales and its y and z
"""

import logging
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.quantization import QuantType, quantize_dynamic
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


def layers(weights):
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["h"]),
         helper.make_node("Add", ["h", "b"], ["i"]),
         helper.make_node("Relu", ["i"], ["j"]),
         helper.make_node("Gemm", ["j", "v", "c"], ["y"], transB=1),
         helper.make_node("MatMul", ["x", "u"], ["z"])],
        [value("x", T.FLOAT, "B", 16)],
        [value("y", T.FLOAT, "B", 5), value("z", T.FLOAT, "B", 3)], **weights)


def quantised(weights, x):
    """Weights and outputs of the quantised model, by our names."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/int8.onnx"
        quantize_dynamic(layers(weights), path, per_channel=True,
                         weight_type=QuantType.QInt8,
                         op_types_to_quantize=["MatMul"])
        constants = {t.name: numpy_helper.to_array(t)
                     for t in onnx.load(path).graph.initializer}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        y, z = onnxruntime.InferenceSession(path, options).run(None, {"x": x})
    found = {"y": y, "z": z}
    for name, weight in weights.items():
        for suffix in ("quantized", "scale"):
            for key, array in constants.items():
                if key.startswith(name) and key.endswith(suffix):
                    found[f"{name}_{suffix}"] = array
    return found


def make_int8():
    weights = {"w": rng.standard_normal((16, 6), np.float32),
               "b": rng.standard_normal(6, np.float32),
               "v": rng.standard_normal((5, 6), np.float32),
               "c": rng.standard_normal(5, np.float32),
               "u": rng.standard_normal((16, 3), np.float32)}
    weights["u"][:, 1] = 0
    weights["w"][:, 2] = 1e-40  # their scale would be no normal number
    x = rng.standard_normal((4, 16), np.float32)
    tensors = {"x": x, **weights, **quantised(weights, x)}
    assert len(tensors) == 14, sorted(tensors)
    return {f"int8.{k}": np.ascontiguousarray(v) for k, v in tensors.items()}


def main():
    logging.disable()
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
    save_file(make_int8(), folder / "int8.safetensors")


main()
