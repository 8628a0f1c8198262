"""
The scripts for Vivado and Quartus, run in a Tcl interpreter whose commands know the documented options.

Options are those of UG835 (Vivado's Tcl commands) and of the Quartus Prime scripting reference, of the commands that we
use; a command, option, value or number of arguments that isn't documented is an error, as it is there.
"""

import shutil
import tkinter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import c4ml_xdsl as c4ml
from c4ml_xdsl.packaging.vivado_reports import TIMING, UTILIZATION
from tests.streams.networks import two_by_three


@dataclass(frozen=True)
class Command:
    """A command: options without and with a value, the values that some may have, and how many other arguments."""

    flags: str
    values: str
    positional: tuple[int, int]
    choices: dict[str, str] = field(default_factory=dict[str, str])


DELAYS = {"delay_type": "min max min_max"}
CONSTRAINTS = {
    "create_clock": Command("add quiet verbose", "period name waveform", (0, 1)),
    "set_input_delay": Command(
        "clock_fall rise fall max min add_delay network_latency_included source_latency_included quiet verbose",
        "clock reference_pin",
        (2, 2),
    ),
    "set_output_delay": Command(
        "clock_fall rise fall max min add_delay network_latency_included source_latency_included quiet verbose",
        "clock reference_pin",
        (2, 2),
    ),
    "all_outputs": Command("quiet verbose", "", (0, 0)),
    "all_inputs": Command("quiet verbose", "", (0, 0)),
}
VIVADO = CONSTRAINTS | {
    "get_ports": Command(
        "regexp nocase quiet verbose scoped_to_current_instance no_traverse",
        "filter of_objects match_style prop_thru_buffers",
        (0, 1),
    ),
    "create_project": Command("force in_memory ip rtl_kernel quiet verbose", "part", (0, 2)),
    "read_verilog": Command("sv quiet verbose", "library", (1, 1)),
    "read_xdc": Command(
        "quiet_diff_pairs unmanaged quiet verbose", "cells ref mode", (1, 1), {"mode": "default out_of_context"}
    ),
    "synth_design": Command(
        "rtl no_lc keep_equivalent_registers retiming no_retiming no_srlextract assert no_timing_driven sfcu debug_log "
        "quiet verbose",
        "name part constrset top include_dirs generic verilog_define flatten_hierarchy gated_clock_conversion "
        "directive bufg shreg_min_size mode fsm_extraction resource_sharing cascade_dsp control_set_opt_threshold "
        "max_bram max_uram max_dsp incremental incremental_mode",
        (0, 0),
        {"mode": "default out_of_context", "flatten_hierarchy": "full none rebuilt"},
    ),
    "opt_design": Command("retarget propconst sweep quiet verbose", "directive", (0, 0)),
    "place_design": Command("no_timing_driven timing_summary unplace quiet verbose", "directive", (0, 0)),
    "phys_opt_design": Command("retime rewire quiet verbose", "directive", (0, 0)),
    "route_design": Command("unroute timing_summary tns_cleanup no_timing_driven quiet verbose", "directive", (0, 0)),
    "report_utilization": Command(
        "append return_string evaluate_pblock exclude_child_pblocks exclude_non_assigned hierarchical slr packthru "
        "hierarchical_percentages quiet verbose",
        "file pblocks cells format name spreadsheet_file spreadsheet_table spreadsheet_depth hierarchical_depth",
        (0, 0),
    ),
    "report_timing_summary": Command(
        "check_timing_verbose no_header no_detailed_paths datasheet report_unconstrained unique_pins routable_nets "
        "append return_string warn_on_violation input_pins setup hold quiet verbose",
        "delay_type max_paths nworst path_type file name significant_digits slack_lesser_than rpx cells",
        (0, 0),
        DELAYS,
    ),
    "report_timing": Command(
        "setup hold unique_pins label_reused_pins input_pins no_header append return_string warn_on_violation quiet",
        "from to through delay_type max_paths nworst path_type sort_by group file name slack_lesser_than cells",
        (0, 0),
        DELAYS | {"sort_by": "slack group"},
    ),
    "report_route_status": Command(
        "return_string append show_all has_routing boundary_nets quiet verbose",
        "of_objects route_type list_all_nets file name",
        (0, 0),
    ),
    "write_checkpoint": Command("force encrypt incremental_synth quiet verbose", "cell key", (1, 1)),
}
QUARTUS = CONSTRAINTS | {
    "get_ports": Command("nocase no_duplicates compatibility_mode", "", (1, 1)),
    "remove_from_collection": Command("", "", (2, 2)),
    "derive_clock_uncertainty": Command("add overwrite", "", (0, 0)),
    "project_new": Command("overwrite", "family part revision", (1, 1)),
    "project_close": Command("dont_export_assignments", "", (0, 0)),
    "set_global_assignment": Command("remove disable fall rise", "name entity section_id tag comment", (0, 1)),
    "set_instance_assignment": Command("remove disable", "name from to entity section_id tag comment", (0, 1)),
    "execute_flow": Command("compile analysis_and_elaboration check_ios implement signalprobe", "", (0, 0)),
}


