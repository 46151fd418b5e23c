# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong, in one sentence: every error this package raises on purpose is a QnnError."""


class QnnError(Exception):
    """Something the caller can mend; the message names the thing and the way out.

    The command line prints it after "qnn: " and exits with status 2.
    """


class PictureError(QnnError):
    """A picture that cannot be read, or would be read wrongly."""


class NetworkError(QnnError):
    """A network description or its parameters do not fit together."""


class FormatError(QnnError):
    """A file is not what its format says: truncated, wrong header, hostile pickle."""


class FetchError(QnnError):
    """A file could not be fetched, or is not the file that was asked for."""


class BackendError(QnnError):
    """A backend is unknown, missing, or cannot run this network."""
