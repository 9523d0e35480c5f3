// What the benchmarks share.
#include "bench.h"
#include <bpf/bpf.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <bit>
#include <chrono>

int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

std::string text(const Figure& figure) {
    auto [unit, name] = figure.p10 >= 1e6   ? std::pair{1e6, "ms"}
                        : figure.p10 >= 1e4 ? std::pair{1e3, "us"}
                                            : std::pair{1., "ns"};
    return fmt::format("{:.1f} ({:.1f}) {}", figure.p10 / unit, figure.p50 / unit, name);
}

std::vector<Figure> interleave(const std::vector<std::function<double()>>& variants, int samples) {
    std::vector<std::vector<double>> values(variants.size());
    for (int i = 0; i < samples; i++)
        for (size_t v = 0; v < variants.size(); v++) values[v].push_back(variants[v]());
    std::vector<Figure> figures;
    for (auto& v : values) {
        std::sort(v.begin(), v.end());
        figures.push_back({v[v.size() / 10], v[v.size() / 2]});
    }
    return figures;
}

void Table::ratio(std::string id, std::string what, const Figure& ours, const Figure& replica, double gate) {
    // A gate below a tenth is better read as one part of so many.
    auto as_text = [gate](double ratio) {
        return gate < 0.1 ? fmt::format("1/{:.0f}", 1 / ratio) : fmt::format("{:.2f}", ratio);
    };
    double p10 = ours.p10 / replica.p10;
    print({std::move(id), std::move(what), text(ours), text(replica), as_text(p10), "<= " + as_text(gate),
           p10 <= gate ? Verdict::Pass : Verdict::Fail});
}

void Table::limit(std::string id, std::string what, const Figure& ours, double gate) {
    auto [unit, name] = gate >= 1e6 ? std::pair{1e6, "ms"} : std::pair{1., "ns"};
    print({std::move(id), std::move(what), text(ours), "", "", fmt::format("<= {:.0f} {}", gate / unit, name),
           ours.p10 <= gate ? Verdict::Pass : Verdict::Fail});
}

void Table::told(std::string id, std::string what, std::string ours, std::string replica, std::string gate) {
    print({std::move(id), std::move(what), std::move(ours), std::move(replica), "", std::move(gate), Verdict::Told});
}

void Table::is(std::string id, std::string what, std::string ours, std::string gate, bool pass, std::string replica) {
    print({std::move(id), std::move(what), std::move(ours), std::move(replica), "", std::move(gate),
           pass ? Verdict::Pass : Verdict::Fail});
}

void Table::skipped(std::string id, const std::string& why) {
    print({std::move(id), why, "", "", "", "", Verdict::Skipped});
}

void Table::section(const std::string& id, const std::function<void()>& measure) try {
    measure();
} catch (const Error& e) {
    skipped(id, e.what());
}

void Table::print(const Row& row) {
    failed_ |= row.verdict == Verdict::Fail;
    all_skipped_ &= row.verdict == Verdict::Skipped;
    const char* verdicts[] = {"pass", "FAIL", "-", "skipped"};
    auto line = [this](auto&&... cells) {
        if (markdown_)
            fmt::print("| {} | {} | {} | {} | {} | {} | {} |\n", cells...);
        else
            fmt::print("{:<2} {:<63} {:>19} {:>19} {:>6} {:>9} {}\n", cells...);
    };
    if (!begun_) line("id", "what", "ours", "replica", "ratio", "gate", "");
    if (!begun_ && markdown_) line("---", "---", "---:", "---:", "---:", "---:", "---");
    begun_ = true;
    line(row.id, row.what, row.ours, row.replica, row.ratio, row.gate, verdicts[static_cast<int>(row.verdict)]);
    std::fflush(stdout);
}

