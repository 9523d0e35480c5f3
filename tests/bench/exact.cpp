// X: is what is counted what was made? Correctness, not speed: these also run as tests.
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <barrier>
#include <charconv>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>
#include "bench.h"
#include "bpf/slots.h"
#include "loopback.h"
#include "net/connections.h"

namespace {

using namespace std::chrono_literals;

struct Made {
    uint64_t events = 0, closes = 0, exits = 0;
};

constexpr size_t closes = number(file_base, file_close_calls), exits = number(process_base, process_exit_tasks);

class Counting {
public:
    Counting(std::span<const char> elf, const Loading& loading)
        : object_(elf, {"ours", "closed", "process_exit__tp_btf", "process_exec__tp_btf"}, loading),
          slots_(object_.memory()) {
        for (const char* program : {"ours", "closed"}) links_.push_back(object_.attach(program));
        links_.push_back(object_.attach("process_exit__tp_btf"));
        links_.push_back(object_.attach("process_exec__tp_btf"));
        reader_ = std::jthread([this](std::stop_token stop) {
            for (; !stop.stop_requested(); std::this_thread::sleep_for(2ms)) {
                object_.memory().shared->asked = 0;
                std::lock_guard lock(mutex_);
                slots_.fold();
            }
        });
    }

    // An ordinary fold has found at least this much within so many milliseconds.
    bool finds(size_t counter, uint64_t n, int milliseconds) {
        for (; milliseconds > 0; milliseconds -= 2, std::this_thread::sleep_for(2ms))
            if (found(counter) >= n) return true;
        return false;
    }

    // What it counted, folded for the last time: nothing is made any more but these exits. (On kernels before 6.16 a
    // thread has been joined a moment before its exit program runs.)
    const Slots& slots(uint64_t awaited_exits) {
        finds(exits, awaited_exits, 1000);
        reader_.request_stop();
        reader_.join();
        slots_.fold(true);
        slots_.fold(true);
        return slots_;
    }

    uint64_t found(size_t counter) {
        std::lock_guard lock(mutex_);
        return slots_.totals()[counter];
    }

    // A run that the kernel skipped is reported, and then it is not lost either.
    bool exact(size_t counter, uint64_t made, const char* program) const {
        uint64_t counted = slots_.totals()[counter];
        return counted <= made && made <= counted + object_.missed(program);
    }

private:
    BenchObject object_;
    Slots slots_;
    std::vector<Link> links_;
    std::mutex mutex_;
    std::jthread reader_;  // the last: it ends before what it reads
};

template <class Child>
pid_t child(const Child& work) {
    pid_t pid = check(fork(), "fork");
    if (pid) return pid;
    try {
        work();
    } catch (const std::exception& e) {
        fmt::print(stderr, "bench: {}\n", e.what());
        _exit(1);
    }
    _exit(0);
}

void wait_for(const std::vector<pid_t>& children) {
    for (pid_t pid : children) {
        int status = 0;
        check(waitpid(pid, &status, 0), "wait for a child");
        if (status) throw std::runtime_error("a child could not do its work");
    }
}

// Another program, with other events.
void become_another(uint32_t option, int events) {
    execl("/proc/self/exe", "bench", "--events", std::to_string(option).c_str(), std::to_string(events).c_str(),
          nullptr);
    _exit(127);
}

Made churn(uint32_t option) {
    Made made;
    for (int round = 0; round < 60; round++) {
        std::vector<pid_t> children;
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < 25; i++) {
                threads.emplace_back(make_events, option, 100 + 37 * i);
                made.events += 100 + 37 * static_cast<uint64_t>(i), made.exits++;
            }
            for (int i = 0; i < 10; i++) {
                children.push_back(child([&] { make_events(option, 50 + i); }));
                made.events += 50 + static_cast<uint64_t>(i), made.exits++;
            }
            for (bool other_thread : {false, true}) {  // an exec by another thread takes over the process's id
                children.push_back(child([&] {
                    make_events(option, 20);
                    auto second_life = [&] {
                        make_events(option, 3);
                        become_another(option, 40);
                    };
                    other_thread ? std::jthread(second_life).join() : second_life();
                }));
                made.events += 63, made.exits += other_thread ? 2 : 1;
            }
        }
        wait_for(children);
    }
    return made;
}

