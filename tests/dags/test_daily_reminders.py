"""The DAG of reminders: one task, one run at a time, and parsing it opens nothing."""

from tests.dags.test_dag_rules import draw


def test_reminders_are_one_call_a_day(tmp_path):
    drawn = draw(tmp_path, "daily_reminders.py")
    dag = drawn["files"]["daily_reminders.py"]["daily_reminders"]
    assert set(dag["tasks"]) == {"remind"}
    assert (dag["max_active_runs"], dag["catchup"]) == (1, False)
    assert dag["tasks"]["remind"]["retries"] == 3
    assert "30 0 * * *" in dag["serialized"]
    assert "提醒" in dag["title"]
    assert drawn["heavy"] == []
    assert not (tmp_path / "control.sqlite").exists()
