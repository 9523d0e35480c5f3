#include "net/connections.h"
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

namespace {

constexpr int64_t second = 1'000'000'000;
// A program that has found a row may still be writing to it when another one retires it.
constexpr int64_t hold_retired = second / 10;
constexpr int64_t idle_interval = second;
constexpr uint32_t longest_idle = 60, longest_idle_when_full = 2;  // seconds, of UDP: nobody tells of a socket's end

template <class T>
T load(const T& value, std::memory_order order = std::memory_order_relaxed) {
    return std::atomic_ref(const_cast<T&>(value)).load(order);
}

// What is written by several may go back a little for a moment.
template <class T>
T advance(T& before, T now) {
    if (now <= before) return 0;
    T n = now - before;
    before = now;
    return n;
}

// Counters of the kernel that may wrap.
uint32_t advance_wrapping(uint32_t& before, uint32_t now) {
    auto n = static_cast<int32_t>(now - before);
    if (n <= 0) return 0;
    before = now;
    return static_cast<uint32_t>(n);
}

template <class Counts>
Traffic since(Traffic& before, const Counts& now) {
    return {.bytes_sent = advance(before.bytes_sent, uint64_t{load(now.bytes_sent)}),
            .bytes_received = advance(before.bytes_received, uint64_t{load(now.bytes_received)}),
            .packets_sent = advance_wrapping(before.packets_sent, load(now.packets_sent)),
            .packets_received = advance_wrapping(before.packets_received, load(now.packets_received)),
            .retransmits = advance_wrapping(before.retransmits, load(now.retransmits))};
}

bool was_there_before(const connection& c) {
    return c.protocol == IPPROTO_TCP && !(c.life & (CONNECTION_INBOUND | CONNECTION_OUTBOUND));
}

}  // namespace

Connections::Connections(const ConnectionMemory& memory)
    : memory_(memory),
      known_(memory.count),
      changed_(memory.count),
      is_retired_(memory.count),
      has_cookies_(memory.claims_fd < 0) {}

