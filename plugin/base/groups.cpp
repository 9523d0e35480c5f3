#include "base/groups.h"
#include <algorithm>

const std::string& counter_name(int counter) {
    static const auto names = [] {
        std::array<std::string, COUNTERS> all;
        for (const Group& group : groups) {
            auto at = static_cast<size_t>(group.first_counter);
            for (const char* c = group.counter_names; *c; c++)
                if (*c == ',')
                    at++;
                else if (*c != ' ')
                    all[at] += *c == '_' ? ' ' : *c;
        }
        return all;
    }();
    return names[static_cast<size_t>(counter)];
}