Made crowd(uint32_t option) {
    Made made;
    for (int round = 0; round < 5; round++) {
        constexpr int crowd_size = 200, processes = 40;
        std::barrier together(crowd_size);
        std::vector<pid_t> children;
        for (int i = 0; i < processes; i++) children.push_back(child([&] { make_events(option, 100); }));
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < crowd_size; i++)
                threads.emplace_back([&] {
                    make_events(option, 200);
                    together.arrive_and_wait();
                    make_events(option, 300);
                });
        }
        wait_for(children);
        made.events += crowd_size * 500 + processes * 100, made.exits += crowd_size + processes;
    }
    return made;
}

Made leave_open(const TcpListener& listener, uint32_t option) {
    Made made;
    for (int round = 0; round < 10; round++) {
        std::vector<pid_t> children;
        for (bool known : {false, true})  // has the thread a slot when it exits?
            for (int i = 0; i < 4; i++) {
                children.push_back(child([&] {
                    if (known) make_events(option, 10);
                    for (int n = 0; n < 5; n++) listener.connect();
                }));
                made.closes += 5, made.exits++, made.events += known ? 10 : 0;
            }
        wait_for(children);
    }
    return made;
}

// More threads than slots sit there, idle, while processes come and go that count nothing but their end.
bool finds_exits_without_slots(Counting& counting, uint32_t option) {
    constexpr int idle = 128, processes = 50;
    std::barrier ready(idle + 1), over(idle + 1);
    std::vector<std::jthread> threads;
    for (int i = 0; i < idle; i++)
        threads.emplace_back([&] {
            make_events(option, 1);
            ready.arrive_and_wait();
            over.arrive_and_wait();
        });
    ready.arrive_and_wait();
    counting.finds(write_calls, idle, 1000);
    uint64_t exits_before = counting.found(exits);
    std::vector<pid_t> children;
    for (int i = 0; i < processes; i++) children.push_back(child([] {}));
    wait_for(children);
    bool found = counting.finds(exits, exits_before + processes, 1000);
    over.arrive_and_wait();
    return found;
}

std::string told(uint64_t counted, uint64_t made) { return fmt::format("{} of {}", counted, made); }

void test_churn(Table& table, std::string_view isa, std::span<const char> elf) {
    Counting counting(elf, {.wakes = true, .counts_exits = true});
    Made made = churn(own_option());
    const Counters& totals = counting.slots(made.exits).totals();
    table.is("X1", fmt::format("{}: {} short-lived threads and processes", isa, made.exits),
             told(totals[write_calls], made.events), "all",
             counting.exact(write_calls, made.events, "ours") &&
                 counting.exact(write_bytes, made.events * event_bytes, "ours") && totals[exits] >= made.exits);
}

void test_overflow(Table& table, std::string_view isa, std::span<const char> elf) {
    {
        Counting counting(elf, {.slots = 64, .wakes = true, .counts_exits = true});
        Made made = crowd(own_option());
        const Slots& slots = counting.slots(made.exits);
        table.is("X2", fmt::format("{}: the same with 64 slots; {} events had none", isa, slots.overflowed()),
                 told(slots.totals()[write_calls], made.events), "all",
                 counting.exact(write_calls, made.events, "ours") && slots.totals()[exits] >= made.exits &&
                     slots.overflowed() > 0);
    }
    Counting counting(elf, {.slots = 64, .counts_exits = true});
    bool found = finds_exits_without_slots(counting, own_option());
    table.is("X2", fmt::format("{}: an exit that finds no slot is seen at the next tick", isa), found ? "yes" : "no",
             "yes", found);
}

void test_late(Table& table, std::string_view isa, std::span<const char> elf) {
    TcpListener listener;
    Counting counting(elf, {.wakes = true, .counts_exits = true, .port = listener.port()});
    Made made = leave_open(listener, own_option());
    const Slots& slots = counting.slots(made.exits);
    const Counters& totals = slots.totals();
    bool tells_late = isa == "v3";  // the other has no way to see that a thread is exiting; it gives it another slot
    table.is("X3", fmt::format("{}: sockets closed by exit; {} late", isa, slots.late()),
             told(totals[closes], made.closes), "all",
             counting.exact(closes, made.closes, "closed") && counting.exact(write_calls, made.events, "ours") &&
                 slots.late() == (tells_late ? totals[closes] : 0));
}

