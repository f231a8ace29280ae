"""Images to classes on the board: the driver of the bitstream beside it, for PYNQ 2.7 or later.

    from accelerator import Accelerator

    with Accelerator(".") as accelerator:
        classes = accelerator.classify(images)

It needs numpy and pynq. ``manifest.json`` says what is in the folder and what the packets look like.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

# Of manifest.json.
SCHEMA_VERSION = 2
# Registers of the core: AXI4-Lite's control, and the counters by the names that the .hwh has for them.
CONTROL = 0x00
START, AUTO_RESTART = 0x01, 0x80
COUNTERS = ("images_in", "images_out", "wrong_packets", "cycles", "starved", "backpressured")
# Registers of the DMA's two channels (AMD PG021).
CHANNELS = (0x00, 0x30)
DMA_RESET = 0x04
RESET_SECONDS = 0.1
# A reset takes tens of cycles to get through; a core in reset does not answer the processor.
SETTLE_SECONDS = 0.001
BUFFERS = 2


class AcceleratorError(Exception):
    """What the accelerator did wrong, or what is wrong with its folder."""


class ManifestError(AcceleratorError):
    """A folder without a bitstream, or with other files than its manifest names."""


class AcceleratorTimeout(AcceleratorError):
    """No image went in and no result came out for too long."""


class Statistics:
    """Of all images since the accelerator was opened, on the host's clock."""

    def __init__(self) -> None:
        self.images = 0
        self.seconds = 0.0
        self.latency_sum = self.latency_max = 0.0
        self.latency_min = math.inf

    @property
    def images_per_second(self) -> float:
        """0 before the first image."""
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def latency_mean(self) -> float:
        """Seconds from the start of an image's transfer to its result."""
        return self.latency_sum / self.images if self.images else 0.0

    def add(self, seconds: float, latencies: np.ndarray) -> None:
        """A batch that took ``seconds``, and its images' latencies."""
        self.images += len(latencies)
        self.seconds += seconds
        self.latency_sum += float(latencies.sum())
        self.latency_min = min(self.latency_min, float(latencies.min()))
        self.latency_max = max(self.latency_max, float(latencies.max()))


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """``manifest.json`` of a deploy folder.

    Raises:
        ManifestError: there is none, or one of another schema version.
    """
    path = Path(folder) / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}; give the folder deploy of a build") from error
    except ValueError as error:
        raise ManifestError(f"{path} is damaged: {error}; copy the folder again") from error
    found = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if type(found) is not int or found != SCHEMA_VERSION:
        version = "no schema version" if found is None else f"schema version {json.dumps(found)}"
        raise ManifestError(f"{path} has {version}, this driver reads version {SCHEMA_VERSION}; copy the folder again")
    return manifest


def check_files(folder: str | Path, manifest: dict[str, Any], names: Iterable[str]) -> None:
    """Hold files to the manifest's SHA-256.

    Raises:
        ManifestError: a file that is missing, not in the manifest, or another one.
    """
    for name in names:
        path, expected = Path(folder) / name, manifest["files"].get(name)
        if expected is None:
            raise ManifestError(f"{name} is not in the manifest; copy the folder again")
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ManifestError(f"{path} cannot be read: {error.strerror}; copy the folder again") from error
        if found != expected:
            raise ManifestError(
                f"{path} is not the file that manifest.json names: SHA-256 {found[:16]}… instead of {expected[:16]}…; "
                "copy the folder again"
            )


