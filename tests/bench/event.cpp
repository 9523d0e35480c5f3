// E: what an event costs where it happens.
#include <unistd.h>
#include <algorithm>
#include <barrier>
#include <thread>
#include "bench.h"
#include "loopback.h"

namespace {

// The cost of one prctl(2) while these programs are attached: the best of some short loops, for the machine is shared.
double prctl_ns(const BenchObject& object, const std::vector<const char*>& programs) {
    constexpr int loops = 8, events = 1500;
    std::vector<Link> links;
    for (const char* program : programs) links.push_back(object.attach(program));
    make_events(own_option(), 300);
    int64_t best = INT64_MAX;
    for (int i = 0; i < loops; i++) {
        int64_t begin = now_ns();
        make_events(own_option(), events);
        best = std::min(best, now_ns() - begin);
    }
    return static_cast<double>(best) / events;
}

// The same on each of these CPUs at once; the mean.
double prctl_ns_at_once(const BenchObject& object, const char* program, std::span<const int> cpus) {
    constexpr int events = 10000;
    Link link = object.attach(program);
    std::vector<double> ns(cpus.size());
    std::barrier ready(static_cast<std::ptrdiff_t>(cpus.size()));
    auto work = [&](size_t i) {
        Pinned pinned(cpus[i]);
        make_events(own_option(), 1000);
        ready.arrive_and_wait();
        int64_t begin = now_ns();
        make_events(own_option(), events);
        ns[i] = static_cast<double>(now_ns() - begin) / events;
        make_events(own_option(), 1000);  // nobody measures alone
    };
    {
        std::vector<std::jthread> threads;
        for (size_t i = 0; i < cpus.size(); i++) threads.emplace_back(work, i);
    }
    double sum = 0;
    for (double n : ns) sum += n;
    return sum / static_cast<double>(cpus.size());
}

void hot(Table& table) {
    Pinned pinned(allowed_cpus().front());
    // How fast a program is depends on where in memory the kernel has put it: the best of several loads, for each alike.
    constexpr int loads = 6, samples = 25;
    std::vector<Figure> f;
    for (int load = 0; load < loads; load++) {
        BenchObject object({bench_v3, bench_v3_end},
                           {"empty", "second", "ours", "ours_and_more", "replica_hash", "replica_cpu_hash"});
        auto attached = [&object](std::vector<const char*> programs) {
            return [&object, programs = std::move(programs)] { return prctl_ns(object, programs); };
        };
        auto now =
            interleave({attached({}), attached({"empty"}), attached({"ours"}), attached({"replica_hash"}),
                        attached({"replica_cpu_hash"}), attached({"ours_and_more"}), attached({"ours", "second"})},
                       samples);
        if (f.empty()) f = now;
        for (size_t i = 0; i < f.size(); i++) f[i] = cheaper(f[i], now[i]);
    }
    Figure none = f[0], empty = f[1], ours = f[2], replica = cheaper(f[3], f[4]), more = f[5], second = f[6];
    table.ratio("E1", "an event, hot, over an empty program", ours - empty, replica - empty, 0.22);
    // No gate: most of it is the kernel's own dispatch, the same for both, which differs between machines.
    table.told("E2", "an event, hot, with its dispatch", text(ours - none), text(replica - none));
    table.told("E6", "one more counter; replica: a second program", text(more - ours), text(second - ours), "<= 3 ns");
}

double test_run_ns(const BenchObject& object, const char* program, uint32_t events) {
    int64_t begin = now_ns();
    object.run(program);
    return static_cast<double>(now_ns() - begin) / events;
}

void cold(Table& table) {
    constexpr uint32_t threads = 32768, events = 8000;
    Pinned pinned(allowed_cpus().front());
    const std::vector<const char*> programs = {"empty_events", "our_events", "replica_hash_events",
                                               "replica_cpu_hash_events"};
    BenchObject object({bench_keys, bench_keys_end}, programs, {.slots = 65536});
    auto& keys = object.data<::keys>(".data.keys");
    keys = {.events = threads, .first = 1000, .mask = threads - 1, .random = 0, .bytes = event_bytes};
    for (const char* program : programs) object.run(program);  // the first event of each thread
    if (object.memory().table.use->claimed != threads) throw Error("not every thread got a slot");
    keys.random = 1, keys.events = events;
    auto run = [&](const char* program) {
        return [&object, program] {
            usleep(3000);  // the whole takes seconds, some of them with an idle sibling CPU: else fewer misses overlap
            return test_run_ns(object, program, events);
        };
    };
    auto f = interleave({run(programs[0]), run(programs[1]), run(programs[2]), run(programs[3])}, 301);
    table.ratio("E3", "an event, cold, of one of 32,768 threads", f[1] - f[0], cheaper(f[2], f[3]) - f[0], 0.25);
}

void contended(Table& table) {
    std::vector<int> cpus = allowed_cpus();
    if (cpus.size() < 2) return table.skipped("E4", "needs two CPUs");
    cpus.resize(2);
    std::span<const int> two(cpus), one = two.first(1);
    BenchObject object({bench_v3, bench_v3_end}, {"empty", "ours", "replica_hash", "replica_cpu_hash"});
    // CPUs that share a core slow each other down, whatever runs there; and what else runs there changes all the time.
    // So each growth is set against that of the empty program, measured in the same moment; and of those the median.
    constexpr const char* programs[] = {"ours", "replica_hash", "replica_cpu_hash"};
    auto growth = [&](const char* program) {
        return prctl_ns_at_once(object, program, two) / prctl_ns_at_once(object, program, one);
    };
    std::vector<double> growths[std::size(programs)];
    for (int i = 0; i < usual_samples; i++) {
        double base = growth("empty");
        for (size_t p = 0; p < std::size(programs); p++) growths[p].push_back(growth(programs[p]) / base);
    }
    for (auto& g : growths) std::nth_element(g.begin(), g.begin() + usual_samples / 2, g.end());
    auto median = [&](size_t p) { return growths[p][usual_samples / 2]; };
    table.is("E4", "an event on two CPUs at once, against on one; replica: hash, by CPU",
             fmt::format("{:.2f}", median(0)), "<= 1.15", median(0) <= 1.15,
             fmt::format("{:.2f}, {:.2f}", median(1), median(2)));
}

void first(Table& table) {
    constexpr uint32_t threads = 1024;
    Pinned pinned(allowed_cpus().front());
    const std::vector<const char*> programs = {"empty_events", "our_events", "replica_hash_events",
                                               "replica_cpu_hash_events"};
    BenchObject object({bench_keys, bench_keys_end}, programs);
    auto& keys = object.data<::keys>(".data.keys");
    keys = {.events = threads, .first = 1000, .mask = UINT32_MAX, .random = 0, .bytes = event_bytes};
    auto fresh = [&](const char* program) {
        return [&, program] {
            keys.first += threads;
            std::memset(static_cast<void*>(object.memory().table.rows), 0, object.memory().table.count * sizeof(slot));
            return test_run_ns(object, program, threads);
        };
    };
    constexpr int samples = 25;  // the replica's tables are never emptied
    auto f = interleave({fresh(programs[0]), fresh(programs[1]), fresh(programs[2]), fresh(programs[3])}, samples);
    table.told("E5", "the first event of a thread", text(f[1] - f[0]), text(cheaper(f[2], f[3]) - f[0]), "<= 150 ns");
}

// The sender holds back what it is given, so that a send is cheap and nothing else happens in it.
class CorkedConnection {
public:
    CorkedConnection() : client_(listener_.connect()), server_(listener_.accept()) {
        client_.set(IPPROTO_TCP, TCP_CORK, 1);
    }

