"""
Builds the QKeras models of this folder and their golden vectors; run it where TensorFlow and QKeras are installed:

    pip install "tensorflow-cpu==2.15.1" "tensorflow-model-optimization==0.7.5" "qkeras==0.9.0" "numpy<2" \
        "setuptools<70" pyparsing networkx tqdm scikit-learn
    python make_models.py

Each model is saved in one of the forms that Keras has (`.h5`, `.keras`, or `.json` beside `.weights.h5`), loaded again
by QKeras, and run on 64 samples; `NAME.npz` holds the inputs `x` (`x_1`, … for further ones) and the outputs `y`
(`y_1`, …) of the loaded model. Half of the weights and of the samples lie on multiples of a small power of two, so that
ties of every rounding occur. The models that need a QKeras newer than 0.9.0 (`quantized_linear`, and `quantized_bits`
whose configuration has `post_training_scale`) are built only where that is installed: `python make_models.py NAME …`
builds the named ones.
"""

import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import h5py
import numpy as np
import qkeras
import tensorflow as tf
from qkeras import (
    QActivation,
    QAveragePooling2D,
    QBatchNormalization,
    QConv1D,
    QConv2D,
    QConv2DBatchnorm,
    QDense,
    QDepthwiseConv2D,
    QDepthwiseConv2DBatchnorm,
    QGlobalAveragePooling2D,
    QSeparableConv1D,
    QSeparableConv2D,
)
from qkeras.quantizers import quantized_bits, quantized_relu

FOLDER = Path(__file__).parent
SAMPLES = 64
SEED = 20240229
keras = tf.keras
layers = keras.layers

Builder = Callable[[], keras.Model]
MODELS: dict[str, tuple[str, Builder]] = {}


def model(form: str) -> Callable[[Builder], Builder]:
    """Registers a builder of a model that is saved in `form`: h5, keras or json."""

    def register(builder: Builder) -> Builder:
        MODELS[builder.__name__] = (form, builder)
        return builder

    return register


def bits(width: int, integer: int = 0, symmetric: int = 1, **options: object) -> quantized_bits:
    return quantized_bits(width, integer, symmetric, **options)


@model("h5")
def dense_bits() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((8,), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QDense(6, kernel_quantizer="quantized_bits(4,0,1,alpha=1.0)", bias_quantizer=bits(5, 1), name="fc1"),
            QActivation(quantized_relu(4, 1), name="act1"),
            QDense(
                5,
                kernel_quantizer=bits(3, 0, 0, alpha=1.0),
                bias_quantizer=bits(4, 0, alpha=1.0),
                activation="quantized_bits(5,2,0,alpha=1.0)",
                name="fc2",
            ),
            QDense(3, kernel_quantizer=bits(1, 0, alpha=0.5), use_bias=False, name="fc3"),
        ]
    )


@model("keras")
def dense_auto() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((8,), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QDense(
                6,
                kernel_quantizer=bits(4, 0, 1, alpha="auto"),
                bias_quantizer=bits(5, 1, alpha="auto"),
                activation="quantized_relu(3,1)",
                name="fc1",
            ),
            QDense(4, kernel_quantizer=bits(5, 1, 1, alpha="auto"), bias_quantizer=bits(5, 1), name="fc2"),
        ]
    )


@model("keras")
def dense_auto_po2() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((8,), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QDense(
                6,
                kernel_quantizer=bits(3, 0, 1, alpha="auto_po2"),
                bias_quantizer=bits(4, 1, alpha="auto_po2"),
                name="fc1",
            ),
            QActivation("quantized_relu(4,1)", name="act1"),
            QDense(
                4,
                kernel_quantizer=bits(2, 1, 1, alpha="auto_po2"),
                bias_quantizer=bits(5, 1),
                name="fc2",
                activation="quantized_bits(4,2,1)",
            ),
        ]
    )


