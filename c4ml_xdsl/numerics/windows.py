"""The shape arithmetic of convolutions, pools and patches: where windows lie along the spatial axes."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Windows:
    """
    Windows that slide over the spatial axes of a tensor, one entry an axis in each field.

    Window i of an axis reads the padded input at `i * stride + k * dilation` for k below the kernel's size.
    `pads_end` may exceed what the model says: `ceil_mode` has a last window that reads beyond the padded input.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads_begin: tuple[int, ...]
    pads_end: tuple[int, ...]
    output_shape: tuple[int, ...]

    @classmethod
    def of(
        cls,
        spatial_shape: Sequence[int],
        kernel: Sequence[int],
        strides: Sequence[int] | None = None,
        dilations: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        auto_pad: str = "NOTSET",
        ceil_mode: bool = False,
    ) -> "Windows":
        """
        The windows that ONNX's attributes describe; `pads` lists all beginnings, then all ends.

        Raises ValueError for attributes that don't fit the input or each other, and where no window fits.
        """
        rank = len(spatial_shape)
        strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
        auto_pad = auto_pad.upper()
        pads = pads if pads and auto_pad == "NOTSET" else (0,) * (2 * rank)
        for name, values, length in (
            ("kernel", kernel, rank),
            ("strides", strides, rank),
            ("dilations", dilations, rank),
            ("pads", pads, 2 * rank),
        ):
            if len(values) != length:
                raise ValueError(f"{name} has {len(values)} entries for {rank} spatial dimensions")
        begins: list[int] = []
        ends: list[int] = []
        outputs: list[int] = []
        for size, taps, stride, dilation, begin, end in zip(
            spatial_shape, kernel, strides, dilations, pads[:rank], pads[rank:], strict=True
        ):
            extent = (taps - 1) * dilation + 1
            if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
                missing = max((-(-size // stride) - 1) * stride + extent - size, 0)
                begin, end = missing // 2, missing - missing // 2
                if auto_pad == "SAME_LOWER":
                    begin, end = end, begin
            room = size + begin + end - extent
            if room < 0 or size < 1:
                raise ValueError(f"a window of {extent} elements doesn't fit {size} with padding {begin} and {end}")
            count = room // stride + 1
            # A window that starts in the padding behind the input would see nothing of it.
            if ceil_mode and room % stride and count * stride < size + begin:
                count += 1
                end += (count - 1) * stride - room
            begins.append(begin)
            ends.append(end)
            outputs.append(count)
        return cls(tuple(kernel), tuple(strides), tuple(dilations), tuple(begins), tuple(ends), tuple(outputs))

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return len(self.kernel)

    @property
    def extents(self) -> tuple[int, ...]:
        """How many elements of the input a window spans, with what dilation skips."""
        return tuple((taps - 1) * dilation + 1 for taps, dilation in zip(self.kernel, self.dilations, strict=True))

    def padded_shape(self, spatial_shape: Sequence[int]) -> tuple[int, ...]:
        """The spatial shape of an input with its padding."""
        return tuple(map(sum, zip(spatial_shape, self.pads_begin, self.pads_end, strict=True)))
