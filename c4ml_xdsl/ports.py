"""
The ports of a circuit: how packed integers relate to the model's values.

value = (integer - zero_point) * scale. Element 0 of a tensor is in the least significant bits of its port.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from xdsl.dialects import hw
from xdsl.dialects.builtin import ArrayAttr, TensorType
from xdsl.ir import Attribute

from c4ml_xdsl.control_ports import CLOCK, CONTROL, IN_VALID, OUT_VALID, RESET
from c4ml_xdsl.dialects.lbir import PortAttr
from c4ml_xdsl.errors import InputDataError
from c4ml_xdsl.interpreters.qonnx import ROUNDINGS
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.stages import latency_of
from c4ml_xdsl.transforms.convert_neuron_to_hw import INPUTS, OUTPUTS

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Port:
    """One tensor's port. `shape` is the model's, without the batch axis; `bits` are those of one element."""

    name: str
    direction: Literal["input", "output"]
    tensor: str
    shape: tuple[int, ...]
    bits: int
    signed: bool
    scale: tuple[float, ...]
    zero_point: tuple[float, ...]
    minimum: int
    maximum: int
    axis: int = 0
    rounding: str = "ROUND"
    after: str = ""
    after_axis: int = -1

    @property
    def elements(self) -> int:
        """The number of integers."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def width(self) -> int:
        """All bits of the port."""
        return self.elements * self.bits

    @property
    def bipolar(self) -> bool:
        """Whether the one bit of an element stands for -s and s."""
        return self.bits == 1 and not self.signed and self.zero_point == (0.5,)

    def spread(self, numbers: Sequence[float]) -> Values:
        array = np.asarray(numbers, np.float64)
        if array.size == 1:
            return array
        view = array.reshape([-1 if axis == self.axis else 1 for axis in range(len(self.shape))])
        return np.broadcast_to(view, self.shape).reshape(-1)

    def integers(self, values: ArrayLike) -> Integers:
        """
        Values in the model's units as integers (samples, elements), quantised as the model's input quantiser does it.

        Takes one sample of the port's shape, or a batch of them; raises InputDataError for others.
        """
        array = self._float32(values)
        scale, zero = self.spread(self.scale), self.spread(self.zero_point)
        if np.all(scale == scale.astype(np.float32)) and np.all(zero == zero.astype(np.float32)):
            quotient = (array / scale.astype(np.float32) + zero.astype(np.float32)).astype(np.float64)
        else:
            quotient = array / scale + zero
        if self.bipolar:
            return (array >= 0).astype(np.int64)
        return self._rounded(quotient)

    def decided(self, values: ArrayLike) -> NDArray[np.bool_]:
        """For each sample whether float64 quantises it to the same integers, so that float error decides nothing."""
        quotient = self._float32(values) / self.spread(self.scale) + self.spread(self.zero_point)
        return np.all(self.bipolar | (self._rounded(quotient) == self.integers(values)), axis=1)

    def _float32(self, values: ArrayLike) -> NDArray[np.float32]:
        """Values as (samples, elements); raises InputDataError for what are none."""
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise InputDataError(f"{self.tensor}: values must be numbers, not {array.dtype}")
        if not np.all(np.isfinite(array)):
            raise InputDataError(f"{self.tensor}: some values are infinite or not a number")
        return self.batch(array).astype(np.float32)

    def _rounded(self, quotient: NDArray[Any]) -> Integers:
        clipped = np.clip(quotient, self.minimum, self.maximum)
        return ROUNDINGS[self.rounding](clipped).astype(np.int64)

    def representatives(self, integers: Integers) -> Values:
        """
        Values (samples, *shape) that the model's input quantiser makes these integers of.

        Where rounding isn't to the nearest they lie in the middle of all that do, so that no error of a float moves
        them to the neighbour.
        """
        sign = np.sign(integers)
        middle = {"FLOOR": 0.5, "CEIL": -0.5, "UP": -0.5 * sign, "DOWN": 0.5 * sign, "ROUND_TO_ZERO": 0.5 * sign}
        quotient = integers + middle.get(self.rounding, 0.0)
        values = (quotient - self.spread(self.zero_point)) * self.spread(self.scale)
        return values.reshape(len(integers), *self.shape)

    def batch(self, array: NDArray[Any]) -> NDArray[Any]:
        """A sample or a batch of samples as (samples, elements)."""
        if array.shape == self.shape or (array.shape[1:] == self.shape or array.shape[2:] == self.shape != ()):
            if array.size % max(self.elements, 1) == 0:
                return array.reshape(-1, self.elements)
        if array.ndim and array.shape[-1] == self.elements and array.ndim <= 2:
            return array.reshape(-1, self.elements)
        raise InputDataError(
            f"{self.tensor}: got the shape {list(array.shape)}",
            remedy=f"Give one sample of the shape {list(self.shape)}, or a batch of them.",
        )

    def samples(self, array: NDArray[Any]) -> NDArray[Any]:
        """A sample or a batch of samples as (samples, *shape)."""
        flat = self.batch(array)
        return flat.reshape(len(flat), *self.shape)

    def is_single(self, array: NDArray[Any]) -> bool:
        """Whether an array is one sample without a batch axis."""
        return array.shape == self.shape or (array.ndim == 1 and self.elements == array.size and len(self.shape) != 0)

    def values(self, integers: Integers) -> Values:
        """Integers (samples, elements) as the model's output, with what the model does behind this port."""
        flat = integers.reshape(len(integers), -1)
        value = (flat - self.spread(self.zero_point)) * self.spread(self.scale)
        value = value.reshape(len(integers), *self.shape)
        if self.after == "sigmoid":
            return 1 / (1 + np.exp(-value))
        if self.after in ("softmax", "log_softmax"):
            axis = range(len(self.shape))[self.after_axis] + 1
            value = value - value.max(axis=axis, keepdims=True)
            logarithm = value - np.log(np.exp(value).sum(axis=axis, keepdims=True))
            return np.exp(logarithm) if self.after == "softmax" else logarithm
        return value

    def random(self, samples: int, generator: np.random.Generator) -> Integers:
        """
        Random integers in range, (samples, elements).

        The first two samples are the lowest and the highest, the next two mixtures of these.
        """
        drawn = generator.integers(self.minimum, self.maximum, (samples, self.elements), np.int64, endpoint=True)
        drawn[:1], drawn[1:2] = self.minimum, self.maximum
        drawn[2:4] = np.where(2 * drawn[2:4] < self.minimum + self.maximum, self.minimum, self.maximum)
        if self.rounding == "UP" and any(self.zero_point) and self.minimum < self.maximum:
            # away from zero, 0 comes of one real number alone, which no float need be
            drawn[drawn == 0] = 1 if self.maximum > 0 else -1
        return drawn

    def to_json(self) -> dict[str, Any]:
        """The entry of ports.json."""

        def number(numbers: tuple[float, ...]) -> float | int | list[float]:
            plain = [int(each) if each == int(each) and abs(each) < 1 << 53 else each for each in numbers]
            return plain[0] if len(plain) == 1 else cast(list[float], plain)

        entry: dict[str, Any] = {
            "name": self.name,
            "direction": self.direction,
            "tensor": self.tensor,
            "shape": list(self.shape),
            "bits": self.bits,
            "signed": self.signed,
            "scale": number(self.scale),
            "zero_point": number(self.zero_point),
        }
        if len(self.scale) > 1 or len(self.zero_point) > 1:
            entry["axis"] = self.axis
        low, high = (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.signed else (0, (1 << self.bits) - 1)
        if self.direction == "input" and (self.minimum, self.maximum) != (low, high):
            entry["min"], entry["max"] = self.minimum, self.maximum
        if self.rounding != "ROUND":
            entry["rounding"] = self.rounding
        if self.after:
            entry["after"] = self.after
            if self.after != "sigmoid" and self.after_axis not in (-1, len(self.shape) - 1):
                entry["after_axis"] = self.after_axis
        return entry

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> "Port":
        """The port of an entry of ports.json."""

        def numbers(value: Any) -> tuple[float, ...]:
            return tuple(np.asarray(value, np.float64).reshape(-1).tolist())

        bits, signed = int(entry["bits"]), bool(entry["signed"])
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return cls(
            entry["name"],
            entry["direction"],
            entry["tensor"],
            tuple(entry["shape"]),
            bits,
            signed,
            numbers(entry["scale"]),
            numbers(entry["zero_point"]),
            int(entry.get("min", low)),
            int(entry.get("max", high)),
            int(entry.get("axis", 0)),
            entry.get("rounding", "ROUND"),
            entry.get("after", ""),
            int(entry.get("after_axis", -1)),
        )


@dataclass(frozen=True)
class Interface:
    """How a circuit takes samples and answers: `latency` rising edges later, a new one each cycle."""

    latency: int = 0
    clock: bool = False
    valid: bool = False
    """Whether it has `rst`, `in_valid` and `out_valid`."""

    def to_json(self, top: str, ports: Sequence[Port]) -> dict[str, Any]:
        """The contents of ports.json."""
        entries = [port.to_json() for port in ports]
        if self.valid:
            plain: dict[str, Any] = {
                "tensor": None,
                "shape": [],
                "bits": 1,
                "signed": False,
                "scale": 1,
                "zero_point": 0,
            }
            control = {RESET: "input", IN_VALID: "input", OUT_VALID: "output"}
            entries = [{"name": name, "direction": direction, **plain} for name, direction in control.items()] + entries
        return {
            "top": top,
            "clock": CLOCK if self.clock else None,
            "latency_cycles": self.latency,
            "initiation_interval": 1,
            "ports": entries,
        }

    @classmethod
    def from_json(cls, port_map: dict[str, Any]) -> "Interface":
        """What a ports.json says."""
        control = {entry["name"] for entry in port_map["ports"] if entry["tensor"] is None}
        return cls(int(port_map["latency_cycles"]), port_map["clock"] is not None, IN_VALID in control)


COMBINATIONAL = Interface()


def interface_of(top: hw.HWModuleOp) -> Interface:
    """The interface of a top module, from its ports and attributes."""
    names = {port.port_name.data for port in top.module_type.ports.data}
    return Interface(latency_of(top), CLOCK in names, IN_VALID in names)


def port_of(name: str, direction: Literal["input", "output"], attribute: PortAttr, shape: tuple[int, ...]) -> Port:
    """The port that an `lbir.port` describes, for a tensor of a shape with or without a batch axis of 1."""
    return Port(
        name,
        direction,
        attribute.tensor.data,
        shape[1:] if shape[:1] == (1,) else shape,
        attribute.bits.data,
        attribute.signed,
        attribute.scales,
        attribute.zero_points,
        attribute.minimum.data,
        attribute.maximum.data,
        attribute.axis.data,
        attribute.rounding.data,
        attribute.after.data,
        attribute.after_axis.data,
    )


def ports_of(top: hw.HWModuleOp) -> list[Port]:
    """The ports of a top module, inputs first; raises InputDataError where it doesn't describe them."""
    names = {"input": list[str](), "output": list[str]()}
    for port in top.module_type.ports.data:
        if port.port_name.data in CONTROL:
            continue
        names["input" if port.dir.data.is_input_like() else "output"].append(port.port_name.data)
    ports: list[Port] = []
    keys: tuple[tuple[Literal["input", "output"], str], ...] = (("input", INPUTS), ("output", OUTPUTS))
    for direction, key in keys:
        described = top.attributes.get(key)
        if not isinstance(described, ArrayAttr):
            raise InputDataError(f"{top.sym_name.data} doesn't describe its ports")
        for name, pair in zip(names[direction], cast("ArrayAttr[ArrayAttr[Attribute]]", described), strict=True):
            attribute, tensor = pair.data
            assert isinstance(attribute, PortAttr)
            ports.append(port_of(name, direction, attribute, cast("TensorType[Attribute]", tensor).get_shape()))
    return ports
