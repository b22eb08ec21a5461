"""A policy ready for use: the form that names and sources its rules, and the numbers that the engine computes with."""

from dataclasses import dataclass
from typing import Self

from app.engine.rules import MarginRules
from app.policies.form import Policy
from app.policies.translate import margin_rules


@dataclass(frozen=True, slots=True)
class PolicyName:
    """Which policy, as figures quote it."""

    id: str
    version: str


@dataclass(frozen=True, slots=True, eq=False)
class ActivePolicy:
    """The requirements and their sources; make it with `of`."""

    form: Policy
    rules: MarginRules

    @classmethod
    def of(cls, form: Policy) -> Self:
        """Translate a policy once."""
        return cls(form, margin_rules(form))

    @property
    def name(self) -> PolicyName:
        """What figures computed under this policy quote."""
        return PolicyName(self.form.id, self.form.version)
