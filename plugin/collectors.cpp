#include "collectors.h"
#include <linux/bpf.h>
#include <sys/syscall.h>
#include "net/network.h"
#include "netdata/charts.h"
#include "netdata/member_charts.h"
#include "netdata/self_charts.h"
#include "watch/watch.h"
#include "who/identities.h"

namespace {

// What the threads have counted, and the first to read what else the kernel side sends.
class Counting : public Collector {
public:
    explicit Counting(Programs& programs) : programs_(programs), slots(programs.memory()) {}

    Needs needs() const override {
        Needs needs{{CAP_BPF}, {{SYS_tgkill, 2, all_bits, 0}}};  // is the thread still there
        for (uint64_t command : {BPF_MAP_LOOKUP_ELEM, BPF_MAP_DELETE_ELEM, BPF_MAP_LOOKUP_BATCH})
            needs.system_calls.push_back({SYS_bpf, 0, all_bits, command});
        return needs;
    }
    void fold(const Tick& tick) override {
        programs_.consume();
        slots.fold(tick.everything);
    }
    int fd() const override { return programs_.records_fd(); }
    Then readable(Writer&, uint32_t) override { return Then::Fold; }

private:
    Programs& programs_;

public:
    Slots slots;
};

}  // namespace

void add_collectors(const Running& running, bool watch, AppRules rules) {
    const Agent agent;
    auto& [config, programs, all, root] = running;
    auto counting = std::make_shared<Counting>(programs);
    std::shared_ptr<Identities> identities;
    std::shared_ptr<Network> network;
    if (config.identities()) identities = std::make_shared<Identities>(running, counting->slots, std::move(rules));
    Processes* processes = identities ? &identities->processes() : nullptr;
    if (config.group_on[Network::counts_for])
        network = std::make_shared<Network>(config, programs.connections(), counting->slots, all, root, processes);
    auto self = std::make_shared<SelfCharts>(running, counting->slots, !watch && agent.self_charts);
    programs.records().on<ended>([net = std::weak_ptr(network)](const ended& record) {
        if (auto sockets = net.lock()) sockets->on_end(record);
    });
    programs.records().on<listening>([net = std::weak_ptr(network)](const listening& record) {
        if (auto sockets = net.lock()) sockets->on_listener(record);
    });

    if (watch) all.add(std::make_shared<Watch>(running, self->totals(), config.apps ? processes : nullptr, network));
    all.add(counting);
    if (network) all.add(network);
    if (identities) all.add(identities);
    if (!watch) {
        const CounterSet counted = programs.plan().counted(config);
        CounterSet by_syscalls{};
        if (agent.labels) by_syscalls = programs.plan().counted_by(Way::Syscalls, config);
        all.add(
            std::make_shared<Charts>(counted, config.chart_names, config.update_every, by_syscalls, self->totals()));
        for (Audience audience : {Audience::Apps, Audience::Containers, Audience::Services})
            if (audience == Audience::Apps ? config.apps : config.cgroups)
                all.add(std::make_shared<MemberCharts>(
                    audience, counted, config, agent.labels, by_syscalls,
                    audience == Audience::Apps ? processes->apps() : *identities->cgroups(), self->missed_calls()));
        auto functions = std::make_shared<Functions>(agent, config.update_every);
        if (identities) identities->offer(*functions);
        if (network) network->offer(*functions);
        all.add(functions);
        if (network && network->viewer()) all.add(network->viewer());
    }
    all.add(self);
}
