#include "bpf/programs.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <bit>
#include <chrono>
#include <fstream>
#include <map>
#include "base/error.h"

// The object, compiled for what BPF can in a kernel: see struct Kernel.
extern "C" {
extern const char collector_v2[], collector_v2_end[], collector_v3[], collector_v3_end[], collector_v3_cast[],
    collector_v3_cast_end[];
}

namespace {

std::string libbpf_says;  // its first complaint: those that follow say less

int collect_complaint(libbpf_print_level level, const char* format, va_list arguments) {
    if (level != LIBBPF_WARN) return 0;
    char line[512];
    vsnprintf(line, sizeof line, format, arguments);
    if (!libbpf_says.empty() || !std::string_view(line).starts_with("libbpf: ")) return 0;
    libbpf_says = line + 8;
    if (!libbpf_says.empty() && libbpf_says.back() == '\n') libbpf_says.pop_back();
    return 0;
}

std::string reason(int code) {
    std::string text = std::strerror(code);
    switch (code) {
        case 524: return "not supported by this kernel (ENOTSUPP)";
        case EADDRNOTAVAIL: return text + " (of the kernel and its modules several functions have this name)";
        case ENOMEM:
            return text +
                   " (raise MemoryMax= of the agent's unit or the limit of its control group, or make the tables in "
                   "ebpf.conf smaller)";
        case EMFILE: return text + " (raise LimitNOFILE= of the agent's unit)";
        default: return text;
    }
}

// No way around it: whatever else is loaded would meet the same.
bool everybodys(int code) { return code == ENOMEM || code == EMFILE || code == ENFILE || code == EINTR; }

// The last line but the verifier's closing figures.
std::string last_words(const std::string& log) {
    std::string last;
    for (size_t from = 0; from < log.size();) {
        size_t end = std::min(log.find('\n', from), log.size());
        std::string line = log.substr(from, end - from);
        if (!line.empty() && !line.starts_with("processed ") && !line.starts_with("verification time")) last = line;
        from = end + 1;
    }
    return last;
}

// As many slots as asked for, else four times the threads that run now: open addressing wants room.
unsigned slot_count(unsigned asked) {
    unsigned wanted = asked;
    if (!asked) {
        std::ifstream file("/proc/loadavg");
        std::string skip;
        unsigned threads = 0;
        char slash;
        file >> skip >> skip >> skip >> threads >> slash >> threads;
        wanted = std::clamp(4 * threads, 4096u, 65536u);
    }
    return std::bit_ceil(wanted);
}

bool any_group(const Config& config, auto&& matches) {  // of those that are on
    for (size_t g = 0; g < GROUP_COUNT; g++)
        if (config.group_on[g] && matches(groups[g])) return true;
    return false;
}

// The same for connections. Without a group whose table it is none is ever looked at.
unsigned connection_count(const Config& config) {
    if (!any_group(config, [](const Group& g) { return g.table && g.table == std::string_view("connections"); }))
        return 64;
    unsigned wanted = config.connection_table_size;
    if (!wanted) {
        std::ifstream file("/proc/net/sockstat");
        unsigned sockets = 0, n;
        for (std::string word; file >> word;)
            if ((word == "alloc" || word == "inuse") && file >> n) sockets += n;
        wanted = std::clamp(4 * sockets, 4096u, 131072u);
    }
    return std::bit_ceil(wanted);
}

table_size size_of_table(unsigned rows) {
    return {.mask = rows - 1, .shift = 32 - static_cast<unsigned>(std::countr_zero(rows)), .wake_at = rows / 2};
}

// Closing a link waits for an RCU grace period, one after the other: seconds on some kernels. A forked child holds the links
// and closes them; we wait for it at most `patience`. They go with the child, so nothing is left.
//
// Not in a pid namespace: should its first process end meanwhile, which kills the child, kernels before 6.3 never finish
// either of the two (synchronize_rcu_tasks against zap_pid_ns_processes).
void let_go(std::vector<Link>& links) {
    constexpr auto patience = std::chrono::milliseconds(300);
    if (!in_first_pid_namespace()) return links.clear();
    int go[2];
    if (links.empty() || pipe2(go, O_CLOEXEC)) return;
    pid_t child = fork();
    if (child == 0) {
        char nothing;
        for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, go[1]}) close(fd);
        while (read(go[0], &nothing, 1) < 0 && errno == EINTR) {
        }  // until we hold the links alone
        _exit(0);
    }
    links.clear();
    for (int fd : go) close(fd);
    for (auto end = std::chrono::steady_clock::now() + patience;
         child > 0 && std::chrono::steady_clock::now() < end && waitpid(child, nullptr, WNOHANG) == 0;)
        usleep(5000);
}