// Short connections within a network namespace that ends with them.
constexpr size_t request_bytes = 100, reply_bytes = 300;

// Alone at both ends. Every second connection ends by a reset, the others as usual.
uint64_t connect_for(std::chrono::milliseconds time, uint32_t network) {
    std::vector<std::unique_ptr<TcpListener>> listeners;  // ports are scarce: those of an address last for so many
    for (uint32_t host = 1; host <= 16; host++) listeners.push_back(std::make_unique<TcpListener>(network + host));
    uint64_t made = 0;
    for (auto end = std::chrono::steady_clock::now() + time; std::chrono::steady_clock::now() < end; made++) {
        const TcpListener& listener = *listeners[made % listeners.size()];
        TcpSocket client(listener.connect()), server(listener.accept());
        client.send(request_bytes);
        server.receive(request_bytes);
        server.send(reply_bytes);
        client.receive(reply_bytes);
        if (made % 2) {
            const linger reset{.l_onoff = 1, .l_linger = 0};
            check(setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), "ask for a reset");
        }
    }
    return made;
}

class Storm {
public:
    explicit Storm(std::chrono::milliseconds time) {
        check(pipe2(begin_, O_CLOEXEC), "make a pipe");
        check(pipe2(told_, O_CLOEXEC), "make a pipe");
        pid_ = child([&] {
            close(begin_[1]);
            check(unshare(CLONE_NEWNET), "make a network namespace");
            {
                TcpSocket any(new_tcp_socket());
                ifreq loopback{};
                std::strcpy(loopback.ifr_name, "lo");
                loopback.ifr_flags = IFF_UP;
                check(ioctl(any, SIOCSIFFLAGS, &loopback), "set up the loopback device");
            }
            tell(1);
            char go;
            if (read(begin_[0], &go, 1)) return;
            std::vector<pid_t> children;
            for (uint32_t i = 1; i <= 4; i++)
                children.push_back(child([&] { tell(connect_for(time, 0x7f000000 | i << 16)); }));
            wait_for(children);
        });
        close(begin_[0]), close(told_[1]);
        if (!told()) throw Error("no network namespace can be made");
    }
    ~Storm() { close(begin_[1]), close(told_[0]); }
    Storm(const Storm&) = delete;
    Storm& operator=(const Storm&) = delete;

    uint32_t net_namespace() const {
        struct stat about {};
        check(stat(fmt::format("/proc/{}/ns/net", pid_).c_str(), &about), "ask for the network namespace");
        return static_cast<uint32_t>(about.st_ino);
    }

    uint64_t made() {  // begins, and waits for the end
        close(std::exchange(begin_[1], -1));
        uint64_t made = 0;
        while (uint64_t n = told()) made += n;
        wait_for({pid_});
        return made;
    }

private:
    void tell(uint64_t n) const { check(write(told_[1], &n, sizeof n), "tell"); }
    uint64_t told() const {
        uint64_t n = 0;
        return check(read(told_[0], &n, sizeof n), "hear") ? n : 0;
    }

    int begin_[2], told_[2];
    pid_t pid_;
};

struct Told {
    uint64_t connections = 0, unnoted = 0, bytes_sent = 0, bytes_received = 0;
};

