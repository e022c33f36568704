"""What jobs ask of a cluster's scheduler: it changes no result and limits no job elsewhere."""

from pydantic import PositiveFloat

from physiome.config.base import Spec


class Request(Spec):
    """Of one job at its first attempt."""

    memory_gb: PositiveFloat
    hours: PositiveFloat


class Most(Spec):
    """What no attempt asks more than; null: no bound."""

    memory_gb: PositiveFloat | None = None
    hours: PositiveFloat | None = None


class Cluster(Spec):
    """Requests by rule: where the sizes come from stands in `config.yaml`."""

    most: Most = Most()
    fetch: Request = Request(memory_gb=2.0, hours=12.0)
    shard: Request = Request(memory_gb=4.0, hours=2.0)
    pretrain: Request = Request(memory_gb=16.0, hours=12.0)
    train: Request = Request(memory_gb=16.0, hours=24.0)
    embed: Request = Request(memory_gb=8.0, hours=4.0)
    lost_leads: Request = Request(memory_gb=8.0, hours=4.0)
    probe: Request = Request(memory_gb=12.0, hours=8.0)
    scores: Request = Request(memory_gb=4.0, hours=4.0)
    few_labels: Request = Request(memory_gb=12.0, hours=12.0)
    intervals: Request = Request(memory_gb=4.0, hours=2.0)
    really_missing: Request = Request(memory_gb=4.0, hours=2.0)