void Connections::fold(int64_t now, bool everything) {
    auto* words = reinterpret_cast<uint64_t*>(memory_.dirty);
    for (size_t w = 0; w < memory_.count / 8; w += 8) {
        uint64_t any = everything;
        for (size_t i = 0; i < 8; i++) any |= load(words[w + i]);
        if (!any) continue;
        for (size_t i = w * 8; i < w * 8 + 64; i++) {
            if (!everything && !load(memory_.dirty[i])) continue;
            std::atomic_ref(memory_.dirty[i]).store(0, std::memory_order_relaxed);
            marked_.push_back(static_cast<uint32_t>(i));
        }
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
    constexpr size_t ahead = 12;
    for (size_t i = 0; i < marked_.size(); i++) {
        if (i + ahead < marked_.size()) {
            auto* row = reinterpret_cast<const char*>(&memory_.rows[marked_[i + ahead]]);
            __builtin_prefetch(row);
            __builtin_prefetch(row + 64);
            __builtin_prefetch(&known_[marked_[i + ahead]]);
        }
        fold_row(marked_[i], now);
    }
    marked_.clear();
    if (now - idle_checked_ >= idle_interval) retire_idle(now);
    free_retired(now);
}

void Connections::fold_row(uint32_t number, int64_t now) {
    connection& c = memory_.rows[number];
    uint32_t tag = load(c.tag, std::memory_order_acquire);
    if (!tag) return;
    if (!load(c.life, std::memory_order_acquire)) {  // it is just being filled; whoever does so will mark it
        if (tag & SLOT_RETIRED) memory_.dirty[number] = 1;
        return;
    }
    if (!changed_[number]) {
        if (was_there_before(c) && audience_.before_us) known_[number] = audience_.before_us(c);
        if (c.socket >> 63) has_cookies_ = false;  // it is the socket's address
    }
    changed_[number] = static_cast<uint32_t>(now / second) + 1;
    Traffic moved = since(known_[number], c);
    tcp_moved_ |= c.protocol == IPPROTO_TCP && !(tag & SLOT_RETIRED);
    if (audience_.moved) audience_.moved(number, c, moved);
    if (tag & SLOT_RETIRED && !is_retired_[number]) {
        is_retired_[number] = true;
        retired_.emplace_back(now, number);
    }
}

void Connections::retire_idle(int64_t now) {
    idle_checked_ = now;
    auto longest = used() > memory_.count / 4 ? longest_idle_when_full : longest_idle;
    auto seconds = static_cast<uint32_t>(now / second) + 1;
    for (uint32_t i = 0; i < memory_.count; i++) {
        if (!changed_[i] || seconds - changed_[i] <= longest) continue;
        connection& c = memory_.rows[i];
        if (c.protocol != IPPROTO_UDP || is_retired_[i]) continue;
        remove_from_index(i);
        std::atomic_ref(c.tag).fetch_or(SLOT_RETIRED, std::memory_order_acq_rel);
        is_retired_[i] = true;
        retired_.emplace_back(now, i);
    }
}

// As the programs do with those that they retire.
void Connections::remove_from_index(uint32_t number) const {
    if (memory_.index_fd < 0) return;
    const connection& c = memory_.rows[number];
    connection_key key{.socket = c.socket, .further = {}, .unused = 0};
    if (c.life & CONNECTION_FURTHER) {
        std::copy(std::begin(c.remote), std::end(c.remote), key.further.address);
        key.further.port = c.remote_port;
    }
    uint32_t found;
    if (bpf_map_lookup_elem(memory_.index_fd, &key, &found) == 0 && found == number)
        bpf_map_delete_elem(memory_.index_fd, &key);
}

void Connections::free_retired(int64_t now) {
    auto held =
        std::find_if(retired_.begin(), retired_.end(), [now](const auto& r) { return now - r.first < hold_retired; });
    for (auto r = retired_.begin(); r != held; ++r) {
        fold_row(r->second, now);  // what came in last
        release(r->second);
    }
    retired_.erase(retired_.begin(), held);
}

// The tag goes last: from then on the row may be another connection's.
void Connections::release(uint32_t number) {
    connection& c = memory_.rows[number];
    if (audience_.freed) audience_.freed(number, c);
    known_[number] = {};
    changed_[number] = 0;
    is_retired_[number] = false;
    std::memset(reinterpret_cast<char*>(&c) + sizeof c.tag, 0, sizeof c - sizeof c.tag);
    std::atomic_ref(c.tag).store(0, std::memory_order_release);
    if (memory_.claims_fd >= 0) bpf_map_delete_elem(memory_.claims_fd, &number);
    std::atomic_ref(memory_.shared->connections_freed)
        .store(memory_.shared->connections_freed + 1, std::memory_order_relaxed);
}

void Connections::refresh(uint32_t row, const Traffic& now) {
    const connection& c = memory_.rows[row];
    if (!changed_[row] || is_retired_[row]) return;
    Traffic moved = since(known_[row], now);
    if (audience_.moved &&
        (moved.bytes_sent || moved.bytes_received || moved.packets_sent || moved.packets_received || moved.retransmits))
        audience_.moved(row, c, moved);
}

void Connections::ended(const connection& unnoted) {
    Traffic before;
    if (audience_.before_us) before = audience_.before_us(unnoted);
    Traffic moved = since(before, unnoted);
    if (audience_.moved) audience_.moved(no_row, unnoted, moved);
}

const connection* Connections::row(uint32_t number) const {
    return number < memory_.count && changed_[number] ? &memory_.rows[number] : nullptr;
}

// As the programs do.
uint32_t Connections::find(uint64_t cookie) const {
    auto key = static_cast<uint32_t>(cookie ^ cookie >> 32);
    uint32_t place = SLOT_HASH(key) >> (32 - std::countr_zero(memory_.count));
    for (uint32_t probe = 0; probe < SLOT_PROBES; probe++) {
        auto at = static_cast<uint32_t>((place + probe) & (memory_.count - 1));
        if (changed_[at] && memory_.rows[at].socket == cookie && !(memory_.rows[at].life & CONNECTION_FURTHER))
            return at;
    }
    return no_row;
}

size_t Connections::used() const {
    return load(memory_.shared->connections_claimed) - memory_.shared->connections_freed;
}
uint64_t Connections::unnoted() const { return load(memory_.shared->connections_unnoted); }
uint64_t Connections::lost() const { return load(memory_.shared->connections_lost); }