Call = tuple[str, dict[str, str], list[str]]


class Interpreter:
    """Tcl with a tool's commands, which are recorded: name, options, other arguments."""

    def __init__(self, commands: dict[str, Command]):
        try:
            self.tcl = tkinter.Tcl()
        except tkinter.TclError as error:
            pytest.skip(f"Tcl doesn't start: {error}")
        self.calls: list[Call] = []
        self.failure = ""
        for name, command in commands.items():
            self.tcl.tk.createcommand(name, self.handler(name, command))  # pyright: ignore
        self.tcl.eval('proc unknown {name args} { error "$name is no command" }')

    def handler(self, name: str, command: Command) -> Callable[..., str]:
        def run(*given: str) -> str:
            arguments = [str(each) for each in given]
            options: dict[str, str] = {}
            others: list[str] = []
            while arguments:
                each = arguments.pop(0)
                option = each[1:]
                if not each.startswith("-") or each[1:2].isdigit():
                    others.append(each)
                elif option in command.flags.split():
                    options[option] = ""
                elif option in command.values.split() and arguments:
                    options[option] = arguments.pop(0)
                    if option in command.choices and options[option] not in command.choices[option].split():
                        return self.fail(f"{name}: {each} {options[option]}")
                else:
                    return self.fail(f"{name}: {each} isn't documented")
            low, high = command.positional
            if not low <= len(others) <= high:
                return self.fail(f"{name}: {len(others)} arguments")
            self.calls.append((name, options, others))
            return f"<{name}>"

        return run

    def fail(self, message: str) -> str:
        self.failure = self.failure or message
        raise tkinter.TclError(message)

    def source(self, script: Path) -> None:
        """Runs a file; raises AssertionError where it isn't Tcl, or isn't what the tool's commands take."""
        assert self.tcl.call("info", "complete", script.read_text())
        try:
            self.tcl.call("source", str(script))
        except tkinter.TclError as error:
            raise AssertionError(f"{script.name}: {self.failure or error}") from error


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packages")
    options: dict[str, dict[str, Any]] = {"combinational": {}, "valid": {"clock_ns": 3.0, "valid": True}}
    for name, given in options.items():
        c4ml.compile(two_by_three(), effort="fast", verify=False, **given).package(folder / name)
    return {name: folder / name for name in options}


def vivado(package: Path, *arguments: str) -> list[Call]:
    interpreter = Interpreter(VIVADO)
    interpreter.tcl.setvar("argv", " ".join(arguments))
    interpreter.tcl.setvar("argc", str(len(arguments)))
    interpreter.source(package / "scripts" / "vivado.tcl")
    return interpreter.calls


@pytest.mark.parametrize("name", ["combinational", "valid"])
def test_vivado(packages: dict[str, Path], name: str) -> None:
    """Out of context from sources that are there to the reports that `c4ml report --vivado` reads."""
    package = packages[name]
    calls = vivado(package)
    steps = [call[0] for call in calls]
    order = ["read_verilog", "read_xdc", "synth_design", "opt_design", "place_design", "route_design"]
    assert [step for step in steps if step in order] == order
    by_name = {call[0]: call for call in calls}
    tcl = tkinter.Tcl()
    sources = [Path(file) for file in tcl.splitlist(by_name["read_verilog"][2][0])]
    assert {file.name for file in sources} == {
        file.name for folder in ("rtl", "wrappers") for file in (package / folder).glob("*.v")
    }
    assert all(file.is_file() for file in sources)
    (constraints,) = by_name["read_xdc"][2]
    assert Path(constraints).is_file()
    assert by_name["synth_design"][1]["mode"] == by_name["read_xdc"][1]["mode"] == "out_of_context"
    routed = [call for call in calls[steps.index("route_design") :] if "file" in call[1]]
    written = {Path(call[1]["file"]).name: call[0] for call in routed}
    assert written[UTILIZATION] == "report_utilization"
    assert written[TIMING] == "report_timing_summary"
    assert all(Path(call[1]["file"]).parent == package / "build" / "vivado" for call in routed)


