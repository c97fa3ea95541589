"""Every error a user can cause or meet. Each message is one plain sentence that says what to do.

`web/errors.py` maps the classes to HTTP status codes. The command line exits with 2 for all of them.
"""


class AnnotatorError(Exception):
    """Base of all expected errors; its text is shown to the user as it is."""


class InvalidSetting(AnnotatorError):
    """A variable or an option has a value that cannot be used."""


class InvalidRequest(AnnotatorError):
    """A value is malformed, or the request asks for something that cannot be done."""


class InvalidImage(AnnotatorError):
    """The uploaded bytes are not an image we can decode, or exceed a limit."""


class InvalidPrompt(AnnotatorError):
    """A point, box or mask prompt is malformed or lies outside the image. `field` names the offending input."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class InvalidMask(AnnotatorError):
    """A run-length encoded mask is malformed or does not fit its image."""


class TooIntricate(InvalidMask):
    """A mask has more runs than the program can handle."""


class NotJson(AnnotatorError):
    """A file that should be JSON is not."""


class NotFound(AnnotatorError):
    """No such project, image, label, annotation, job or model in this workspace."""


class NotLoggedIn(AnnotatorError):
    """Nobody is logged in, or the name, password or token is wrong."""


class Forbidden(AnnotatorError):
    """The user may see what the request is about, and may not do this with it."""


class TooManyLogins(AnnotatorError):
    """Logging in failed too often; it can be tried again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Logging in failed too often: try again in {retry_after} s.")
        self.retry_after = retry_after


class Conflict(AnnotatorError):
    """The request contradicts the current state (a label in use, a stale version, a duplicate name)."""


class Busy(AnnotatorError):
    """A queue is full; try again in `retry_after` seconds."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Cancelled(AnnotatorError):
    """The work was superseded or cancelled before it finished."""


class ModelUnavailable(AnnotatorError):
    """A checkpoint is missing, cannot be fetched, or fails its checksum."""


class DatabaseUnavailable(AnnotatorError):
    """The database cannot be reached, is locked, or was made by a newer program."""


class FileUnavailable(AnnotatorError):
    """A file or folder of the data folder cannot be read or written."""


class ImageStoreUnavailable(AnnotatorError):
    """The object store of the images cannot be reached, or refuses what it is asked for."""


class StorageFull(AnnotatorError):
    """The disk has no room left; nothing was half-written."""


class QuotaExceeded(AnnotatorError):
    """The projects of a user would hold more images than a user may have."""


class CorruptData(AnnotatorError):
    """Stored values contradict each other."""
