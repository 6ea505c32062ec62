"""Lags and rolling means: right, and blind to the present and the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.features import FeatureOptions, LagFeatures, chosen_columns, columns_step, encode_step

from agentkit.profiles import profile_frame


def _series(rows: int = 60, shops: int = 2) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "day": np.tile(np.arange(rows, dtype="float64"), shops),
            "shop": np.repeat([f"s{i}" for i in range(shops)], rows),
            "sold": random.normal(size=rows * shops),
        }
    )


def _lags(**options: object) -> LagFeatures:
    return LagFeatures("day", ["sold"], [1, 7], [3], "shop", **options)  # type: ignore[arg-type]


def test_lags_and_means_are_pandas_own() -> None:
    frame = _series()
    made = _lags().fit_transform(frame)
    sold = frame.groupby("shop")["sold"]
    for k in (1, 7):
        pd.testing.assert_series_equal(made[f"sold lag {k}"], sold.shift(k), check_names=False)
    before = sold.transform(lambda s: s.shift(1).rolling(3, min_periods=1).mean())
    pd.testing.assert_series_equal(made["sold mean of 3 before"], before, check_names=False)


def test_a_planted_future_is_not_seen() -> None:
    frame = _series()
    planted = frame.copy()
    planted.loc[planted["day"] >= 30, "sold"] = 1e6
    honest, blind = (_lags().fit_transform(f) for f in (frame, planted))
    early = frame["day"] <= 30  # day 30 itself is planted, and its own row must not show it
    added = [c for c in honest if c not in frame]
    pd.testing.assert_frame_equal(honest.loc[early, added], blind.loc[early, added])
    assert (blind.loc[planted["day"] == 31, "sold lag 1"] == 1e6).all()


def test_rows_of_one_moment_do_not_see_each_other() -> None:
    frame = pd.DataFrame({"day": [1.0, 2, 2, 3], "sold": [10.0, 20, 30, 40]})
    made = LagFeatures("day", ["sold"], [1], []).fit_transform(frame)
    np.testing.assert_array_equal(made["sold lag 1"], [np.nan, 10, 10, 30])


def test_the_order_of_the_rows_does_not_matter() -> None:
    frame = _series()
    shuffled = frame.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(_lags().fit_transform(shuffled).loc[frame.index], _lags().fit_transform(frame))


def test_later_rows_find_their_past_in_training() -> None:
    frame = _series()
    train, later = frame[frame["day"] < 50], frame[frame["day"] >= 50]
    made = _lags().fit(train).transform(later)
    pd.testing.assert_frame_equal(made, _lags().fit_transform(frame).loc[later.index])
    again = _lags().fit(train).transform(train)
    pd.testing.assert_frame_equal(again, _lags().fit_transform(train))


def test_without_a_past_a_lag_is_missing() -> None:
    lags = _lags().fit(_series())
    odd = pd.DataFrame({"day": [99.0, np.nan, 99.0], "shop": ["new shop", "s0", None], "sold": [1.0, 2, 3]})
    assert lags.transform(odd).filter(like=" ").isna().all(axis=None)
    assert len(lags.transform(odd.head(0))) == 0


@pytest.mark.parametrize("family", ["trees", "linear", "native", "forest"])
def test_lags_are_features_like_others(family: str) -> None:
    frame = _series().assign(day=lambda f: pd.Timestamp("2026-01-01") + pd.to_timedelta(f["day"], unit="D"))
    profile = profile_frame(frame)
    used, _ = chosen_columns(profile, "", {})
    options = FeatureOptions(lags=(1, 2), windows=(5,), time="day", group="shop")
    typed = columns_step(profile, used).transform(frame)
    encode = encode_step(profile, used, "regression", 0, family, options)  # type: ignore[arg-type]
    made = encode.fit_transform(typed.head(90), frame["sold"].head(90).to_numpy())
    names = list(encode.get_feature_names_out())
    assert made.shape[1] == len(names)
    assert {"sold", "sold lag 1", "sold lag 2", "sold mean of 5 before"} <= set(names)
    assert encode.transform(typed.tail(30)).shape == (30, len(names))
