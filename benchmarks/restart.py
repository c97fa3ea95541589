"""After a restart, the first click on images seen before: disk hits, encodes, and how long it took.

python -m benchmarks.restart --images 20
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

import numpy as np
from PIL import Image

from annotator.settings import ASSETS_DIR
from benchmarks.server import Server

SIZE = (1500, 1000)


def picture(shift: int) -> bytes:
    """The coffee as JPEG, its pixels moved by `shift` levels so that it is an image of its own."""
    pixels = np.asarray(Image.open(ASSETS_DIR / "samples" / "skimage_coffee.jpg").convert("RGB").resize(SIZE))
    buffer = io.BytesIO()
    Image.fromarray((pixels.astype(np.int16) + shift).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def upload(server: Server, project: int, shift: int) -> str:
    """Add the picture; returns its id."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{shift}.jpg"\r\n\r\n'.encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/api/v1/projects/{project}/images",
        head + picture(shift) + f"\r\n--{boundary}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return str(json.loads(reply.read())["images"][0]["id"])


def main() -> None:
    """Upload, encode, restart, click; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        project = server.call("GET", "/status")["project_id"]
        ids = [upload(server, project, shift) for shift in range(options.images)]
        for each in ids:
            server.call("POST", f"/images/{each}/open")
            while server.call("GET", f"/images/{each}")["embedding"] != "ready":
                time.sleep(0.1)
        time.sleep(1)  # embeddings are written behind the answer
        server.kill()
        server.start()
        took, encodes = [], 0
        for each in ids:
            started = time.perf_counter()
            answer = server.call("POST", f"/images/{each}/prompt", {"points": [[750, 375, 1]]})
            took.append((time.perf_counter() - started) * 1e3)
            encodes += answer["timing"]["encode"] is not None
        server.kill()
    p50, p90 = np.percentile(took, (50, 90))
    figures = {"images": len(ids), "disk_hits": len(ids) - encodes, "encodes": encodes}
    print(json.dumps({**figures, "p50_ms": round(float(p50), 1), "p90_ms": round(float(p90), 1)}))


if __name__ == "__main__":
    main()
