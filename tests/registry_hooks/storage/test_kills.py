"""What a kill -9 leaves behind; the long run is ``make soak``."""

import pytest
from support.faults.hearing import hear_through_kills
from support.faults.killing import kill_loop


@pytest.mark.long
@pytest.mark.timeout(300)
def test_four_kills_in_the_middle_of_everything_leave_all_agreeing(tmp_path):
    assert kill_loop(tmp_path, f"sqlite:///{tmp_path / 'mlflow.db'}", kills=4, seed=1) > 0


@pytest.mark.long
@pytest.mark.timeout(300)
def test_kills_on_postgresql_one_of_them_of_its_own_process(tmp_path, postgres):
    assert kill_loop(tmp_path, postgres(), kills=3, seed=2, backends=2) > 0


@pytest.mark.early
@pytest.mark.timeout(300)
def test_six_kills_two_of_them_of_postgresqls_own_process_and_a_receiver_hears_of_every_change(tmp_path, postgres):
    assert hear_through_kills(tmp_path, postgres(), kills=6, seed=4, backends=3) > 0


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_ten_kills_and_a_receiver_hears_of_every_change_in_order_and_of_nothing_else(request, tmp_path, kind):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}" if kind == "sqlite" else request.getfixturevalue(kind)()
    assert hear_through_kills(tmp_path, uri, kills=10, seed=4) > 0
