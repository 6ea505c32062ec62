"""How good predictions are, and how sure that is: metrics' intervals, tests, calibration, slices, importance."""
