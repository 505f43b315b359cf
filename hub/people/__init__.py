"""The people who use the portal: who they are, what their duties are, how they sign in."""

from hub.people.duties import Duty
from hub.people.register import People, Person
from hub.people.sessions import Session, Sessions

__all__ = ["Duty", "People", "Person", "Session", "Sessions"]
