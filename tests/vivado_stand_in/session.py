# SPDX-License-Identifier: BSD-3-Clause
"""One run of Vivado in batch mode: the Tcl commands over the objects of this package.

Objects are words `<class>:<name>`, so a pin where a cell is wanted is an error, as in Vivado.
"""

from __future__ import annotations

import fnmatch
import os
import re
import tkinter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vivado_stand_in.catalogue import CATALOGUE, PORTS, Kind, VivadoError
from vivado_stand_in.design import Cell, Design
from vivado_stand_in.hwh import hwh
from vivado_stand_in.packager import Core, Described

PARTS = {  # and how reports name LUTs and registers
    "xc7z020clg400-1": "Slice",
    **dict.fromkeys(("xczu3eg-sfvc784-2-e", "xczu7ev-ffvc1156-2-e", "xck26-sfvc784-2LV-c"), "CLB"),
}
STRATEGIES = {"Performance_Explore", "Performance_ExplorePostRoutePhysOpt"}
SYNTHESIS = "synth_1"
PRIMITIVES = {"DSP48E1"}  # of UG953; Vivado makes a DSP48E2 of it for an UltraScale+ (UG974)
RUNS = (SYNTHESIS, "impl_1")
BITSTREAM = {"USERID": r"0x[0-9a-f]{8}", "USR_ACCESS": "[0-9a-f]{8}"}
CORE = {"name", "version", "display_name", "description", "supported_families"}
DESCRIBED = {
    "space": {"range", "width"},
    "block": {"range", "width", "usage", "base_address"},
    "register": {"address_offset", "size", "access", "description"},
    "field": {"bit_offset", "bit_width", "access", "description"},
}
ACCESS = {"read-only", "write-only", "read-write"}
USED = ((" LUTs", 30030, 53200), (" Registers", 21819, 106400),
        ("Block RAM Tile", 118.5, 140), ("DSPs", 0, 220))  # fmt: skip
SHIM = """
proc {name} args {{
  lassign [stand_in {name} {{*}}$args] ok value
  if {{!$ok}} {{return -code error $value}}
  return $value
}}
"""
COMMANDS: dict[str, tuple[Callable[..., str], set[str], set[str]]] = {}


def command(name: str, flags: str = "", options: str = "") -> Callable[[Callable], Callable]:
    """A Tcl command: its switches, and its options that take a value."""

    def note(function: Callable) -> Callable:
        COMMANDS[name] = (function, set(flags.split()), set(options.split()))
        return function

    return note


@dataclass
class Outcome:
    """What the machine that is not here would have found."""

    version: str = "2022.1"
    setup_slack: str = "0.312"
    hold_slack: str = "0.021"
    failing_run: str = ""
    inferred_block: str = "reg0"  # empty: the packager infers no addresses


@dataclass
class Project:
    name: str
    folder: Path
    part: str
    files: list[Path] = field(default_factory=list)
    top: str = ""
    repositories: list[Path] = field(default_factory=list)
    catalogue: dict[str, Kind] = field(default_factory=lambda: dict(CATALOGUE))


class Session:
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.project: Project | None = None
        self.packaged: dict[Path, Core] = {}  # folder -> saved IP
        self.core: Core | None = None
        self.described: dict[str, Described] = {}  # handles of parts of the core
        self.design: Design | None = None
        self.progress: dict[str, str] = {}
        self.opened = ""
        self.bitstream: dict[str, str] = {}
        self.lines: list[str] = []
        self.status: int | None = None

    # running

    def run(self, script: Path, arguments: list[str]) -> int:
        """Sources a script; its exit status."""
        tcl = tkinter.Tcl()
        tcl.createcommand("stand_in", self._call)
        tcl.eval("namespace eval ipx {}; rename puts write")
        for name in (*COMMANDS, "exit"):
            tcl.eval(SHIM.format(name=name))
        tcl.eval(
            "proc puts args {if {[llength $args] == 1} {stand_in puts {*}$args}"
            " else {write {*}$args}}"
        )
        tcl.setvar("argv", tuple(arguments))
        try:
            tcl.eval(f"source {{{script}}}")
        except tkinter.TclError as error:
            if self.status is None:
                self.lines.append(f"ERROR: {error}")
                return 1
        return self.status or 0

    def _call(self, name: str, *words: str) -> tuple[int, str]:
        if name == "exit":
            self.status = int(words[0]) if words else 0
            return 0, "exit"
        if name == "puts":
            self.lines.append(words[0])
            return 1, ""
        function, flags, options = COMMANDS[name]
        given: dict[str, str] = {}
        positional: list[str] = []
        rest = list(words)
        try:
            while rest:
                word = str(rest.pop(0))
                if word in options:
                    if not rest:
                        raise VivadoError(f"{word} wants a value")
                    given[word] = str(rest.pop(0))
                elif word in flags:
                    given[word] = ""
                elif word.startswith("-") and not re.fullmatch(r"-[\d.]+", word):
                    raise VivadoError(f"unknown option {word}")
                else:
                    positional.append(word)
            return 1, function(self, given, *positional)
        except TypeError as error:
            return 0, f"ERROR: [stand-in] {name}: wrong number of arguments ({error})"
        except VivadoError as error:
            return 0, f"ERROR: [stand-in] {name}: {error}"

    def need(self, what: str) -> object:
        """project, core or design: VivadoError where none is open."""
        found = getattr(self, what)
        if found is None:
            raise VivadoError(f"no {what} is open")
        return found

    def unpack(self, word: str, kind: str) -> str:
        """The name in an object's word."""
        found, _, name = word.partition(":")
        if found != kind or not name:
            raise VivadoError(f"expected one {kind}, got {word!r}")
        return name


