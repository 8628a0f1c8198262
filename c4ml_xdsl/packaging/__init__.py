"""
What goes into a package beside the design itself: test benches, wrappers, scripts, a core file, a README.

This part knows ports, the interface and file texts, no IR. Every text is the same from run to run.
"""

from c4ml_xdsl.packaging.benches import bench_files
from c4ml_xdsl.packaging.design import PackagedDesign
from c4ml_xdsl.packaging.descriptions import description_files
from c4ml_xdsl.packaging.scripts import script_files
from c4ml_xdsl.packaging.wrappers import wrapper_files

__all__ = ["PackagedDesign", "package_files"]


def package_files(design: PackagedDesign) -> dict[str, str]:
    """The texts by path within the package's folder."""
    return {
        **bench_files(design),
        **wrapper_files(design),
        **script_files(design),
        **description_files(design),
    }
