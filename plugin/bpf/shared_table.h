// Tables that the programs in the kernel write to and the plugin reads, in memory that both have mapped; see
// kernel-collector/shared/table.h.
#pragma once
#include <bpf/bpf.h>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>
#include "shared/settings.h"

// The programs write while we read: each load is made once, and whole.
template <class T>
T load(const T& value, std::memory_order order = std::memory_order_relaxed) {
    return std::atomic_ref(const_cast<T&>(value)).load(order);
}

template <class Row>
struct TableMemory {
    Row* rows = nullptr;
    uint8_t* marks = nullptr;  // a byte a row: which of its cache lines have changed
    table_use* use = nullptr;
    size_t count = 0;    // of rows; a power of 2, from 64
    int claims_fd = -1;  // who owns a row, where the kernel has no compare-and-exchange
};

template <class Row>
class SharedTable {
public:
    static constexpr uint8_t all_lines = 0xff;

    explicit SharedTable(const TableMemory<Row>& memory) : memory_(memory) { marked_.reserve(memory.count); }

    // Takes all marks, then has `each(row, lines)` read the rows: what is added in between is marked anew. `ahead(row)` is
    // told early which row comes soon. `everything`: all rows that somebody has, marked or not.
    void take_marks(bool everything);
    void for_each_marked(auto each, auto ahead) {
        constexpr size_t distance = 12;  // measured, see tests/bench
        for (size_t i = 0; i < marked_.size(); i++) {
            if (i + distance < marked_.size()) ahead(row_of(marked_[i + distance]));
            each(row_of(marked_[i]), static_cast<uint8_t>(marked_[i] >> row_bits));
        }
    }
    void for_each_marked(auto each) const {
        for (uint32_t mark : marked_) each(row_of(mark));
    }
    void mark_again(uint32_t row, uint8_t lines) {
        std::atomic_ref(memory_.marks[row]).fetch_or(lines, std::memory_order_relaxed);
    }

    // Clears the row and frees it. The tag goes last: from then on the row may be another's.
    void release(uint32_t number) {
        Row& row = memory_.rows[number];
        std::memset(reinterpret_cast<char*>(&row) + sizeof row.tag, 0, sizeof row - sizeof row.tag);
        std::atomic_ref(row.tag).store(0, std::memory_order_release);
        if (memory_.claims_fd >= 0) bpf_map_delete_elem(memory_.claims_fd, &number);
        std::atomic_ref(memory_.use->freed).store(memory_.use->freed + 1, std::memory_order_relaxed);
    }

    Row& operator[](size_t number) const { return memory_.rows[number]; }
    size_t count() const { return memory_.count; }
    size_t used() const { return load(memory_.use->claimed) - memory_.use->freed; }
    uint64_t rejected() const { return load(memory_.use->rejected); }  // events that found no row
    // Where the programs begin to look for that key.
    uint32_t place_of(uint32_t key) const { return TABLE_HASH(key) >> (32 - std::countr_zero(memory_.count)); }

private:
    static constexpr unsigned row_bits = 24;
    static uint32_t row_of(uint32_t mark) { return mark & ((1u << row_bits) - 1); }
    void take(size_t row, uint8_t lines) {
        marked_.push_back(static_cast<uint32_t>(row) | static_cast<uint32_t>(lines) << row_bits);
    }

    TableMemory<Row> memory_;
    std::vector<uint32_t> marked_;  // of one fold: the row, and in the top byte its lines
};

template <class Row>
void SharedTable<Row>::take_marks(bool everything) {
    marked_.clear();
    if (everything) {
        std::memset(memory_.marks, 0, memory_.count);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        for (size_t i = 0; i < memory_.count; i++)
            if (load(memory_.rows[i].tag)) take(i, all_lines);
    } else {
        auto* words = reinterpret_cast<uint64_t*>(memory_.marks);
        for (size_t w = 0; w < memory_.count / 8; w += 8) {
            uint64_t any = 0;
            for (size_t i = 0; i < 8; i++) any |= load(words[w + i]);
            if (!any) continue;
            for (size_t i = w * 8; i < w * 8 + 64; i++)
                if (uint8_t lines = load(memory_.marks[i])) {
                    std::atomic_ref(memory_.marks[i]).store(0, std::memory_order_relaxed);
                    take(i, lines);
                }
        }
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
}
