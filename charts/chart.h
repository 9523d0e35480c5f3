// What hooks, charts and groups are to the plugin: plain data, built at compile time.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <span>

// How many counters of each sort a hook owns, in this order.
struct Kind {
    int calls = 0;   // known when the function is called
    int errors = 0;  // known when it returns; counted in load mode `return`
    int bytes = 0;   // known when it returns; always the bytes that moved
    bool by_hand = false;  // its bodies stand in kernel-collector/<group>.bpf.c
};
#define KIND_NOTHING {}
#define KIND_CALLS {.calls = 1}
#define KIND_CALLS_ERRORS {.calls = 1, .errors = 1}
#define KIND_CALLS_ERRORS_BYTES {.calls = 1, .errors = 1, .bytes = 1}
constexpr Kind by_hand(Kind kind) { return {kind.calls, kind.errors, kind.bytes, true}; }
#define KIND_BY_HAND(kind) by_hand(KIND_##kind)
#define KIND_PROGRAMS_BY_HAND(kind) by_hand(KIND_##kind)

enum class Need { WithGroup, IfPresent, WithIdentities, WithCgroups, InsteadOfPrevious, Always };  // see hook.h

struct Hook {
    const char* name;
    Kind kind;
    int first;                           // the first of its counters, numbered in the group
    const char* functions[3]{};          // the best first
    const char* event = nullptr;         // a tracepoint, for hooks that have no function
    const char* syscalls = "";           // the system calls that stand in, "" if none can
    const char* same_as = nullptr;       // a hook of another group, "group_hook", whose program serves this one too
    // The attributes of hook.h, in an order that rows keep.
    const char* by_socket = nullptr;
    const char* in_user_memory = nullptr;
    const char* shared_event = nullptr;
    bool event_first = false;
    const char* only_with = nullptr;
    bool tells_release = false;
    bool paired = false;
    Need need = Need::WithGroup;

    std::span<const char* const> function_names() const {
        return {functions, static_cast<size_t>(std::find(std::begin(functions), std::end(functions), nullptr) - functions)};
    }
};

struct Dimension {
    const char* id;
    const char* name;
    int counter;
    int multiplier = 1;
    const char* current_id = nullptr;  // in the current naming, where it differs
    int minus = -1;                    // if set, the dimension is a level: counter - minus
};

// What values are called, and what makes the counters into them.
struct Unit {
    const char* name = nullptr;
    int multiplier = 1, divisor = 1;
};
struct Units {
    Unit classic, current;
    const char* dimension = "";  // of an application's or a service's own chart
};
namespace units {
inline constexpr Units calls{{"calls"}, {"calls/s"}, "calls"};
inline constexpr Units bytes{{"bytes/s"}, {"bytes/s"}, "bytes"};
inline constexpr Units bits{{"bytes/s"}, {"kilobits/s", 8, 1000}, "bandwidth"};
inline constexpr Units connections{{"connections/s"}, {"connections/s"}, "connections"};
inline constexpr Units difference{{"difference"}, {"difference"}};
}

// Where the charts of a group stand: their family, which is the submenu, and the priority of the first.
struct Place {
    const char* family;
    int priority;
};
struct Places {
    Place classic, current;                  // of the whole system
    Place apps, app;                         // of applications, in the classic and in the current naming
    Place cgroup, service;                   // of containers and of services, in both
    int classic_service_priority = 0;        // where it is another than the current
    Unit apps_calls = units::calls.classic;  // of calls, in the classic charts of applications
};

// A chart of the whole system. The details are what most rows leave out.
struct ChartDetails {
    Units units{};              // left out: the first counter's name says
    int classic_at = -1;        // its place in the classic naming, where that is another
    const char* type = "line";  // or stacked, area, heatmap
};
struct Chart {
    const char* id;
    const char* classic_id;  // null: it came with the current naming, and is the same in both
    const char* title;
    int at;                  // its place among those of the group
    std::initializer_list<Dimension> dimensions;
    ChartDetails details{};
};

// A counter as it is charted for each member: an application, a container or a service, whose name makes the ids complete.
struct MemberChartDetails {
    int and_also = -1;                      // a second counter, added; or what stands in for the first
    Units units{};                          // left out: the counter's name says
    bool late = false;                      // the classic chart of applications has the current one's unit and family
    const char* app_title = nullptr;        // left out: that of containers, with a full stop
    const char* app_dimension = nullptr;    // left out: the units say
    const char* cgroup_title = nullptr;     // of containers and services, where it is another
    const char* cgroup_id = nullptr;        // likewise
    const char* dimension_id = nullptr;     // of a container's chart; left out: that of the system's with this counter
    int apps_at = -1, cgroup_at = -1;       // places that are others
};
struct MemberChart {
    int counter;
    const char* id;       // "apps.<id>", "services.<id>", "cgroup_<container>.<id>", "systemd_<service>.<id>"
    const char* title;
    const char* app_id;   // in the current naming, "app.<application>_<id>"
    const char* context;  // what follows "cgroup.", "services." and "systemd.service."
    int at;               // its place among those of the group
    MemberChartDetails details{};
};

// A switch of [ebpf programs].
struct Switch {
    const char* name;
    const char* older_name = nullptr;
    const char* governed_by = nullptr;  // a switch of the first releases, which holds where this one is not set
};

struct Group {
    const char* name;
    const char* module;  // as the agent shows it
    const char* title;   // as a person is told
    std::span<const Hook> hooks;
    const Places& places;
    std::span<const Chart> charts;
    std::span<const MemberChart> member_charts;
    int first_counter, counters;  // numbered over all groups
    int first_hook;               // likewise
    const char* counter_names;    // "vfs_read_calls, vfs_read_errors, …", in the order of their numbers
    const char* option;           // of the command line
    const char* help;
    Switch key;
    const char* table = nullptr;  // of the kernel side, that is the group's own: its name among TABLES
    bool sends_much = false;      // records, so that the ring must be larger
};

// The rows of a group's table (hook.h) as data.
constexpr int first_of(std::initializer_list<int> counters) { return counters.size() ? *counters.begin() : 0; }
#define TEXT(...) #__VA_ARGS__
#define TEXT_OF(...) TEXT(__VA_ARGS__)

#define HOOK_ROW(group, hook, kind_, ...) ALSO_ROW(group, hook, hook, kind_, __VA_ARGS__)
#define ALSO_ROW(group, hook, of, kind_, functions_, syscalls_, ...) \
    Hook{.name = #hook,                                              \
         .kind = KIND_##kind_,                                       \
         .first = first_of({COUNTERS_##kind_(group, of)}),           \
         .functions = {UNWRAP functions_},                           \
         .syscalls = TEXT syscalls_ __VA_OPT__(, ) __VA_ARGS__},
#define EVENT_ROW(group, hook, kind_, tracepoint, ...)                      \
    Hook{.name = #hook,                                                     \
         .kind = KIND_##kind_,                                              \
         .first = first_of({COUNTERS_##kind_(group, hook)}),                \
         .event = tracepoint __VA_OPT__(, ) __VA_ARGS__},
#define SAME_ROW(group, hook, kind_, of_group, of_hook)                     \
    Hook{.name = #hook,                                                     \
         .kind = KIND_##kind_,                                              \
         .first = first_of({COUNTERS_##kind_(group, hook)}),                \
         .same_as = #of_group "_" #of_hook},
#define HOOK_ROWS(group) group##_HOOKS(HOOK_ROW, ALSO_ROW, EVENT_ROW, SAME_ROW)
