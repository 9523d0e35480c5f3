// The tables of charts/, and what follows from them alone.
#pragma once
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include "shared/settings.h"

using Counters = std::array<uint64_t, COUNTERS>;  // totals, numbered over all groups
using CounterSet = std::array<bool, COUNTERS>;

struct HookRef {  // a hook by its number over all groups
    const Group& group;
    const Hook& hook;
    int id;

    std::string name() const { return std::string(group.name) + "_" + hook.name; }
    int first_counter() const { return group.first_counter + hook.first; }
    size_t group_id() const { return static_cast<size_t>(&group - groups); }
};

inline HookRef hook_ref(int id) {
    for (const Group& group : groups)
        if (id < group.first_hook + static_cast<int>(group.hooks.size()))
            return {group, group.hooks[id - group.first_hook], id};
    throw std::out_of_range("no such hook");
}

// A hook of the group by its name in the table; throws if it has none.
inline HookRef hook_named(const Group& group, std::string_view name) {
    for (int id = group.first_hook; const Hook& hook : group.hooks) {
        if (hook.name == name) return {group, hook, id};
        id++;
    }
    throw std::out_of_range(std::string(name));
}

const std::string& counter_name(int counter);  // "vfs read calls"