class Accelerator:
    """The accelerator of a deploy folder, loaded into the programmable logic.

    Args:
        folder: with ``manifest.json``, the bitstream and its ``.hwh``.
        timeout: seconds without an image in or a result out after which a transfer is given up.

    Raises:
        ManifestError: see :func:`read_manifest` and :func:`check_files`, or a build without a bitstream.
        AcceleratorError: the bitstream lacks a part.
    """

    def __init__(self, folder: str | Path = ".", timeout: float = 2.0) -> None:
        self.folder, self.timeout = Path(folder), timeout
        self.manifest = read_manifest(folder)
        self.statistics = Statistics()
        bitstream = self.manifest["bitstream"]
        if bitstream is None:
            raise ManifestError(f"{folder} has no bitstream; build it with flows/build.py --bitstream")
        check_files(folder, self.manifest, [bitstream["bit"], bitstream["hwh"]])
        self._shape = tuple(self.manifest["image"]["shape"])
        self._classes = self.manifest["result"]["classes"]
        self._words = self.manifest["result"]["words"]
        self._scale = 2.0 ** self.manifest["result"]["logit_scale_log2"]
        self._load(self.folder / bitstream["bit"])

    def _load(self, bitstream: Path) -> None:
        from pynq import Overlay, allocate

        self._overlay = Overlay(str(bitstream))
        cells = self.manifest["cells"]
        for cell in cells.values():
            if cell not in self._overlay.ip_dict:
                raise AcceleratorError(f"{bitstream.name} has no {cell}; its .hwh is of another design")
        self._core, self._dma, self._reset = (
            getattr(self._overlay, cells[part]) for part in ("core", "dma", "core_reset")
        )
        registers = self._overlay.ip_dict[cells["core"]]["registers"]
        missing = [name for name in COUNTERS if name not in registers]
        if missing:
            raise AcceleratorError(f"{cells['core']} has no register {missing[0]}; its .hwh is of another core")
        self._offsets = {name: registers[name]["address_offset"] for name in COUNTERS}
        self._inputs = [allocate(shape=self._shape, dtype=np.uint8) for _ in range(BUFFERS)]
        self._outputs = [allocate(shape=(self._words,), dtype=np.int32) for _ in range(BUFFERS)]
        self.reset()

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Classes of images.

        Args:
            images: uint8 (N, height, width, channels) as the manifest has them, or one image without N.

        Returns:
            int64 (N,); the first of the largest logits wins.

        Raises:
            TypeError, ValueError: other images than these.
            AcceleratorTimeout, AcceleratorError: what went wrong and where; the core was reset, and the next call
                starts anew.
        """
        return self.run(images)[0]

    def run(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`classify`, and the logits in real units, float32 (N, classes)."""
        images = self._checked(images)
        words = np.zeros((len(images), self._words), np.int32)
        if len(images):
            started = time.monotonic()
            try:
                latencies = self._exchange(images, words)
            except BaseException:
                # What is still in the core and the DMA would be taken for the next image's.
                self.reset()
                raise
            self.statistics.add(time.monotonic() - started, latencies)
        return words[:, self._classes].astype(np.int64), (words[:, : self._classes] * self._scale).astype(np.float32)

    def counters(self) -> dict[str, int]:
        """The core's own counters since its reset, of 32 bits: they start again at 0.

        ``cycles`` of the core; of these, ``starved`` lacked data from the DMA, ``backpressured`` room for a result.
        """
        return {name: self._core.read(offset) for name, offset in self._offsets.items()}

    def reset(self) -> None:
        """Bring the DMA and the core to where they are after loading, and start the core.

        Raises:
            AcceleratorError: the DMA does not come back; only loading the bitstream again helps then.
        """
        self._reset.write(0, 0)
        for channel in CHANNELS:
            self._dma.write(channel, DMA_RESET)
        end = time.monotonic() + RESET_SECONDS
        while any(self._dma.read(channel) & DMA_RESET for channel in CHANNELS):
            if time.monotonic() > end:
                raise AcceleratorError(f"the DMA was not reset within {RESET_SECONDS:g} s; open the accelerator again")
        self._reset.write(0, 1)
        time.sleep(SETTLE_SECONDS)
        self._dma.sendchannel.start()
        self._dma.recvchannel.start()
        self._core.write(CONTROL, START | AUTO_RESTART)
        self._packets = 0

    def close(self) -> None:
        """Give the buffers back; the bitstream stays loaded."""
        for buffer in self._inputs + self._outputs:
            buffer.freebuffer()
        self._inputs = self._outputs = []

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _checked(self, images: np.ndarray) -> np.ndarray:
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
            found = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
            raise TypeError(f"images must be a numpy array of uint8, not {found}")
        one = images[None] if images.shape == self._shape else images
        if one.ndim != 1 + len(self._shape) or one.shape[1:] != self._shape:
            raise ValueError(f"images must have the shape (N, {', '.join(map(str, self._shape))}), not {images.shape}")
        return one

    def _exchange(self, images: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Send every image while results come in; two buffers each way, so that the next one is ready.

        Returns:
            Seconds from the start of each image's transfer to its result.
        """
        send, receive, count = self._dma.sendchannel, self._dma.recvchannel, len(images)
        times = np.zeros(count)
        filled = sent = received = 0  # images in a buffer, in a transfer, and with a result
        sending = False
        receive.transfer(self._outputs[0])
        last_move = time.monotonic()
        while received < count:
            before = (filled, sent, received, sending)
            if sending and self._ended(send, sent - 1, count):
                sending = False
            if filled < count and filled - (sent - sending) < BUFFERS:
                self._inputs[filled % BUFFERS][:] = images[filled]
                filled += 1
            if not sending and sent < filled:
                times[sent] = time.monotonic()
                send.transfer(self._inputs[sent % BUFFERS])
                sent, sending = sent + 1, True
            if self._ended(receive, received, count):
                self._take(receive, received, count, words)
                times[received] = time.monotonic() - times[received]
                received += 1
            if before != (filled, sent, received, sending):
                last_move = time.monotonic()
            elif time.monotonic() - last_move > self.timeout:
                raise AcceleratorTimeout(
                    f"image {received} of {count}: no result within {self.timeout:g} s ({self._told()}); "
                    "the core and the DMA were reset"
                )
        return times

    def _ended(self, channel: Any, image: int, count: int) -> bool:
        if channel.error:
            raise AcceleratorError(
                f"image {image} of {count}: the DMA reports an error ({self._told()}); the core and it were reset"
            )
        return bool(channel.idle)

    def _take(self, receive: Any, received: int, count: int, words: np.ndarray) -> None:
        receive.wait()  # ended already: it makes the buffer's content seen
        if receive.transferred != self._outputs[0].nbytes:
            raise AcceleratorError(
                f"image {received} of {count}: a result of {receive.transferred} bytes instead of "
                f"{self._outputs[0].nbytes} ({self._told()}); the core and the DMA were reset"
            )
        words[received] = self._outputs[received % BUFFERS]
        if received + 1 < count:
            receive.transfer(self._outputs[(received + 1) % BUFFERS])
        number = int(words[received, self._classes + 1]) & 0xFFFFFFFF
        if number != self._packets & 0xFFFFFFFF:
            raise AcceleratorError(
                f"image {received} of {count}: the result of packet {number} came instead of that of "
                f"{self._packets} ({self._told()}); the core and the DMA were reset"
            )
        self._packets += 1

    def _told(self) -> str:
        found = self.counters()
        return ", ".join(f"{name} {found[name]}" for name in ("images_in", "images_out", "wrong_packets"))


def accuracy(classes: np.ndarray, labels: np.ndarray | None) -> float | None:
    """In percent; None without labels."""
    return None if labels is None else 100.0 * float((classes == labels).mean())
