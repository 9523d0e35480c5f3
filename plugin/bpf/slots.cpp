#include "bpf/slots.h"
#include <bpf/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>
#include "base/error.h"
#include "bpf/kernel.h"

namespace {

bool is_gone(const slot& thread) { return syscall(SYS_tgkill, thread.tgid, thread.tag, 0) < 0 && errno == ESRCH; }

}  // namespace

void Slots::Unmap::operator()(Folded* slots) const { munmap(slots, bytes); }

Slots::Slots(const SlotMemory& memory) : memory_(memory), table_(memory.table) {
    size_t count = memory.table.count, bytes = count * sizeof(Folded);  // zero, and in memory only where used
    void* before = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (before == MAP_FAILED)
        throw Error(fmt::format("get memory for {} slots: {}", count, std::strerror(errno)), errno);
    before_ = {static_cast<Folded*>(before), Unmap{bytes}};
    owners_.resize(count);
    has_owner_.resize(count);
}

void Slots::fold(bool everything) {
    table_.take_marks(everything);
    if (listener_.owner) identify_newcomers();
    table_.for_each_marked([this](uint32_t index, uint8_t lines) { fold_slot(index, lines); },
                           [this](uint32_t index) {
                               __builtin_prefetch(&table_[index]);
                               __builtin_prefetch(&before_[index]);
                               __builtin_prefetch(&owners_[index]);
                           });
    fold_unattributed();
    fold_overflow(everything);
    if (everything && used() > table_.count() / 2) free_dead();
}

// In the order of their claims: a process's start before its exec, a parent before its children, a process before the next
// one with its id.
void Slots::identify_newcomers() {
    newcomers_.clear();
    table_.for_each_marked([this](uint32_t index) {
        const slot& s = table_[index];
        if (!has_owner_[index] && load(s.tgid, std::memory_order_acquire)) newcomers_.emplace_back(s.since, index);
    });
    std::sort(newcomers_.begin(), newcomers_.end());
    for (auto [since, index] : newcomers_) {
        owners_[index] = listener_.owner(table_[index]);
        has_owner_[index] = true;
    }
}

void Slots::move(const std::unordered_map<uint32_t, uint32_t>& cgroups) {
    for (size_t i = 0; i < table_.count() && !cgroups.empty(); i++) {
        if (!has_owner_[i]) continue;
        if (auto moved = cgroups.find(table_[i].tgid); moved != cgroups.end()) owners_[i].cgroup = moved->second;
    }
}

bool Slots::add(Owner who, Folded& before, const __u64& value, int counter) {
    uint64_t n = before.advance(static_cast<size_t>(counter), load(value));
    if (n) credit(who, counter, n);
    return n;
}

void Slots::credit(Owner who, int counter, uint64_t n) {
    totals_[static_cast<size_t>(counter)] += n;
    if (listener_.counted) listener_.counted(who, counter, n);
}

void Slots::fold_slot(size_t index, uint8_t lines) {
    slot& now = table_[index];
    Folded& before = before_[index];
    uint32_t tag = load(now.tag, std::memory_order_acquire);
    if (!tag) return;
    bool retired = tag & ROW_RETIRED;
    if (!retired && !load(now.tgid, std::memory_order_acquire)) {  // just claimed: it does not say yet whose it is
        table_.mark_again(static_cast<uint32_t>(index), lines);
        return;
    }
    if (listener_.owner && !has_owner_[index]) {  // it came to light after the newcomers were identified
        table_.mark_again(static_cast<uint32_t>(index), lines);
        return;
    }
    uint32_t life = load(now.life, std::memory_order_acquire);
    bool waits_for_release = memory_.releases && life & LIFE_EXITED && !(life & LIFE_RELEASED);
    if (retired) lines = SharedTable<slot>::all_lines;  // it is looked at for the last time, or the last but one

    constexpr int words = COUNTERS + 1;  // the tag and the process's id are the first
    for (; lines; lines &= lines - 1) {
        int line = std::countr_zero(lines);
        int from = std::max(line * LINE_WORDS, 1), to = line == 7 ? words : std::min((line + 1) * LINE_WORDS, words);
        for (int word = from; word < to; word++) add(owners_[index], before, now.counters[word - 1], word - 1);
    }
    if (retired && !waits_for_release) release(index);
}

void Slots::release(size_t index) {
    if (has_owner_[index] && listener_.freed) listener_.freed(owners_[index], table_[index]);
    has_owner_[index] = false;
    owners_[index] = {};
    before_[index] = {};
    table_.release(static_cast<uint32_t>(index));
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
        Owner owner = listener_.owner ? listener_.owner(rows[i]) : Owner{};
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
    for (size_t i = 0; i < table_.count(); i++) {
        uint32_t tag = load(table_[i].tag, std::memory_order_acquire);
        if (!tag || !table_[i].tgid || (!(tag & ROW_RETIRED) && !is_gone(table_[i]))) continue;
        if (listener_.owner && !has_owner_[i])
            continue;  // it came after this fold's newcomers: its counts are not in yet
        fold_slot(i, SharedTable<slot>::all_lines);
        if (load(table_[i].tag) == tag && load(table_[i].tgid)) release(i);
    }
}

uint64_t Slots::lost_results() const {
    uint64_t lost = 0;
    for (auto& n : memory_.shared->lost_results) lost += load(n);
    return lost;
}
