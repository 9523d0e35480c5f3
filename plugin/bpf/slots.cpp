#include "bpf/slots.h"
#include <bpf/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cstring>
#include "base/error.h"
#include "bpf/kernel.h"

namespace {

constexpr unsigned index_bits = 24;
constexpr uint8_t all_lines = 0xff;
constexpr size_t prefetch_ahead = 12;  // measured, see tests/bench

// The programs write while we read: each load is made once, and whole.
template <class T>
T load(const T& value, std::memory_order order = std::memory_order_relaxed) {
    return std::atomic_ref(const_cast<T&>(value)).load(order);
}

bool is_gone(const slot& thread) { return syscall(SYS_tgkill, thread.tgid, thread.tag, 0) < 0 && errno == ESRCH; }

}  // namespace

void Slots::Unmap::operator()(Folded* slots) const { munmap(slots, bytes); }

Slots::Slots(const SlotMemory& memory) : memory_(memory) {
    size_t bytes = memory.count * sizeof(Folded);  // zero, and in memory only where used
    void* before = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (before == MAP_FAILED)
        throw Error(fmt::format("get memory for {} slots: {}", memory.count, std::strerror(errno)), errno);
    before_ = {static_cast<Folded*>(before), Unmap{bytes}};
    changed_.reserve(memory.count);
    owners_.resize(memory.count);
    has_owner_.resize(memory.count);
}

void Slots::fold(bool everything) {
    // First all marks are taken, then the counters are read: what is added in between is marked anew.
    changed_.clear();
    if (everything) {
        std::memset(memory_.dirty, 0, memory_.count);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        for (size_t i = 0; i < memory_.count; i++)
            if (load(memory_.slots[i].tag)) changed_.push_back(static_cast<uint32_t>(i) | all_lines << index_bits);
    } else {
        auto* words = reinterpret_cast<uint64_t*>(memory_.dirty);
        for (size_t w = 0; w < memory_.count / 8; w += 8) {
            uint64_t any = 0;
            for (size_t i = 0; i < 8; i++) any |= load(words[w + i]);
            if (!any) continue;
            for (size_t i = w * 8; i < w * 8 + 64; i++)
                if (uint8_t lines = load(memory_.dirty[i])) {
                    std::atomic_ref(memory_.dirty[i]).store(0, std::memory_order_relaxed);
                    changed_.push_back(static_cast<uint32_t>(i) | static_cast<uint32_t>(lines) << index_bits);
                }
        }
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);

    if (audience_.owner) greet_newcomers();
    for (size_t i = 0; i < changed_.size(); i++) {
        if (i + prefetch_ahead < changed_.size()) {
            size_t ahead = changed_[i + prefetch_ahead] & ((1u << index_bits) - 1);
            __builtin_prefetch(&memory_.slots[ahead]);
            __builtin_prefetch(&before_[ahead]);
            __builtin_prefetch(&owners_[ahead]);
        }
        fold_slot(changed_[i] & ((1u << index_bits) - 1), static_cast<uint8_t>(changed_[i] >> index_bits));
    }
    fold_unattributed();
    fold_overflow(everything);
    if (everything && used() > memory_.count / 2) free_dead();
}

// In the order of their claims: a process's start before its exec, a parent before its children, a process before the next
// one with its id.
void Slots::greet_newcomers() {
    newcomers_.clear();
    for (uint32_t change : changed_) {
        uint32_t index = change & ((1u << index_bits) - 1);
        const slot& s = memory_.slots[index];
        if (!has_owner_[index] && load(s.tgid, std::memory_order_acquire)) newcomers_.emplace_back(s.since, index);
    }
    std::sort(newcomers_.begin(), newcomers_.end());
    for (auto [since, index] : newcomers_) {
        owners_[index] = audience_.owner(memory_.slots[index]);
        has_owner_[index] = true;
    }
}

void Slots::move(const std::unordered_map<uint32_t, uint32_t>& cgroups) {
    for (size_t i = 0; i < memory_.count && !cgroups.empty(); i++) {
        if (!has_owner_[i]) continue;
        if (auto moved = cgroups.find(memory_.slots[i].tgid); moved != cgroups.end()) owners_[i].cgroup = moved->second;
    }
}

bool Slots::add(Owner who, Folded& before, const __u64& value, int counter) {
    uint64_t n = before.advance(static_cast<size_t>(counter), load(value));
    if (n) credit(who, counter, n);
    return n;
}

void Slots::credit(Owner who, int counter, uint64_t n) {
    totals_[static_cast<size_t>(counter)] += n;
    if (audience_.counted) audience_.counted(who, counter, n);
}