// A descriptor of our own for what libbpf has opened.
Descriptor own(int fd) {
    Descriptor ours(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!ours) throw Error(fmt::format("duplicate a descriptor: {}", reason(errno)), errno);
    return ours;
}

}  // namespace

void Programs::Unmap::operator()(void* memory) const { munmap(memory, bytes); }

template <class T>
T* Programs::share(const std::string& map, size_t count) {
    size_t bytes = count * sizeof(T);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd(map), 0);
    if (memory == MAP_FAILED) throw Error(fmt::format("map {} into memory: {}", map, reason(errno)), errno);
    shared_.push_back({map, {memory, Unmap{bytes}}});
    return static_cast<T*>(memory);
}

template <class Row>
TableMemory<Row> Programs::share_table(const std::string& name, unsigned number, size_t rows) {
    return {.rows = share<Row>(name, rows),
            .marks = share<uint8_t>(name + "_marks", rows),
            .use = &memory_.shared->tables[number],
            .count = rows,
            .claims_fd = map_fd(name + "_claims")};
}

Programs::Programs(const Kernel& kernel, const Config& config, Plan plan, TableSizes sizes) : plan_(std::move(plan)) {
    left_out_.missed.resize(HOOKS);
    libbpf_set_print(collect_complaint);
    libbpf_says.clear();
    open(kernel);
    select();
    configure(kernel, config, sizes);
    load(kernel);
    take_maps();
    share_memory(sizes);
    for (const Attachment& a : plan_.attachments) attach(a);
    memory_.shared->complete = 1;
    object_.reset();
    map_bytes_ = sum_of_maps();
}

void Programs::open(const Kernel& kernel) {
    std::string btf = kernel.types_path();
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "netdata_ebpf",
                .btf_custom_path = btf.empty() ? nullptr : btf.c_str());
    auto elf = !kernel.compare_exchange ? std::span(collector_v2, collector_v2_end)
               : !kernel.casts          ? std::span(collector_v3, collector_v3_end)
                                        : std::span(collector_v3_cast, collector_v3_cast_end);
    object_.reset(check(bpf_object__open_mem(elf.data(), elf.size(), &options), "open the eBPF object"));
}

// The programs that are planned, each with its target.
void Programs::select() {
    for (const Attachment& a : plan_.attachments) {
        bpf_program* p = program(a);
        bpf_program__set_autoload(p, true);
        if (a.way == Way::ProbeMulti) bpf_program__set_expected_attach_type(p, BPF_TRACE_KPROBE_MULTI);
        if (a.way != Way::Tracepoint && a.way != Way::Trampoline) continue;
        errno = -bpf_program__set_attach_target(p, 0, a.target.c_str());
        if (errno) throw Refusal{a.hook, a.way, a.part, fmt::format("{}: {}", a.target, libbpf_says)};
    }
}

void Programs::configure(const Kernel& kernel, const Config& config, TableSizes sizes) {
    settings set{};
    set.tables[TABLE_slots] = size_of_table(sizes.slots);
    set.tables[TABLE_connections] = size_of_table(sizes.connections);
    set.returns = config.returns();
    set.identities = config.identities();
    set.commands = config.apps && kernel.reads_memory;
    set.reads_memory = kernel.reads_memory;
    for (const Attachment& a : plan_.attachments) {
        HookRef ref = hook_ref(a.hook);
        if (auto function = kernel.functions.find(a.target); function != kernel.functions.end())
            set.arguments[a.hook] = static_cast<__u8>(function->second);
        set.by_event[a.hook] = a.way == Way::Tracepoint;
        set.by_call[a.hook] = a.way == Way::Syscalls && ref.hook.by_socket;
        if (config.group_on[ref.group_id()]) set.counting[a.hook] = set.counting[a.programs_hook()] = true;
        if (a.part != Part::Return) continue;
        set.paired[a.hook] = true;
        if (ref.hook.kind.by_hand) set.note_of[a.hook] = set.notes++;
    }
    check(bpf_map__set_initial_value(map(".rodata.settings"), &set, sizeof set), "write the settings");

    bool much = set.commands || any_group(config, [](const Group& g) { return g.sends_much; });
    size_maps(sizes, much ? 128 << 10 : 4096);  // 250 command lines, 600 connections; at half of that we are woken
    bpf_map__set_max_entries(map("notes"), std::max(1u, set.notes * sizes.slots));
}

