"""What the tests of hosts share."""

from __future__ import annotations

import pytest
import standin_families


@pytest.fixture(autouse=True)
def _fresh_log():
    """Of the stand-ins."""
    standin_families.logger.__init__()
