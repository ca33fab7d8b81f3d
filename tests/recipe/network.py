"""FunASR's SeACo-Paraformer, built from a model folder and made ready to be trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from funasr import AutoModel
from funasr.frontends.wav_frontend import load_cmvn

from asr_daemon.recogniser.families.cif import integrate
from recipe.model_folder import NO_BIAS, read_tokens

if TYPE_CHECKING:
    from pathlib import Path

# Parts by the beginnings of their parameters' names.
TIME_HEAD = ("predictor.upsample", "predictor.blstm", "predictor.cif_output2")
HOTWORD_PART = ("bias_encoder", "seaco_decoder", "hotword_output")
_ALMOST = 1e-4  # above a whole number of tokens, so that the last one is complete in spite of rounding


@dataclass(frozen=True)
class Network:
    """The model with its tokens and feature statistics."""

    model: Any  # funasr's SeacoParaformer
    tokens: dict[str, int]
    statistics: torch.Tensor  # float32 [2, n_features]: added, then multiplied

    @property
    def no_bias(self) -> int:
        """The token that says: no hotword here."""
        return self.tokens[NO_BIAS]

    @property
    def width(self) -> int:
        """Of every vector inside."""
        return int(self.model.inner_dim)

    def numbers(self, text: str) -> torch.Tensor:
        """Return the tokens of a text, int64 [n_characters]."""
        return torch.tensor([self.tokens[character] for character in text])

    def train_only(self, *parts: str) -> list[torch.nn.Parameter]:
        """Let the parameters whose names begin so (none given: all) learn, hold the rest; return them."""
        learning = []
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad = not parts or name.startswith(parts)
            if parameter.requires_grad:
                learning.append(parameter)
        return learning

    def encode(self, features: torch.Tensor, lengths: torch.Tensor) -> Encoded:
        """Encode normalised features, float32 [batch, n_steps, n_features]."""
        states, lengths = self.model.encode(features, lengths)
        return Encoded(states.float(), lengths)

    def save(self, path: Path) -> None:
        """Write the weights, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        torch.save(self.model.state_dict(), part)
        part.replace(path)


@dataclass(frozen=True)
class Encoded:
    """The encoder's states, float32 [batch, n_steps, width], of which ``lengths`` (int [batch]) count."""

    states: torch.Tensor
    lengths: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        """1 where there is speech, float32 [batch, n_steps]."""
        steps = torch.arange(self.states.shape[1], device=self.states.device)
        return (steps[None] < self.lengths[:, None]).float()


def open_network(folder: Path, threads: int, weights: Path | None = None) -> Network:
    """Return the model of a folder, at random weights or at those of a file; without dropout.

    The model is small against what it hears: it cannot learn by heart, and dropout only slowed it down.
    """
    model = AutoModel(
        model=str(folder),
        device="cpu",
        ncpu=threads,
        disable_update=True,  # else it asks the package index
        log_level="WARNING",
    ).model
    if weights is not None:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_rate"):
            module.dropout_rate = 0.0
    statistics = load_cmvn(str(folder / "am.mvn")).float()
    return Network(model, read_tokens(folder), statistics)


def cut_into_tokens(
    network: Network, encoded: Encoded, n_tokens: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Integrate and fire (CIF) as the recogniser does, scaled to the true number of tokens.

    ``n_tokens``: int64 [batch]. Returns the embeddings, float32 [batch, max(n_tokens), width], and how many
    tokens there would have been unscaled, float32 [batch], to be held against the true number.
    """
    predictor = network.model.predictor
    mask = encoded.mask
    states = encoded.states * mask[..., None]
    convolved = torch.relu(predictor.cif_conv1d(predictor.pad(states.transpose(1, 2)))).transpose(1, 2)
    weights = torch.sigmoid(predictor.cif_output(convolved)).squeeze(-1).float()
    weights = torch.relu(weights * predictor.smooth_factor - predictor.noise_threshold) * mask
    counted = weights.sum(-1)
    scaled = weights * ((n_tokens + _ALMOST) / counted.clamp(min=_ALMOST))[:, None]
    embeddings, _ = integrate(states, scaled)
    return embeddings[:, : int(n_tokens.max())], counted
