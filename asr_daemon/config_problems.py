"""What is wrong with a configuration, one sentence a problem: key path, what is wrong, what would be right.

Enters: pydantic's account of a problem, and the model that was to be filled. Leaves: the sentence.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def explain(problem: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Return one sentence."""
    key = re.sub(r"\.(\d+)", r"[\1]", ".".join(str(part) for part in problem["loc"]))
    given = problem.get("input")
    match problem["type"]:
        case "extra_forbidden":
            *parents, name = problem["loc"]
            return f"{key}: no such key; did you mean {_nearest(str(name), _known_keys(model, parents))}?"
        case "missing":
            return f"{key}: is required"
        case "value_error":
            return f"{key}: {problem['ctx']['error']}" if key else str(problem["ctx"]["error"])
        case _ if problem["loc"][:1] == ("notify",):  # what was given may be an address, which is secret
            return f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
        case _:
            return f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]} (given: {given!r})"


def _known_keys(model: type[BaseModel], parents: Sequence[Any]) -> list[str]:
    for part in parents:
        if isinstance(part, str):
            model = _section(model.model_fields[part].annotation)
    return list(model.model_fields)


def _section(annotation: Any) -> type[BaseModel]:
    """Return the table that stands there: alone, optional, or several times."""
    kinds = (annotation, *get_args(annotation))
    return next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return near[0] if near else "one of " + ", ".join(known)