    double send_ns() const {
        constexpr int loops = 8, sends = 300;
        constexpr size_t bytes = 64;
        int64_t best = INT64_MAX;
        for (int i = 0; i < loops; i++) {
            int64_t begin = now_ns();
            for (int n = 0; n < sends; n++) client_.send(bytes);
            best = std::min(best, now_ns() - begin);
            client_.set(IPPROTO_TCP, TCP_CORK, 0);
            server_.receive(sends * bytes);
            client_.set(IPPROTO_TCP, TCP_CORK, 1);
        }
        return static_cast<double>(best) / sends;
    }

private:
    TcpListener listener_;
    TcpSocket client_, server_;
};

void sends(Table& table) {
    Pinned pinned(allowed_cpus().front());
    constexpr int loads = 6, samples = 25;
    constexpr const char* ours = "sock_send_length__tp_btf";
    CorkedConnection connection;
    std::vector<Figure> f;
    for (int load = 0; load < loads; load++) {
        BenchObject object({bench_network_v3, bench_network_v3_end}, {"empty_send", ours, "replica_send"},
                           {.connections = 4096});
        auto attached = [&](const char* program) {
            return [&, program] {
                Link link = object.attach(program);
                return connection.send_ns();
            };
        };
        auto now = interleave(
            {[&] { return connection.send_ns(); }, attached("empty_send"), attached(ours), attached("replica_send")},
            samples);
        if (f.empty()) f = now;
        for (size_t i = 0; i < f.size(); i++) f[i] = cheaper(f[i], now[i]);
    }
    Figure none = f[0], empty = f[1];
    table.ratio("E7", "a send of 64 bytes by TCP, over an empty program", f[2] - empty, f[3] - empty, 0.2);
    table.told("E7", fmt::format("the same with its dispatch; the send without: {}", text(none)), text(f[2] - none),
               text(f[3] - none));
}

}  // namespace

void measure_events(Table& table) {
    table.section("E1", [&] { hot(table); });
    table.section("E3", [&] { cold(table); });
    table.section("E4", [&] { contended(table); });
    table.section("E5", [&] { first(table); });
    table.section("E7", [&] { sends(table); });
}
