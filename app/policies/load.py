"""Policies by name or from a file."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from app.core.errors import Fault, InvalidInputError
from app.policies.form import Policy

BUILTIN_POLICIES = ("flat", "finra_4210")


class PolicyError(InvalidInputError):
    """A policy makes no sense, or cannot be read; `faults` says which key and why."""


@cache
def builtin_policy(name: str) -> Policy:
    """
    Return a policy that ships with the service.

    Raises:
        PolicyError: there is none of that name.
    """
    if name not in BUILTIN_POLICIES:
        raise PolicyError(f"There is no policy {name!r}; built in are {', '.join(BUILTIN_POLICIES)}.")
    return _read(Path(__file__).with_name(f"{name}.toml"))


def load_policy(name_or_path: str) -> Policy:
    """
    Return the policy that a setting names: a built-in one, or a TOML file.

    Raises:
        PolicyError: neither of the two, or the file makes no sense.
    """
    return builtin_policy(name_or_path) if name_or_path in BUILTIN_POLICIES else _read(Path(name_or_path))


def _read(path: Path) -> Policy:
    try:
        mapping = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        built_in = ", ".join(BUILTIN_POLICIES)
        raise PolicyError(f"The policy {str(path)!r} is neither built in ({built_in}) nor a readable file.") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise PolicyError(f"The policy file {str(path)!r} is not TOML: {error}") from error
    return read_policy(mapping, f"The policy file {str(path)!r}")


def read_policy(mapping: Mapping[str, object], what: str) -> Policy:
    """
    Return the policy that a mapping spells out; `what` names it in an error.

    Raises:
        PolicyError: it makes no sense.
    """
    try:
        return Policy.model_validate(mapping)
    except ValidationError as error:
        faults = [Fault(_key_path(fault["loc"]), fault["msg"]) for fault in error.errors(include_url=False)]
        listed = "; ".join(f"{'.'.join(map(str, fault.where)) or 'policy'}: {fault.what}" for fault in faults)
        raise PolicyError(f"{what} makes no sense: {listed}", faults=faults) from error


def _key_path(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return where a fault is, without the name of the style that pydantic adds behind `concentration`."""
    return tuple(
        key for i, key in enumerate(location) if not (i and location[i - 1] == "concentration" and key in _STYLES)
    )


_STYLES = ("additive", "greater_of")
