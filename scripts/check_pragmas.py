# SPDX-License-Identifier: BSD-3-Clause
"""Check every `#pragma HLS` of the kernels: known directive, option and value, existing variable.

Vitis HLS ignores much of what it does not understand, so a typing error costs speed, not a build.
What is allowed here is what the user guide of Vitis HLS 2022.1 (UG1399) documents and the kernels
need; a pragma that names a variable must follow its declaration, in the same block or one inside.

Example: python scripts/check_pragmas.py hls_kernels/include hls_kernels/kernels
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

NUMBER, NAME, FLAG, VARIABLE, PORT = "a number", "a name", "no value", "a variable", "a port"
Allowed = str | frozenset[str]


def one_of(*words: str) -> frozenset[str]:
    return frozenset(words)


# directive -> (option -> what it may be, options that it must have)
DIRECTIVES: dict[str, tuple[dict[str, Allowed], set[str]]] = {
    "ARRAY_PARTITION": (
        {
            "variable": VARIABLE,
            "type": one_of("cyclic", "block", "complete"),
            "factor": NUMBER,
            "dim": NUMBER,
        },
        {"variable", "type"},
    ),
    "BIND_STORAGE": (
        {
            "variable": VARIABLE,
            "type": one_of(
                "fifo", "ram_1p", "ram_1wnr", "ram_2p", "ram_s2p", "ram_t2p", "rom_1p", "rom_2p",
                "rom_np",
            ),
            "impl": one_of("bram", "lutram", "uram", "srl", "memory", "auto"),
            "latency": NUMBER,
        },
        {"variable", "type"},
    ),
    "DATAFLOW": ({"disable_start_propagation": FLAG}, set()),
    "DEPENDENCE": (
        {
            "variable": VARIABLE,
            "class": one_of("array", "pointer"),
            "type": one_of("intra", "inter"),
            "direction": one_of("RAW", "WAR", "WAW"),
            "distance": NUMBER,
            "dependent": one_of("true", "false"),
        },
        {"type", "dependent"},
    ),
    "INLINE": ({"off": FLAG, "recursive": FLAG}, set()),
    "INTERFACE": (
        {
            "mode": one_of("axis", "m_axi", "s_axilite", "ap_none", "ap_ctrl_none", "ap_ctrl_hs"),
            "port": PORT,
            "bundle": NAME,
            "offset": one_of("off", "direct", "slave"),
            "depth": NUMBER,
            "latency": NUMBER,
            "max_read_burst_length": NUMBER,
            "max_write_burst_length": NUMBER,
            "num_read_outstanding": NUMBER,
            "num_write_outstanding": NUMBER,
            "max_widen_bitwidth": NUMBER,
            "register_mode": one_of("both", "forward", "reverse", "off"),
        },
        {"mode", "port"},
    ),
    "LOOP_TRIPCOUNT": ({"min": NUMBER, "max": NUMBER, "avg": NUMBER}, {"max"}),
    "PIPELINE": (
        {"II": NUMBER, "off": FLAG, "rewind": FLAG, "style": one_of("stp", "frp", "flp")},
        set(),
    ),
    "STREAM": (
        {"variable": VARIABLE, "depth": NUMBER, "type": one_of("fifo", "pipo", "shared", "unsync")},
        {"variable"},
    ),
    "UNROLL": ({"factor": NUMBER, "skip_exit_check": FLAG}, set()),
}  # fmt: skip
IN_A_LOOP = {"LOOP_TRIPCOUNT", "UNROLL"}
NOT_TYPES = {"return", "else", "using", "case", "delete", "throw", "goto", "typedef"}

# type, then what is declared: `const ap_uint<8> (&a)[4], b = 0`
DECLARATION = re.compile(
    r"^\s*(?:(?:const|static|constexpr|typename|volatile)\s+)*(?P<type>[A-Za-z_][\w:]*)"
    r"\s*(?:<.*?>+(?:::\w+)?)?(?:\s+const)?(?:\s+|\s*[&*]+\s*|\s*\([&*])\s*(?P<rest>[A-Za-z_]\w*"
    r"\s*(?:$|[\[=({,;)]).*)$",
    re.S,
)


@dataclass
class Block:
    """What a pair of braces holds: its head, and the names declared in it so far."""

    head: str
    names: set[str] = field(default_factory=set)

    @property
    def is_function(self) -> bool:
        head = self.head.strip()
        return (
            "(" in head
            and bool(re.search(r"\)\s*(const)?$", head))
            and not re.match(r"(for|while|if|else|switch|do)\b", head)
        )

    @property
    def is_loop(self) -> bool:
        return bool(re.match(r"(for|while|do)\b", self.head.strip()))


def split_at_commas(text: str) -> list[str]:
    """Parts between the commas that no bracket encloses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{<") - (character in ")]}>")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def declared(statement: str) -> set[str]:
    """Names of the variables that a statement declares."""
    found = DECLARATION.match(statement)
    if not found or found["type"] in NOT_TYPES:
        return set()
    names = set()
    for part in split_at_commas(found["rest"]):
        if name := re.match(r"\s*[&*(]*\s*([A-Za-z_]\w*)", part):
            names.add(name[1])
    return names


