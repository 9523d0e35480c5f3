// The slots of the threads and what they add up to.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>
#include "base/groups.h"
#include "bpf/shared_memory.h"

// Whose counts a slot's are, in the numbers of whoever listens. 0: nobody's.
struct Owner {
    uint32_t process = 0, cgroup = 0;
};

class Slots {
public:
    explicit Slots(const SlotMemory& memory);

    // Somebody who wants to know who did what. Each event is told once.
    struct Listener {
        std::function<Owner(const slot&)> owner;  // of a slot that is new, in the order in which they were claimed;
                                                  // of a row of the overflow table, whose tag is 0, each time anew
        std::function<void(Owner, int counter, uint64_t n)> counted;  // since the last fold
        std::function<void(Owner, const slot&)> freed = {};  // its thread ended, executed another program or moved
    };

    // Folds the slots that are marked; `everything`: all of them, marked or not, which also finds the counts whose mark
    // was lost to a race, and threads that are gone without having retired their slot.
    void fold(bool everything = false);

    void listen(Listener listener) { listener_ = std::move(listener); }
    void credit(Owner who, int counter, uint64_t n);  // counted elsewhere than in a slot
    // What these processes count from now on is another cgroup's; by process.
    void move(const std::unordered_map<uint32_t, uint32_t>& cgroups);

    const Counters& totals() const { return totals_; }  // of the whole system, since the start; they never fall
    size_t used() const { return table_.used(); }       // slots that belong to a thread, or wait to be freed
    size_t count() const { return table_.count(); }
    uint64_t overflowed() const { return table_.rejected(); }  // events counted by process for want of a slot
    uint64_t late() const { return memory_.shared->late; }     // events of threads that had already exited
    uint64_t lost_results() const;                             // calls whose return was not seen

private:
    // The low 48 bits of each counter, as of the last fold: no thread makes 2^48 calls, or moves 256 TiB, between two folds.
    class Folded {
    public:
        uint64_t advance(size_t counter, uint64_t now) {  // by how much
            uint64_t before = low_[counter] | uint64_t{high_[counter]} << 32;
            uint64_t n = (now - before) & ((uint64_t{1} << 48) - 1);
            if (n) {
                low_[counter] = static_cast<uint32_t>(now);
                high_[counter] = static_cast<uint16_t>(now >> 32);
            }
            return n;
        }

    private:
        uint32_t low_[COUNTERS]{};
        uint16_t high_[COUNTERS]{};
    };
    struct Unmap {
        size_t bytes;
        void operator()(Folded* slots) const;
    };

    void fold_slot(size_t index, uint8_t lines);
    void identify_newcomers();
    bool add(Owner who, Folded& before, const __u64& value, int counter);  // true if there is something new
    void release(size_t index);
    void fold_unattributed();
    void fold_overflow(bool everything);
    void free_dead();

    SlotMemory memory_;
    SharedTable<slot> table_;
    std::unique_ptr<Folded[], Unmap> before_;
    Counters totals_{};
    Folded unattributed_before_{};
    uint64_t overflow_events_ = 0;  // as of the last reading of the table
    bool overflow_moved_ = false;   // it had news then
    std::unordered_map<uint32_t, Folded> overflow_rows_;
    Listener listener_;
    std::vector<Owner> owners_;                             // by slot
    std::vector<uint8_t> has_owner_;                        // likewise; the listener has been asked
    std::vector<std::pair<uint64_t, uint32_t>> newcomers_;  // of one fold: when claimed, index
};
