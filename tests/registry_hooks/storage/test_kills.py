"""What a kill -9 leaves behind; the long run is ``make soak``."""

import pytest
from support.faults.killing import kill_loop


@pytest.mark.long
@pytest.mark.timeout(300)
def test_four_kills_in_the_middle_of_everything_leave_all_agreeing(tmp_path):
    assert kill_loop(tmp_path, f"sqlite:///{tmp_path / 'mlflow.db'}", kills=4, seed=1) > 0


@pytest.mark.timeout(300)
def test_kills_on_postgresql_one_of_them_of_its_own_process(tmp_path, postgres):
    assert kill_loop(tmp_path, postgres(), kills=3, seed=2, backends=2) > 0
