"""Writes the ONNX graph of a BERT encoder straight from its tensors, so that neither torch nor a download of another
format is needed.

The graph is that of Devlin et al., "BERT" (2018), with ONNX Runtime's own fused attention. It takes `input_ids` and
`attention_mask` (batch × tokens) and gives `last_hidden_state` (batch × tokens × width).
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from pyagent.errors import InputError
from pyagent.sdk._extras import embeddings

OPSET = 20
CONTRIB = "com.microsoft"


def read_tensors(path: Path) -> dict[str, Any]:
    """The arrays of a safetensors file by name, as 32-bit floats (other types as they are). Raises `OSError`,
    `InputError` (`embedding.model`)."""
    numpy = embeddings("numpy")
    types = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "I32": "<i4"}
    data = path.read_bytes()
    try:
        size = int.from_bytes(data[:8], "little")
        header: dict[str, Any] = json.loads(data[8 : 8 + size])
        found: dict[str, Any] = {}
        for name, about in header.items():
            if name == "__metadata__":
                continue
            start, end = about["data_offsets"]
            values = numpy.frombuffer(data[8 + size + start : 8 + size + end], types[about["dtype"]])
            values = values.reshape(about["shape"])
            found[name] = values.astype("<f4") if about["dtype"].startswith("F") else values
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no safetensors file that can be read: {error!r}",
            code="embedding.model",
            hint="Give a folder with model.onnx, or with float tensors in model.safetensors.",
        ) from error
    return found


def write_graph(folder: Path, target: Path) -> None:
    """Write `target` from `folder`'s `config.json` and `model.safetensors`; whole, or not at all.

    Raises `OSError`, `InputError` (`embedding.model`) for what is no BERT encoder.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise InputError(
            f"{folder} holds a model of type {config.get('model_type')!r}",
            code="embedding.model",
            hint="Only BERT encoders are read from tensors: give a folder with the model as model.onnx.",
        )
    tensors = {
        name.removeprefix("bert."): values for name, values in read_tensors(folder / "model.safetensors").items()
    }
    try:
        content = _Graph(tensors, config).model()
    except KeyError as error:
        raise InputError(
            f"{folder} lacks the tensor {error}",
            code="embedding.model",
            hint="Give a whole BERT encoder, or a folder with the model as model.onnx.",
        ) from error
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(target)


class _Graph:
    def __init__(self, tensors: dict[str, Any], config: dict[str, Any]) -> None:
        self.tensors = tensors
        self.heads = int(config["num_attention_heads"])
        self.layers = int(config["num_hidden_layers"])
        self.epsilon = float(config.get("layer_norm_eps", 1e-12))
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def model(self) -> bytes:
        onnx = embeddings("onnx")
        helper = onnx.helper
        hidden = self._embeddings()
        for layer in range(self.layers):
            hidden = self._layer(f"encoder.layer.{layer}.", hidden)
        self._add("Identity", [hidden], output="last_hidden_state")
        shape = ["batch", "tokens"]
        graph = helper.make_graph(
            self.nodes,
            "bert",
            [
                helper.make_tensor_value_info(name, onnx.TensorProto.INT64, shape)
                for name in ("input_ids", "attention_mask")
            ],
            [helper.make_tensor_value_info("last_hidden_state", onnx.TensorProto.FLOAT, [*shape, "width"])],
            self.initializers,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
            ir_version=9,
        )
        return model.SerializeToString()

    def _embeddings(self) -> str:
        words = self._add("Gather", [self._tensor("embeddings.word_embeddings.weight"), "input_ids"])
        # The first positions' embeddings; with them the type of the only sentence there is.
        places = self.tensors["embeddings.position_embeddings.weight"]
        places = self._constant("positions", places + self.tensors["embeddings.token_type_embeddings.weight"][0])
        length = self._add("Shape", ["input_ids"], start=1, end=2)
        zero = self._constant("zero", embeddings("numpy").zeros(1, dtype="<i8"))
        summed = self._add("Add", [words, self._add("Slice", [places, zero, length, zero])])
        self.mask = self._add("Cast", ["attention_mask"], to=6)  # int32
        return self._normalised("embeddings.LayerNorm", summed)

    def _layer(self, name: str, hidden: str) -> str:
        numpy = embeddings("numpy")
        parts = [f"{name}attention.self.{part}" for part in ("query", "key", "value")]
        weights = numpy.concatenate([self.tensors[f"{part}.weight"].T for part in parts], axis=1)
        bias = numpy.concatenate([self.tensors[f"{part}.bias"] for part in parts])
        width = weights.shape[0] // self.heads
        attended = self._add(
            "Attention",
            [hidden, self._constant(f"{name}qkv", weights), self._constant(f"{name}qkv.bias", bias), self.mask],
            domain=CONTRIB,
            num_heads=self.heads,
            scale=1 / math.sqrt(width),
        )
        attended = self._add("Add", [self._dense(f"{name}attention.output.dense", attended), hidden])
        attended = self._normalised(f"{name}attention.output.LayerNorm", attended)
        inner = self._add("Gelu", [self._dense(f"{name}intermediate.dense", attended)])
        outer = self._add("Add", [self._dense(f"{name}output.dense", inner), attended])
        return self._normalised(f"{name}output.LayerNorm", outer)

    def _dense(self, name: str, value: str) -> str:
        weights = self._constant(f"{name}.transposed", self.tensors[f"{name}.weight"].T)
        return self._add("Add", [self._add("MatMul", [value, weights]), self._tensor(f"{name}.bias")])

    def _normalised(self, name: str, value: str) -> str:
        inputs = [value, self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias")]
        return self._add("LayerNormalization", inputs, axis=-1, epsilon=self.epsilon)

    def _tensor(self, name: str) -> str:
        return self._constant(name, self.tensors[name])

    def _constant(self, name: str, values: Any) -> str:
        values = embeddings("numpy").ascontiguousarray(values)
        self.initializers.append(embeddings("onnx").numpy_helper.from_array(values, name))
        return name

    def _add(self, kind: str, inputs: list[str], *, output: str = "", domain: str = "", **attributes: Any) -> str:
        output = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(embeddings("onnx").helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output