void Programs::size_maps(TableSizes sizes, size_t record_bytes) {
    for (auto [name, entries] : {std::pair{"slots", sizes.slots},
                                 {"slots_marks", sizes.slots / 64},
                                 {"slots_claims", sizes.slots},
                                 {"connections", sizes.connections},
                                 {"connections_marks", sizes.connections / 64},
                                 {"connections_claims", sizes.connections},
                                 {"connections_index", sizes.connections},
                                 {"records", static_cast<unsigned>(record_bytes)}})
        if (bpf_map* m = map(name)) bpf_map__set_max_entries(m, entries);
}

void Programs::load(const Kernel& kernel) {
    constexpr size_t log_size = 1 << 20;  // touched only by a program that is refused; kernels before 6.4 want it whole
    std::map<bpf_program*, std::unique_ptr<char[]>> logs;
    for (const Attachment& a : plan_.attachments) {
        auto [log, is_new] = logs.try_emplace(program(a));
        if (!is_new) continue;
        log->second.reset(new char[log_size]);
        log->second[0] = 0;
        bpf_program__set_log_buf(log->first, log->second.get(), log_size);
    }
    int code = -bpf_object__load(object_.get());
    if (!code) return;
    if (everybodys(code)) throw Error(fmt::format("load the eBPF programs: {}", reason(code)), code);
    for (const Attachment& a : plan_.attachments)
        if (const auto& log = logs[program(a)]; log[0])
            throw Refusal{a.hook, a.way, a.part,
                          fmt::format("{}: the kernel refuses the program ({}): {}", a.target, reason(code),
                                      kernel.reads_memory ? last_words(log.get())
                                                          : "under lockdown (confidentiality) it may not read the "
                                                            "function's arguments")};
    throw Error(fmt::format("load the eBPF programs: {} ({})", reason(code), libbpf_says), code);
}

void Programs::take_maps() {
    bpf_map* map;
    bpf_object__for_each_map(map, object_.get()) maps_.emplace(bpf_map__name(map), own(bpf_map__fd(map)));
}

void Programs::share_memory(TableSizes sizes) {
    memory_.shared = share<state>(".data.state", 1);
    memory_.table = share_table<slot>("slots", TABLE_slots, sizes.slots);
    memory_.overflow_fd = map_fd("overflow");
    memory_.releases = std::any_of(plan_.attachments.begin(), plan_.attachments.end(),
                                   [](const Attachment& a) { return hook_ref(a.hook).hook.tells_release; });
    connections_ = {share_table<connection>("connections", TABLE_connections, sizes.connections),
                    map_fd("connections_index")};
    auto consume = [](void* self, void* data, size_t size) {
        static_cast<Programs*>(self)->records_.consume(data, size);
        return 0;
    };
    ring_.reset(check(ring_buffer__new(map_fd("records"), consume, this, nullptr), "open the ring buffer"));
}

Programs::~Programs() {
    std::vector<Link> links;
    for (Loaded& loaded : programs_) links.push_back(std::move(loaded.link));
    let_go(links);
}

void Programs::attach(const Attachment& a) {
    std::string name = a.program();
    auto same = std::find_if(programs_.begin(), programs_.end(), [&](const Loaded& l) { return l.name == name; });
    if (same != programs_.end()) {
        same->hooks.push_back(a.hook);
        return;
    }
    bpf_program* p = program(a);
    errno = 0;
    if (Link attached{link(a, p)}) {
        programs_.push_back({std::move(name), own(bpf_program__fd(p)), std::move(attached), {a.hook}});
        return;
    }
    int code = errno;
    if (everybodys(code)) throw Error(fmt::format("attach to {}: {}", a.target, reason(code)), code);
    bool whole_way = code == 524 || code == EOPNOTSUPP || code == EPERM || code == EACCES ||
                     (a.way == Way::ProbeMulti && code == EINVAL);
    throw Refusal{whole_way ? -1 : a.hook, a.way, a.part,
                  whole_way ? fmt::format("attaching by {}: {}", name_of(a.way), reason(code))
                            : fmt::format("attaching {} to {}: {}", name_of(a.way), a.target, reason(code))};
}

bpf_link* Programs::link(const Attachment& a, bpf_program* p) const {
    switch (a.way) {
        case Way::Probe: return bpf_program__attach_kprobe(p, a.part == Part::Return, a.target.c_str());
        case Way::ProbeMulti: {
            const char* function = a.target.c_str();
            LIBBPF_OPTS(bpf_kprobe_multi_opts, options, .syms = &function, .cnt = 1,
                        .retprobe = a.part == Part::Return);
            return bpf_program__attach_kprobe_multi_opts(p, nullptr, &options);
        }
        default: return bpf_program__attach_trace(p);
    }
}

