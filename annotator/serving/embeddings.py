"""Where image embeddings are kept: device memory, host memory, disk. Each tier evicts least-recently-used entries.

An embedding is looked up from the fastest tier down and copied into the tiers above on a hit. After a restart the first
click on a known image therefore reads a file and does not encode. A thread writes the files, so that an answer never
waits for the disk.
"""

from __future__ import annotations

import hashlib
import logging
import os
import queue
import threading
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import torch
from cachetools import LRUCache
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from annotator.sam.predictor import ImageEmbedding
from annotator.serving.metrics import EMBEDDING_BYTES, EMBEDDING_HITS
from annotator.storage.atomic import SUFFIX, write_whole

log = logging.getLogger(__name__)

FORMAT_VERSION = 2
_FIELDS = ("image_embed", "feat_s0", "feat_s1")
_MAX_UNCOPIED = 8
"""Embeddings that may wait to be copied to the slower tiers."""


def embedding_key(pixel_key: str, model_key: str, dtype: torch.dtype) -> str:
    """Same pixels, checkpoint, precision and format version: same embedding."""
    text = f"{pixel_key}:{model_key}:{dtype}:{FORMAT_VERSION}"
    return hashlib.sha256(text.encode()).hexdigest()


class MemoryTier:
    """An LRU of embeddings, all on `device`, of at most `budget` bytes together."""

    def __init__(self, budget: int, device: torch.device) -> None:
        self.device, self.name = device, "host" if device.type == "cpu" else "device"
        self._entries: LRUCache[str, ImageEmbedding] = LRUCache(budget, getsizeof=lambda each: each.nbytes)

    @property
    def nbytes(self) -> int:
        """The size of all entries together."""
        return int(self._entries.currsize)

    def get(self, key: str) -> ImageEmbedding | None:
        """The entry, now the most recently used, or None."""
        return self._entries.get(key)

    def put(self, key: str, embedding: ImageEmbedding) -> None:
        """Keep a copy on this tier's device, evicting the oldest until it fits; one over the budget is not kept."""
        if key not in self and embedding.nbytes <= self._entries.maxsize:
            self._entries[key] = _to_device(embedding, self.device)
            EMBEDDING_BYTES.labels(self.name).set(self.nbytes)

    def clear(self) -> None:
        """Drop all entries."""
        self._entries.clear()
        EMBEDDING_BYTES.labels(self.name).set(0)

    def __contains__(self, key: str) -> bool:
        return key in self._entries


class DiskTier:
    """One safetensors file per embedding in `folder`, at most `budget` bytes, oldest access deleted first.

    Safe to use from several threads; reading does not wait for a file that is being written.
    """

    def __init__(self, budget: int, folder: Path) -> None:
        self.budget, self.folder = budget, folder
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob(f"*{SUFFIX}"):  # of a process that was killed while writing
            left_over.unlink(missing_ok=True)
        self._lock = threading.Lock()
        found = []
        for path in folder.glob("*.safetensors"):
            with suppress(FileNotFoundError):  # evicted by another process since
                found.append((path.stat(), path.stem))
        found.sort(key=lambda item: item[0].st_mtime)
        self._sizes = OrderedDict((key, stat.st_size) for stat, key in found)
        self._count_bytes()

    def get(self, key: str) -> ImageEmbedding | None:
        """Read the file; a damaged one is deleted and counts as absent, so it is rebuilt."""
        if key not in self:
            return None
        path = self._path(key)
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata()
                image_embed, feat_s0, feat_s1 = (file.get_tensor(name) for name in _FIELDS)
            height, width = int(metadata["height"]), int(metadata["width"])
            embedding = ImageEmbedding(image_embed, feat_s0, feat_s1, height, width)
            os.utime(path)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            log.warning("The stored embedding %s is unreadable (%s) and will be rebuilt.", path.name, error)
            with self._lock:
                self._drop(key)
            return None
        with self._lock, suppress(KeyError):  # evicted meanwhile
            self._sizes.move_to_end(key)
        return embedding

    def put(self, key: str, embedding: ImageEmbedding) -> None:
        """Write the file under its final name only when complete. A full disk is logged, not raised."""
        if key in self:
            return
        tensors = {name: getattr(embedding, name).cpu().contiguous() for name in _FIELDS}
        data = save(tensors, metadata={"height": str(embedding.height), "width": str(embedding.width)})
        if len(data) > self.budget:
            return
        with self._lock:
            while self._sizes and sum(self._sizes.values()) + len(data) > self.budget:
                self._drop(next(iter(self._sizes)))
        try:
            write_whole(self._path(key), data)
        except OSError as error:
            log.warning("An embedding could not be stored on disk: %s.", error.strerror)
            return
        with self._lock:
            self._sizes[key] = len(data)
            self._count_bytes()

    def __contains__(self, key: str) -> bool:
        with self._lock:
            if key not in self._sizes:
                try:  # written since by another process, such as `annotator embed`
                    self._sizes[key] = self._path(key).stat().st_size
                except OSError:
                    return False
            return True

    def _count_bytes(self) -> None:
        EMBEDDING_BYTES.labels("disk").set(sum(self._sizes.values()))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def _drop(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)
        self._sizes.pop(key, None)


