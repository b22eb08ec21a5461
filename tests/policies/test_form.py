"""What a policy may say, and how one that makes no sense is refused."""

from collections.abc import Mapping
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import InvalidInputError
from app.policies.form import rules_in
from app.policies.load import BUILTIN_POLICIES, PolicyError, builtin_policy, load_policy
from app.policies.translate import margin_rules
from tests.engine.build import FLAT_25, parse_policy


def rule(name: str, **numbers: object) -> dict[str, object]:
    return {"id": name, "source": "the desk", **numbers}


HOUSE: Mapping[str, Any] = {
    "id": "house",
    "version": "2026-11",
    "title": "A house policy",
    "house": {
        "long": rule("long", rate=0.3, low_priced=[rule("penny", up_to=3, rate=1)]),
        "short": rule("short", rate=0.35, per_share=5, low_priced=[rule("cheap", below=5, rate=1, per_share=2.5)]),
        "client_rate": rule("client", effect="at_least"),
        "concentration": {
            "style": "additive",
            "long": [rule("tenth", above=0.1, add=0.05), rule("fifth", above=0.2, add=0.1)],
        },
        "symbols": {"TSLA": rule("tsla", long=0.45, short=0.5)},
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return HOUSE with one key set."""
    policy: dict[str, Any] = deepcopy(dict(HOUSE))
    *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
    part: Any = policy
    for key in parents:
        part = part[key]
    part[last] = value
    return policy


def test_flat_is_the_engines_default() -> None:
    assert margin_rules(builtin_policy("flat")) == FLAT_25


@pytest.mark.parametrize("name", BUILTIN_POLICIES)
def test_built_in_policies_have_an_id_and_a_source_for_every_rule(name: str) -> None:
    policy = load_policy(name)
    rules = list(rules_in(policy))

    assert policy.id == name
    assert policy.version
    assert rules
    assert all(one.id and len(one.source) > 10 for one in rules)


def test_a_policy_in_full_is_read_exactly() -> None:
    rules = margin_rules(parse_policy(HOUSE))

    assert rules.house is not None
    assert rules.house.long is not None
    assert rules.house.long.rate == 3000
    assert rules.house.long.steps[0].inclusive
    assert rules.house.short is not None
    assert (rules.house.short.per_share, rules.house.short.steps[0].per_share) == (5 * 10**8, 25 * 10**7)
    assert rules.symbol_rates[0].long == 4500


def test_a_file_says_the_same_as_a_request(tmp_path: Path) -> None:
    file = tmp_path / "house.toml"
    file.write_text(
        'id = "f"\nversion = "1"\ntitle = "t"\n[house.long]\nid = "l"\nsource = "the desk"\nrate = 0.3333\n',
        encoding="utf-8",
    )

    policy = load_policy(str(file))

    assert policy.house is not None
    assert policy.house.long is not None
    assert policy.house.long.rate == Decimal("0.3333")
    long = rule("l", rate=0.3333)
    assert policy == parse_policy({"id": "f", "version": "1", "title": "t", "house": {"long": long}})


@pytest.mark.parametrize(
    ("path", "value", "where", "what"),
    [
        ("house.long.rate", 1.01, "house.long.rate", "less than or equal to 1"),
        ("house.long.rate", -0.1, "house.long.rate", "greater than or equal to 0"),
        ("house.long.rate", 0.12345, "house.long.rate", "decimal places"),
        ("house.long.rate", True, "house.long.rate", "instance of Decimal"),
        ("house.long.rate", "0.3", "house.long.rate", "instance of Decimal"),
        ("house.long.rate", float("nan"), "house.long.rate", "finite"),
        ("house.short.per_share", -5, "house.short.per_share", "greater than 0"),
        ("house.long.per_share", 5, "house.long.per_share", "not permitted"),
        ("house.long.low_priced.0.rate", 0.2, "house.long", "lower price asks no lower rate"),
        ("house.long.low_priced.0.below", 4, "house.long.low_priced.0", "either 'below' or 'up_to'"),
        (
            "house.long.low_priced",
            [rule("a", below=5, rate=1), rule("b", below=3, rate=0.5)],
            "house.long",
            "rising order of price",
        ),
        (
            "house.long.low_priced",
            [rule(f"s{i}", below=i + 1, rate=1) for i in range(9)],
            "house.long.low_priced",
            "at most 8",
        ),
        ("house.concentration.style", "both", "house.concentration", "additive"),
        ("house.concentration.long.1.above", 0.1, "house.concentration", "rising order of share"),
        ("house.concentration.long.1.add", 0.01, "house.concentration", "larger share asks no lower"),
        ("house.concentration.long.0.above", 1, "house.concentration.long.0.above", "less than 1"),
        (
            "house.concentration.short",
            [rule("x", above=0.1, add=2)],
            "house.concentration.short.0.add",
            "less than or equal",
        ),
        ("house.client_rate.effect", "doubles", "house.client_rate.effect", "replaces"),
        ("house.symbols.TSLA.long", 2, "house.symbols.TSLA.long", "less than or equal to 1"),
        ("house.long.id", "tsla", "", "stand twice: tsla"),
        ("house.lnog", {}, "house.lnog", "not permitted"),
        ("surprise", 1, "surprise", "not permitted"),
        ("house.long.source", "", "house.long.source", "at least 1 character"),
        ("version", 1, "version", "valid string"),
        ("exchange", {"concentration": {}}, "exchange.concentration", "not permitted"),
    ],
)
def test_nonsense_is_refused_with_its_key_and_the_reason(path: str, value: object, where: str, what: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(changed(path, value))

    assert any(".".join(map(str, fault.where)) == where and what in fault.what for fault in refused.value.faults), (
        refused.value.faults
    )


def test_concentration_needs_a_rate_to_raise() -> None:
    policy = changed("house.short", None)
    policy["house"]["concentration"]["short"] = [rule("x", above=0.1, add=0.1)]

    with pytest.raises(PolicyError, match="that side needs one"):
        parse_policy(policy)


def test_a_policy_that_asks_nothing_is_refused() -> None:
    with pytest.raises(PolicyError, match="asks something"):
        parse_policy({"id": "a", "version": "1", "title": "t"})


def test_a_request_names_no_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("", encoding="utf-8")

    with pytest.raises(PolicyError, match="built in are flat, finra_4210"):
        builtin_policy(str(file))


@pytest.mark.parametrize(("content", "what"), [("rate = ", "is not TOML"), ("rate = 1", "makes no sense")])
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, content: str, what: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(PolicyError, match=what):
        load_policy(str(file))


def test_a_policy_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="neither built in"):
        load_policy("/no/such/policy.toml")
