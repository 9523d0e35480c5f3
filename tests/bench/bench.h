// What the benchmarks share: samples, the table of results, the object with the programs that are compared.
#pragma once
#include <fmt/format.h>
#include <sched.h>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>
#include "base/error.h"
#include "bpf/programs.h"
#include "bpf/slots.h"
#include "shared.h"

extern "C" {
extern const char bench_v2[], bench_v2_end[], bench_v3[], bench_v3_end[], bench_keys[], bench_keys_end[];
extern const char bench_network_v2[], bench_network_v2_end[], bench_network_v3[], bench_network_v3_end[];
extern const char bench_startup[], bench_startup_end[], bench_startup_part[], bench_startup_part_end[];
}

int64_t now_ns();

// A counter or a hook, numbered over all groups.
constexpr size_t number(auto group_base, auto in_group) {
    return static_cast<size_t>(group_base) + static_cast<size_t>(in_group);
}
constexpr size_t write_calls = number(vfs_base, vfs_write_calls), write_bytes = number(vfs_base, vfs_write_bytes);

struct Figure {  // nanoseconds; the machine is shared: p10 is the undisturbed cost, p50 shows the noise
    double p10 = 0, p50 = 0;

    Figure operator-(const Figure& other) const { return {p10 - other.p10, p50 - other.p50}; }
};
inline const Figure& cheaper(const Figure& a, const Figure& b) { return a.p10 < b.p10 ? a : b; }
std::string text(const Figure& figure);  // with a unit that fits, the median in brackets

constexpr int usual_samples = 61;

// Calls each variant in turn, again and again; each call measures once, in nanoseconds.
std::vector<Figure> interleave(const std::vector<std::function<double()>>& variants, int samples = usual_samples);

enum class Verdict { Pass, Fail, Told, Skipped };  // Told: for information, no gate

struct Row {
    std::string id, what, ours, replica, ratio, gate;
    Verdict verdict;
};

class Table {
public:
    explicit Table(bool markdown) : markdown_(markdown) {}

    void ratio(std::string id, std::string what, const Figure& ours, const Figure& replica, double gate);
    void limit(std::string id, std::string what, const Figure& ours, double gate);  // nanoseconds
    void told(std::string id, std::string what, std::string ours, std::string replica, std::string gate = "");
    void is(std::string id, std::string what, std::string ours, std::string gate, bool pass, std::string replica = "");
    void skipped(std::string id, const std::string& why);

    // One section; what throws in it is a visible row.
    void section(const std::string& id, const std::function<void()>& measure);

    bool failed() const { return failed_; }
    bool all_skipped() const { return all_skipped_; }

private:
    void print(const Row& row);

    bool markdown_, failed_ = false, all_skipped_ = true, begun_ = false;
};

std::vector<int> allowed_cpus();

class Pinned {  // this thread to one CPU, and before the others there, for the object's life
public:
    explicit Pinned(int cpu);
    ~Pinned();
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;

private:
    cpu_set_t before_;
    int priority_;
};

struct Loading {
    unsigned slots = 4096;
    bool wakes = false;  // asks for an early fold when half of the slots are used
    bool counts_exits = false;
    __u16 port = 0;
    unsigned connections = 64;
    unsigned record_bytes = 4096;
};

class BenchObject {
public:
    BenchObject(std::span<const char> elf, const std::vector<const char*>& programs, const Loading& loading = {});
    ~BenchObject();
    BenchObject(const BenchObject&) = delete;
    BenchObject& operator=(const BenchObject&) = delete;

    const SlotMemory& memory() const { return memory_; }
    ConnectionMemory connections();
    int map(const char* name) const;
    uint64_t missed(const char* program) const;  // runs that the kernel skipped

    // The live variables of a section of the object.
    template <class T>
    T& data(const char* section) {
        return *static_cast<T*>(share(section, sizeof(T)));
    }

    Link attach(const char* program) const;  // where its section says
    void run(const char* program) const;     // once, without its event

private:
    bpf_program* program(const char* name) const;
    void* share(const char* map, size_t bytes);

    Object object_;
    SlotMemory memory_;
    const unsigned connections_;
    std::vector<std::span<char>> shared_;
};

// This process's event: a prctl(2) that the kernel does not know, told apart from those of other benchmarks.
uint32_t own_option();
constexpr uint32_t event_bytes = 100;
void make_events(uint32_t option, int n);

void measure_events(Table& table);
void measure_ticks(Table& table);
void measure_plugin(Table& table);
void test_exactness(Table& table);
void test_storm(Table& table);
int events_after_exec(int argc, char** argv);  // what exactness' children become
