// T1, T2, T4, S: what the plugin's own work of a tick costs.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <bit>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>
#include "bench.h"
#include "bpf/slots.h"
#include "net/network.h"
#include "netdata/charts.h"
#include "netdata/member_charts.h"
#include "netdata/writer.h"
#include "who/processes.h"

namespace {

class File {
public:
    explicit File(int fd) : fd_(check(fd, "make a map")) {}
    ~File() { close(fd_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    operator int() const { return fd_; }

private:
    int fd_;
};

constexpr size_t record_bytes = 136;  // of the replica

int make_map(bpf_map_type type, size_t value, size_t entries, unsigned flags = 0) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
    return bpf_map_create(type, "bench", sizeof(uint32_t), static_cast<uint32_t>(value), static_cast<uint32_t>(entries),
                          &options);
}

void* map(int fd, size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) throw Error(fmt::format("map a table: {}", std::strerror(errno)), errno);
    return memory;
}

double resident() {
    long pages = 0;
    std::ifstream("/proc/self/statm") >> pages >> pages;
    return static_cast<double>(pages * sysconf(_SC_PAGESIZE));
}

// Real memory of BPF maps, filled by hand as the programs would.
class Threads {
public:
    Threads(size_t threads, size_t slots)
        : slots_fd_(make_map(BPF_MAP_TYPE_ARRAY, sizeof(slot), slots, BPF_F_MMAPABLE)),
          marks_fd_(make_map(BPF_MAP_TYPE_ARRAY, 64, slots / 64, BPF_F_MMAPABLE)),
          shared_(std::make_unique<state>()) {
        memory_.shared = shared_.get();
        memory_.table = {static_cast<slot*>(map(slots_fd_, slots * sizeof(slot))),
                         static_cast<uint8_t*>(map(marks_fd_, slots)), &shared_->tables[TABLE_slots], slots};
        int shift = 32 - std::countr_zero(slots);
        for (uint32_t tid = 1000; used_.size() < threads; tid += 3) {
            size_t at = TABLE_HASH(tid) >> shift;
            while (memory_.table.rows[at].tag) at = (at + 1) % slots;
            memory_.table.rows[at].tgid = memory_.table.rows[at].tag = tid;
            memory_.table.rows[at].life = LIFE_BORN;
            memory_.table.rows[at].since = tid;
            snprintf(memory_.table.rows[at].comm, sizeof memory_.table.rows[at].comm, "app%u", tid % 200);
            used_.push_back(at);
        }
        shared_->tables[TABLE_slots].claimed = threads;
    }
    ~Threads() {
        munmap(memory_.table.rows, memory_.table.count * sizeof(slot));
        munmap(memory_.table.marks, memory_.table.count);
    }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

    const SlotMemory& memory() const { return memory_; }

