// T3, T5, M1, M2, B1: the real plugin as a process of its own.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include "bench.h"

namespace {

class Plugin {
public:
    Plugin() : begin_(now_ns()) {
        int in[2], out[2];
        check(pipe2(in, O_CLOEXEC), "make a pipe");
        check(pipe2(out, O_CLOEXEC), "make a pipe");
        pid_ = check(fork(), "fork");
        if (!pid_) {
            dup2(in[0], STDIN_FILENO);
            dup2(out[1], STDOUT_FILENO);
            dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
            execl(PLUGIN, "ebpf.plugin", "1", "--config", "/dev/null", nullptr);
            _exit(127);
        }
        close(in[0]), close(out[1]);
        in_ = in[1], out_ = out[0];
    }
    ~Plugin() {
        kill(pid_, SIGTERM);
        waitpid(pid_, nullptr, 0);
        close(in_), close(out_);
    }
    Plugin(const Plugin&) = delete;
    Plugin& operator=(const Plugin&) = delete;

    pid_t pid() const { return pid_; }

    // Nanoseconds from the start to the first output.
    double started() const {
        std::string text = read();
        double ns = static_cast<double>(now_ns() - begin_);
        if (!text.starts_with("CHART")) throw Error("the plugin does not start here: " + text);
        return ns;
    }

    void run(int seconds) const {
        for (int64_t end = now_ns() + seconds * 1'000'000'000LL, left; (left = end - now_ns()) > 0;) {
            pollfd wait{.fd = out_, .events = POLLIN, .revents = 0};
            if (poll(&wait, 1, static_cast<int>(left / 1'000'000) + 1) > 0 && read().empty())
                throw Error("the plugin has ended");
        }
    }

    std::string file(const char* name) const {
        std::ifstream in(fmt::format("/proc/{}/{}", pid_, name));
        return {std::istreambuf_iterator<char>(in), {}};
    }

    long kilobytes(const char* key) const {
        std::istringstream status(file("status"));
        for (std::string word; status >> word;)
            if (long kb; word == key && status >> kb) return kb;
        throw Error(fmt::format("no {} of the plugin", key));
    }

    double cpu_seconds() const {
        clockid_t clock;
        timespec spent{};
        if (int code = clock_getcpuclockid(pid_, &clock))
            throw Error(fmt::format("ask for the plugin's clock: {}", std::strerror(code)), code);
        check(clock_gettime(clock, &spent), "ask for the plugin's CPU time");
        return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
    }

    struct Maps {
        uint64_t bytes = 0;
        int count = 0;
        bool per_cpu = false;
    };
    Maps maps() const {
        Maps all;
        std::set<long> seen;
        for (auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fdinfo", pid_))) {
            std::ifstream about(entry.path());
            long type = -1, id = -1;
            uint64_t memlock = 0;
            for (std::string line; std::getline(about, line);) {
                std::istringstream words(line);
                std::string key;
                words >> key;
                if (key == "map_type:") words >> type;
                if (key == "map_id:") words >> id;
                if (key == "memlock:") words >> memlock;
            }
            if (type < 0 || !seen.insert(id).second) continue;
            all.count++;
            all.bytes += memlock;
            all.per_cpu |= type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
                           type == BPF_MAP_TYPE_LRU_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
        }
        return all;
    }

private:
    std::string read() const {
        std::string text(1 << 16, 0);
        ssize_t n = ::read(out_, text.data(), text.size());
        text.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
        return text;
    }

    int64_t begin_;
    pid_t pid_;
    int in_ = -1, out_ = -1;
};

void idle(Table& table) {
    constexpr int seconds = 21;
    Plugin plugin;
    plugin.started();
    plugin.run(2);
    BenchObject object({bench_v3, bench_v3_end}, {"watch"});
    auto& watched = object.data<::watched>(".data.watched");
    watched.tgid = static_cast<uint32_t>(plugin.pid());
    {
        Link link = object.attach("watch");
        plugin.run(1);  // the tick in which we came is not a whole one
        uint32_t from = watched.ticks;
        double before = plugin.cpu_seconds();
        plugin.run(seconds);
        double cpu = plugin.cpu_seconds() - before;
        uint32_t ticks = std::min<uint32_t>(watched.ticks - from, WATCHED_TICKS);
        if (ticks < 10) throw Error("the plugin does not tick");
        std::vector<uint32_t> calls(watched.per_tick + from % WATCHED_TICKS,
                                    watched.per_tick + from % WATCHED_TICKS + ticks);
        std::sort(calls.begin(), calls.end());
        uint32_t median = calls[calls.size() / 2];
        table.is("T3", fmt::format("system calls of a tick, median of {}; of the tenth: {}", ticks, calls.back()),
                 std::to_string(median), "== 2", median == 2);
        table.told("T5", fmt::format("CPU time of the plugin while it waits, over {} s", seconds),
                   fmt::format("{:.3f} %", 100 * cpu / seconds), "", "<= 0.05 %");
    }
    auto megabytes = [&](const char* of) { return static_cast<double>(plugin.kilobytes(of)) / 1024; };
    Plugin::Maps maps = plugin.maps();
    double mib = static_cast<double>(maps.bytes) / (1 << 20), own = megabytes("RssAnon:") + mib,
           peak = megabytes("VmHWM:");
    table.is("M1", "private memory after the start: the plugin's and its maps", fmt::format("{:.1f} MB", own),
             "<= 5 MB", own <= 5);
    table.is("M1", "resident memory at its peak, while it starts", fmt::format("{:.1f} MB", peak), "<= 24 MB",
             peak <= 24);
    table.is("M2", fmt::format("memory of its {} maps", maps.count), fmt::format("{:.2f} MiB", mib), "<= 3 MiB",
             maps.bytes && mib <= 3);
    table.is("M2", "maps whose memory grows with the CPUs", maps.per_cpu ? "some" : "none", "none", !maps.per_cpu);
}

double load_ns(std::span<const char> elf, int times, int programs) {
    int64_t begin = now_ns();
    std::vector<Object> objects;
    for (int i = 0; i < times; i++) {
        objects.emplace_back(check(bpf_object__open_mem(elf.data(), elf.size(), nullptr), "open an object"));
        int wanted = programs;
        bpf_program* program;
        bpf_object__for_each_program(program, objects.back().get()) bpf_program__set_autoload(program, wanted-- > 0);
        check(bpf_object__load(objects.back().get()), "load an object");
    }
    return static_cast<double>(now_ns() - begin);
}

void startup(Table& table) {
    auto f = interleave({[] { return Plugin().started(); }}, 31);
    table.limit("B1", "from the start of the plugin to its first output", f[0], 100e6);
    libbpf_set_print(nullptr);
    auto one = [](int programs) { return [=] { return load_ns({bench_startup, bench_startup_end}, 1, programs); }; };
    auto twelve = [](int programs) {
        return [=] { return load_ns({bench_startup_part, bench_startup_part_end}, 12, programs / 12); };
    };
    f = interleave({one(24), twelve(24), one(60), twelve(60)}, 21);
    table.ratio("B1", "loading 24 programs, as the plugin has, from one object; twelve", f[0], f[1], 0.25);
    table.told("B1", "loading 60 programs from one object; twelve", text(f[2]), text(f[3]));
}

}  // namespace

void measure_plugin(Table& table) {
    table.section("T3", [&] { idle(table); });
    table.section("B1", [&] { startup(table); });
}