def words(text: str) -> list[str]:
    return [str(word) for word in tkinter.Tcl().splitlist(text)]


# projects


@command("version", "-short")
def version(session, given):
    return session.outcome.version


@command("create_project", "-force", "-part")
def create_project(session, given, name, folder):
    part = given["-part"]
    if part not in PARTS:
        raise VivadoError(f"unknown part {part}")
    session.project = Project(name, Path(folder), part)
    session.project.folder.mkdir()
    return f"project:{name}"


@command("close_project")
def close_project(session, given):
    session.need("project")
    session.project = session.core = None
    return ""


@command("current_project")
def current_project(session, given):
    return f"project:{session.need('project').name}"


@command("current_fileset")
def current_fileset(session, given):
    session.need("project")
    return "fileset:sources_1"


@command("add_files", "-norecurse", "-fileset")
def add_files(session, given, files):
    if given.get("-fileset", "sources_1") not in ("sources_1", "constrs_1"):
        raise VivadoError("no such fileset")
    for file in words(files):
        if not Path(file).is_file():
            raise VivadoError(f"there is no file {file}")
        if os.path.isabs(file):
            raise VivadoError(f"{file} is absolute: the project could not be repeated elsewhere")
        session.need("project").files.append(Path(file))
    return ""


@command("update_compile_order", options="-fileset")
def update_compile_order(session, given):
    if given.get("-fileset", "sources_1") != "sources_1":
        raise VivadoError("no such fileset")
    if not session.need("project").top:
        raise VivadoError("no top is set")
    return ""


@command("update_ip_catalog", "-rebuild")
def update_ip_catalog(session, given):
    project = session.need("project")
    project.catalogue = dict(CATALOGUE)
    for folder in project.repositories:
        core = session.packaged.get(folder)
        if core is None:
            raise VivadoError(f"no IP in {folder}")
        project.catalogue[core.vlnv] = core.as_kind()
    return ""


@command("get_ipdefs", "-all")
def get_ipdefs(session, given, vlnv):
    return " ".join(fnmatch.filter(session.need("project").catalogue, vlnv))


@command("set_property", "-dict")
def set_property(session, given, *arguments):
    if "-dict" in given:
        pairs, word = words(arguments[0]), arguments[1]
        values = dict(zip(pairs[::2], pairs[1::2], strict=True))
    else:
        name, value, word = arguments
        values = {name: value}
    if not word:
        raise VivadoError("no object to set a property of")
    for name, value in values.items():
        set_one(session, name, str(value), word)
    return ""