@model("keras")
def binary_net() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((8,), name="x"),
            QActivation("binary(alpha=1.0)", name="in"),
            QDense(6, kernel_quantizer="binary(alpha=1.0)", bias_quantizer=bits(4, 1), name="fc1"),
            QActivation("binary(use_01=1,alpha=1.0)", name="act1"),
            QDense(5, kernel_quantizer="binary()", use_bias=False, name="fc2"),
            QActivation("binary()", name="act2"),
            QDense(3, kernel_quantizer="binary(alpha='auto')", use_bias=False, name="fc3"),
        ]
    )


@model("keras")
def ternary_net() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((8,), name="x"),
            QActivation("ternary(alpha=1.0,threshold=0.5)", name="in"),
            QDense(6, kernel_quantizer="ternary(alpha=1.0,threshold=0.25)", bias_quantizer=bits(4, 1), name="fc1"),
            QActivation("ternary()", name="act1"),
            QDense(6, kernel_quantizer="ternary(alpha='auto_po2')", use_bias=False, name="fc2"),
            QActivation("ternary(alpha=2.0,threshold=0.75)", name="act2"),
            QDense(3, kernel_quantizer="ternary(alpha='auto')", use_bias=False, name="fc3"),
        ]
    )


@model("json")
def stochastic_net() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((8,), name="x"),
            QActivation("stochastic_binary(alpha=1.0)", name="in"),
            QDense(6, kernel_quantizer="stochastic_ternary(alpha='auto_po2')", bias_quantizer=bits(4, 1), name="fc1"),
            QActivation("stochastic_ternary(alpha=1.0,threshold=0.5)", name="act1"),
            QDense(4, kernel_quantizer="stochastic_binary(alpha='auto_po2')", use_bias=False, name="fc2"),
        ]
    )


@model("h5")
def conv2d() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((5, 6, 2), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QConv2D(
                3,
                3,
                strides=2,
                padding="same",
                kernel_quantizer=bits(4, 0, 1, alpha=1.0),
                bias_quantizer=bits(5, 1),
                activation="quantized_relu(4,1)",
                name="conv1",
            ),
            QConv2D(
                4, (2, 3), kernel_quantizer=bits(3, 0, 1, alpha="auto_po2"), bias_quantizer=bits(5, 1), name="conv2"
            ),
            QActivation("quantized_relu(4,1)", name="act2"),
            layers.MaxPooling2D((2, 1), strides=1, name="pool"),
            layers.Flatten(name="flat"),
            QDense(3, kernel_quantizer=bits(4, 0, 1, alpha=1.0), bias_quantizer=bits(4, 0), name="fc"),
        ]
    )


@model("keras")
def depthwise() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((5, 4, 2), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QDepthwiseConv2D(
                3,
                depth_multiplier=2,
                padding="same",
                depthwise_quantizer=bits(4, 0, 1, alpha=1.0),
                bias_quantizer=bits(5, 1),
                name="dw1",
            ),
            QActivation("quantized_relu(4,1)", name="act1"),
            QDepthwiseConv2D(
                (2, 3),
                depthwise_quantizer=bits(4, 0, 1, alpha="auto_po2"),
                bias_quantizer=bits(5, 1),
                dilation_rate=(2, 1),
                name="dw2",
            ),
        ]
    )


@model("json")
def separable() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((4, 5, 2), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QSeparableConv2D(
                4,
                3,
                padding="same",
                depth_multiplier=2,
                depthwise_quantizer=bits(4, 0, 1, alpha=1.0),
                pointwise_quantizer=bits(3, 0, 1, alpha="auto_po2"),
                bias_quantizer=bits(5, 1),
                activation="quantized_relu(4,2)",
                name="sep2d",
            ),
            layers.Reshape((8, 10), name="rows"),
            QSeparableConv1D(
                3,
                3,
                strides=2,
                depthwise_quantizer=bits(4, 0, 1, alpha=1.0),
                pointwise_quantizer=bits(4, 0, 1, alpha=1.0),
                bias_quantizer=bits(5, 1),
                name="sep1d",
            ),
        ]
    )


