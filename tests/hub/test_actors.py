from __future__ import annotations

import pytest

from hub.actors import Actor
from hub.errors import ActorInvalidError


@pytest.mark.parametrize("text", ["MZJ:window-2", "MZJ:数据共享专员", " 341200-MZJ:a b "])
def test_a_department_and_a_post(text):
    actor = Actor.parse(text)
    assert str(actor) == text.strip()
    assert Actor.parse(str(actor)) == actor


@pytest.mark.parametrize(
    "text",
    ["", "MZJ", ":", "MZJ:", ":window", "MZJ: ", "MZJ:a:b", "M ZJ:a", "MZJ:a\nb", "MZJ:13800138000", "MZJ:" + "x" * 81],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ActorInvalidError):
        Actor.parse(text)


def test_the_refusal_does_not_repeat_a_number_of_a_person():
    with pytest.raises(ActorInvalidError) as refused:
        Actor.parse("MZJ:11010519491231002X")
    assert "11010519491231" not in str(refused.value)
    assert "DEPARTMENT:POST" in refused.value.text("en")
    assert "部门代码:岗位" in refused.value.text("zh")
