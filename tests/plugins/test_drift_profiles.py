"""Profiles: within the stated bound, merged, stored, refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from agentkit_drift import summaries
from agentkit_drift.compare import compare, profile
from agentkit_drift.distributions import BINS, Counter, Grid, Sample, merged_grid, quantile_grid
from agentkit_drift.measures import distances
from agentkit_drift.profile_file import load_profile, merged_profile
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.errors import BadInput, DatasetError

SHAPES = ("normal", "lognormal", "cauchy", "few", "constant", "mixture")


def drawn(shape: str, rows: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    made = {
        "normal": lambda: random.normal(size=rows),
        "lognormal": lambda: random.lognormal(0, 2, rows),
        "cauchy": lambda: random.standard_cauchy(rows),
        "few": lambda: random.integers(0, 4, rows).astype(float),
        "constant": lambda: np.full(rows, 7.0),
        "mixture": lambda: np.where(random.random(rows) < 0.5, 0.0, random.exponential(size=rows)),
    }
    return np.sort(made[shape]())


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SHAPES), st.sampled_from(SHAPES), st.integers(1, 30_000), st.integers(1, 9_000), st.integers(0, 99)
)
def test_a_grid_is_within_the_error_that_it_states(one: str, other: str, n: int, m: int, seed: int) -> None:
    before, after = Sample(drawn(one, n, seed)), Sample(drawn(other, m, seed + 1))
    exact, found = distances(before, after), distances(before.grid(), after)
    assert abs(exact.ks - found.ks) <= found.ks_error + 1e-12
    assert found.ks_error <= max(1 / BINS, 1 / n) + 1e-12
    scale = 1e-9 * (1 + exact.wasserstein)
    assert abs(exact.wasserstein - found.wasserstein) <= found.wasserstein_error + scale


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SHAPES), st.lists(st.integers(1, 5_000), min_size=2, max_size=6), st.integers(0, 99))
def test_merged_grids_are_within_the_error_that_they_state(shape: str, sizes: list[int], seed: int) -> None:
    parts = [drawn(shape, size, seed + i) for i, size in enumerate(sizes)]
    whole, other = Sample(np.sort(np.concatenate(parts))), Sample(drawn(shape, 2_000, seed + 50) + 0.3)
    merged = merged_grid([Sample(p).grid() for p in parts])
    assert merged.n == whole.n
    assert merged.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-9)
    assert merged.std == pytest.approx(whole.std, rel=1e-6, abs=1e-6)
    exact, found = distances(whole, other), distances(merged, other)
    assert abs(exact.ks - found.ks) <= found.ks_error + 1e-12
    assert abs(exact.wasserstein - found.wasserstein) <= found.wasserstein_error + 1e-6 * (1 + exact.wasserstein)


def test_counting_in_parts_is_counting_at_once() -> None:
    values = drawn("lognormal", 20_000, 1)
    edges = Sample(values[::3]).edges()
    counter = Counter(edges)
    for part in np.array_split(np.random.default_rng(0).permutation(values), 7):
        counter.add_sorted(np.sort(part))
    once, parts = Sample(values).grid(edges), counter.grid()
    assert (once.below == parts.below).all()
    assert (once.upto_edges == parts.upto_edges).all()
    assert parts.sums == pytest.approx(once.sums)
    assert (parts.n, parts.mean, parts.std) == pytest.approx((once.n, once.mean, once.std))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SHAPES), st.integers(2, 5_000), st.integers(0, 99))
def test_the_quantiles_that_a_model_stores_are_within_their_error(shape: str, n: int, seed: int) -> None:
    values = drawn(shape, n, seed)
    grid = quantile_grid(list(np.quantile(values, np.linspace(0, 1, 257))), n, values.mean(), values.std())
    other = Sample(drawn(shape, 1_000, seed + 1) + 0.2)
    exact, found = distances(Sample(values), other), distances(grid, other)
    assert abs(exact.ks - found.ks) <= found.ks_error + 1e-12
    assert found.ks_error <= 3 / 256 + 2 / n


def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(3)

    def made(rows: int, shift: float) -> pd.DataFrame:
        return pd.DataFrame({
            "x": random.normal(shift, 1, rows),
            "gaps": np.where(random.random(rows) < 0.1 + shift / 4, np.nan, random.normal(size=rows)),
            "plan": random.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2] if not shift else [0.2, 0.3, 0.5]),
            "note": [f"order {i} of a customer from town {i % 7}" for i in random.integers(0, 10**6, rows)],
            "paid": random.random(rows) < 0.5,
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 10**6, rows), unit="s"),
            "nothing": [None] * rows,
        })  # fmt: skip

    return made(6_000, 0.0), made(4_000, 0.8)


def test_a_stored_profile_says_what_the_data_say(tmp_path: Path) -> None:
    before, after = frames()
    profile(before).save(tmp_path / "before.parquet")
    from_file = compare(tmp_path / "before.parquet", after, multivariate=False)
    exact = compare(before, after, multivariate=False)
    assert (from_file.method, exact.method) == ("profile", "exact")
    assert from_file.verdict == exact.verdict == "drift"
    assert set(from_file.drifted) == set(exact.drifted) == {"x", "gaps", "plan"}
    for name, column in exact.columns.items():
        other = from_file.columns[name]
        assert other.kind == column.kind
        assert other.psi == pytest.approx(column.psi, abs=1e-9)
        if column.ks is not None:
            assert other.ks == pytest.approx(column.ks, abs=1 / BINS)
        assert other.missing_current == column.missing_current


def test_profiles_of_shards_are_merged_and_two_profiles_compared() -> None:
    before, after = frames()
    shards = [profile(before.iloc[i::5]) for i in range(5)]
    merged = merged_profile(shards, "all shards")
    assert (merged.rows, merged["gaps"].missing) == (len(before), int(before["gaps"].isna().sum()))
    assert merged["plan"].levels == before["plan"].value_counts().to_dict()
    made = compare(merged, profile(after))
    exact = compare(before, after, multivariate=False)
    assert set(made.drifted) == set(exact.drifted)
    error = made.columns["x"].error
    assert error is not None
    assert made.columns["x"].ks == pytest.approx(exact.columns["x"].ks, abs=error.ks)
    assert error.ks < 0.005


def test_a_file_larger_than_a_chunk_is_streamed_to_the_same_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentkit_drift.sources.CHUNK", 1_000)
    monkeypatch.setattr(summaries, "_WHOLE", 2_500)
    before, after = frames()
    for name, frame in (("before", before), ("after", after)):
        frame.to_parquet(tmp_path / f"{name}.parquet", row_group_size=1_700)
    made = compare(tmp_path / "before.parquet", tmp_path / "after.parquet", method="profile", multivariate=False)
    exact = compare(tmp_path / "before.parquet", tmp_path / "after.parquet", method="exact", multivariate=False)
    assert set(made.drifted) == set(exact.drifted)
    for name, column in exact.columns.items():
        if column.ks is not None:
            assert made.columns[name].ks == pytest.approx(column.ks, abs=0.002)
        assert made.columns[name].missing_reference == column.missing_reference
        assert made.columns[name].chi2 == column.chi2


def test_merging_columns_of_different_kinds_is_refused() -> None:
    parts = [profile(pd.DataFrame({"x": values})) for values in ([1.5, 2.0, 3.7], ["a", "b", "a"])]
    with pytest.raises(DatasetError, match="'x' is category and number in different profiles"):
        merged_profile(parts)
    with pytest.raises(DatasetError, match="no profiles"):
        merged_profile([])


def test_a_profile_of_another_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "old.parquet"
    profile(pd.DataFrame({"x": [1.5, 2.5]})).save(file)
    table = pq.read_table(file)
    head = table.schema.metadata[b"agentkit.drift.profile"].replace(b'"version": 1', b'"version": 99')
    pq.write_table(table.replace_schema_metadata({b"agentkit.drift.profile": head}), file)
    with pytest.raises(DatasetError, match="profile of version 99; this agentkit reads version 1"):
        compare(file, pd.DataFrame({"x": [1.0]}))


def test_what_is_no_profile_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "data.parquet")
    with pytest.raises(DatasetError, match="a data file, not a drift profile"):
        load_profile(tmp_path / "data.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(DatasetError, match="cannot be read as a profile"):
        load_profile(tmp_path / "text.parquet")
    with pytest.raises(DatasetError, match="cannot be written"):
        profile(pd.DataFrame({"x": [1.5]})).save(tmp_path / "no folder" / "p.parquet")


def test_the_exact_method_wants_data_not_profiles() -> None:
    made = profile(pd.DataFrame({"x": [1.5, 2.5]}))
    with pytest.raises(BadInput, match="needs all values"):
        compare(made, pd.DataFrame({"x": [1.0]}), method="exact")


def test_a_grid_of_one_part_stays_as_it_is() -> None:
    grid: Grid = Sample(drawn("normal", 100, 0)).grid()
    assert merged_grid([grid]) is grid