@model("keras")
def conv2d_batchnorm() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((6, 4, 2), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QConv2DBatchnorm(
                3,
                3,
                kernel_quantizer=bits(5, 1, 1, alpha=1.0),
                bias_quantizer=bits(6, 2),
                activation="quantized_relu(4,1)",
                name="conv1",
            ),
            QDepthwiseConv2DBatchnorm(
                2,
                depthwise_quantizer=bits(5, 1, 1, alpha="auto_po2"),
                bias_quantizer=bits(6, 2),
                folding_mode="batch_stats_folding",
                activation="quantized_relu(4,1)",
                name="dw2",
            ),
            QConv2DBatchnorm(
                2,
                (3, 1),
                kernel_quantizer=bits(5, 1, 1, alpha="auto_po2"),
                bias_quantizer=bits(6, 2),
                use_bias=False,
                scale=False,
                name="conv3",
            ),
        ]
    )


@model("keras")
def pointwise_batchnorm() -> keras.Model:
    """A batch normalisation folded over one pixel; a test makes a QDenseBatchnorm, which QKeras 0.9.0 lacks, of it."""
    return keras.Sequential(
        [
            layers.Input((1, 1, 6), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QConv2DBatchnorm(4, 1, kernel_quantizer=bits(5, 1, 1, alpha=1.0), bias_quantizer=bits(6, 2), name="fc1"),
            QActivation("quantized_bits(5,2,1)", name="act1"),
        ]
    )


@model("keras")
def batch_normalization() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((8,), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QDense(6, kernel_quantizer=bits(4, 0, 1, alpha=1.0), use_bias=False, name="fc1"),
            QBatchNormalization(name="bn1"),
            QActivation("quantized_relu(4,2)", name="act1"),
            QDense(5, kernel_quantizer=bits(4, 0, 1, alpha=1.0), name="fc2"),
            layers.BatchNormalization(name="bn2"),
            QActivation("quantized_relu(4,1)", name="act2"),
            QBatchNormalization(
                name="bn3",
                beta_quantizer=bits(6, 2),
                gamma_quantizer=bits(6, 1),
                mean_quantizer=bits(6, 2),
                variance_quantizer=bits(6, 2, keep_negative=False),
            ),
            QActivation("quantized_bits(6,3,1)", name="act3"),
        ]
    )


@model("h5")
def pooling() -> keras.Model:
    x = layers.Input((5, 6, 2), name="x")
    y = QActivation("quantized_bits(4,1,1)", name="in")(x)
    a = layers.MaxPooling2D(3, strides=2, padding="same", name="max")(y)
    a = layers.AveragePooling2D(2, padding="same", name="mean")(a)
    a = QActivation("quantized_bits(4,1,1)", name="act_a")(a)
    b = QAveragePooling2D(
        2,
        average_quantizer=bits(8, 0, 1, alpha=1.0),
        activation="quantized_bits(5,1,1)",
        name="qmean",
    )(y)
    c = QGlobalAveragePooling2D(
        average_quantizer=bits(8, 0, 1, alpha=1.0), activation="quantized_bits(6,1,1)", name="qgap"
    )(b)
    d = layers.GlobalMaxPooling2D(name="gmax")(b)
    e = layers.GlobalAveragePooling2D(name="gap")(a)
    y = layers.Concatenate(name="cat")([c, d, e])
    return keras.Model(x, y)


@model("h5")
def relu_variants() -> keras.Model:
    x = layers.Input((16,), name="x")
    q = QActivation("quantized_bits(10,3,1)", name="in")(x)
    acts = [
        quantized_relu(4, 1),
        quantized_relu(5, 2, use_sigmoid=1),
        quantized_relu(5, 1, negative_slope=0.25),
        quantized_relu(4, 0, negative_slope=1.0),
        "quantized_relu(6,2,0,0.5)",
        quantized_bits(4, 1, 1, keep_negative=False),
        quantized_bits(5, 1, 0, alpha=0.75),
        "quantized_hswish(6,2,0)",
        quantized_bits(1, 1, 0, alpha=0.25),
    ]
    outputs = [QActivation(each, name=f"relu{index}")(q) for index, each in enumerate(acts)]
    return keras.Model(x, layers.Concatenate(name="cat")(outputs))


