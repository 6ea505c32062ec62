"""A small model may say the same over and over until its tokens are spent: the decoding is ended, and the text before.

A loop is a stretch of text that stands several times in a row at the end, to the letter.
"""

from __future__ import annotations

import re

TIMES = 4
"""So often a stretch stands in a row before it is a loop."""
LEAST = 200
"""Characters of all these together: a line of dashes is no loop."""
_SEEN = 20
"""Characters that stand before in the same words: it may be a loop that begins."""
_SENTENCE = re.compile(r"[^.!?\n]*[.!?\n]")
_WHOLE = re.compile(r"[.!?\n]\s*$")


class Unrepeated:
    """Text that arrives in pieces, without the end that only repeats what stands before it.

    What may be the beginning of a loop waits until something else follows: the text that was given stays.
    """

    def __init__(self) -> None:
        self._text = ""
        self._given = 0
        self._period = 0
        self._again = 0

    @property
    def loops(self) -> bool:
        """Whether the text ends with a loop."""
        return self._period > 0 and self._again >= max((TIMES - 1) * self._period, LEAST - self._period)

    def feed(self, piece: str) -> str:
        """The text that is certain after this piece."""
        for char in piece:
            self._text += char
            if self._period and char == self._text[-1 - self._period]:
                self._again += 1
            else:
                self._period, self._again = self._repeated()
        return self._give(len(self._text) - max(self._again, _SEEN))

    def rest(self) -> str:
        """What waits at the end; of a loop no more than the end of the sentence that it begins in."""
        if not self.loops:
            return self._give(len(self._text))
        start = len(self._text) - self._again
        sentence = _SENTENCE.match(self._text, start, start + self._period)
        return self._give(sentence.end() if sentence and not _WHOLE.search(self._text[:start]) else start)

    def _give(self, end: int) -> str:
        start, self._given = self._given, max(self._given, end)
        return self._text[start : self._given]

    def _repeated(self) -> tuple[int, int]:
        """The distance at which the text's end stands before, and for how many characters; zeros if it does not."""
        text = self._text
        before = text.rfind(text[-_SEEN:], 0, len(text) - 1) if len(text) > _SEEN else -1
        if before < 0:
            return 0, 0
        period, again = len(text) - _SEEN - before, _SEEN
        while again + period < len(text) and text[-1 - again] == text[-1 - again - period]:
            again += 1
        return period, again
