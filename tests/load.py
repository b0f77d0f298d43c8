"""Many clients at once, by hand: `python tests/load.py --clients 50 --minutes 5`.

Every answer must be the picture that a serial run gives for the same seed, bit for bit, or the sentence that the
queue is full; the server's memory must stay flat over the second half; and after `kill -9` in the middle of a request
the next server must answer at once. Prints one JSON object; exit code 1 if something did not hold.
"""

import argparse
import collections
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
from gradio_client import Client, handle_file
from gradio_client.utils import Status
from PIL import Image

ROOT = Path(__file__).parent.parent
PERSON = ROOT / "examples" / "persons" / "woman_white_tee.webp"
GARMENT = ROOT / "examples" / "garments" / "upper_striped_tee.webp"
SEEDS = 4


def start(port: int, folder: str) -> subprocess.Popen:
    """A server of its own, once it answers."""
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": folder, "HF_HUB_OFFLINE": "1"}
    server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=os.environ | settings)
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=60)
            return server
        except httpx.TransportError:
            assert server.poll() is None, "the server ended"
            time.sleep(1)


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def kill_in_a_request(server: subprocess.Popen, client: Client, pictures: dict) -> None:
    """End the server without warning, once it is painting."""
    job = client.submit(**pictures, seed=0)
    while job.status().code != Status.PROCESSING:
        time.sleep(0.02)
    time.sleep(1)
    assert not job.done(), "the picture was finished before"
    server.send_signal(signal.SIGKILL)
    server.wait()


def digest(path: str) -> str:
    """Of the pixels, for the file also tells how long it took."""
    with Image.open(path) as image:
        return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


def main() -> int:
    """Run the load."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--port", type=int, default=7871)
    options = parser.parse_args()
    url, folder = f"http://127.0.0.1:{options.port}", tempfile.mkdtemp(prefix="tryon-load-")
    server = start(options.port, folder)
    pictures = {"person_image": handle_file(PERSON), "garment_image": handle_file(GARMENT), "api_name": "/tryon"}
    first = Client(url, verbose=False)
    right = {seed: digest(first.predict(**pictures, seed=seed)[0]) for seed in range(SEEDS)}

    counts, wrong, memory = collections.Counter(), [], [memory_mb(server.pid)]
    end = time.monotonic() + 60 * options.minutes

    def client(number: int) -> None:
        own = Client(url, verbose=False)
        while time.monotonic() < end:
            seed = (number + sum(counts.values())) % SEEDS
            try:
                path, info = own.predict(**pictures, seed=seed)
                counts["pictures"] += 1
                if info["seed"] != seed or digest(path) != right[seed]:
                    wrong.append(f"another picture for seed {seed}")
            except Exception as error:  # whatever it is belongs in the report
                if "ueue is full" in str(error):
                    counts["queue full"] += 1
                    time.sleep(2)
                else:
                    wrong.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=client, args=(number,)) for number in range(options.clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(2)
        memory.append(memory_mb(server.pid))

    kill_in_a_request(server, first, pictures)
    began = time.monotonic()
    server = start(options.port, folder)
    again = Client(url, verbose=False).predict(**pictures, seed=0)
    restart = time.monotonic() - began
    server.terminate()
    server.wait()
    quarter = len(memory) // 4  # one value is taken in the middle of a picture, another between two
    third, fourth = statistics.median(memory[2 * quarter : 3 * quarter]), statistics.median(memory[3 * quarter :])
    report = {
        **counts,
        "wrong": wrong[:10],
        "memory_mb": {"start": memory[0], "third_quarter": third, "fourth_quarter": fourth, "most": max(memory)},
        "seconds_from_kill_to_picture": round(restart, 1),
        "same_after_restart": digest(again[0]) == right[0],
    }
    print(json.dumps(report, indent=1))
    return 1 if wrong or not report["same_after_restart"] or fourth > third * 1.05 else 0


if __name__ == "__main__":
    sys.exit(main())
