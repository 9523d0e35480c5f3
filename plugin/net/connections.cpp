#include "net/connections.h"
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <algorithm>
#include <cstring>
#include "base/clock.h"

namespace {

// A program that has found a row may still be writing to it when another one retires it.
constexpr int64_t hold_retired = second / 10;
constexpr int64_t idle_interval = second;
constexpr uint32_t longest_idle = 60, longest_idle_when_full = 2;  // seconds, of UDP: nobody tells of a socket's end

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
    : table_(memory.table),
      index_fd_(memory.index_fd),
      known_(table_.count()),
      changed_(table_.count()),
      is_retired_(table_.count()),
      has_cookies_(memory.table.claims_fd < 0) {}

void Connections::fold(int64_t now, bool everything) {
    table_.take_marks(everything);
    table_.for_each_marked([&](uint32_t row, uint8_t) { fold_row(row, now); },
                           [this](uint32_t row) {
                               auto* bytes = reinterpret_cast<const char*>(&table_[row]);
                               __builtin_prefetch(bytes);
                               __builtin_prefetch(bytes + 64);
                               __builtin_prefetch(&known_[row]);
                           });
    if (now - idle_checked_ >= idle_interval) retire_idle(now);
    free_retired(now);
}

void Connections::fold_row(uint32_t number, int64_t now) {
    connection& c = table_[number];
    uint32_t tag = load(c.tag, std::memory_order_acquire);
    if (!tag) return;
    if (!load(c.life, std::memory_order_acquire)) {  // it is just being filled; whoever does so will mark it
        if (tag & ROW_RETIRED) table_.mark_again(number, 1);
        return;
    }
    if (!changed_[number]) {
        if (was_there_before(c) && listener_.before_us) known_[number] = listener_.before_us(c);
        if (c.socket >> 63) has_cookies_ = false;  // it is the socket's address
    }
    changed_[number] = static_cast<uint32_t>(now / second) + 1;
    Traffic moved = since(known_[number], c);
    tcp_moved_ |= c.protocol == IPPROTO_TCP && !(tag & ROW_RETIRED);
    if (listener_.moved) listener_.moved(number, c, moved);
    if (tag & ROW_RETIRED && !is_retired_[number]) {
        is_retired_[number] = true;
        retired_.emplace_back(now, number);
    }
}

void Connections::retire_idle(int64_t now) {
    idle_checked_ = now;
    auto longest = used() > table_.count() / 4 ? longest_idle_when_full : longest_idle;
    auto seconds = static_cast<uint32_t>(now / second) + 1;
    for (uint32_t i = 0; i < table_.count(); i++) {
        if (!changed_[i] || seconds - changed_[i] <= longest) continue;
        connection& c = table_[i];
        if (c.protocol != IPPROTO_UDP || is_retired_[i]) continue;
        remove_from_index(i);
        std::atomic_ref(c.tag).fetch_or(ROW_RETIRED, std::memory_order_acq_rel);
        is_retired_[i] = true;
        retired_.emplace_back(now, i);
    }
}

// As the programs do with those that they retire.
void Connections::remove_from_index(uint32_t number) const {
    if (index_fd_ < 0) return;
    const connection& c = table_[number];
    connection_key key{.socket = c.socket, .peer = {}, .unused = 0};
    if (c.life & CONNECTION_PEER) {
        std::copy(std::begin(c.remote), std::end(c.remote), key.peer.address);
        key.peer.port = c.remote_port;
    }
    uint32_t found;
    if (bpf_map_lookup_elem(index_fd_, &key, &found) == 0 && found == number) bpf_map_delete_elem(index_fd_, &key);
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

void Connections::release(uint32_t number) {
    if (listener_.freed) listener_.freed(number, table_[number]);
    known_[number] = {};
    changed_[number] = 0;
    is_retired_[number] = false;
    table_.release(number);
}

void Connections::refresh(uint32_t row, const Traffic& now) {
    const connection& c = table_[row];
    if (!changed_[row] || is_retired_[row]) return;
    Traffic moved = since(known_[row], now);
    if (listener_.moved &&
        (moved.bytes_sent || moved.bytes_received || moved.packets_sent || moved.packets_received || moved.retransmits))
        listener_.moved(row, c, moved);
}

void Connections::ended(const connection& untracked) {
    Traffic before;
    if (listener_.before_us) before = listener_.before_us(untracked);
    Traffic moved = since(before, untracked);
    if (listener_.moved) listener_.moved(no_row, untracked, moved);
}

const connection* Connections::row(uint32_t number) const {
    return number < table_.count() && changed_[number] ? &table_[number] : nullptr;
}

// As the programs do.
uint32_t Connections::find(uint64_t cookie) const {
    auto key = static_cast<uint32_t>(cookie ^ cookie >> 32);
    uint32_t place = table_.place_of(key);
    for (uint32_t probe = 0; probe < TABLE_PROBES; probe++) {
        auto at = static_cast<uint32_t>((place + probe) & (table_.count() - 1));
        if (changed_[at] && table_[at].socket == cookie && !(table_[at].life & CONNECTION_PEER)) return at;
    }
    return no_row;
}
