"""All files of a package that aren't the design's own."""

from c4ml_xdsl.packaging.benches import bench_files
from c4ml_xdsl.packaging.descriptions import description_files
from c4ml_xdsl.packaging.design import PackagedDesign
from c4ml_xdsl.packaging.scripts import script_files
from c4ml_xdsl.packaging.wrappers import wrapper_files


def package_files(design: PackagedDesign) -> dict[str, str]:
    """The texts by path within the package's folder."""
    return {
        **bench_files(design),
        **wrapper_files(design),
        **script_files(design),
        **description_files(design),
    }