std::vector<int> allowed_cpus() {
    cpu_set_t set;
    check(sched_getaffinity(0, sizeof set, &set), "ask for the CPUs");
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

Pinned::Pinned(int cpu) {
    check(sched_getaffinity(0, sizeof before_, &before_), "ask for the CPUs");
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    check(sched_setaffinity(0, sizeof set, &set), "stay on CPU {}", cpu);
    priority_ = getpriority(PRIO_PROCESS, 0);
    setpriority(PRIO_PROCESS, 0, -20);
}

Pinned::~Pinned() {
    sched_setaffinity(0, sizeof before_, &before_);
    setpriority(PRIO_PROCESS, 0, priority_);
}

BenchObject::BenchObject(std::span<const char> elf, const std::vector<const char*>& programs, const Loading& loading)
    : connections_(loading.connections) {
    libbpf_set_print(nullptr);
    object_.reset(check(bpf_object__open_mem(elf.data(), elf.size(), nullptr), "open the benchmarks' programs"));
    for (const char* name : programs) bpf_program__set_autoload(program(name), true);
    for (const char* name : programs)
        for (int id = 0; id < HOOKS; id++)
            if (HookRef hook = hook_ref(id); hook.hook.event && hook.name() + "__tp_btf" == name)
                bpf_program__set_attach_target(program(name), 0, hook.hook.event);

    // The two that tell of every socket stand for several hooks, and have their event's name.
    for (const char* event : {"sock_send_length", "sock_recv_length"})
        if (bpf_program* p = bpf_object__find_program_by_name(object_.get(), fmt::format("{}__tp_btf", event).c_str()))
            if (bpf_program__autoload(p)) bpf_program__set_attach_target(p, 0, event);

    settings set{};
    auto sized = [&](unsigned rows) {
        auto log = static_cast<unsigned>(std::countr_zero(rows));
        return table_size{rows - 1, 32 - log, loading.wakes ? rows / 2 : UINT32_MAX};
    };
    set.tables[TABLE_slots] = sized(loading.slots);
    set.tables[TABLE_connections] = sized(loading.connections);
    set.arguments[number(vfs_hook_base, vfs_write)] = 1;  // the prctl's option; what follows is the result
    set.counting[number(process_hook_base, process_exit)] = loading.counts_exits;
    set.by_event[number(socket_hook_base, socket_tcp_send)] = true;
    set.by_event[number(socket_hook_base, socket_tcp_receive)] = true;
    const ::bench own{.option = own_option(), .port = loading.port};
    auto initialize = [this](const char* map, const void* value, size_t size) {
        bpf_map* m = check(bpf_object__find_map_by_name(object_.get(), map), "find {}", map);
        check(bpf_map__set_initial_value(m, value, size), "set {}", map);
    };
    initialize(".rodata.settings", &set, sizeof set);
    initialize(".rodata.bench", &own, sizeof own);
    for (auto [name, entries] : {std::pair{"slots", loading.slots},
                                 {"slots_marks", loading.slots / 64},
                                 {"slots_claims", loading.slots},
                                 {"connections", loading.connections},
                                 {"connections_marks", loading.connections / 64},
                                 {"connections_claims", loading.connections},
                                 {"connections_index", loading.connections},
                                 {"records", loading.record_bytes}})
        if (bpf_map* m = bpf_object__find_map_by_name(object_.get(), name)) bpf_map__set_max_entries(m, entries);
    check(bpf_object__load(object_.get()), "load the benchmarks' programs");

    memory_.shared = &data<state>(".data.state");
    memory_.table = {.rows = static_cast<slot*>(share("slots", loading.slots * sizeof(slot))),
                     .marks = static_cast<uint8_t*>(share("slots_marks", loading.slots)),
                     .use = &memory_.shared->tables[TABLE_slots],
                     .count = loading.slots,
                     .claims_fd = bpf_object__find_map_fd_by_name(object_.get(), "slots_claims")};
    memory_.overflow_fd = map("overflow");

    uint64_t on = 1;
    for (uint32_t which : {0u, 1u}) bpf_map_update_elem(map("replica_switches"), &which, &on, BPF_ANY);
}

ConnectionMemory BenchObject::connections() {
    return {{.rows = static_cast<connection*>(share("connections", connections_ * sizeof(connection))),
             .marks = static_cast<uint8_t*>(share("connections_marks", connections_)),
             .use = &memory_.shared->tables[TABLE_connections],
             .count = connections_,
             .claims_fd = bpf_object__find_map_fd_by_name(object_.get(), "connections_claims")},
            bpf_object__find_map_fd_by_name(object_.get(), "connections_index")};
}

BenchObject::~BenchObject() {
    for (auto memory : shared_) munmap(memory.data(), memory.size());
}

bpf_program* BenchObject::program(const char* name) const {
    return check(bpf_object__find_program_by_name(object_.get(), name), "find the program {}", name);
}

int BenchObject::map(const char* name) const {
    return check(bpf_object__find_map_fd_by_name(object_.get(), name), "find the map {}", name);
}

void* BenchObject::share(const char* name, size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map(name), 0);
    if (memory == MAP_FAILED) throw Error(fmt::format("map {} into memory: {}", name, std::strerror(errno)), errno);
    shared_.emplace_back(static_cast<char*>(memory), bytes);
    return memory;
}

uint64_t BenchObject::missed(const char* name) const {
    bpf_prog_info info{};
    __u32 size = sizeof info;
    check(bpf_obj_get_info_by_fd(bpf_program__fd(program(name)), &info, &size), "ask about {}", name);
    return info.recursion_misses;
}

Link BenchObject::attach(const char* name) const {
    return Link(check(bpf_program__attach(program(name)), "attach {}", name));
}

void BenchObject::run(const char* name) const {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    check(bpf_prog_test_run_opts(bpf_program__fd(program(name)), &options), "run {}", name);
}

uint32_t own_option() { return 0x7e000000u | static_cast<uint32_t>(getpid()); }

void make_events(uint32_t option, int n) {
    for (int i = 0; i < n; i++) syscall(SYS_prctl, option, event_bytes, 0, 0, 0);
}