def test_vivado_takes_a_part_a_top_and_a_folder(packages: dict[str, Path], tmp_path: Path) -> None:
    calls = vivado(packages["combinational"], "xc7a100tcsg324-1", "two_by_three_axis", str(tmp_path / "reports"))
    by_name = {call[0]: call for call in calls}
    assert by_name["synth_design"][1]["part"] == "xc7a100tcsg324-1"
    assert by_name["synth_design"][1]["top"] == "two_by_three_axis"
    assert by_name["read_xdc"][2][0].endswith("two_by_three_axis.xdc")
    assert Path(by_name["report_timing_summary"][1]["file"]).parent == tmp_path / "reports"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-mode out_of_context -flatten", "-mod out_of_context -flatten", "-mod isn't documented"),
        ("-flatten_hierarchy rebuilt", "-flatten_hierarchy rebuild", "rebuild"),
        ("opt_design\n", "optimise_design\n", "optimise_design is no command"),
        ("file mkdir $folder", "file mkdir $folder {", ""),
    ],
)
def test_what_vivado_would_refuse_is_refused(
    packages: dict[str, Path], tmp_path: Path, old: str, new: str, message: str
) -> None:
    shutil.copytree(packages["valid"], tmp_path / "package")
    script = tmp_path / "package" / "scripts" / "vivado.tcl"
    assert old in script.read_text()
    script.write_text(script.read_text().replace(old, new))
    with pytest.raises(AssertionError, match=message or None):
        vivado(tmp_path / "package")


@pytest.mark.parametrize("name", ["combinational", "valid"])
def test_constraints(packages: dict[str, Path], name: str) -> None:
    """Every module that can be synthesised has a clock, and delays of zero at its ports."""
    tops = [file.stem for file in sorted((packages[name] / "scripts").glob("*.xdc"))]
    assert len(tops) == (3 if name == "combinational" else 2)
    for top in tops:
        for suffix, commands in ((".xdc", VIVADO), (".sdc", QUARTUS)):
            interpreter = Interpreter(commands)
            interpreter.source(packages[name] / "scripts" / f"{top}{suffix}")
            by_name = {call[0]: call for call in interpreter.calls}
            clock = by_name["create_clock"]
            assert float(clock[1]["period"]) == (3.0 if name == "valid" else pytest.approx(6.5, abs=1.5))
            virtual = name == "combinational" and top == "two_by_three"
            assert len(clock[2]) == (not virtual)
            for delay in ("set_input_delay", "set_output_delay"):
                assert by_name[delay][1]["clock"] == clock[1]["name"]
                assert float(by_name[delay][2][0]) == 0


@pytest.mark.parametrize("name", ["combinational", "valid"])
def test_quartus(packages: dict[str, Path], name: str) -> None:
    interpreter = Interpreter(QUARTUS)
    for each in ("project", "flow"):
        interpreter.tcl.eval(f"package provide ::quartus::{each} 1.0")
    interpreter.tcl.eval("set quartus(args) {}; set before [pwd]")
    try:
        interpreter.source(packages[name] / "scripts" / "quartus.tcl")
    finally:
        interpreter.tcl.eval("cd $before")
    assigned: dict[str, list[str]] = {}
    for command, options, others in interpreter.calls:
        if command == "set_global_assignment":
            assigned.setdefault(options["name"], []).extend(others)
    assert all(Path(file).is_file() for file in assigned["VERILOG_FILE"] + assigned["SDC_FILE"])
    assert assigned["TOP_LEVEL_ENTITY"] == ["two_by_three"]
    assert [call[0] for call in interpreter.calls][-2:] == ["execute_flow", "project_close"]
