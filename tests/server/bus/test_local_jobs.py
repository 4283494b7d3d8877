import pytest

from server.bus.local_jobs import LocalJobs
from tests.conformance.jobs_suite import JobsSuite, Make


class TestLocalJobs(JobsSuite):
    @pytest.fixture
    def make(self) -> Make:
        made: list[LocalJobs] = []

        def one(terms: object) -> LocalJobs:
            made[:] = made or [LocalJobs(terms)]
            return made[0]

        return one
