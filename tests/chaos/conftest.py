from tests.integration.conftest import stack as stack  # noqa: PLC0414 -- the fixture, here too