class EmbeddingCache:
    """The tiers together; safe to use from several threads.

    A new embedding is in the fastest tier at once. A thread copies it to the others, and `close` waits for that.
    """

    def __init__(self, memory: list[MemoryTier], disk: DiskTier) -> None:
        """`memory` from fastest to slowest; embeddings are handed out on the device of the first."""
        self._memory, self._disk = memory, disk
        self._lock = threading.Lock()  # of the memory tiers; no file is read or written under it
        self._uncopied: queue.Queue[tuple[str, ImageEmbedding] | None] = queue.Queue(_MAX_UNCOPIED)
        self._copier = threading.Thread(target=self._copy, name="copy-embeddings", daemon=True)
        self._copier.start()

    def get(self, key: str) -> ImageEmbedding | None:
        """The embedding on the fastest tier's device, or None."""
        with self._lock:
            hits = ((tier.name, each) for tier in self._memory if (each := tier.get(key)) is not None)
            name, found = next(hits, ("disk", None))
        if found is None:
            found = self._disk.get(key)
        if found is None:
            return None
        EMBEDDING_HITS.labels(name).inc()
        with self._lock:
            for tier in self._memory:
                tier.put(key, found)
            return self._memory[0].get(key) or _to_device(found, self._memory[0].device)

    def put(self, key: str, embedding: ImageEmbedding) -> None:
        """Store in every tier. If the disk is far behind, the embedding stays in the fastest tier only."""
        with self._lock:
            self._memory[0].put(key, embedding)
        with suppress(queue.Full):
            self._uncopied.put_nowait((key, embedding))

    def evict(self) -> None:
        """Free the memory of the fastest tier; the slower ones have copies."""
        with self._lock:
            self._memory[0].clear()

    def close(self) -> None:
        """Finish copying. Nothing may be put afterwards."""
        self._uncopied.put(None)
        self._copier.join()

    def __contains__(self, key: str) -> bool:
        with self._lock:
            if any(key in tier for tier in self._memory):
                return True
        return key in self._disk

    def _copy(self) -> None:
        while (waiting := self._uncopied.get()) is not None:
            try:
                key, embedding = waiting[0], _to_device(waiting[1], torch.device("cpu"))
                with self._lock:
                    for tier in self._memory[1:]:
                        tier.put(key, embedding)
                self._disk.put(key, embedding)
            except Exception:  # the thread must live on
                log.exception("An embedding could not be copied to the slower tiers.")


def _to_device(embedding: ImageEmbedding, device: torch.device) -> ImageEmbedding:
    image_embed, feat_s0, feat_s1 = (getattr(embedding, name).to(device) for name in _FIELDS)
    return ImageEmbedding(image_embed, feat_s0, feat_s1, embedding.height, embedding.width)
