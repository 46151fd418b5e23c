# SPDX-License-Identifier: BSD-3-Clause
"""The register STATUS, and what it says in words."""

from __future__ import annotations

from dataclasses import dataclass

from qnn.engine import regs
from qnn.engine.registers import field, flags
from qnn.errors import EngineError

CLEAR = flags("STATUS", "done", "error", "refused")  # writing 1 clears them


@dataclass(frozen=True)
class Status:
    """See rtl/regs/README.md.

    Attributes:
        code: name of the error code, "NONE" where there is none.
        index: command that ended the run badly.
    """

    busy: bool
    done: bool
    error: bool
    refused: bool
    resident: bool
    code: str
    index: int

    @classmethod
    def decode(cls, value: int) -> Status:
        """The fields of STATUS as it reads."""
        found = {name: field("STATUS", name, value) for name in regs.FIELDS["STATUS"]}
        return cls(
            busy=bool(found["busy"]),
            done=bool(found["done"]),
            error=bool(found["error"]),
            refused=bool(found["refused"]),
            resident=bool(found["resident"]),
            code=_name(found["code"]),
            index=found["index"],
        )

    @property
    def ended(self) -> bool:
        return self.done or self.error

    def failure(self, commands: tuple[str, ...]) -> EngineError:
        """The error of a run that ended so; `commands` are the names of its list."""
        sentence = dict(regs.ERRORS).get(self.code, "a code that this software does not know")
        name = commands[self.index] if self.index < len(commands) else "none of the list"
        return EngineError(
            f"the accelerator stopped at command {self.index}, layer {name}: {sentence} "
            f"({self.code}); it can be started again, and if it stops again, load its bitstream",
            self.code,
            self.index,
            name,
        )


def _name(code: int) -> str:
    return regs.ERRORS[code][0] if code < len(regs.ERRORS) else f"code {code}"
