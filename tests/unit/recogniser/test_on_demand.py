"""FunASR's classes are imported when a model asks for them, and no others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

IN_A_FRESH_PROCESS = """
import json, sys
from asr_daemon.recogniser.families import on_demand
on_demand.install()
from funasr.register import tables
names = json.loads(sys.argv[1])
found = {name: getattr(getattr(tables, table).get(name), "__name__", None) for table, name in names}
on_demand.install()
print("RESULT", json.dumps([found, sorted(sys.modules)]))
"""


def ask(*names: tuple[str, str]) -> tuple[dict[str, str | None], list[str]]:
    """Return the classes that a fresh process finds for (table, name), and the modules it has then."""
    command = [sys.executable, "-c", IN_A_FRESH_PROCESS, json.dumps(names)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found, modules = json.loads(done.stdout.rpartition("RESULT")[2])
    return found, modules


def test_what_is_asked_for_is_there_and_nothing_else() -> None:
    """A class comes with its module, a name that nobody knows is none, and the other models stay away."""
    found, modules = ask(("predictor_classes", "CifPredictorV3"), ("model_classes", "Nobody"))
    assert found == {"CifPredictorV3": "CifPredictorV3", "Nobody": None}
    assert "funasr.models.bicif_paraformer.cif_predictor" in modules
    assert not [name for name in modules if name.startswith("funasr.models.whisper")]


@pytest.mark.slow
def test_every_class_of_the_families_is_found() -> None:
    """Whatever the supported models, their parts and the detectors are called in their configurations."""
    names = (
        ("model_classes", "SeacoParaformer"), ("model_classes", "Paraformer"),
        ("model_classes", "BiCifParaformer"), ("model_classes", "SenseVoiceSmall"),
        ("model_classes", "FunASRNano"), ("model_classes", "FsmnVADStreaming"),
        ("model_classes", "SileroVad"), ("model_classes", "CTTransformer"),
        ("encoder_classes", "SANMEncoder"), ("encoder_classes", "FSMN"),
        ("encoder_classes", "SenseVoiceEncoderSmall"), ("decoder_classes", "ParaformerSANMDecoder"),
        ("predictor_classes", "CifPredictorV2"), ("adaptor_classes", "Transformer"),
        ("frontend_classes", "WavFrontend"), ("frontend_classes", "WavFrontendOnline"),
        ("frontend_classes", "wav_frontend"), ("tokenizer_classes", "CharTokenizer"),
        ("tokenizer_classes", "SentencepiecesTokenizer"), ("specaug_classes", "SpecAugLFR"),
    )  # fmt: skip
    found, _ = ask(*names)
    assert [name for name, kind in found.items() if kind is None] == []
