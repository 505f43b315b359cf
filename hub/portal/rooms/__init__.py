"""The rooms of the portal: pages that belong together, each in a module of its own."""

from hub.portal.rooms import catalogue, choices, helping, home, myself, signing_in

ROOMS = (
    signing_in.ROOM,
    choices.ROOM,
    myself.ROOM,
    home.ROOM,
    catalogue.ROOM,
    helping.ROOM,
)