def set_one(session, name, value, word):
    kind, _, object_name = word.partition(":")
    if kind == "fileset" and name == "top":
        session.project.top = value
    elif kind == "project" and name == "ip_repo_paths":
        session.project.repositories = [Path(path) for path in words(value)]
    elif kind == "cell" and name.startswith("CONFIG."):
        session.design.configure(object_name, {name.removeprefix("CONFIG."): value})
    elif kind == "file" and (name, value) == ("synth_checkpoint_mode", "None"):
        pass
    elif kind == "file" and name == "USED_IN" and object_name.endswith(".xdc"):
        if value != "synthesis":
            raise VivadoError(f"{object_name} is not used in {value}")
    elif kind == "run" and name == "strategy" and object_name == "impl_1":
        if value not in STRATEGIES:
            raise VivadoError(f"no strategy {value}")
    elif kind == "opened" and name.startswith("BITSTREAM.CONFIG."):
        key = name.removeprefix("BITSTREAM.CONFIG.")
        if not re.fullmatch(BITSTREAM.get(key, "$."), value):
            raise VivadoError(f"{name} cannot be {value}")
        session.bitstream[key] = value
    elif kind == "core" and name in CORE:
        session.core.properties[name] = value
    elif kind == "bus" and name == "slave_memory_map_ref":
        session.core.buses[object_name].memory_map = value
    elif kind == "bus" and name == "master_address_space_ref":
        session.core.buses[object_name].address_space = value
    elif kind == "block" and name == "name":
        owner, _, old = object_name.partition("/")
        parts = session.core.parts[owner].parts
        parts[value] = parts.pop(old)
    elif kind in DESCRIBED and name in DESCRIBED[kind]:
        if name == "access" and value not in ACCESS:
            raise VivadoError(f"access cannot be {value}")
        session.described[word].properties[name] = value
    else:
        raise VivadoError(f"{word} has no property {name} that can be {value!r}")


@command("get_property")
def get_property(session, given, name, word):
    kind, _, object_name = word.partition(":")
    if (kind, name) == ("run", "PROGRESS"):
        return session.progress.get(object_name, "0%")
    if (kind, name) == ("run", "STATUS"):
        return f"{object_name} ERROR" if session.outcome.failing_run else "Complete!"
    if (kind, name) == ("clock", "PERIOD"):
        first, second = session.design.clock_divisors
        return f"{1000 / session.design.pll_mhz * first * second:.3f}"
    if (kind, name) == ("path", "SLACK"):
        return getattr(session.outcome, f"{object_name}_slack")
    if not word and name == "SLACK":
        return ""
    raise VivadoError(f"{word!r} has no property {name}")


# the IP packager


def check_sources(files):
    """Every module that is instantiated, every package that is imported is in a file, or known."""
    text = "\n".join(re.sub(r"//.*", "", file.read_text()) for file in files)
    there = set(re.findall(r"\b(?:module|package) (\w+)", text))
    used = re.findall(r"^ *(\w+) (?:#\(|u_\w+ *\()", text, re.MULTILINE)
    used += re.findall(r"\bimport (\w+)::", text)
    if lost := sorted(set(used) - there - PRIMITIVES - {"module"}):
        raise VivadoError(f"no source has {', '.join(lost)}")


@command(
    "ipx::package_project",
    "-import_files -force",
    "-root_dir -vendor -library -taxonomy -set_current",
)
def package_project(session, given):
    project = session.need("project")
    tops = [f for f in project.files if re.search(rf"\bmodule {project.top}\b", f.read_text())]
    if len(tops) != 1 or tops[0].suffix != ".v":
        raise VivadoError(f"the top {project.top} is not in one Verilog file")
    check_sources(project.files)
    core = Core(tops[0], project.top, session.outcome.inferred_block)
    core.properties.update(vendor=given["-vendor"], library=given["-library"])
    core.folder = Path(given["-root_dir"])
    core.folder.mkdir()
    session.core = core
    session.described = {f"map:{name}": part for name, part in core.parts.items()}
    session.described |= {f"space:{name}": part for name, part in core.spaces.items()}
    for name, part in core.parts.items():
        for label, block in part.parts.items():
            session.described[f"block:{name}/{label}"] = block
    return "core:current"


@command("ipx::current_core")
def current_core(session, given):
    session.need("core")
    return "core:current"


@command("ipx::get_bus_interfaces", options="-of_objects")
def get_bus_interfaces(session, given, name):
    session.unpack(given["-of_objects"], "core")
    return f"bus:{name}" if name in session.core.buses else ""


def lister(kind, owner):
    """Objects of a kind in another; of one name where that is given."""

    def get(session, given, name=""):
        of = session.unpack(given["-of_objects"], owner)
        start = f"{kind}:" if owner == "core" else f"{kind}:{of}/"
        found = [word for word in session.described if word.startswith(start)]
        return " ".join(word for word in found if name in ("", word.removeprefix(start)))

    return get


