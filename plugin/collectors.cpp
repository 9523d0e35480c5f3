#include "collectors.h"
#include <linux/bpf.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <csignal>
#include "base/log.h"
#include "bpf/own_cost.h"
#include "net/network.h"
#include "netdata/charts.h"
#include "netdata/self_charts.h"
#include "netdata/share_charts.h"
#include "watch/watch.h"
#include "who/identities.h"

namespace {

// What the threads have counted, and the first to hear what else the kernel side tells.
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

// The plugin's own cost, its limits and its charts.
class OwnCost : public Collector {
public:
    OwnCost(const Running& running, const Slots& slots, bool has_charts)
        : running_(running),
          slots_(slots),
          has_charts_(has_charts),
          meter_(running.programs, running.config.timed()),
          charts_(running.programs, meter_, running.config) {}

    Counters totals() const {  // of the system, with what the kernel's skipped runs have missed
        Counters totals = slots_.totals();
        for (size_t c = 0; c < totals.size(); c++) totals[c] += missed_calls()[c];
        return totals;
    }
    const Counters& missed_calls() const { return charts_.missed_calls(); }

    Needs needs() const override { return meter_.needs(); }
    void begin(Writer& out) override {
        if (has_charts_) SelfCharts::define(out, running_.config, running_.config.update_every);
    }
    void fold(const Tick& tick) override {
        if (!tick.is_update) return;
        measured_ = meter_.measure(tick.now);
        if (measured_) charts_.measured();
        charts_.ticked(tick.last_took, tick.last_late);
    }
    void print(Writer& out, const Tick& tick) override {
        if (has_charts_) charts_.update(out, tick.elapsed);
    }
    int64_t due() const override { return measured_ ? 0 : never; }
    void work(Writer& out) override {
        measured_ = false;
        if (!out.empty()) return;  // nobody reads: that it takes more now says nothing
        GroupSet with_own_memory{};
        for (size_t i = 0; i < running_.all.size(); i++)
            if (auto g = running_.all[i].group()) with_own_memory[*g] = true;
        auto group =
            limits_.group_to_leave_out(excess_of(meter_.cost(), running_.config, with_own_memory), running_.programs);
        if (group) running_.all.leave_out(*group, running_.programs, out);
    }
    void replanned(Writer&) override { charts_.replanned(); }

private:
    const Running& running_;
    const Slots& slots_;
    const bool has_charts_;
    CostMeter meter_;
    Limits limits_;
    SelfCharts charts_;
    bool measured_ = false;  // in this update
};

// What the groups count: of the system, and of each application, container and service.
class GroupCharts : public Collector {
public:
    GroupCharts(const Running& running, const OwnCost& cost, Identities* identities, bool labels)
        : running_(running),
          cost_(cost),
          by_syscalls_(labels ? running.programs.plan().counted_by(Way::Syscalls, running.config) : CounterSet{}),
          charts_(counted(), running.config.chart_names, running.config.update_every, by_syscalls_) {
        auto share = [&](Audience audience, std::deque<Member>& members) {
            shares_.emplace_back(audience, counted(), running.config, running.config.update_every, labels, by_syscalls_,
                                 members);
        };
        if (running.config.apps) share(Audience::Apps, identities->processes().apps());
        if (running.config.cgroups) share(Audience::Containers, *identities->cgroups());
        if (running.config.cgroups) share(Audience::Services, *identities->cgroups());
    }

    void begin(Writer& out) override { charts_.define(out); }
    void print(Writer& out, const Tick& tick) override {
        charts_.update(out, cost_.totals(), tick.elapsed);
        for (ShareCharts& shares : shares_) shares.update(out, tick.elapsed, tick.now, cost_.missed_calls());
    }
    void replanned(Writer& out) override {
        charts_.retire(out, counted());
        for (ShareCharts& shares : shares_) shares.retire(out, counted());
    }

private:
    CounterSet counted() const { return running_.programs.plan().counted(running_.config); }

    const Running& running_;
    const OwnCost& cost_;
    const CounterSet by_syscalls_;  // say so in a label
    Charts charts_;
    std::deque<ShareCharts> shares_;
};

// What a person sees instead of charts.
class Watching : public Collector {
public:
    Watching(const Running& running, const OwnCost& cost, Identities* identities, std::weak_ptr<Network> network)
        : cost_(cost),
          processes_(running.config.apps ? &identities->processes() : nullptr),
          network_(std::move(network)),
          watch_(running.programs, running.config),
          keyboard_(watch_.has_screen() && isatty(STDIN_FILENO) ? STDIN_FILENO : -1) {
        if (auto sockets = network_.lock()) sockets->track();
    }

    Needs needs() const override { return watch_.has_screen() ? screen_needs() : Needs{}; }
    void print(Writer& out, const Tick& tick) override {
        auto network = network_.lock();
        if (network) network->refresh_if_time(tick.now);
        Watch::Update update{.seconds = static_cast<double>(tick.elapsed) / 1e6,
                             .totals = cost_.totals(),
                             .apps = processes_ ? &processes_->apps() : nullptr,
                             .connections = network ? std::optional(network->moved()) : std::nullopt};
        if (processes_) update.ungrouped = processes_->take_ungrouped();
        watch_.show(out, update);
    }
    int fd() const override { return keyboard_; }
    Then readable(Writer&, uint32_t events) override {
        return events & (EPOLLHUP | EPOLLERR) || watch_.is_told_to_end() ? Then::End : Then::GoOn;
    }
    Then on_signal(int signal) override {
        if (!watch_.has_screen()) return Then::GoOn;
        if (signal == SIGWINCH) watch_.resize();
        return signal == SIGHUP ? Then::End : Then::GoOn;  // its terminal is gone
    }

private:
    const OwnCost& cost_;
    Processes* const processes_;
    const std::weak_ptr<Network> network_;
    Watch watch_;
    const int keyboard_;
};

}  // namespace

void add_collectors(const Running& running, bool watch, AppRules rules) {
    const Agent agent;
    auto& [config, programs, all, root] = running;
    auto counting = std::make_shared<Counting>(programs);
    std::shared_ptr<Identities> identities;
    std::shared_ptr<Network> network;
    if (config.identities()) identities = std::make_shared<Identities>(running, counting->slots, std::move(rules));
    if (config.group_on[Network::counts_for])
        network = std::make_shared<Network>(config, programs.connections(), counting->slots, all, root,
                                            identities ? &identities->processes() : nullptr);
    auto cost = std::make_shared<OwnCost>(running, counting->slots, !watch && agent.self_charts());
    programs.records().on<ended>([net = std::weak_ptr(network)](const ended& record) {
        if (auto sockets = net.lock()) sockets->on_end(record);
    });
    programs.records().on<listening>([net = std::weak_ptr(network)](const listening& record) {
        if (auto sockets = net.lock()) sockets->on_listener(record);
    });

    if (watch) all.add(std::make_shared<Watching>(running, *cost, identities.get(), network));
    all.add(counting);
    if (network) all.add(network);
    if (identities) all.add(identities);
    if (!watch) {
        all.add(std::make_shared<GroupCharts>(running, *cost, identities.get(), agent.labels()));
        auto functions = std::make_shared<Functions>(agent, config.update_every);
        if (identities) identities->offer(*functions);
        if (network) network->offer(*functions);
        all.add(functions);
        if (network && network->viewer()) all.add(std::make_shared<NetworkCharts>(*network));
    }
    all.add(cost);
}