@model("keras")
def tanh_sigmoid() -> keras.Model:
    x = layers.Input((8,), name="x")
    q = QActivation("quantized_bits(8,2,1)", name="in")(x)
    names = (
        "quantized_tanh(4)",
        "quantized_tanh(5,symmetric=1)",
        "quantized_tanh(5,use_real_tanh=1)",
        "quantized_sigmoid(4)",
        "quantized_sigmoid(4,symmetric=1)",
        "quantized_sigmoid(5,use_real_sigmoid=1)",
        "hard_tanh",
        "hard_sigmoid",
        "smooth_sigmoid",
        "smooth_tanh",
        "binary_tanh",
    )
    outputs = [QActivation(each, name=f"act{index}")(q) for index, each in enumerate(names)]
    y = layers.Concatenate(name="cat")(outputs)
    return keras.Model(x, QActivation("quantized_bits(8,1,1)", name="out")(y))


@model("keras")
def residual() -> keras.Model:
    x = layers.Input((4, 4, 2), name="x")
    q = QActivation("quantized_bits(4,1,1)", name="in")(x)
    a = QConv2D(
        2, 3, padding="same", kernel_quantizer=bits(4, 0, 1, alpha=1.0), bias_quantizer=bits(5, 1), name="conv1"
    )(q)
    a = QActivation("quantized_bits(4,1,1)", name="act1")(a)
    s = layers.Add(name="add")([q, a])
    s = QActivation("quantized_relu(4,1)", name="act2")(s)
    b = QConv2D(2, 1, kernel_quantizer=bits(4, 0, 1, alpha=1.0), bias_quantizer=bits(5, 1), name="conv2")(s)
    b = QActivation("quantized_bits(5,2,1)", name="act3")(b)
    y = layers.Add(name="add2")([b, s, q])
    return keras.Model(x, y)


@model("json")
def conv1d_causal() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((10, 2), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QConv1D(
                3,
                3,
                padding="causal",
                dilation_rate=2,
                kernel_quantizer=bits(4, 0, 1, alpha=1.0),
                bias_quantizer=bits(5, 1),
                activation="quantized_relu(4,1)",
                name="conv1",
            ),
            layers.MaxPooling1D(2, name="pool"),
            QConv1D(
                2,
                2,
                strides=2,
                padding="same",
                kernel_quantizer=bits(4, 0, 1, alpha="auto_po2"),
                bias_quantizer=bits(5, 1),
                name="conv2",
            ),
            QActivation("quantized_bits(6,2,1)", name="act2"),
            layers.GlobalMaxPooling1D(name="gmax"),
        ]
    )


@model("h5")
def two_inputs() -> keras.Model:
    """Two inputs, two outputs, a shared layer."""
    a, b = layers.Input((6,), name="a"), layers.Input((6,), name="b")
    qa = QActivation("quantized_bits(4,1,1)", name="in_a")(a)
    qb = QActivation("quantized_bits(5,2,1)", name="in_b")(b)
    shared = QDense(4, kernel_quantizer=bits(4, 0, 1, alpha=1.0), bias_quantizer=bits(5, 1), name="shared")
    act = QActivation("quantized_relu(4,1)", name="act")
    ya, yb = act(shared(qa)), act(shared(qb))
    difference = layers.Subtract(name="sub")([ya, yb])
    product = layers.Multiply(name="mul")([ya, yb])
    greater = layers.Maximum(name="max")([qa, qb])
    z = layers.Concatenate(name="cat")([difference, product, greater])
    z = QDense(3, kernel_quantizer=bits(4, 0, 1, alpha=1.0), bias_quantizer=bits(4, 0), name="out")(z)
    return keras.Model([a, b], [z, product])


