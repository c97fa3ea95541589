"""A package compiled for the CPU, called through AOTInductor's C interface (aoti_runtime/interface.h).

torch's own package loader holds Python's global lock while a package runs: no other thread goes on until the answer is
there, not even the one that reads requests. Foreign functions are called without the lock.
"""

from __future__ import annotations

import ctypes
import tempfile
import weakref
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_to_handles = torch._C._aoti.unsafe_alloc_void_ptrs_from_tensors
_to_tensors = torch._C._aoti.alloc_tensors_by_stealing_from_void_ptrs
_capsule_of = ctypes.pythonapi.PyCapsule_New
_capsule_of.restype, _capsule_of.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_pointer_in = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_in.restype, _pointer_in.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


class SharedLibrary:
    """The compiled graph as a callable of contiguous tensors. Several threads may call it at once."""

    def __init__(self, package: Path, runners: int) -> None:
        """`package` is a .pt2 file; at most `runners` calls run at once, others wait.

        Raises RuntimeError where the file cannot be used.
        """
        try:
            library = _load(package)
            container = ctypes.c_void_p()
            _check(library.AOTInductorModelContainerCreateWithDevice(ctypes.byref(container), runners, b"cpu", None))
            outputs = ctypes.c_size_t()
            _check(library.AOTInductorModelContainerGetNumOutputs(container, ctypes.byref(outputs)))
        except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
            raise RuntimeError(f"{package.name}: {error}") from error
        self._container, self._outputs = container, outputs.value
        self._run = library.AOTInductorModelContainerRun
        # At exit the memory goes anyway, and a thread may still be in it.
        weakref.finalize(self, library.AOTInductorModelContainerDelete, container).atexit = False

    def __call__(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run the graph. Raises RuntimeError; the reason is on stderr."""
        pointers = _array([_pointer_in(each, None) for each in _to_handles(list(inputs))])  # the library frees them
        results = _array([None] * self._outputs)
        _check(self._run(self._container, pointers, len(pointers), results, len(results), None, None))
        return tuple(_to_tensors([_capsule_of(each, None, None) for each in results]))


def _load(package: Path) -> ctypes.CDLL:
    """The library in a package. Once it is loaded its file is not needed."""
    with zipfile.ZipFile(package) as archive, tempfile.TemporaryDirectory(prefix="annotator-") as folder:
        (name,) = (each for each in archive.namelist() if each.endswith(".so"))
        library = ctypes.CDLL(archive.extract(name, folder))
    library.AOTInductorModelContainerCreateWithDevice.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_char_p,
        ctypes.c_char_p,
    )
    library.AOTInductorModelContainerGetNumOutputs.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    library.AOTInductorModelContainerDelete.argtypes = (ctypes.c_void_p,)
    library.AOTInductorModelContainerRun.argtypes = (
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t),
        *(ctypes.c_void_p, ctypes.c_void_p),
    )
    return library


def _array(values: Sequence[int | None]) -> Any:
    return (ctypes.c_void_p * len(values))(*values)


def _check(code: int) -> None:
    if code:
        raise RuntimeError("A compiled package failed; the reason is above.")
