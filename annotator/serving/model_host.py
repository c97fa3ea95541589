"""Which model serves: choosing, fetching, loading, compiling and switching it while the server runs."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import torch

from annotator.errors import ModelUnavailable
from annotator.sam import zoo
from annotator.sam.compile import load_packages
from annotator.sam.predictor import FLOAT8, Predictor
from annotator.serving.segmenter import Loading, ModelChoice, ModelInfo
from annotator.settings import Settings

log = logging.getLogger(__name__)


def pick_device(wanted: str) -> torch.device:
    """`auto` is CUDA when there is one, else the CPU. Raises ModelUnavailable if this machine has no such device."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelUnavailable(f"This machine has no device {wanted} that torch can use.")
    return device


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """`auto` is float16 on a GPU, and float32 on a CPU, where it is faster. Raises ModelUnavailable for other words."""
    if wanted == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    known = {"float32": torch.float32, "float16": torch.float16, "float8": FLOAT8}
    if wanted not in known:
        raise ModelUnavailable(f"The dtype can be auto, {', '.join(known)}, not {wanted!r}.")
    return known[wanted]


def build(spec: zoo.ModelSpec, path: Path, device: torch.device, settings: Settings) -> Predictor:
    """From packages if they match exactly, else eager: the same answers, a little slower."""
    key = zoo.checkpoint_key(spec, path)
    dtype = pick_dtype(settings.dtype, device)
    try:
        return load_packages(settings.packages_dir, spec.name, key, device, dtype)
    except ModelUnavailable as difference:
        log.info("%s Running eager.", difference)
        return Predictor.eager(spec.name, path, device, dtype)


