"""The training photos in one small file, to be carried to another machine.

python -m training.pack --megabytes 33                   from every source in turn, until the file is full
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2

from training.photos import PhotoFile, Pixels, decode, read_train, turns, write_pack

QUALITY = 75  # of WebP: two thirds of the bytes of a JPEG that looks the same


def shrink(file: PhotoFile, side: int) -> PhotoFile:
    """A photo with a longer side of at most `side` pixels."""
    image, mask = decode(file.image, cv2.IMREAD_COLOR), decode(file.mask, cv2.IMREAD_UNCHANGED)
    assert image is not None and mask is not None
    scale = min(side / max(image.shape[:2]), 1.0)
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    return replace(
        file,
        image=encode(".webp", cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.IMWRITE_WEBP_QUALITY, QUALITY),
        mask=encode(".png", cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), cv2.IMWRITE_PNG_COMPRESSION, 9),
    )


def encode(kind: str, pixels: Pixels, *options: int) -> bytes:
    """The content of an image file."""
    ok, content = cv2.imencode(kind, pixels, options)
    assert ok
    return content.tobytes()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("training/runs/pack.zip"))
    parser.add_argument("--side", type=int, default=320, help="longer side of a photo, in pixels")
    parser.add_argument("--megabytes", type=float, default=33)
    args = parser.parse_args()
    files: list[PhotoFile] = []
    left = args.megabytes * 1e6
    for file in turns(read_train(args.data)):
        small = shrink(file, args.side)
        left -= len(small.image) + len(small.mask) + 600  # and its entries in the file
        if left < 0:
            break
        files.append(small)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_pack(args.out, files)
    print(f"{args.out}: {len(files)} photos, {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
