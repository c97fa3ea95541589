"""Files of images in an object store, such as S3, through fsspec. Only this file imports fsspec."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from annotator.errors import ImageStoreUnavailable, InvalidSetting, NotFound
from annotator.storage.local_files import FOLDERS

log = logging.getLogger(__name__)

_AT_ONCE = 16
"""Requests to the store. When it does not answer, no more threads than these wait for it."""

_TURN_SECONDS = 2.0
_ANSWER_SECONDS = 20.0

_ASKED_ONE_BY_ONE = 200
"""Files whose sizes are asked for. Of more files, a list of all is quicker."""

_Result = TypeVar("_Result")


class ObjectFiles:
    """Files named FOLDER/KEY below a URL that fsspec understands. Each is there as a whole or not at all.

    Raises `InvalidSetting` for a URL of no known kind. Everything else raises `ImageStoreUnavailable` when the store
    cannot be used. What one image needs does so after 20 s at the latest.
    """

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs

            # A list that fsspec remembers would be out of date: other processes write, too.
            self._system, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            text = f"The image store {url} needs a package that is not installed ({error})"
            raise InvalidSetting(f"{text}. For S3: pip install --no-build-isolation '.[store]'") from None
        except Exception as error:
            raise InvalidSetting(f"The image store {url!r} cannot be used ({error}).") from None
        self._root = root.rstrip("/")
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return name in self.sizes([name])

    def read(self, name: str) -> bytes:
        """The file's bytes. Raises `NotFound` if it is gone."""
        with _explained():
            try:
                data: bytes = self._start(partial(self._system.cat_file, self._path(name))).result(_ANSWER_SECONDS)
            except FileNotFoundError:
                raise NotFound("The file of this image is no longer stored.") from None
        return data

    def write(self, name: str, data: bytes) -> None:
        """Returns when the store has the file."""
        with _explained():
            self._start(partial(self._system.pipe_file, self._path(name), data)).result(_ANSWER_SECONDS)

    def sizes(self, names: Collection[str]) -> dict[str, int]:
        """The bytes of those files that are there."""
        if len(names) > _ASKED_ONE_BY_ONE:
            return self._all_sizes(names)
        found = {}
        with _explained():
            asked = {name: self._start(partial(self._system.info, self._path(name))) for name in names}
            for name, answer in asked.items():
                try:
                    found[name] = int(answer.result(_ANSWER_SECONDS)["size"])
                except FileNotFoundError:
                    continue
        return found

    def names(self) -> Iterator[str]:
        """All files that are there."""
        for folder in FOLDERS:
            with _explained():
                paths = self._start(partial(self._system.find, self._path(folder))).result()
            yield from (f"{folder}/{key}" for path in paths if (key := path.rpartition("/")[2]))

    def remove(self, names: Collection[str]) -> None:
        """Delete these files; absent ones are fine. Returns, or raises, when no deletion is under way any more.

        One that came later could take a file that somebody has added again meanwhile.
        """
        self.sizes(list(names)[:1])  # a store that does not answer is noticed here, where waiting has an end
        deletions: list[Future[None]] = []
        with _explained():
            try:
                for name in names:
                    deletions.append(self._start(partial(self._delete, self._path(name)), patient=True))
            finally:
                wait(deletions)
            for each in deletions:
                each.result()

    def _all_sizes(self, names: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for folder in {name.partition("/")[0] for name in names}:
            with _explained():
                listed = self._start(partial(self._system.find, self._path(folder), detail=True)).result()
            found |= {f"{folder}/{path.rpartition('/')[2]}": int(info["size"]) for path, info in listed.items()}
        return {name: found[name] for name in names if name in found}

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _delete(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._system.rm_file(path)

    def _start(self, request: Callable[[], _Result], patient: bool = False) -> Future[_Result]:
        """Make the request in a thread of its own, which does not keep the process from ending."""
        if not self._turns.acquire(timeout=_ANSWER_SECONDS if patient else _TURN_SECONDS):
            raise TimeoutError("Too many requests to the image store are not answered.")
        answer: Future[_Result] = Future()

        def work() -> None:
            try:
                answer.set_result(request())
            except BaseException as error:
                answer.set_exception(error)
            finally:
                self._turns.release()

        threading.Thread(target=work, name="image-store", daemon=True).start()
        return answer


@contextmanager
def _explained() -> Iterator[None]:
    """Whatever a store's library raises, as an error for the user; the log has the details."""
    try:
        yield
    except NotFound:
        raise
    except Exception as error:
        log.warning("The image store failed: %s: %s", type(error).__name__, error)
        raise ImageStoreUnavailable("The store of the images does not answer as it should; try again soon.") from error
