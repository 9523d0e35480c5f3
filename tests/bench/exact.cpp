// X: is what is counted what was made? Correctness, not speed: these also run as tests.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <barrier>
#include <charconv>
#include <chrono>
#include <mutex>
#include <thread>
#include "bench.h"
#include "slots.h"

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
    work();
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

class Listener {
public:
    Listener() : fd_(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "make a socket")) {
        socklen_t size = sizeof address_;
        check(bind(fd_, address(), size), "bind");
        check(listen(fd_, 4096), "listen");
        check(getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &size), "ask for the port");
    }
    ~Listener() { close(fd_); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }
    __u16 port() const { return address_.sin_port; }

    void connect_and_leave_open(int connections) const {
        for (int i = 0; i < connections; i++) {
            int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (fd < 0 || connect(fd, address(), sizeof address_)) _exit(1);
        }
    }

private:
    sockaddr_in address_{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    int fd_;
};

Made leave_open(const Listener& listener, uint32_t option) {
    Made made;
    for (int round = 0; round < 10; round++) {
        std::vector<pid_t> children;
        for (bool known : {false, true})  // has the thread a slot when it exits?
            for (int i = 0; i < 4; i++) {
                children.push_back(child([&] {
                    if (known) make_events(option, 10);
                    listener.connect_and_leave_open(5);
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
    Listener listener;
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

}  // namespace

void test_exactness(Table& table) {
    for (auto [isa, elf] :
         {std::pair{"v3", std::span(bench_v3, bench_v3_end)}, {"v2", std::span(bench_v2, bench_v2_end)}})
        for (auto test : {test_churn, test_overflow, test_late}) table.section("X", [&] { test(table, isa, elf); });
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
