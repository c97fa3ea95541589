"""The embedding tiers: budgets are hard, files are atomic, damage is survived."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from annotator.sam.predictor import ImageEmbedding
from annotator.serving.embeddings import DiskTier, EmbeddingCache, MemoryTier, embedding_key

CPU = torch.device("cpu")


def embedding(value: float, cells: int = 4) -> ImageEmbedding:
    tensors = [torch.full((2, cells, cells), value + i) for i in range(3)]
    return ImageEmbedding(*tensors, height=30, width=40)


ONE = embedding(0).nbytes


def test_memory_evicts_the_least_recently_used_within_its_budget() -> None:
    tier = MemoryTier(2 * ONE, CPU)
    tier.put("a", embedding(1))
    tier.put("b", embedding(2))
    tier.get("a")
    tier.put("c", embedding(3))
    assert ("a" in tier, "b" in tier, "c" in tier) == (True, False, True)
    assert tier.nbytes == 2 * ONE


def test_an_embedding_over_the_budget_is_not_kept() -> None:
    tier = MemoryTier(ONE, CPU)
    tier.put("big", embedding(1, cells=8))
    assert "big" not in tier
    assert tier.nbytes == 0


def test_a_file_is_read_back_as_it_was_after_a_restart(tmp_path: Path) -> None:
    DiskTier(100 * ONE, tmp_path).put("a", embedding(7))
    read = DiskTier(100 * ONE, tmp_path).get("a")
    assert read is not None
    assert torch.equal(read.feat_s1, embedding(7).feat_s1)
    assert (read.height, read.width) == (30, 40)


def test_disk_evicts_the_least_recently_used_within_its_budget(tmp_path: Path) -> None:
    probe = DiskTier(10**9, tmp_path / "probe")
    probe.put("x", embedding(0))
    size = next((tmp_path / "probe").iterdir()).stat().st_size
    tier = DiskTier(2 * size, tmp_path / "tier")
    for key in "ab":
        tier.put(key, embedding(1))
    tier.get("a")
    tier.put("c", embedding(1))
    assert sorted(path.stem for path in (tmp_path / "tier").iterdir()) == ["a", "c"]


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_file_counts_as_absent_and_is_deleted(tmp_path: Path, damage: bytes | None) -> None:
    tier = DiskTier(100 * ONE, tmp_path)
    tier.put("a", embedding(1))
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-20] if damage is None else damage)
    assert DiskTier(100 * ONE, tmp_path).get("a") is None
    assert not list(tmp_path.iterdir())


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "half.tmp").write_bytes(b"x")
    DiskTier(ONE, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_process_is_found(tmp_path: Path) -> None:
    server = DiskTier(100 * ONE, tmp_path)
    assert "a" not in server
    DiskTier(100 * ONE, tmp_path).put("a", embedding(3))
    assert "a" in server
    read = server.get("a")
    assert read is not None and torch.equal(read.feat_s0, embedding(3).feat_s0)


def test_a_hit_on_disk_is_kept_in_memory(tmp_path: Path) -> None:
    disk = DiskTier(100 * ONE, tmp_path)
    disk.put("a", embedding(1))
    memory = MemoryTier(10 * ONE, CPU)
    cache = EmbeddingCache([memory], disk)
    assert "a" in cache
    assert cache.get("a") is not None
    assert "a" in memory
    assert cache.get("b") is None
    for path in tmp_path.iterdir():
        path.unlink()
    assert cache.get("a") is not None
    cache.close()


def test_an_embedding_is_handed_out_on_the_fastest_tiers_device_even_if_it_does_not_fit_there(tmp_path: Path) -> None:
    device = torch.device("meta")
    for budget in (ONE - 1, 10 * ONE):
        cache = EmbeddingCache([MemoryTier(budget, device), MemoryTier(10 * ONE, CPU)], DiskTier(100 * ONE, tmp_path))
        cache.put("a", embedding(1))
        cache.close()
        found = cache.get("a")
        assert found is not None
        assert {each.device for each in (found.image_embed, found.feat_s0, found.feat_s1)} == {device}


class SlowDisk(DiskTier):
    """Writes only when told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(10**9, folder)
        self.go_on = threading.Event()

    def put(self, key: str, embedding: ImageEmbedding) -> None:
        assert self.go_on.wait(30)
        super().put(key, embedding)


def test_nobody_waits_for_the_disk_and_closing_writes_the_rest(tmp_path: Path) -> None:
    disk = SlowDisk(tmp_path)
    cache = EmbeddingCache([MemoryTier(100 * ONE, CPU)], disk)
    keys = [str(number) for number in range(5)]
    for key in keys:
        cache.put(key, embedding(1))
    assert all(cache.get(key) is not None for key in keys)
    assert not list(tmp_path.iterdir())
    disk.go_on.set()
    cache.close()
    assert sorted(path.stem for path in tmp_path.iterdir()) == keys


def test_a_disk_that_is_far_behind_is_left_out(tmp_path: Path) -> None:
    disk = SlowDisk(tmp_path)
    cache = EmbeddingCache([MemoryTier(100 * ONE, CPU)], disk)
    keys = [str(number) for number in range(50)]
    for key in keys:
        cache.put(key, embedding(1))
    assert all(key in cache for key in keys)
    disk.go_on.set()
    cache.close()
    assert 0 < len(list(tmp_path.iterdir())) < len(keys)


def test_a_disk_that_fails_once_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = DiskTier(10**9, tmp_path)
    calls = []

    def put(key: str, embedding: ImageEmbedding) -> None:
        calls.append(key)
        if key == "a":
            raise RuntimeError("odd")

    monkeypatch.setattr(disk, "put", put)
    cache = EmbeddingCache([MemoryTier(100 * ONE, CPU)], disk)
    cache.put("a", embedding(1))
    cache.put("b", embedding(1))
    cache.close()
    assert calls == ["a", "b"]


def test_files_made_by_earlier_releases_are_used(tmp_path: Path) -> None:
    """Name and content as cd336bb wrote them."""
    key = embedding_key("pixels", "model", torch.float32)
    assert key == "a1324e5092e00e136876b1b8de44beeb0aa38e3ace4a0667d143764f4b423567"
    tensors = {name: torch.full((2, 4, 4), float(i)) for i, name in enumerate(("image_embed", "feat_s0", "feat_s1"))}
    save_file(tensors, tmp_path / f"{key}.safetensors", {"height": "30", "width": "40"})
    cache = EmbeddingCache([MemoryTier(100 * ONE, CPU)], DiskTier(100 * ONE, tmp_path))
    found = cache.get(key)
    assert found is not None
    assert torch.equal(found.feat_s1, tensors["feat_s1"])
    assert (found.height, found.width) == (30, 40)
    cache.close()


def test_keys_tell_pixels_checkpoint_and_precision_apart() -> None:
    keys = {
        embedding_key(pixels, model, dtype)
        for pixels in "pq"
        for model in "mn"
        for dtype in (torch.float32, torch.float16)
    }
    assert len(keys) == 8


def test_a_file_that_another_process_evicts_meanwhile_does_not_stop_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DiskTier(100 * ONE, tmp_path).put("a", embedding(1))
    listing = Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, pattern: [*listing(path, pattern), path / "gone.safetensors"])
    tier = DiskTier(100 * ONE, tmp_path)
    assert "a" in tier and "gone" not in tier
