"""What a kill -9 leaves behind; the long run is ``make soak``."""

import pytest
from killing import kill_loop


@pytest.mark.timeout(900)
def test_ten_kills_in_the_middle_of_promotions_leave_everything_agreeing(tmp_path):
    assert kill_loop(tmp_path, kills=10, seed=1) > 0
