"""The units and the tool that converts between them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from pydantic import Field

from agentkit import ToolResult
from agentkit.errors import BadInput, suggest

UNITS = {
    "length": {"m": (1.0, 0.0), "km": (1000.0, 0.0), "in": (0.0254, 0.0), "ft": (0.3048, 0.0), "mi": (1609.344, 0.0)},
    "mass": {"kg": (1.0, 0.0), "g": (0.001, 0.0), "oz": (0.028349523125, 0.0), "lb": (0.45359237, 0.0)},
    "time": {"s": (1.0, 0.0), "min": (60.0, 0.0), "h": (3600.0, 0.0)},
    "temperature": {"K": (1.0, 0.0), "degC": (1.0, 273.15), "degF": (5 / 9, 459.67 * 5 / 9)},
}
"""Kind -> unit -> (factor, offset): value in SI = value * factor + offset. The first unit of a kind is the SI unit."""
SI = tuple(next(iter(units)) for units in UNITS.values())


class UnitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[units]` of agentkit.toml."""

    si_only: bool = False


class Converted(ToolResult):
    """A number in its new unit."""

    value: float
    unit: str
    was: str

    def brief(self) -> str:
        return f"{self.was} is {self.value:.6g} {self.unit}."


def convert_units(
    value: Annotated[float, Field(description="The number to convert")],
    unit: Annotated[str, Field(description="Its unit, such as ft, lb, h or degF")],
    to: Annotated[str, Field(description="The unit to convert to, such as m, kg, s or degC")],
) -> Converted:
    """Convert a number from one unit to another. Raises BadInput for unknown units or units of different kinds."""
    if kind_of(unit) != kind_of(to):
        raise BadInput(f"{unit!r} is a {kind_of(unit)} and {to!r} a {kind_of(to)}: they cannot be converted.")
    (factor, offset), (to_factor, to_offset) = UNITS[kind_of(unit)][unit], UNITS[kind_of(to)][to]
    return Converted(value=(value * factor + offset - to_offset) / to_factor, unit=to, was=f"{value:g} {unit}")


def kind_of(unit: str) -> str:
    """What the unit measures. Raises BadInput with the nearest name."""
    for kind, units in UNITS.items():
        if unit in units:
            return kind
    known = [name for units in UNITS.values() for name in units]
    raise BadInput(f"there is no unit {unit!r} (known: {', '.join(known)}).{suggest(unit, known)}")
