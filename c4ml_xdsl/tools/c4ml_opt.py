"""The command line `c4ml-opt`: xdsl-opt with our dialects and passes, the `.onnx` frontend and the `verilog` target."""

import sys
from collections.abc import Sequence
from typing import IO

from xdsl.dialects.builtin import ModuleOp
from xdsl.universe import Universe
from xdsl.utils.arg_spec import parse_pipeline
from xdsl.xdsl_opt_main import xDSLOptMain

from c4ml_xdsl.dialects import get_all_dialects
from c4ml_xdsl.errors import C4mlError, OptionError, nearest
from c4ml_xdsl.targets import get_all_targets
from c4ml_xdsl.transforms import get_all_passes


class C4mlOptMain(xDSLOptMain):
    """Reads MLIR or ONNX, runs passes, prints MLIR or Verilog."""

    def __init__(self, args: Sequence[str] | None = None):
        super().__init__("c4ml-xdsl modular optimizer driver", args)

    def register_all_dialects(self) -> None:
        """All of xDSL's, with our `comb` in place of upstream's."""
        ours = get_all_dialects()
        for name, dialect in {**Universe.get_multiverse().all_dialects, **ours}.items():
            self.ctx.register_dialect(name, dialect)

    def register_all_frontends(self) -> None:
        """Adds `.onnx`."""
        super().register_all_frontends()

        def parse_onnx(source: IO[bytes]) -> ModuleOp:
            from c4ml_xdsl.frontend import parse_onnx

            return parse_onnx(source.read())

        self.available_frontends["onnx"] = parse_onnx

    def register_all_passes(self) -> None:
        """All of xDSL's and ours."""
        super().register_all_passes()
        for name, factory in get_all_passes().items():
            self.register_pass(name, factory)

    def setup_pipeline(self) -> None:
        """Refuses passes that there aren't with the name that is nearest."""
        for spec in parse_pipeline(self.args.passes):
            if spec.name not in self.available_passes:
                meant = nearest(spec.name, self.available_passes)
                remedy = f"Did you mean {meant}?" if meant else "c4ml-opt --help lists the passes."
                raise OptionError(f"there is no pass {spec.name}", remedy=remedy)
        super().setup_pipeline()

    def register_all_targets(self) -> None:
        """All of xDSL's and ours."""
        super().register_all_targets()
        for name, factory in get_all_targets().items():
            self.available_targets[name] = factory


def main() -> None:
    """Runs; a model that can't be compiled gives a short message and exit status 1."""
    try:
        C4mlOptMain().run()
    except C4mlError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