// Counts the connections of one network namespace as the plugin does: woken by a record, else by the tick.
class CountingConnections {
public:
    CountingConnections(std::span<const char> elf, uint32_t net_namespace)
        : object_(elf, programs, {.wakes = true, .connections = 1024, .record_bytes = 128 << 10}),
          connections_(object_.connections()) {
        connections_.listen(
            {.before_us = [](const connection&) { return Traffic{}; },
             .moved =
                 [this, net_namespace](uint32_t row, const connection& c, const Traffic& n) {
                     if (c.net_namespace != net_namespace) return;
                     told_.bytes_sent += n.bytes_sent;
                     told_.bytes_received += n.bytes_received;
                     if (row != Connections::no_row) return;
                     told_.connections++;
                     told_.unnoted++;
                 },
             .freed = [this, net_namespace](
                          uint32_t, const connection& c) { told_.connections += c.net_namespace == net_namespace; }});
        records_.on<ended>([this](const ended& record) {
            connection last;
            std::memcpy(&last, record.connection, sizeof last);
            connections_.ended(last);
        });
        auto consume = [](void* self, void* data, size_t size) {
            static_cast<CountingConnections*>(self)->records_.consume(data, size);
            return 0;
        };
        ring_.reset(check(ring_buffer__new(object_.map("records"), consume, this, nullptr), "open the ring buffer"));
        for (const char* program : programs) links_.push_back(object_.attach(program));
        reader_ = std::jthread([this](std::stop_token stop) {
            while (!stop.stop_requested()) {
                pollfd wait{.fd = ring_buffer__epoll_fd(ring_.get()), .events = POLLIN, .revents = 0};
                poll(&wait, 1, 200);
                fold();
            }
        });
    }

    // Nothing is made any more; rows are kept for a moment after their connection's end.
    const Told& told(uint64_t awaited) {
        reader_.request_stop();
        reader_.join();
        for (int wait = 0; wait < 500 && told_.connections + lost() < awaited; wait++) {
            std::this_thread::sleep_for(20ms);
            fold();
        }
        return told_;
    }
    uint64_t lost() const { return object_.memory().shared->lost_records[RECORD_ended]; }
    uint64_t missed() const {
        uint64_t all = 0;
        for (const char* program : programs) all += object_.missed(program);
        return all;
    }

private:
    inline static const std::vector<const char*> programs = {"sock_send_length__tp_btf", "sock_recv_length__tp_btf",
                                                             "socket_state__tp_btf"};

    void fold() {
        ring_buffer__consume(ring_.get());
        object_.memory().shared->asked = 0;
        connections_.fold(now_ns());
    }

    BenchObject object_;
    Connections connections_;
    Records records_;
    Told told_;
    std::unique_ptr<ring_buffer, Destroy<ring_buffer__free>> ring_;
    std::vector<Link> links_;
    std::jthread reader_;
};

void test_storm(Table& table, std::string_view isa) {
    constexpr auto time = 1500ms;
    Storm storm(time);
    CountingConnections counting(isa == "v3" ? std::span(bench_network_v3, bench_network_v3_end)
                                             : std::span(bench_network_v2, bench_network_v2_end),
                                 storm.net_namespace());
    uint64_t made = storm.made(), ends = 2 * made;
    const Told& told = counting.told(ends);
    uint64_t bytes = (request_bytes + reply_bytes) * made;
    double rate = static_cast<double>(made) / std::chrono::duration<double>(time).count();
    // A run that the kernel skipped is reported, and then it is not lost either.
    uint64_t untold = counting.lost() + counting.missed();
    auto exact = [&](uint64_t told_bytes) { return untold ? told_bytes <= bytes : told_bytes == bytes; };
    table.is("X5", fmt::format("{}: ends of {:.0f} connections/s, 1,024 rows; {} had none", isa, rate, told.unnoted),
             ::told(told.connections, ends), "all",
             made && told.connections <= ends && told.connections + untold >= ends && exact(told.bytes_sent) &&
                 exact(told.bytes_received));
    table.told("X5", fmt::format("{}: the plugin knows of so many that it was not told of", isa),
               std::to_string(counting.lost()), "");
}

}  // namespace

void test_exactness(Table& table) {
    for (auto [isa, elf] :
         {std::pair{"v3", std::span(bench_v3, bench_v3_end)}, {"v2", std::span(bench_v2, bench_v2_end)}})
        for (auto test : {test_churn, test_overflow, test_late}) table.section("X", [&] { test(table, isa, elf); });
    for (const char* isa : {"v3", "v2"}) table.section("X5", [&] { test_storm(table, isa); });
}

int events_after_exec(int argc, char** argv) {
    uint32_t option = 0;
    int events = 0;
    if (argc != 4) return 2;
    std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), option);
    std::from_chars(argv[3], argv[3] + std::strlen(argv[3]), events);
    make_events(option, events);
    return 0;
}
