"""The work of every kind of job, traced once each, in several processes."""

import gc
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import torch

from physiome.config.jobs import EmbedSettings, PretrainSettings, TrainSettings
from physiome.config.tree import Config
from tests.estimate.jobs import Job, settings_of
from tests.estimate.steps import Work, embed_work, key_of, train_work

Key = tuple[str, str, str]  # rule, data set, system


def key(job: Job) -> Key:
    """Jobs that differ in fold or modality do the same work."""
    return job.rule, job.dataset, job.system


def traced(
    config: Config, jobs: Sequence[Job], processes: int, embed_bf16: bool
) -> dict[Key, Work]:
    """The work of every kind of job; settings that make the same work are traced once."""
    settings = {key(job): settings_of(config, job) for job in jobs}
    same = {name: key_of(one) for name, one in settings.items()}
    kinds = {same[name]: one for name, one in settings.items()}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context) as pool:
        todo = {k: pool.submit(trace, one, embed_bf16) for k, one in kinds.items()}
        works = {k: one.result() for k, one in todo.items()}
    return {name: works[k] for name, k in same.items()}


def trace(settings: EmbedSettings | TrainSettings | PretrainSettings, embed_bf16: bool) -> Work:
    """The work of one kind of job. Collecting garbage all the time would take a third longer."""
    began = time.monotonic()
    torch.set_num_threads(1)  # draws on the CPU: processes share its cores
    gc.collect()
    gc.disable()
    if isinstance(settings, EmbedSettings):
        work = embed_work(settings, embed_bf16)
    else:
        modality = settings.modalities[0] if isinstance(settings, PretrainSettings) else None
        work = train_work(settings, modality)
    name = "encoder" if isinstance(settings, PretrainSettings) else settings.name
    took = f"{len(work.ops)} operations in {time.monotonic() - began:.1f} s"
    print(
        f"{type(settings).__name__} {settings.dataset} {name}: {took}", file=sys.stderr, flush=True
    )
    return work
