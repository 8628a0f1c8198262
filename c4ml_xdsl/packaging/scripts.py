"""Scripts and constraints for synthesis: Vivado, Quartus, yosys with nextpnr for ECP5."""

from c4ml_xdsl.packaging.design import PackagedDesign
from c4ml_xdsl.packaging.rendering import render


def script_files(design: PackagedDesign) -> dict[str, str]:
    """The files of `scripts` by path; each module that can be synthesised has constraints of its name."""
    values = {"design": design, "names": design.module_names}
    files = {f"scripts/{name}": render(name, **values) for name in ("vivado.tcl", "quartus.tcl", "ecp5.mk")}
    for top, clock in design.clocks.items():
        for suffix in ("xdc", "sdc"):
            files[f"scripts/{top}.{suffix}"] = render(f"constraints.{suffix}", top=top, clock=clock, **values)
    return files
