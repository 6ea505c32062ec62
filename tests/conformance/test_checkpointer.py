"""LangGraph's conformance tests of checkpointers, on agentkit's own over the embedded Postgres.

They call the async methods, which are the sync ones in a thread: both are tested.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.report import CapabilityReport

from agentkit.settings import load_settings
from agentkit.storage import Storage

AT_LEAST = {"put": 17, "put_writes": 10, "get_tuple": 10, "list": 16, "delete_thread": 5, "prune": 8}
"""Capability -> how many tests it must have passed: a suite that found nothing to test has not passed."""
NOT_IN_POSTGRES_SAVER = {"delete_for_runs", "copy_thread"}


@pytest.fixture(scope="module")
def report(home: Path) -> CapabilityReport:
    with Storage(load_settings(home, home=str(home))) as storage:

        @checkpointer_test(name="agentkit")
        async def checkpointer() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
            yield storage.checkpointer()

        return asyncio.run(validate(checkpointer))


@pytest.mark.parametrize("capability", AT_LEAST)
def test_the_checkpointer_conforms(report: CapabilityReport, capability: str) -> None:
    result = report.results[capability]
    assert result.failures == []
    assert result.tests_passed >= AT_LEAST[capability]


def test_what_langgraphs_own_postgres_checkpointer_lacks_is_all_that_is_missing(report: CapabilityReport) -> None:
    assert {name for name, result in report.results.items() if not result.detected} == NOT_IN_POSTGRES_SAVER
