"""Jobs of the estimate are the plan's, and hours follow from the model's constants."""

import csv
from collections import Counter

import pytest

from physiome.config.report import TableSpec
from physiome.config.tree import load_files
from physiome.plan.graph import Graph
from physiome.reporting.paper import paper_cells
from tests.bench.common import paper_config
from tests.estimate import device
from tests.estimate.__main__ import PAPER_ROWS
from tests.estimate.count import Op
from tests.estimate.device import Settings, job_time, step_time
from tests.estimate.jobs import jobs_of
from tests.estimate.steps import Work
from tests.estimate.tables import assumptions, lines, measured_ms, rows_of, sums, targets, write_csv
from tests.estimate.tracing import key

CONFIG, PAPER = paper_config(), load_files(PAPER_ROWS)
JOBS = jobs_of(CONFIG, CONFIG.tables_of)


def work(*ops: Op, drawn: float = 0.0, kept: float = 0.0) -> Work:
    return Work(list(ops), 1, drawn, 0.0, kept, 1e9, 2e9)


def op(launches=1.0, moved=0.0, flop=0.0, narrow=True, name="x", **where) -> Op:
    return Op(name, launches, moved, flop, narrow, **{"fuses": False} | where)


def test_jobs_are_those_of_the_plan():
    graph = Graph(CONFIG)
    rows = [*dict.fromkeys(row for table in CONFIG.tables_of for row in graph.rows(table))]
    counts = Counter(job.rule for job in JOBS)
    assert counts["pretrain"] + counts["train"] == len(graph.models(rows))
    assert counts["embed"] == sum(1 for row in rows if graph.model(row))
    named = {(j.dataset, j.fold, j.system, j.modality) for j in JOBS if j.rule != "embed"}
    assert named == {(m.dataset, m.fold, m.name, m.modality) for m in graph.models(rows)}


def test_tables_share_jobs_and_everything_counts_each_once():
    apart = [jobs_of(CONFIG, [table]) for table in CONFIG.tables_of]
    assert sum(map(len, apart)) > len(JOBS)
    assert {job for jobs in apart for job in jobs} == set(JOBS)


def test_the_papers_rows_are_a_part_of_everything_and_hold_all_of_its_systems():
    asked = targets(CONFIG, PAPER)
    assert set(asked["paper rows"]) < set(asked["everything"])
    for number in range(1, 7):
        table = TableSpec.parse_text(PAPER.table_settings(f"table{number}"))
        titles = {entry.title.casefold() for entry in table.methods.values()}
        assert {name.casefold() for name in paper_cells(number)["method"]} <= titles


def test_steps_are_epochs_of_whole_batches():
    wanted = ("train", "sleep_edf", 1, "physiome")
    (job,) = [j for j in JOBS if (j.rule, j.dataset, j.fold, j.system) == wanted]
    assert job.steps == pytest.approx(50 * 195_000 * 0.8 * 0.8 / 512)
    assert job.epochs == 50


@pytest.mark.parametrize(
    ("one", "bound"),
    [
        (work(op(launches=1000)), "launch"),
        (work(op(), drawn=1e7), "draws"),
        (work(op(moved=3.2e11)), "memory"),
        (work(op(flop=4.2e13)), "arithmetic"),
    ],
)
def test_the_bound_is_the_larger_part(one, bound):
    assert step_time(one, Settings()).bound == bound


def test_a_step_takes_the_longer_of_host_and_kernels():
    step = step_time(work(op(launches=1e4, moved=device.BYTES_PER_S * 0.01)), Settings())
    assert step.host_s == pytest.approx(0.08 + device.LOOP_S)
    assert step.kernel_s == pytest.approx(0.01)
    assert step.seconds() == step.host_s
    assert step.seconds(jobs=4) == step.host_s / 4
    assert step.seconds(jobs=100) == step.kernel_s