def parameters(head: str) -> set[str]:
    """Names of the parameters in the head of a function."""
    end = head.rindex(")")
    depth, begin = 0, end
    for begin in range(end, -1, -1):
        depth += (head[begin] == ")") - (head[begin] == "(")
        if depth == 0:
            break
    return set().union(*(declared(part) for part in split_at_commas(head[begin + 1 : end])))


def without_comments(text: str) -> str:
    """The same lines, comments and the contents of strings left out."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"//.*", "", text)


def faults_of(pragma: str, blocks: list[Block]) -> Iterator[str]:
    """What is wrong with a pragma, where `blocks` enclose it, the outermost first."""
    directive, _, rest = pragma.partition(" ")
    if directive not in DIRECTIVES:
        yield f"unknown directive {directive}"
        return
    allowed, needed = DIRECTIVES[directive]
    functions = [number for number, block in enumerate(blocks) if block.is_function]
    if not functions:
        yield f"{directive} stands outside of a function"
        return
    function = blocks[functions[0]]
    visible = parameters(function.head).union(*(b.names for b in blocks[functions[0] :]))
    given = set()
    for option in rest.split():
        key, equals, value = option.partition("=")
        given.add(key)
        if key not in allowed:
            yield f"{directive} has no option {key}"
            continue
        kind = allowed[key]
        if kind == FLAG:
            if equals:
                yield f"{directive}: {key} takes no value"
        elif isinstance(kind, frozenset):
            if value not in kind:
                yield f"{directive}: {key} is {value!r}, not one of {', '.join(sorted(kind))}"
        elif kind == NUMBER:
            if not re.fullmatch(r"\d+", value):
                yield f"{directive}: {key} is {value!r}, not a number"
        elif kind == PORT:
            if value != "return" and value not in parameters(function.head):
                yield f"{directive}: there is no port {value}"
        elif kind == VARIABLE:
            if value not in visible:
                yield f"{directive}: there is no variable {value}"
        elif not re.fullmatch(r"\w+", value):
            yield f"{directive}: {key} is {value!r}, not a name"
    for key in sorted(needed - given):
        yield f"{directive} lacks {key}="
    if directive in IN_A_LOOP and not blocks[-1].is_loop:
        yield f"{directive} is not at the head of a loop"


def check(text: str) -> list[tuple[int, str]]:
    """Line and fault of each bad pragma of a source."""
    faults: list[tuple[int, str]] = []
    blocks: list[Block] = []
    pending = ""
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        found = re.match(r"\s*#\s*pragma\s+HLS\s+(.*)", line)
        if found:
            pragma = " ".join(found[1].split())
            faults += [(number, fault) for fault in faults_of(pragma, blocks)]
            continue
        if line.lstrip().startswith("#"):
            continue
        # round brackets that are open: the `;` in the head of a loop end no statement
        for character in line + "\n":
            depth = pending.count("(") - pending.count(")")
            if character == "{" and not re.search(r"[=,(]\s*$|return\s*$", pending):
                blocks.append(Block(pending))
                if blocks[-1].is_loop and "(" in pending:
                    blocks[-1].names |= declared(pending.split("(", 1)[1].split(";")[0])
                pending = ""
            elif character == "}" and "{" not in pending:
                if blocks:
                    blocks.pop()
                pending = ""
            elif character == ";" and depth == 0:
                if blocks:
                    blocks[-1].names |= declared(pending)
                pending = ""
            else:
                pending += character
    if blocks:
        faults.append((text.count("\n") + 1, "braces do not match: the rest was not understood"))
    return faults


def main(arguments: list[str] | None = None) -> int:
    description, _, example = (__doc__ or "").partition("Example: ")
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f"Example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", type=Path, help="files, or folders of .hpp and .cpp")
    paths: list[Path] = parser.parse_args(arguments).paths
    files = []
    for path in paths:
        if not path.exists():
            print(f"check_pragmas: there is no {path}", file=sys.stderr)
            return 2
        inside = sorted(p for p in path.rglob("*") if p.suffix in (".hpp", ".cpp"))
        files += inside if path.is_dir() else [path]
    pragmas = wrong = 0
    for path in files:
        text = path.read_text()
        pragmas += len(re.findall(r"^\s*#\s*pragma\s+HLS", text, re.M))
        for line, fault in check(text):
            print(f"{path}:{line}: {fault}")
            wrong += 1
    if not wrong:
        print(f"{pragmas} pragmas in {len(files)} files are as documented")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
