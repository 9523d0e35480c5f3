#include "netdata/collector.h"
#include <malloc.h>
#include <algorithm>
#include "base/clock.h"
#include "bpf/programs.h"

Needs Collectors::needs() const {
    Needs all;
    for (const auto& c : all_) all += c->needs();
    return all;
}

void Collectors::fold(const Tick& tick) const {
    for (const auto& c : all_) c->fold(tick);
}

void Collectors::begin(Writer& out) const {
    for (const auto& c : all_) c->begin(out);
}

void Collectors::print(Writer& out, const Tick& tick) const {
    for (const auto& c : all_) c->print(out, tick);
}

void Collectors::fold_now() const { fold({.now = clock_ns(CLOCK_MONOTONIC)}); }

int64_t Collectors::work(Writer& out) const {
    int64_t next = Collector::never;
    // NOLINTNEXTLINE(modernize-loop-convert): one of them may take others out
    for (size_t i = 0; i < all_.size(); i++) {
        Collector& c = *all_[i];
        if (c.due() <= clock_ns(CLOCK_MONOTONIC)) c.work(out);
        next = std::min(next, c.due());
    }
    return next;
}

Collector* Collectors::find(int fd) const {
    for (const auto& c : all_)
        if (c->fd() == fd) return c.get();
    return nullptr;
}

void Collectors::leave_out(size_t group, Programs& programs, const Config& config, Writer& out) {
    fold({.now = clock_ns(CLOCK_MONOTONIC), .everything = true});
    for (const auto& c : all_)
        if (c->group() == group) c->retire(out);
    std::erase_if(all_, [group](const auto& c) { return c->group() == group; });  // before the memory that it reads
    programs.leave_out(group, "left out because of the limits in ebpf.conf");
    const CounterSet counted = programs.plan().counted(config);
    for (const auto& c : all_) c->replanned(out, counted);
    malloc_trim(0);
}