def test_products_of_float32_are_slower():
    narrow, wide = (step_time(work(op(flop=1e12, narrow=n)), Settings()) for n in (True, False))
    assert wide.arithmetic_s == pytest.approx(1e12 / device.FLOP32_PER_S)
    assert narrow.arithmetic_s == pytest.approx(1e12 / device.FLOP16_PER_S)


def test_compiled_elementwise_operations_launch_nothing():
    inside = op(launches=10, moved=3e9, fuses=True, compiled=True)
    outside = op(launches=10, moved=3e9, fuses=True)
    step = step_time(work(inside, op()), Settings(compiled=True))
    assert step.launch_s == pytest.approx(device.LAUNCH_S + device.LOOP_S)
    assert step.memory_s == pytest.approx(3e9 * device.FUSED_BYTES / device.BYTES_PER_S)
    assert step_time(work(outside), Settings(compiled=True)) == step_time(work(outside), Settings())


def test_compiled_norms_of_rows_move_less_and_are_kernels_still():
    norm = op(moved=3e9, name="native_layer_norm", compiled=True)
    step = step_time(work(norm), Settings(compiled=True))
    assert step.launch_s == pytest.approx(device.LAUNCH_S + device.LOOP_S)
    assert step.memory_s == pytest.approx(3e9 * device.FUSED_NORM_BYTES / device.BYTES_PER_S)
    assert step_time(work(norm), Settings()).memory_s == pytest.approx(3e9 / device.BYTES_PER_S)


def test_what_is_kept_is_computed_in_the_first_epoch_and_read_in_all():
    one = work(op(launches=100, moved=3e9, once=True), op(launches=10), kept=1e6)
    step = step_time(one, Settings(kept=True), epochs=50)
    assert step.launch_s == pytest.approx((1 + 100 / 50 + 10) * device.LAUNCH_S + device.LOOP_S)
    assert step.memory_s == pytest.approx((2e6 + 3e9 / 50) / device.BYTES_PER_S)
    for epochs in (1, 0):  # there is no later epoch; an embedding
        assert step_time(one, Settings(kept=True), epochs) == step_time(one, Settings())


def test_a_job_starts_looks_and_saves():
    took = job_time(work(op(launches=1000)), steps=100, epochs=10, looks=2, settings=Settings())
    assert took.steps_s == pytest.approx(100 * (1000 * device.LAUNCH_S + device.LOOP_S))
    assert took.start_s == device.IMPORT_S + device.CONTEXT_S + 2 * device.LOOK_S
    saves = 1 + took.steps_s / device.SAVE_EVERY_S
    assert took.saves_s == pytest.approx(saves * 3e9 / device.DISK_BYTES_PER_S)
    embedding = job_time(work(op()), steps=100, epochs=0, looks=0, settings=Settings())
    assert embedding.saves_s == 0


def test_rows_and_sums_agree_and_fit_the_screen(tmp_path):
    works = {key(job): work(op(launches=3000, moved=1e10)) for job in JOBS}
    rows = rows_of(JOBS, works, Settings(), {})
    assert sum(row.jobs for row in rows) == len(JOBS)
    printed = [
        *lines(rows),
        *assumptions(CONFIG, False, {}),
        *sums(targets(CONFIG, PAPER), works, 4),
    ]
    assert max(map(len, printed)) <= 100
    *_, everything = printed
    assert float(everything.split()[-4]) == pytest.approx(sum(r.modelled_h for r in rows), abs=0.1)
    write_csv(rows, tmp_path / "estimate.csv")
    with (tmp_path / "estimate.csv").open() as file:
        assert len([*csv.DictReader(file)]) == len(rows)


def test_measured_is_what_a_gpu_took_and_no_cpu():
    job = next(j for j in JOBS if (j.rule, j.dataset, j.system) == ("train", "sleep_edf", "crossl"))
    found = {"speed": {"device": {"device": "NVIDIA H200"}, "crossl": {"step_ms": 7.0}}}
    assert measured_ms(job, found) == 7.0
    found["speed"]["device"]["device"] = "cpu"
    assert measured_ms(job, found) is None
    assert measured_ms(job, {}) is None
