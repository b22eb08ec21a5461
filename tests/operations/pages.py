"""Read a page of metrics the way Prometheus does."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from app.core import metrics


@dataclass(frozen=True, slots=True)
class Page:
    """Samples by name and labels."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        """Return one sample; 0 where it is not there, as for a counter that nothing has touched yet."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the samples that have these labels among others."""
        wanted = labels.items()
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= has)

    def names(self) -> set[str]:
        return {name for name, _ in self.samples}

    def label_values(self) -> set[str]:
        return {value for _, labels in self.samples for _, value in labels}


def parse(text: str) -> Page:
    """Return a page; a series that stands in it twice is an error."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples), "no series twice"
    return Page(found)


def refused(reason: str) -> float:
    """Return how many answers of the price source this process did not use for a reason."""
    return parse(metrics.page(None, version="").decode()).value("risk_prices_refused_total", reason=reason)