def adder(kind, owner):
    def add(session, given, name, of):
        prefix = session.unpack(of, owner)
        word = f"{kind}:{name}" if owner == "core" else f"{kind}:{prefix}/{name}"
        if word in session.described:
            raise VivadoError(f"{word} exists already")
        if kind == "space":
            held = session.core.spaces
        else:
            held = (session.core if owner == "core" else session.described[of]).parts
        held[name] = session.described[word] = Described(kind)
        return word

    return add


for kind, owner, plural in (
    ("map", "core", "memory_maps"),
    ("space", "core", "address_spaces"),
    ("block", "map", "address_blocks"),
):
    command(f"ipx::get_{plural}", options="-of_objects")(lister(kind, owner))
for kind, owner, single in (
    ("map", "core", "memory_map"),
    ("space", "core", "address_space"),
    ("block", "map", "address_block"),
    ("register", "block", "register"),
    ("field", "register", "field"),
):
    command(f"ipx::add_{single}")(adder(kind, owner))


@command("ipx::create_xgui_files")
@command("ipx::update_checksums")
def touch_core(session, given, core):
    session.unpack(core, "core")
    return ""


@command("ipx::check_integrity")
def check_integrity(session, given, core):
    session.unpack(core, "core")
    session.core.check()
    return ""


@command("ipx::save_core")
def save_core(session, given, core):
    session.unpack(core, "core")
    if not session.core.checked:
        raise VivadoError("the IP was not checked")
    session.packaged[session.core.folder] = session.core
    return ""


# block designs


@command("create_bd_design")
def create_bd_design(session, given, name):
    session.need("project")
    session.design = Design(name)
    return name


@command("create_bd_cell", options="-type -vlnv")
def create_bd_cell(session, given, name):
    design, known = session.need("design"), session.project.catalogue
    if given["-type"] != "ip" or given["-vlnv"] not in known:
        raise VivadoError(f"no IP {given['-vlnv']} in the catalogue")
    if name in design.cells:
        raise VivadoError(f"there is a cell {name} already")
    design.cells[name] = Cell(known[given["-vlnv"]])
    return f"cell:{name}"


@command("create_bd_intf_port", options="-mode -vlnv")
def create_bd_intf_port(session, given, name):
    if given["-mode"] != "Master" or given["-vlnv"] not in PORTS:
        raise VivadoError(f"no interface {given['-vlnv']} of that mode")
    session.need("design").ports[name] = PORTS[given["-vlnv"]]
    return f"port:{name}"


def finder(kind, known):
    """As in Vivado, nothing is found where nothing is; what takes the result complains."""

    def find(session, given, name):
        return f"{kind}:{name}" if name in known(session.need("design")) else ""

    return find


def segments(design):
    return {f"{c}/{s}" for c, cell in design.cells.items() for s in cell.shape.segments}


def spaces(design):
    return {f"{c}/{s}" for c, cell in design.cells.items() for s in cell.shape.spaces}


command("get_bd_cells")(finder("cell", lambda design: design.cells))
command("get_bd_pins")(finder("pin", Design.pins))
command("get_bd_intf_pins")(finder("bus_pin", Design.interfaces))
command("get_bd_intf_ports")(finder("port", lambda design: design.ports))
command("get_bd_addr_segs")(finder("segment", segments))
command("get_bd_addr_spaces")(finder("space", spaces))


@command("connect_bd_net")
def connect_bd_net(session, given, first, second):
    pins = [session.unpack(word, "pin") for word in (first, second)]
    session.need("design").connect(*pins)
    return ""


@command("connect_bd_intf_net")
def connect_bd_intf_net(session, given, first, second):
    kind = "port" if first.startswith("port:") else "bus_pin"
    ends = session.unpack(first, kind), session.unpack(second, "bus_pin")
    session.need("design").connect_interfaces(*ends)
    return ""


@command("assign_bd_address", options="-offset -range -target_address_space")
def assign_bd_address(session, given, segment):
    session.need("design").place(
        session.unpack(given["-target_address_space"], "space"),
        session.unpack(segment, "segment"),
        int(given["-offset"], 0),
        int(given["-range"], 0),
    )
    return ""


@command("exclude_bd_addr_seg", options="-target_address_space")
def exclude_bd_addr_seg(session, given, segment):
    session.need("design").exclude(
        session.unpack(given["-target_address_space"], "space"), session.unpack(segment, "segment")
    )
    return ""


@command("validate_bd_design")
def validate_bd_design(session, given):
    session.need("design").validate()
    return ""