@model("keras")
def power_of_two() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((8,), name="x"),
            QActivation("quantized_bits(4,1,1)", name="in"),
            QDense(6, kernel_quantizer="quantized_po2(4)", bias_quantizer="quantized_po2(4,2)", name="fc1"),
            QActivation("quantized_relu(4,1)", name="act1"),
            QDense(
                4,
                kernel_quantizer="quantized_po2(4,1,quadratic_approximation=1)",
                bias_quantizer="quantized_relu_po2(4,1)",
                name="fc2",
            ),
        ],
        name="quadratic",
    )


@model("keras")
def plain_layers() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((4, 3, 2), name="x"),
            QActivation("quantized_bits(6,2,1)", name="in"),
            layers.ZeroPadding2D(((1, 0), (0, 2)), name="pad"),
            layers.ReLU(max_value=1.5, negative_slope=0.25, threshold=0.5, name="relu"),
            layers.UpSampling2D((2, 1), name="up"),
            layers.LeakyReLU(0.5, name="leaky"),
            QActivation("quantized_bits(6,2,1)", name="between"),
            layers.Permute((2, 1, 3), name="permute"),
            layers.Dropout(0.5, name="drop"),
            layers.Reshape((5, -1), name="rows"),
            layers.ZeroPadding1D(1, name="pad1"),
            layers.Activation("relu", name="act"),
            layers.AveragePooling1D(2, name="mean"),
            QActivation("quantized_bits(6,2,1)", name="again"),
            QConv1D(3, 2, kernel_quantizer=bits(4, 0, 1, alpha=1.0), bias_quantizer=bits(5, 1), name="conv"),
            layers.GlobalAveragePooling1D(name="gap"),
            QActivation("quantized_bits(5,2,1)", name="last"),
            layers.Softmax(name="softmax"),
        ]
    )


@model("h5")
def nested() -> keras.Model:
    inner = keras.Sequential(
        [
            layers.Input((4,), name="inner_x"),
            QDense(4, kernel_quantizer=bits(4, 0, 1, alpha=1.0), bias_quantizer=bits(5, 1), name="inner_fc"),
            QActivation("quantized_relu(4,1)", name="inner_act"),
        ],
        name="inner",
    )
    x = layers.Input((4,), name="x")
    q = QActivation("quantized_bits(4,1,1)", name="in")(x)
    y = layers.Add(name="add")([inner(q), q])
    y = QDense(3, kernel_quantizer=bits(4, 0, 1, alpha=1.0), bias_quantizer=bits(4, 0), name="out")(y)
    return keras.Model(x, y)


if hasattr(qkeras, "quantized_linear"):
    from qkeras import quantized_linear

    @model("h5")
    def linear_net() -> keras.Model:
        return keras.Sequential(
            [
                layers.Input((8,), name="x"),
                QActivation(quantized_linear(4, 1), name="in"),
                QDense(
                    6,
                    kernel_quantizer=quantized_linear(4, 0),
                    bias_quantizer=quantized_linear(5, 1, symmetric=0),
                    name="fc1",
                ),
                QActivation(quantized_linear(4, 1, keep_negative=False), name="act1"),
                QDense(
                    5,
                    kernel_quantizer=bits(3, 0, alpha="auto_po2"),
                    bias_quantizer=bits(4, 1, alpha="auto_po2"),
                    name="fc2",
                ),
                QActivation(quantized_linear(1), name="act2"),
                QDense(
                    4,
                    kernel_quantizer=quantized_linear(1, alpha="auto_po2"),
                    bias_quantizer=quantized_linear(4, alpha=0.5),
                    name="fc3",
                ),
                QActivation(quantized_linear(4, 2), name="act3"),
                QDense(3, kernel_quantizer=quantized_linear(4, 0, alpha="auto"), use_bias=False, name="fc4"),
            ]
        )