    void change(size_t one_in) {
        for (size_t i = turn_++ % one_in; i < used_.size(); i += one_in) {
            slot& s = memory_.table.rows[used_[i]];
            s.counters[write_calls]++;
            s.counters[write_bytes] += event_bytes;
            memory_.table.marks[used_[i]] = 1;
        }
    }

private:
    File slots_fd_, marks_fd_;
    std::unique_ptr<state> shared_;
    SlotMemory memory_;
    std::vector<size_t> used_;
    size_t turn_ = 0;
};

template <class Work>
double time_of(const Work& work) {
    int64_t begin = now_ns();
    work();
    return static_cast<double>(now_ns() - begin);
}

// The usual reading of a table: three system calls an entry.
void read_one_by_one(int map, std::vector<char>& value, uint64_t& sum) {
    uint32_t key = 0, *previous = nullptr;
    while (!bpf_map_get_next_key(map, previous, &key)) {
        if (!bpf_map_lookup_elem(map, &key, value.data())) sum += static_cast<unsigned char>(value[0]);
        sum += static_cast<uint64_t>(kill(getpid(), 0));
        previous = &key;
    }
}

void read_batches(int map, std::vector<uint32_t>& keys, std::vector<char>& values, uint64_t& sum) {
    uint32_t position = 0, *from = nullptr;
    for (bool more = true; more; from = &position) {
        auto n = static_cast<uint32_t>(keys.size());
        more = !bpf_map_lookup_batch(map, from, &position, keys.data(), values.data(), &n, nullptr);
        if (!more && errno != ENOENT) throw Error(fmt::format("read a batch: {}", std::strerror(errno)), errno);
        for (size_t i = 0; i < n; i++) sum += static_cast<unsigned char>(values[i * record_bytes]);
    }
}

void tick(Table& table, size_t processes, size_t slots) {
    Pinned pinned(allowed_cpus().front());
    Threads threads(processes, slots);
    Slots folded(threads.memory());
    std::vector<Counters> applications(64);
    folded.listen({.owner = [](const slot& who) { return Owner{who.tgid % 64}; },
                   .counted = [&](Owner who, int counter,
                                  uint64_t n) { applications[who.process][static_cast<size_t>(counter)] += n; }});

    size_t entries = std::max<size_t>(processes, 32768);
    File hash(make_map(BPF_MAP_TYPE_HASH, record_bytes, entries)),
        cpu_hash(make_map(BPF_MAP_TYPE_PERCPU_HASH, record_bytes, entries));
    std::vector<char> record(record_bytes * static_cast<size_t>(libbpf_num_possible_cpus()));
    for (uint32_t i = 0; i < processes; i++) {
        uint32_t key = 1000 + 3 * i;
        for (int map : {static_cast<int>(hash), static_cast<int>(cpu_hash)})
            check(bpf_map_update_elem(map, &key, record.data(), BPF_ANY), "fill a table");
    }
    std::vector<uint32_t> keys(4096);
    std::vector<char> values(keys.size() * record_bytes);
    uint64_t sum = 0;

    auto fold = [&](size_t one_in) {
        return [&, one_in] {
            threads.change(one_in);
            return time_of([&] { folded.fold(); });
        };
    };
    auto f = interleave({fold(100), fold(10), [&] { return time_of([&] { read_one_by_one(cpu_hash, record, sum); }); },
                         [&] { return time_of([&] { read_batches(hash, keys, values, sum); }); }});
    uint64_t heard = 0;
    for (const Counters& application : applications) heard += application[write_calls];
    if (heard != folded.totals()[write_calls] || !heard) throw Error("the fold lost something");

    std::string n = fmt::format("{} processes", processes);
    bool gated = processes == 60000;
    auto row = [&](const char* id, std::string what, const Figure& ours, const Figure& replica, double gate) {
        if (gated)
            table.ratio(id, std::move(what), ours, replica, gate);
        else
            table.told(id, std::move(what), text(ours), text(replica));
    };
    row("T1", "a tick, " + n + ", 1 % changed; entry by entry", f[0], f[2], 1. / 600);
    row("T1", "a tick, " + n + ", 10 % changed; entry by entry", f[1], f[2], 1. / 60);
    row("T2", "a tick, " + n + ", 10 % changed; in batches", f[1], f[3], 1. / 15);
}

// The whole of a tick with applications: 100 of them, with every chart; a tenth of the processes has done something.
void applications(Table& table, size_t processes, size_t slots) {
    Pinned pinned(allowed_cpus().front());
    std::string file = std::filesystem::temp_directory_path() / fmt::format("ebpf-bench-rules.{}", getpid());
    std::ofstream rules_text(file);
    for (int i = 0; i < 100; i++) rules_text << fmt::format("group{0}: app{0} app1{0}* *--name={0}*\n", i);
    rules_text.close();
    AppRules rules;
    std::vector<std::string> complaints;
    rules.read(file, complaints);
    std::filesystem::remove(file);

    Threads threads(processes, slots);
    Slots folded(threads.memory());
    threads.change(1);
    folded.fold();
    double before = resident();
    Processes known(std::move(rules), nullptr, "");
    folded.listen({.owner = [&](const slot& s) { return known.owner(s); },
                   .counted = [&](Owner who, int counter, uint64_t n) { known.counted(who, counter, n); },
                   .freed = [&](Owner who, const slot& s) { known.freed(who, s); }});
    threads.change(1);
    folded.fold();
    double bytes = (resident() - before) / static_cast<double>(processes);

    CounterSet all;
    all.fill(true);
    Config config;
    Charts charts(all, ChartNames::Classic, 1, {}, folded.totals());
    Counters missed{};
    MemberCharts shares(Audience::Apps, all, config, true, {}, known.apps(), missed);
    File null(open("/dev/null", O_WRONLY | O_CLOEXEC));
    Writer out(null);
    auto fold = [&] {
        threads.change(10);
        return time_of([&] {
            folded.fold();
            known.folded(false);
        });
    };
    auto whole = [&] {
        threads.change(10);
        return time_of([&] {
            folded.fold();
            known.folded(false);
            Tick at{.now = now_ns(), .is_update = true, .elapsed = 1000000};
            charts.print(out, at);
            shares.print(out, at);
            out.flush();
        });
    };
    auto f = interleave({fold, whole});
    uint64_t heard = 0;
    for (const Member& app : known.apps()) heard += app.totals[write_calls];
    if (known.count() != processes || heard + processes != folded.totals()[write_calls])
        throw Error(
            fmt::format("{} processes are known, {} of {} events", known.count(), heard, folded.totals()[write_calls]));
    std::string n = fmt::format("{} processes of 100 applications, 10 % changed", processes);
    if (processes == 60000) {
        table.limit("S1", "the fold, " + n, f[0], 1e6);
        table.limit("S2", "the whole tick with its text, " + n, f[1], 5e6);
        table.is("S3", "memory of a process beside its slot", fmt::format("{:.0f} bytes", bytes), "<= 1024 bytes",
                 bytes <= 1024);
        table.is("S4", "resident memory with all of it, slots twice", fmt::format("{:.1f} MB", resident() / 1e6),
                 "<= 64 MB", resident() <= 64e6);
    } else {
        table.told("S1", "the fold, " + n, text(f[0]), "");
        table.told("S2", "the whole tick with its text, " + n, text(f[1]), "");
    }
}

// The same for connections: half of them of 400 destinations, more than are charted, half of one service.
class Rows {
public:
    explicit Rows(size_t connections, size_t rows)
        : rows_fd_(make_map(BPF_MAP_TYPE_ARRAY, sizeof(connection), rows, BPF_F_MMAPABLE)),
          marks_fd_(make_map(BPF_MAP_TYPE_ARRAY, 64, rows / 64, BPF_F_MMAPABLE)),
          shared_(std::make_unique<state>()) {
        memory_.table = {static_cast<connection*>(map(rows_fd_, rows * sizeof(connection))),
                         static_cast<uint8_t*>(map(marks_fd_, rows)), &shared_->tables[TABLE_connections], rows};
        for (uint32_t i = 0; i < connections; i++) {
            uint32_t key = i + 1;
            size_t at = TABLE_HASH(key) >> (32 - std::countr_zero(rows));
            while (memory_.table.rows[at].tag) at = (at + 1) % rows;
            places_.push_back(at);
            connection& c = memory_.table.rows[at];
            bool inbound = i % 2;
            c = {.tag = CONNECTION_CLAIMED,
                 .life = CONNECTION_KNOWN | (inbound ? 0u + CONNECTION_INBOUND : 0u + CONNECTION_OUTBOUND),
                 .socket = key,
                 .remote = {0, 0, htonl(0xffff), htonl(0x0a000000 + (inbound ? i : i % 400))},
                 .local = {0, 0, htonl(0xffff), htonl(0x0a640001)},
                 .remote_port = static_cast<__u16>(inbound ? 1024 + i / 2 : 443),
                 .local_port = static_cast<__u16>(inbound ? 80 : 1024 + i / 2),
                 .protocol = IPPROTO_TCP,
                 .net_namespace = 1,
                 .tgid = 1000 + i % 1000};
        }
        shared_->tables[TABLE_connections].claimed = connections;
        change(1);
    }
    ~Rows() {
        munmap(memory_.table.rows, memory_.table.count * sizeof(connection));
        munmap(memory_.table.marks, memory_.table.count);
    }
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    const ConnectionMemory& memory() const { return memory_; }