class ModelHost:
    """Holds the predictor in service. Constructing it returns at once; the first model loads in the background."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.device = pick_device(settings.device)
        self.current: Predictor | None = None
        self._reason = ""
        self._loading: str | None = None
        self._reason_of_loading = ""
        self._fetched = 0.0  # how much of it is here, 0..1
        self._next: tuple[str, str] | None = None  # the name and reason of the model chosen last, if another one loads
        self._has_waiter = False  # a thread will load what comes next
        self._error: str | None = None
        self._compiler: threading.Thread | None = None
        self._compiling: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._offer: str | None = None
        self._ready = threading.Event()
        self._queueing, self._switching = threading.Lock(), threading.Lock()
        name, reason = settings.model, "chosen by --model"
        if name == "auto":
            name, reason = zoo.default_model(str(self.device), settings.models_dir)
            if name == "nano":
                threading.Thread(target=self._look_for_finer, name="offer", daemon=True).start()
        self.switch(name, reason)

    def switch(self, name: str, reason: str = "chosen in the page") -> None:
        """Fetch if needed, build, then serve `name`; until then, and if it fails, the current model goes on serving.

        Returns at once. While one model loads, of those that are chosen the last one comes next. Raises NotFound for a
        name that no model has.
        """
        zoo.spec_of(name)  # raises
        with self._queueing:
            if name == self._loading:
                self._next, self._reason_of_loading = None, reason
                return
            self._next = name, reason
            if self._has_waiter:
                return
            self._has_waiter = True
        threading.Thread(target=self._switch_to_next, name=f"load-{name}", daemon=True).start()

    def _look_for_finer(self) -> None:
        spec = zoo.spec_of(zoo.finest_model(str(self.device)))
        if zoo.can_be_fetched(spec):
            self._offer = spec.name

    def _switch_to_next(self) -> None:
        def progress(done: int, total: int) -> None:
            self._fetched = done / max(total, 1)

        with self._switching:
            with self._queueing:
                self._has_waiter = False
                if self._next is None:
                    return
                (name, self._reason_of_loading), self._next = self._next, None
                self._loading, self._fetched = name, 0.0
            spec = zoo.spec_of(name)
            try:
                path = zoo.fetch(spec, self._settings.models_dir, progress)
                self.current = build(spec, path, self.device, self._settings)
                self._reason, self._error = self._reason_of_loading, None
                log.info("Serving %s on %s (%s): %s.", spec.title, self.device, self.current.backend, self._reason)
                if self._settings.compile and self._compiler is None:
                    self._compiler = threading.Thread(target=self._compile_eager, name="compile", daemon=True)
                    self._compiler.start()
            except ModelUnavailable as error:
                self._error = str(error)
                log.error("%s", error)
            except Exception as error:
                self._error = f"{spec.title} could not be loaded ({error})."
                log.exception("%s could not be loaded.", spec.title)
            finally:
                self._loading = None
                self._ready.set()

    def _compile_eager(self) -> None:
        """Compile the model that serves, and the next one if it was switched meanwhile; serve from the packages."""
        tried: set[str] = set()
        while True:
            with self._switching:
                eager = self.current
                if eager is None or eager.backend != "eager" or eager.key in tried:
                    self._compiler = None
                    return
            tried.add(eager.key)
            failure = self._run_compiler(eager)
            with self._switching:
                now = self.current  # the same model may have been loaded once more
                if now is not None and (now.key, now.backend) == (eager.key, "eager") and not self._closed:
                    self._serve_packages(now, failure)

    def _run_compiler(self, eager: Predictor) -> str | None:
        """Compile in a process of its own, at low priority. Returns what it said if it failed."""
        where = ["--device", self.device.type, "--dtype", self._settings.dtype]
        command = [sys.executable, "-m", "annotator", "compile", eager.model, *where]
        with tempfile.TemporaryFile("w+", errors="replace") as words:
            self._compiling = subprocess.Popen(
                command if shutil.which("nice") is None else ["nice", "-n", "10", *command],
                env={**os.environ, "ANNOTATOR_MODELS_DIR": str(self._settings.models_dir)},
                stdout=words,
                stderr=subprocess.STDOUT,
            )
            failed = self._compiling.wait() != 0
            self._compiling = None
            words.seek(0)
            return words.read() if failed else None

    def _serve_packages(self, eager: Predictor, failure: str | None) -> None:
        """Serve from the new packages. If there are none, the eager model stays, and `info().error` says why."""
        if failure is None:
            try:
                self.current = load_packages(
                    self._settings.packages_dir, eager.model, eager.key, eager.device, eager.dtype
                )
            except ModelUnavailable as error:
                failure = str(error)
            else:
                log.info("%s is compiled; serving from its packages.", eager.model)
                return
        lines = failure.strip().splitlines() or ["The compiler said nothing."]
        log.warning("%s goes on eager, for it could not be compiled:\n%s", eager.model, failure)
        self._error = f"{eager.model} runs without compilation: {lines[-1].removeprefix('annotator: ')}"

    @property
    def predictor(self) -> Predictor:
        """The model that serves, waiting for the first one to load. Raises ModelUnavailable if it could not."""
        self._ready.wait()
        if self.current is None:
            raise ModelUnavailable(self._error or "No model is loaded.")
        return self.current

    def info(self) -> ModelInfo:
        """A snapshot. It never waits."""
        loading = self._on_its_way()  # first: what has just arrived is in service then
        now = self.current
        name = now.model if now else ""
        return ModelInfo(
            name=name,
            title=zoo.MODELS[name].title if now else "",
            device=str(self.device),
            dtype=str(now.dtype).removeprefix("torch.") if now else "",
            image_size=now.image_size if now else 0,
            backend=now.backend if now else "",
            compiling=self._compiling is not None,
            reason=self._reason,
            loading=loading,
            error=self._error,
            offer=self._offer if name == "nano" and loading is None else None,
            choices=[
                ModelChoice(spec.name, spec.title, zoo.is_present(spec, self._settings.models_dir), spec.size_bytes)
                for spec in zoo.MODELS.values()
            ],
        )

    def _on_its_way(self) -> Loading | None:
        with self._queueing:
            if self._loading is not None:
                return Loading(self._loading, self._fetched)
            return Loading(self._next[0], 0.0) if self._next else None

    def close(self) -> None:
        """Stop a compilation that is under way, and let nobody wait for a model any longer."""
        self._closed = True
        if self._compiling is not None:
            self._compiling.terminate()
        self._ready.set()
