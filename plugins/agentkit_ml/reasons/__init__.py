"""Why a model says what it says: contributions of columns, directions of effect, other answers."""
