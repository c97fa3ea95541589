"""Where image embeddings are kept: device memory, host memory, disk. Each tier evicts least-recently-used entries.

An embedding is looked up from the fastest tier down and copied into the tiers above on a hit, so after a restart the
first click on a seen image reads a file and does not encode.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from annotator.sam.predictor import ImageEmbedding
from annotator.storage.atomic import SUFFIX, write_whole

log = logging.getLogger(__name__)

FORMAT_VERSION = 2
_FIELDS = ("image_embed", "feat_s0", "feat_s1")


def embedding_key(pixel_key: str, model_key: str, dtype: torch.dtype) -> str:
    """Same pixels, checkpoint, precision and format version: same embedding."""
    text = f"{pixel_key}:{model_key}:{dtype}:{FORMAT_VERSION}"
    return hashlib.sha256(text.encode()).hexdigest()


class MemoryTier:
    """An LRU of embeddings with a hard budget of `budget` bytes, all on `device`."""

    def __init__(self, budget: int, device: torch.device) -> None:
        self.budget, self.device = budget, device
        self.nbytes = 0
        self._entries: OrderedDict[str, ImageEmbedding] = OrderedDict()

    def get(self, key: str) -> ImageEmbedding | None:
        """The entry, now the most recently used, or None."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: str, embedding: ImageEmbedding) -> None:
        """Keep a copy on this tier's device, evicting the oldest until it fits; one over the budget is not kept."""
        if key in self._entries or embedding.nbytes > self.budget:
            return
        while self.nbytes + embedding.nbytes > self.budget:
            self.nbytes -= self._entries.popitem(last=False)[1].nbytes
        self._entries[key] = _moved(embedding, self.device)
        self.nbytes += embedding.nbytes

    def __contains__(self, key: str) -> bool:
        return key in self._entries


class DiskTier:
    """One safetensors file per embedding in `folder`, at most `budget` bytes, oldest access deleted first."""

    def __init__(self, budget: int, folder: Path) -> None:
        self.budget, self.folder = budget, folder
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob(f"*{SUFFIX}"):  # of a process that was killed while writing
            left_over.unlink(missing_ok=True)
        self._sizes = OrderedDict(
            (path.stem, path.stat().st_size)
            for path in sorted(folder.glob("*.safetensors"), key=lambda p: p.stat().st_mtime)
        )

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
            self._drop(key)
            return None
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
        while sum(self._sizes.values()) + len(data) > self.budget:
            self._drop(next(iter(self._sizes)))
        try:
            write_whole(self._path(key), data)
        except OSError as error:
            log.warning("An embedding could not be stored on disk: %s.", error.strerror)
            return
        self._sizes[key] = len(data)

    def __contains__(self, key: str) -> bool:
        if key not in self._sizes:
            try:  # written since by another process, such as `annotator embed`
                self._sizes[key] = self._path(key).stat().st_size
            except OSError:
                return False
        return True

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def _drop(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)
        self._sizes.pop(key, None)


class EmbeddingCache:
    """The tiers together; safe to use from several threads. `hits` counts where lookups were answered."""

    def __init__(self, memory: list[MemoryTier], disk: DiskTier | None) -> None:
        """`memory` from fastest to slowest."""
        self._tiers: list[MemoryTier | DiskTier] = [*memory, *([disk] if disk else [])]
        self._lock = threading.Lock()
        self.hits = {"memory": 0, "disk": 0, "miss": 0}

    def get(self, key: str) -> ImageEmbedding | None:
        """The embedding on the fastest tier's device, or None."""
        with self._lock:
            for depth, tier in enumerate(self._tiers):
                embedding = tier.get(key)
                if embedding is None:
                    continue
                self.hits["disk" if isinstance(tier, DiskTier) else "memory"] += 1
                for faster in self._tiers[:depth]:
                    faster.put(key, embedding)
                return self._tiers[0].get(key) or embedding
            self.hits["miss"] += 1
            return None

    def put(self, key: str, embedding: ImageEmbedding) -> None:
        """Store in every tier."""
        with self._lock:
            for tier in self._tiers:
                tier.put(key, embedding)

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return any(key in tier for tier in self._tiers)


def _moved(embedding: ImageEmbedding, device: torch.device) -> ImageEmbedding:
    image_embed, feat_s0, feat_s1 = (getattr(embedding, name).to(device) for name in _FIELDS)
    return ImageEmbedding(image_embed, feat_s0, feat_s1, embedding.height, embedding.width)
