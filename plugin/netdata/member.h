// An application, a container or a service: what its processes add up to.
#pragma once
#include <string>
#include "base/groups.h"

struct Member {
    std::string name;        // as it is shown
    Counters totals{};       // since the start of the plugin; they never fall
    unsigned processes = 0;  // that it has
    bool stirred = false;    // it has gained one, or counted something, since somebody looked
    int64_t alive = 0;       // when it was last seen to have one, ns of CLOCK_MONOTONIC
    bool hidden = false;     // its dimensions are
    bool service = false;
    bool shown = false;    // its charts are defined
    bool retired = false;  // they have been, and were made obsolete
    Counters sent{};       // what the agent knew last when that happened
    Counters before{};     // what others had counted whose charts these were
    std::string id{};      // its name in the ids of charts, once they are defined
};
