# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong, in one sentence: every error this package raises on purpose is a QnnError."""


class QnnError(Exception):
    """Something the caller can mend; the message names the thing and the way out.

    The command line prints it after "qnn: " and exits with status 2.
    """


class ArrayError(QnnError):
    """An array cannot be read, or is not what a network reads."""


class PictureError(QnnError):
    """A picture that cannot be read, or would be read wrongly."""


class SourceError(QnnError):
    """No frames come from a camera, a video, a folder or an address, or no more."""


class NetworkError(QnnError):
    """A network description or its parameters do not fit together."""


class FormatError(QnnError):
    """A file is not what its format says: truncated, wrong header, hostile pickle."""


class FetchError(QnnError):
    """A file could not be fetched, or is not the file that was asked for."""


class BackendError(QnnError):
    """A backend is unknown, missing, or cannot run this network."""


class DoesNotFitError(BackendError):
    """A network asks for more than the accelerator has: size, number, or kind of operation."""


class PlatformError(BackendError):
    """The device that carries the accelerator cannot be opened, read or written."""


class DeviceBusyError(BackendError):
    """Somebody else uses the accelerator."""


class WrongDeviceError(BackendError):
    """Not the accelerator that this software belongs to, or another version of it."""


class OutOfMemoryError(BackendError):
    """There is no buffer of that size."""


class EngineError(BackendError):
    """A run of the accelerator ended badly.

    Attributes:
        code: its name, see rtl/regs/README.md.
        index: command that ended the run.
        command: the layer of that command, with /group where a layer has several.
    """

    def __init__(self, message: str, code: str, index: int, command: str) -> None:
        super().__init__(message)
        self.code, self.index, self.command = code, index, command


class EngineTimeoutError(BackendError):
    """A run of the accelerator did not end in the time that it may take."""


class EngineStuckError(BackendError):
    """The accelerator does not become quiet: what it may write to stays reserved."""