void Slots::fold_slot(size_t index, uint8_t lines) {
    slot& now = memory_.slots[index];
    Folded& before = before_[index];
    uint32_t tag = load(now.tag, std::memory_order_acquire);
    if (!tag) return;
    bool retired = tag & SLOT_RETIRED;
    if (!retired && !load(now.tgid, std::memory_order_acquire)) {  // just claimed: it does not say yet whose it is
        std::atomic_ref(memory_.dirty[index]).fetch_or(lines, std::memory_order_relaxed);
        return;
    }
    if (audience_.owner && !has_owner_[index]) {  // it came to light after the newcomers were greeted
        std::atomic_ref(memory_.dirty[index]).fetch_or(lines, std::memory_order_relaxed);
        return;
    }
    uint32_t life = load(now.life, std::memory_order_acquire);
    bool waits_for_release = memory_.releases && life & LIFE_EXITED && !(life & LIFE_RELEASED);
    if (retired) lines = all_lines;  // it is looked at for the last time, or the last but one

    constexpr int words = COUNTERS + 1;  // the tag and the process's id are the first
    for (; lines; lines &= lines - 1) {
        int line = std::countr_zero(lines);
        int from = std::max(line * LINE_WORDS, 1), to = line == 7 ? words : std::min((line + 1) * LINE_WORDS, words);
        for (int word = from; word < to; word++) add(owners_[index], before, now.counters[word - 1], word - 1);
    }
    if (retired && !waits_for_release) release(index);
}

// The tag goes last: from then on the slot may be another thread's.
void Slots::release(size_t index) {
    slot& s = memory_.slots[index];
    if (has_owner_[index] && audience_.freed) audience_.freed(owners_[index], s);
    has_owner_[index] = false;
    owners_[index] = {};
    std::memset(reinterpret_cast<char*>(&s) + sizeof s.tag, 0, sizeof s - sizeof s.tag);
    before_[index] = {};
    std::atomic_ref(s.tag).store(0, std::memory_order_release);
    if (memory_.claims_fd >= 0) {
        auto key = static_cast<uint32_t>(index);
        bpf_map_delete_elem(memory_.claims_fd, &key);
    }
    std::atomic_ref(memory_.shared->freed).store(memory_.shared->freed + 1, std::memory_order_relaxed);
}

void Slots::fold_unattributed() {
    for (int c = 0; c < COUNTERS; c++) add({}, unattributed_before_, memory_.shared->unattributed[c], c);
}

void Slots::fold_overflow(bool everything) {
    // An event is announced before it is added, so the table is read once more after it has gone quiet.
    uint64_t events = overflowed() + late();
    bool more = events != overflow_events_;
    if ((!everything && !more && !overflow_moved_) || memory_.overflow_fd < 0) return;
    overflow_events_ = events;
    overflow_moved_ = more;

    constexpr uint32_t batch = 1024;  // the table's size
    static std::vector<uint32_t> keys(batch);
    static std::vector<slot> rows(batch);
    uint32_t count = batch, position;
    if (bpf_map_lookup_batch(memory_.overflow_fd, nullptr, &position, keys.data(), rows.data(), &count, nullptr) &&
        errno != ENOENT)
        return;
    for (uint32_t i = 0; i < count; i++) {
        auto [row, is_new] = overflow_rows_.try_emplace(keys[i]);
        bool changed = false;
        Owner owner = audience_.owner ? audience_.owner(rows[i]) : Owner{};
        for (int c = 0; c < COUNTERS; c++) changed |= add(owner, row->second, rows[i].counters[c], c);
        overflow_moved_ |= changed;
        // Whoever was adding to a row that has not changed for a whole tick has long done so.
        if (!changed && !is_new && count > batch / 2) {
            bpf_map_delete_elem(memory_.overflow_fd, &keys[i]);
            overflow_rows_.erase(row);
        }
    }
}

// Threads that the exit program did not see: those that counted something after it; and those whose release was not seen.
void Slots::free_dead() {
    static const bool ids_are_comparable = in_first_pid_namespace();
    if (!ids_are_comparable) return;
    for (size_t i = 0; i < memory_.count; i++) {
        uint32_t tag = load(memory_.slots[i].tag, std::memory_order_acquire);
        if (!tag || !memory_.slots[i].tgid || (!(tag & SLOT_RETIRED) && !is_gone(memory_.slots[i]))) continue;
        if (audience_.owner && !has_owner_[i])
            continue;  // it came after this fold's newcomers: its counts are not in yet
        fold_slot(i, all_lines);
        if (load(memory_.slots[i].tag) == tag && load(memory_.slots[i].tgid)) release(i);
    }
}

size_t Slots::used() const { return load(memory_.shared->claimed) - memory_.shared->freed; }

uint64_t Slots::lost_results() const {
    uint64_t lost = 0;
    for (auto& n : memory_.shared->lost_results) lost += load(n);
    return lost;
}
