"""The pass `hw-legalize-names`."""

import re
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.control_ports import CONTROL
from c4ml_xdsl.stages import STAGES
from c4ml_xdsl.transforms.convert_neuron_to_hw import INPUTS
from c4ml_xdsl.transforms.unique_names import unique_name

KEYWORDS = frozenset(
    """
    always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam
    design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable
    endtask event for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout
    input instance integer join large liblist library localparam macromodule medium module nand negedge nmos nor
    noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup
    pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1
    scalared showcancelled signed small specify specparam strong0 strong1 supply0 supply1 table task time tran tranif0
    tranif1 tri tri0 tri1 triand trior trireg unsigned use uwire vectored wait wand weak0 weak1 while wire wor xnor xor
    accept_on alias always_comb always_ff always_latch assert assume before bind bins binsof bit break byte chandle
    checker class clocking const constraint context continue cover covergroup coverpoint cross dist do endchecker
    endclass endclocking endgroup endinterface endpackage endprogram endproperty endsequence enum eventually expect
    export extends extern final first_match foreach forkjoin global iff ignore_bins illegal_bins implements implies
    import inside int interconnect interface intersect join_any join_none let local logic longint matches modport
    nettype new nexttime null package packed priority program property protected pure rand randc randcase randsequence
    ref reject_on restrict return s_always s_eventually s_nexttime s_until s_until_with sequence shortint shortreal
    soft solve static string strong struct super sync_accept_on sync_reject_on tagged this throughout timeprecision
    timeunit type typedef union unique unique0 until until_with untyped var virtual void wait_order weak wildcard with
    within
    """.split()
)
"""The reserved words of Verilog-2005 and SystemVerilog-2017, since many tools read both in one mode."""


def legal_name(wanted: str, taken: set[str]) -> str:
    """A Verilog identifier that is like `wanted`, no keyword and not taken; it's added to those taken."""
    name = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_") or "unnamed"
    if name[0].isdigit() or name in KEYWORDS:
        name = f"v_{name}"
    return unique_name(name, taken)


@dataclass(frozen=True)
class HwLegalizeNames(ModulePass):
    """
    Makes every module, port and value name a Verilog identifier that is no keyword.

    Before:
    ```mlir
    hw.module @"a/b"(in %input: i2, out output: i2) {
      hw.output %input : i2
    }
    ```
    After `hw-legalize-names`:
    ```mlir
    hw.module @a_b(in %v_input: i2, out v_output: i2) {
      hw.output %v_input : i2
    }
    ```
    """

    name = "hw-legalize-names"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        modules = [each for each in op.body.block.ops if isinstance(each, hw.HWModuleOp)]
        taken: set[str] = set()
        names = {module.sym_name.data: legal_name(module.sym_name.data, taken) for module in modules}
        ports = {module.sym_name.data: _rename_ports(module) for module in modules}
        legal: dict[str, str] = {}
        for module in modules:
            for operation in module.body.block.ops:
                if isinstance(operation, hw.InstanceOp):
                    target = operation.module_name.string_value()
                    renamed = ports.get(target, {})
                    operation.attributes["argNames"] = _renamed(operation.arg_names, renamed)
                    operation.attributes["resultNames"] = _renamed(operation.result_names, renamed)
                    operation.attributes["moduleName"] = SymbolRefAttr(names.get(target, target))
                for result in operation.results:
                    _rename(result, legal)
            for argument in module.body.block.args:
                _rename(argument, legal)
            module.properties["sym_name"] = StringAttr(names[module.sym_name.data])


def _rename(value: SSAValue, legal: dict[str, str]) -> None:
    hint = value.name_hint
    if hint is not None:
        name = legal.get(hint)
        if name is None:
            name = legal[hint] = legal_name(hint, set())
        if name != hint:
            value.name_hint = name


def _renamed(names: ArrayAttr[StringAttr], renamed: dict[str, str]) -> ArrayAttr[StringAttr]:
    return ArrayAttr([StringAttr(renamed.get(name.data, name.data)) for name in names])


def _rename_ports(module: hw.HWModuleOp) -> dict[str, str]:
    described = INPUTS in module.attributes and STAGES not in module.attributes
    taken: set[str] = {*CONTROL} if described else set()  # those names are for ports that carry no tensor
    renamed: dict[str, str] = {}
    ports: list[hw.ModulePort] = []
    arguments = iter(module.body.block.args)
    for port in module.module_type.ports.data:
        name = legal_name(port.port_name.data, taken)
        renamed[port.port_name.data] = name
        ports.append(hw.ModulePort(StringAttr(name), port.type, port.dir))
        if port.dir.data.is_input_like():
            next(arguments).name_hint = name
    module.properties["module_type"] = hw.ModuleType(ArrayAttr(ports))
    return renamed
