"""What a module can be printed as, besides MLIR. Registries are lazy."""

from collections.abc import Callable

from xdsl.utils.target import Target


def get_all_targets() -> dict[str, Callable[[], type[Target]]]:
    """Our targets by name."""

    def verilog() -> type[Target]:
        from c4ml_xdsl.targets.verilog import VerilogTarget

        return VerilogTarget

    def hw_mlir() -> type[Target]:
        from c4ml_xdsl.targets.hw_mlir import HwMlirTarget

        return HwMlirTarget

    return {"verilog": verilog, "hw-mlir": hw_mlir}
