"""Write the data files of the suite anew: `python evals/agent/make_files.py`. All of them are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FILES = Path(__file__).parent / "files"
SEED = 1


def houses(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Prices that follow area and age."""
    rooms = random.integers(1, 8, rows)
    area = (rooms * 22 + random.normal(0, 10, rows)).round(1)
    age = random.integers(0, 90, rows)
    price = (area * 2100 - age * 400 + random.normal(0, 9000, rows)).round()
    return pd.DataFrame(
        {
            "rooms": rooms,
            "area": area,
            "age": age,
            "town": random.choice(["Lund", "Ghent", "Turku"], rows),
            "price": price,
        }
    )


def beans(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Three kinds of beans by their size and shade."""
    kind = random.choice(["azuki", "borlotti", "cannellini"], rows)
    centre = pd.Series(kind).map({"azuki": 5.0, "borlotti": 12.0, "cannellini": 15.0}).to_numpy()
    return pd.DataFrame(
        {
            "length": (centre + random.normal(0, 1.2, rows)).round(2),
            "width": (0.6 * centre + random.normal(0, 0.8, rows)).round(2),
            "shade": random.normal(0, 1, rows).round(3) + (kind == "cannellini"),
            "kind": kind,
        }
    )


def members(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Members of a club; those who visit seldom leave. Some plans are missing."""
    visits = random.integers(0, 30, rows)
    frame = pd.DataFrame(
        {
            "member_id": range(1000, 1000 + rows),
            "joined": pd.date_range("2023-01-01", periods=rows).strftime("%Y-%m-%d"),
            "visits": visits,
            "plan": random.choice(["basic", "plus"], rows),
            "left": np.where(visits + random.normal(0, 6, rows) < 10, "yes", "no"),
        }
    )
    frame.loc[::17, "plan"] = None
    return frame


def sales(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Revenue that follows advertising and the number of shops."""
    x = random.normal(0, 1, (rows, 3))
    revenue = 100 + 20 * x[:, 0] + 5 * x[:, 1] + random.normal(0, 3, rows)
    return pd.DataFrame({"ads": x[:, 0], "shops": x[:, 1], "season": x[:, 2], "revenue": revenue}).round(3)


def main() -> None:
    """Write all of them."""
    random = np.random.default_rng(SEED)
    made = {
        "houses.csv": houses(random, 300),
        "houses_2025.csv": houses(random, 80),
        "beans.csv": beans(random, 180),
        "members.csv": members(random, 400),
        "members_june.csv": members(random, 90),
        "data/sales.csv": sales(random, 250),
    }
    for name, frame in made.items():
        (FILES / name).parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(FILES / name, index=False)


if __name__ == "__main__":
    main()
