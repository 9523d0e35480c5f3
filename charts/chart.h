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

struct Face {  // of a chart, in one naming
    const char* id = nullptr;
    const char* title = nullptr;
    const char* units = nullptr;
    const char* family = nullptr;
    int priority = 0;
    int multiplier = 1, divisor = 1;  // what makes the counters into the units
};
#define KILOBITS 8, 1000

struct Chart {
    Face classic;
    Face current{};  // left out where the chart has one name only
    Dimension dimensions[4]{};  // as many as have an id
};

// A counter as it is shown for each application, container and service, whose names make the ids complete.
struct Share {
    int counter;
    int and_also = -1;                      // a second counter, added; or what stands in for the first
    Face apps{};                            // classic: one chart "apps.<id>" with a dimension an application
    Face app{};                             // current: a chart "app.<application>_<id>" each
    const char* app_dimension = "calls";    // of that
    Face cgroup{};                          // "<container>.<id>"; with services the same but for the context
    const char* context = nullptr;          // what follows "cgroup.", "services." and "systemd.service."
    const char* dimension_id = nullptr;     // of a container's chart
    const char* dimension_name = nullptr;
    const char* service_dimension = "calls";
    int service_priority = 0, classic_service_priority = 0;
    const char* service_family = nullptr;   // where it is not the container's
};

struct Group {
    const char* name;
    const char* module;  // as the agent shows it
    const char* title;   // as a person is told
    std::span<const Hook> hooks;
    std::span<const Chart> charts;
    std::span<const Share> shares;
    int first_counter, counters;  // numbered over all groups
    int first_hook;               // likewise
    const char* counter_names;    // "vfs_read_calls, vfs_read_errors, …", in the order of their numbers
    const char* table = nullptr;  // of the kernel side, that is the group's own: its name among TABLES
};

// The rows of a group's table (hook.h) as data.
constexpr int first_of(std::initializer_list<int> counters) { return counters.size() ? *counters.begin() : 0; }
#define TEXT(...) #__VA_ARGS__
#define TEXT_OF(...) TEXT(__VA_ARGS__)

#define HOOK_ROW(group, hook, kind_, ...) ALSO_ROW(group, hook, hook, kind_, __VA_ARGS__)
#define ALSO_ROW(group, hook, of, kind_, functions_, syscalls_, ...)       \
    Hook{.name = #hook,                                                     \
         .kind = KIND_##kind_,                                              \
         .first = first_of({COUNTERS_##kind_(group, of)}),                  \
         .functions = {UNWRAP functions_},                                  \
         .syscalls = TEXT syscalls_ __VA_OPT__(, ) __VA_ARGS__},
#define EVENT_ROW(group, hook, kind_, tracepoint, ...)                      \
    Hook{.name = #hook,                                                     \
         .kind = KIND_##kind_,                                              \
         .first = first_of({COUNTERS_##kind_(group, hook)}),                \
         .event = tracepoint __VA_OPT__(, ) __VA_ARGS__},
#define HOOK_ROWS(group) group##_HOOKS(HOOK_ROW, ALSO_ROW, EVENT_ROW)
