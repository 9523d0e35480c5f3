// An application, a container or a service: what its processes add up to.
#pragma once
#include "base/groups.h"
#include "netdata/series.h"

struct Member : Series<COUNTERS> {
    bool service = false;
    unsigned processes = 0;  // that it has
    bool active = false;     // it has gained one, or counted something, since the last update
    bool hidden = false;     // its dimensions are
};