@command("save_bd_design")
def save_bd_design(session, given):
    design, project = session.need("design"), session.project
    design.saved = True
    path = project.folder / f"{project.name}.srcs/sources_1/bd/{design.name}/{design.name}.bd"
    path.parent.mkdir(parents=True)
    path.write_text("")
    return ""


@command("get_files")
def get_files(session, given, name):
    design = session.need("design")
    there = [path.name for path in session.project.files]
    if design.saved:
        there.append(f"{design.name}.bd")
    return f"file:{name}" if name in there else ""


@command("generate_target")
def generate_target(session, given, what, word):
    session.unpack(word, "file")
    design, project = session.design, session.project
    if what != "all" or not design.valid:
        raise VivadoError("the design is not valid")
    design.generated = True
    folder = project.folder / f"{project.name}.gen/sources_1/bd/{design.name}/hw_handoff"
    folder.mkdir(parents=True)
    text = hwh(design, project.part, session.outcome.version)
    (folder / f"{design.name}.hwh").write_text(text)
    return ""


@command("make_wrapper", "-top", "-files")
def make_wrapper(session, given):
    session.unpack(given["-files"], "file")
    project, name = session.project, f"{session.design.name}_wrapper"
    path = project.folder / f"{project.name}.gen/sources_1/bd/{session.design.name}/hdl/{name}.v"
    path.parent.mkdir(parents=True)
    path.write_text(f"module {name} ();\nendmodule\n")
    return str(path)


# runs


@command("get_runs")
def get_runs(session, given, name):
    session.need("project")
    return f"run:{name}" if name in RUNS else ""


@command("launch_runs", options="-jobs")
def launch_runs(session, given, run):
    project = session.need("project")
    if run not in RUNS or not re.fullmatch("[1-9][0-9]*", given.get("-jobs", "1")):
        raise VivadoError(f"no run {run}, or no number of jobs")
    tops = [f for f in project.files if re.search(rf"\bmodule {project.top}\b", f.read_text())]
    if not (session.design and session.design.generated and len(tops) == 1):
        raise VivadoError(f"nothing to run: top {project.top!r}, {len(tops)} files")
    if run != SYNTHESIS and session.progress.get(SYNTHESIS) != "100%":
        raise VivadoError("nothing is synthesised")
    session.progress[run] = "launched"
    return ""


@command("wait_on_run")
def wait_on_run(session, given, run):
    if session.progress.get(run) != "launched":
        raise VivadoError(f"{run} was not launched")
    session.progress[run] = "42%" if run == session.outcome.failing_run else "100%"
    return ""


@command("open_run")
def open_run(session, given, run):
    if session.progress.get(run) != "100%":
        raise VivadoError(f"{run} is not complete")
    session.opened = run
    return f"opened:{run}"


@command("current_design")
def current_design(session, given):
    if not session.opened:
        raise VivadoError("no design is open")
    return f"opened:{session.opened}"


@command("report_utilization", options="-file")
def report_utilization(session, given):
    current_design(session, {})
    logic = PARTS[session.project.part]
    rows = [
        f"| {logic + n if n[0] == ' ' else n:<24} | {u} | 0 | 0 | {a} | {100 * u / a:.2f} |\n"
        for n, u, a in USED
    ]
    Path(given["-file"]).write_text("".join(rows))
    return ""


@command("report_timing_summary", options="-file")
def report_timing_summary(session, given):
    current_design(session, {})
    Path(given["-file"]).write_text("timing\n")
    return ""


@command("get_timing_paths", "-setup -hold", "-max_paths")
def get_timing_paths(session, given):
    if current_design(session, {}) != "opened:impl_1":
        raise VivadoError("timing of what is not routed")
    kind = "hold" if "-hold" in given else "setup"
    return f"path:{kind}" if getattr(session.outcome, f"{kind}_slack") else ""


@command("get_clocks")
def get_clocks(session, given, name):
    current_design(session, {})
    timed = {"processing_system7_0": "clk_fpga_0", "zynq_ultra_ps_e_0": "clk_pl_0"}
    return f"clock:{name}" if name == timed[session.design.system[0]] else ""


@command("write_bitstream", "-force")
def write_bitstream(session, given, file):
    if current_design(session, {}) != "opened:impl_1":
        raise VivadoError("nothing is routed")
    header = f"qnn_wrapper;UserID={session.bitstream.get('USERID', '0XFFFFFFFF')}"
    Path(file).write_bytes(header.encode())
    return ""
