"""Writes an ONNX file with weights in every form that the format has, for tests/models/weights.test.ts. Run: python with-onnx.py (onnx, numpy)."""

import os

import numpy as np
from onnx import TensorProto, helper, numpy_helper

dense = [[0.5, -1.25], [3, 1e-8], [2, 7]]
initializers = [
    numpy_helper.from_array(np.array(dense, dtype=np.float32), "fc.weight"),
    helper.make_tensor("fc.bias", TensorProto.FLOAT, [3], [0.1, 0.2, -0.3]),
    numpy_helper.from_array(np.array([-3, 9], dtype=np.int64), "raw.long"),
    helper.make_tensor("listed.long", TensorProto.INT64, [2], [-1, 300]),
    helper.make_tensor("listed.int", TensorProto.INT32, [3], [-1, 0, 2**31 - 1]),
    helper.make_tensor("listed.half", TensorProto.FLOAT16, [2], [1.5, -2.0]),
    numpy_helper.from_array(np.array([1.5, -2.0], dtype=np.float16), "raw.half"),
    helper.make_tensor("listed.double", TensorProto.DOUBLE, [2], [0.1, -1e30]),
    numpy_helper.from_array(np.array([True, False]), "raw.flag"),
    numpy_helper.from_array(np.array(2.5, dtype=np.float32), "scalar"),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])
node = helper.make_node("Gemm", ["x", "fc.weight", "fc.bias"], ["y"], transB=1)
graph = helper.make_graph([node], "tiny", [x], [y], initializers)
model = helper.make_model(graph, producer_name="peer", opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 9
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiny.onnx"), "wb") as file:
    file.write(model.SerializeToString())
