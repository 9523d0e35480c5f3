// The programs in the kernel: loaded as planned, attached, and detached when this goes away.
#pragma once
#include <bpf/libbpf.h>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "base/owner.h"
#include "bpf/attach_plan.h"
#include "bpf/records.h"
#include "bpf/shared_memory.h"
#include "bpf/slots.h"

using Object = std::unique_ptr<bpf_object, Destroy<bpf_object__close>>;
using Link = std::unique_ptr<bpf_link, Destroy<bpf_link__destroy>>;

struct TableSizes {  // powers of 2
    unsigned slots, connections;
};

class Programs {
public:
    // Loads and attaches what the plan says. Throws a Refusal if the kernel takes one attachment or way not, and an
    // Error if it would take none.
    Programs(const Kernel& kernel, const Config& config, Plan plan, TableSizes sizes);
    ~Programs();
    Programs(const Programs&) = delete;
    Programs& operator=(const Programs&) = delete;

    const Plan& plan() const { return plan_; }
    SlotMemory memory() const { return memory_; }
    ConnectionMemory connections() const { return connections_; }
    // What the kernel side sends beside the counters: the descriptor is readable when that should be consumed at once and the
    // slots be folded.
    Records& records() { return records_; }
    const Records& records() const { return records_; }
    int records_fd() const;
    void consume();

    struct Statistics {
        std::vector<uint64_t> missed;  // by hook: runs of its programs that the kernel skipped, for whichever hook
        uint64_t missed_runs = 0;      // of all programs
        uint64_t run_time_ns = 0;      // while the kernel keeps run-time statistics
        std::array<uint64_t, GROUP_COUNT> run_time_of{};  // of programs that serve this group alone
    };
    Statistics statistics() const;                     // a system call a program
    uint64_t map_bytes() const { return map_bytes_; }  // of kernel memory

    // Whether the group can be left out: nothing else depends on its programs.
    bool is_optional(size_t group) const;
    // Detaches its programs and takes its hooks out of the plan, where they are missing because of `why`. The memory of the
    // group's own table is given back and no longer to be looked at.
    void leave_out(size_t group, const std::string& why);

private:
    void open(const Kernel& kernel);
    void select();
    void configure(const Kernel& kernel, const Config& config, TableSizes sizes);
    void size_maps(TableSizes sizes, size_t record_bytes);
    void load(const Kernel& kernel);
    void take_maps();
    void share_memory(TableSizes sizes);
    void attach(const Attachment& attachment);
    bpf_link* link(const Attachment& attachment, bpf_program* program) const;
    void give_back(const std::string& table);
    uint64_t sum_of_maps() const;

    bpf_program* program(const Attachment& attachment) const;
    bpf_map* map(const std::string& name) const;  // null if the object has none
    int map_fd(const std::string& name) const;    // -1 likewise; from take_maps() on
    template <class T>
    T* share(const std::string& map, size_t count);  // its memory with the programs
    template <class Row>
    TableMemory<Row> share_table(const std::string& name, unsigned number, size_t rows);

    Plan plan_;
    Object object_;  // null once all is attached: what libbpf keeps of it would take as much memory as all the rest
    std::map<std::string, Descriptor> maps_;
    struct Loaded {
        std::string name;
        Descriptor program;
        Link link;
        std::vector<int> hooks;  // more than one of a shared tracepoint and of the end of system calls

        bool serves_only(size_t group) const;
        void add_to(Statistics& all) const;
    };
    std::vector<Loaded> programs_;
    Statistics left_out_;  // what those have told that are gone
    uint64_t map_bytes_ = 0;
    std::unique_ptr<ring_buffer, Destroy<ring_buffer__free>> ring_;
    Records records_;

    struct Unmap {
        size_t bytes;
        void operator()(void* memory) const;
    };
    struct Mapping {
        std::string map;
        std::unique_ptr<void, Unmap> memory;
    };
    std::vector<Mapping> shared_;  // given back too if the constructor throws
    SlotMemory memory_;
    ConnectionMemory connections_;
};

// Plans, loads and attaches, and plans again around what the kernel refuses, saying why.
// Throws if nothing is left to count.
Programs start_programs(const Kernel& kernel, const Config& config);