bpf_program* Programs::program(const Attachment& a) const {
    return check(bpf_object__find_program_by_name(object_.get(), a.program().c_str()), "find program {}", a.program());
}

bpf_map* Programs::map(const std::string& name) const {
    return bpf_object__find_map_by_name(object_.get(), name.c_str());
}

int Programs::map_fd(const std::string& name) const {
    auto found = maps_.find(name);
    return found == maps_.end() ? -1 : found->second.get();
}

int Programs::records_fd() const { return ring_buffer__epoll_fd(ring_.get()); }

void Programs::consume() {
    ring_buffer__consume(ring_.get());
    memory_.shared->asked = 0;
}

bool Programs::Loaded::serves_only(size_t group) const {
    return std::all_of(hooks.begin(), hooks.end(), [group](int hook) { return hook_ref(hook).group_id() == group; });
}

void Programs::Loaded::add_to(Statistics& all) const {
    bpf_prog_info info{};
    __u32 size = sizeof info;
    if (bpf_obj_get_info_by_fd(program.get(), &info, &size)) return;
    all.run_time_ns += info.run_time_ns;
    if (size_t group = hook_ref(hooks[0]).group_id(); serves_only(group)) all.run_time_of[group] += info.run_time_ns;
    all.missed_runs += info.recursion_misses;
    for (int hook : hooks) all.missed[static_cast<size_t>(hook)] += info.recursion_misses;
}

Programs::Statistics Programs::statistics() const {
    Statistics all = left_out_;
    for (const Loaded& program : programs_) program.add_to(all);
    return all;
}

bool Programs::is_optional(size_t group) const {
    bool any = false;
    for (const Loaded& program : programs_)
        for (int hook : program.hooks) {
            HookRef ref = hook_ref(hook);
            if (ref.group_id() != group) continue;
            if (ref.hook.need != Need::WithGroup && ref.hook.need != Need::IfPresent) return false;
            any |= program.serves_only(group);
        }
    return any;
}

void Programs::leave_out(size_t group, const std::string& why) {
    std::vector<Link> links;
    for (size_t i = programs_.size(); i-- > 0;) {
        if (!programs_[i].serves_only(group)) continue;
        programs_[i].add_to(left_out_);
        links.push_back(std::move(programs_[i].link));
        programs_.erase(programs_.begin() + static_cast<ptrdiff_t>(i));
    }
    let_go(links);
    std::erase_if(plan_.attachments, [&](const Attachment& a) {
        if (hook_ref(a.hook).group_id() != group) return false;
        if (plan_.missing.empty() || plan_.missing.back().hook != a.hook) plan_.missing.push_back({a.hook, why});
        return true;
    });
    if (groups[group].table) give_back(groups[group].table);
    map_bytes_ = sum_of_maps();
}

void Programs::give_back(const std::string& table) {
    std::erase_if(shared_, [&](const Mapping& m) { return m.map == table || m.map == table + "_marks"; });
    if (table == "connections") connections_ = {};
    for (const char* end : {"", "_marks", "_claims", "_index"}) maps_.erase(table + end);
}

uint64_t Programs::sum_of_maps() const {
    uint64_t bytes = 0;
    for (const auto& [name, map] : maps_) {
        std::ifstream about(fmt::format("/proc/self/fdinfo/{}", map.get()));
        for (std::string word; about >> word;)
            if (uint64_t n; word == "memlock:" && about >> n) bytes += n;
    }
    return bytes;
}

Programs start_programs(const Kernel& kernel, const Config& config) {
    TableSizes sizes{slot_count(config.pid_table_size), connection_count(config)};
    std::vector<Refusal> refusals;
    for (;;) {
        Plan plan = make_plan(kernel, config, refusals);
        if (plan.attachments.empty()) {
            std::string why;
            for (const Missing& m : plan.missing)
                if (why.find(m.why) == std::string::npos) why += (why.empty() ? "" : "; ") + m.why;
            throw Error("nothing can be counted on this kernel: " + why);
        }
        try {
            return Programs(kernel, config, std::move(plan), sizes);
        } catch (Refusal& refusal) {  // each round leaves out one attachment more, so that this ends
            refusals.push_back(std::move(refusal));
        }
    }
}
