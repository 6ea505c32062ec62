"""Values of a database as JSON and as CSV have them."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_EXACT = 2**53


def plain(value: Any) -> Any:
    """A value of a database as JSON has it.

    Decimals become numbers where a number holds them exactly or nearly, texts where not; dates are ISO 8601, bytes
    hexadecimal.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return _plain_decimal(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(v) for v in value]
    return str(value)


def _plain_decimal(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and abs(value) <= _EXACT:
        return int(value)
    return float(value) if len(value.as_tuple().digits) <= 17 or abs(value) < _EXACT else str(value)


def csv_cell(value: Any) -> Any:
    """A value as it stands in a CSV file: dates are ISO 8601, bytes hexadecimal, lists and objects JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (list, tuple, set, dict)):
        return json.dumps(plain(value), ensure_ascii=False)
    return value
