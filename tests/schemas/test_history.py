"""What must hold of every history, and that these properties can fail."""

from hypothesis import HealthCheck, settings
from tests.schemas.history import History

History.TestCase.settings = settings(
    max_examples=3000, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestEveryHistory = History.TestCase