    void change(size_t one_in) {
        for (size_t i = turn_++ % one_in; i < places_.size(); i += one_in) {
            connection& c = memory_.table.rows[places_[i]];
            c.bytes_sent += event_bytes;
            c.packets_sent++;
            memory_.table.marks[places_[i]] = 1;
        }
    }

private:
    File rows_fd_, marks_fd_;
    std::unique_ptr<state> shared_;
    ConnectionMemory memory_;
    std::vector<size_t> places_;
    size_t turn_ = 0;
};

void connections(Table& table) {
    constexpr size_t count = 100'000;
    Pinned pinned(allowed_cpus().front());
    Rows rows(count, 131'072);
    File null(open("/dev/null", O_WRONLY | O_CLOEXEC));
    Writer out(null);
    int64_t now = now_ns();
    double before = resident();
    Config config;
    config.update_every = 1;
    Threads none(64, 64);
    Slots slots(none.memory());
    Collectors all;
    Network network(config, rows.memory(), slots, all, "", nullptr);
    auto tick = [&] {
        now += 1'000'000'000;
        Tick at{.now = now, .is_update = true, .elapsed = 1'000'000};
        network.fold(at);
        network.print(out, at);
        network.viewer()->print(out, at);
        out.flush();
    };
    auto asks_kernel = [&] { return network.due() != Collector::never; };
    auto read_answer = [&] {
        while (asks_kernel()) network.work(out);
    };
    tick();
    read_answer();
    double bytes = (resident() - before) / static_cast<double>(count);
    auto usual = [&] {
        double ns = 0;
        do {
            rows.change(10);
            ns = time_of(tick);
        } while (asks_kernel() && (read_answer(), true));
        return ns;
    };
    auto looking = [&] {
        double ns = 0;
        do {
            rows.change(10);
            ns = time_of(tick);
        } while (!asks_kernel());
        read_answer();
        return ns;
    };
    auto f = interleave({usual, looking}, 21);
    std::string n = fmt::format("{} connections, 10 % changed", count);
    table.limit("S5", "a tick with the viewer's text, " + n, f[0], 2e6);
    table.limit("S5", "the same when the kernel is about to be asked for its sockets", f[1], 2e6);
    table.is("S6", "memory of a connection beside its row", fmt::format("{:.0f} bytes", bytes), "<= 256 bytes",
             bytes <= 256);
}

void chart_text(Table& table) {
    Pinned pinned(allowed_cpus().front());
    CounterSet all;
    all.fill(true);
    File null(open("/dev/null", O_WRONLY | O_CLOEXEC));
    Writer out(null);
    Counters totals;
    Charts charts(all, ChartNames::Classic, 1, {}, totals);
    std::iota(totals.begin(), totals.end(), 12345678);
    std::unique_ptr<FILE, Destroy<fclose>> stream(check(fopen("/dev/null", "w"), "open /dev/null"));
    constexpr int updates = 8;
    auto per_chart = [&](auto&& update) {
        update();
        return time_of([&] {
                   for (int i = 0; i < updates; i++) update();
               }) /
               updates / static_cast<double>(charts.size());
    };
    auto ours = [&] {
        usleep(1000);  // the whole takes a moment, so that some of it is undisturbed
        double ns = per_chart([&] { charts.print(out, {.elapsed = 1000000}); });
        out.flush();
        return ns;
    };
    auto replica = [&] {
        return per_chart([&] {
            for (const Group& group : groups)
                for (const Chart& chart : group.charts) {
                    fprintf(stream.get(), "BEGIN %s %lld\n", chart.classic_id ? chart.classic_id : chart.id, 1000000ll);
                    for (const Dimension& d : chart.dimensions)
                        fprintf(stream.get(), "SET %s = %lld\n", d.id,
                                static_cast<long long>(totals[static_cast<size_t>(group.first_counter + d.counter)]));
                    fprintf(stream.get(), "END\n");
                }
        });
    };
    auto f = interleave({ours, replica}, 601);
    // On the machine where this was set, 0.18 is 60 ns; nanoseconds alone would tell of its load.
    table.ratio("T4", fmt::format("the text of a chart, of {}; replica: fprintf", charts.size()), f[0], f[1], 0.18);
}

}  // namespace

void measure_ticks(Table& table) {
    table.section("T1", [&] { tick(table, 1000, 4096); });
    table.section("T1", [&] { tick(table, 10000, 65536); });
    table.section("T1", [&] { tick(table, 60000, 65536); });
    table.section("S1", [&] { applications(table, 1000, 4096); });
    table.section("S1", [&] { applications(table, 10000, 65536); });
    table.section("S1", [&] { applications(table, 60000, 65536); });
    table.section("S5", [&] { connections(table); });
    table.section("T4", [&] { chart_text(table); });
}