def randomise(net: keras.Model, rng: np.random.Generator) -> None:
    """Gives every weight a random value, half of them multiples of 1/16; variances stay positive."""
    for weight in net.weights:
        if "iteration" in weight.name:
            continue
        shape = tuple(weight.shape)
        variance, gamma = "variance" in weight.name, "gamma" in weight.name
        value = rng.uniform(0.25, 2.0, shape) if variance or gamma else rng.normal(0.0, 0.5, shape)
        on_grid = np.maximum(np.round(value * 16), 1 if variance else -999) / 16
        value = np.where(rng.random(shape) < 0.5, on_grid, value)
        # Halfway between even powers of two QKeras's quadratic approximation varies by machine.
        odd_power = (np.frexp(value)[1] % 2 == 0) & (np.abs(np.frexp(value)[0]) == 0.5)
        value = np.where(odd_power & (net.name == "quadratic"), value * 1.25, value)
        weight.assign(value.astype(np.float32))


def save(net: keras.Model, name: str, form: str) -> keras.Model:
    """Saves a model in a form of Keras's and loads it again, as a user would."""
    custom: dict[str, object] = {}
    qkeras.utils._add_supported_quantized_objects(custom)
    custom |= {each: getattr(qkeras.quantizers, each) for each in ("hard_tanh", "smooth_tanh", "quantized_hswish")}
    custom |= {each: getattr(qkeras, each) for each in ("quantized_linear",) if hasattr(qkeras, each)}
    if form == "json":
        weights = FOLDER / f"{name}.weights.h5"
        (FOLDER / f"{name}.json").write_text(net.to_json())
        net.save_weights(weights)
        shrink(weights)
        loaded = keras.models.model_from_json((FOLDER / f"{name}.json").read_text(), custom_objects=custom)
        loaded.load_weights(weights)
        return loaded
    path = FOLDER / f"{name}.{form}"
    net.save(path)
    loaded = keras.models.load_model(path, custom_objects=custom, compile=False)
    shrink(path)
    return loaded


def shrink(path: Path) -> None:
    """Packs a file tighter than Keras does: HDF5 in its newer layout, archives compressed."""
    smaller = path.with_suffix(".tmp")
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(smaller, "w", zipfile.ZIP_DEFLATED) as target:
            for name in source.namelist():
                target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
    else:
        with h5py.File(path) as source, h5py.File(smaller, "w", libver="latest") as target:
            for key, value in source.attrs.items():
                target.attrs[key] = value
            for key in source:
                source.copy(key, target)
    smaller.replace(path)


def samples(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Inputs of which every second sample lies on multiples of 1/8, the others on multiples of 1/1024."""
    value = rng.normal(0.0, 1.0, (SAMPLES, *shape))
    even = np.arange(SAMPLES).reshape(-1, *[1] * len(shape)) % 2 == 0
    return np.where(even, np.round(value * 8) / 8, np.round(value * 1024) / 1024).astype(np.float32)


def main(names: list[str]) -> None:
    """Builds the named models, or all of them."""
    for name, (form, builder) in MODELS.items():
        if names and name not in names:
            continue
        keras.backend.clear_session()
        rng = np.random.default_rng([SEED, *name.encode()])
        net = builder()
        randomise(net, rng)
        loaded = save(net, name, form)
        inputs = [samples(rng, tuple(each.shape[1:])) for each in loaded.inputs]
        outputs = loaded(inputs if len(inputs) > 1 else inputs[0], training=False)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        arrays = {f"x_{i}" if i else "x": value for i, value in enumerate(inputs)}
        arrays |= {f"y_{i}" if i else "y": np.asarray(value) for i, value in enumerate(outputs)}
        np.savez_compressed(FOLDER / f"{name}.npz", **arrays)
        print(name, form, [value.shape for value in arrays.values()])


if __name__ == "__main__":
    main(sys.argv[1:])
