"""All routes of the dashboard, in no OpenAPI document."""

from __future__ import annotations

from pathlib import Path

from litestar import Router
from litestar.datastructures import CacheControlHeader
from litestar.di import Provide
from litestar.static_files import create_static_files_router

from tajo.web.dashboard import (
    activity,
    doctor,
    door,
    failures,
    hooks,
    overview,
    preview,
    runs,
    settings,
    skills,
)
from tajo.web.dashboard.frame import people_only
from tajo.web.dashboard.house import provide_house

ROOMS = (activity, doctor, failures, hooks, overview, preview, runs, settings, skills)

STATIC = "/static"


def routes() -> list[Router]:
    """Pages for who is signed in, the door for who is not, and what pages are dressed with."""
    dependencies = {"house": Provide(provide_house)}
    rooms = [handler for room in ROOMS for handler in room.HANDLERS]
    return [
        Router(
            "/",
            route_handlers=rooms,
            guards=[people_only],
            dependencies=dependencies,
            include_in_schema=False,
        ),
        Router("/", route_handlers=door.HANDLERS, dependencies=dependencies, include_in_schema=False),
        create_static_files_router(
            STATIC,
            [Path(__file__).parent / "static"],
            cache_control=CacheControlHeader(public=True, max_age=3600),
        ),
    ]
