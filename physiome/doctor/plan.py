"""What `check` and `doctor` both ask: whether what is planned can be done with what is there."""

from collections.abc import Iterator

from physiome.config.sources import VitalDbSource
from physiome.config.tree import Config
from physiome.doctor import headers, proportions
from physiome.doctor.finding import Finding
from physiome.errors import PhysioError


def folders(config: Config) -> list[Finding]:
    """A folder that is not there or cannot be used, as a run would refuse it."""
    try:
        config.check_folders()
    except PhysioError as error:
        return [Finding("FAIL", "folders", str(error))]
    return []


def data(config: Config, dataset: str) -> Iterator[Finding]:
    """A data set's recordings, subsets and models: reads headers, and few of them."""
    yield from _terms(config, dataset)
    found, seconds = headers.findings(config, dataset)
    yield from found
    yield from proportions.subsets(config, dataset)
    try:
        yield from proportions.models(config, dataset, seconds)
    except PhysioError as error:  # a manifest of shards that cannot be read
        yield Finding("FAIL", "models", str(error))


def _terms(config: Config, dataset: str) -> Iterator[Finding]:
    """Terms of use that a download asks for and that nobody accepted."""
    source = config.datasets[dataset].source
    if not isinstance(source, VitalDbSource) or source.raw.fill != "download":
        return
    if not source.transfer.accept_terms:
        yield Finding(
            "warn",
            "terms",
            f"{dataset}: its terms of use are not accepted, nothing of it is downloaded",
            "read them (https://vitaldb.net/dataset), then set "
            f"datasets.{dataset}.source.transfer.accept_terms: true",
        )
