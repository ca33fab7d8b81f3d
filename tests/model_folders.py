"""What the tests of models share: folders that look like models, and a listener that keeps still."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Silent:
    """Adds up what it hears of progress."""

    def __init__(self) -> None:
        self.total_bytes = 0
        self.count_bytes = 0

    def begin(self, total_bytes: int) -> None:
        """Hear how much there is."""
        self.total_bytes = total_bytes

    def add(self, count_bytes: int) -> None:
        """Hear that some of it is there."""
        self.count_bytes += count_bytes


def lay(
    models_dir: Path, name: str, model_class: str = "SeacoParaformer", more: dict[str, bytes] | None = None
) -> Path:
    """Lay a model folder by hand: no manifest."""
    files = {
        "config.yaml": f"model: {model_class}\n".encode(),
        "model.pt": name.encode() * 1000,
        **(more or {}),
    }
    for path, content in files.items():
        (models_dir / name / path).parent.mkdir(parents=True, exist_ok=True)
        (models_dir / name / path).write_bytes(content)
    return models_dir / name


def there(models_dir: Path) -> set[str]:
    """Return what lies in a models folder, and what is on its way into it."""
    incoming = models_dir / ".incoming"
    names = {path.name for path in models_dir.iterdir()} - {incoming.name}
    waiting = {path.name for path in incoming.iterdir()} - {"lock"} if incoming.is_dir() else set()
    return names | {f"incoming/{name}" for name in waiting}
