// The life of what is one of many in charts: an application, a container, a service, a destination of connections.
#pragma once
#include <fmt/format.h>
#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>
#include "base/words.h"

template <size_t N>
struct Series {
    using Totals = std::array<uint64_t, N>;

    std::string name;       // as it is shown
    std::string id{};       // in the charts, while it is shown
    Totals totals{};        // as counted; they never fall
    Totals sent{};          // as the agent knows them
    int64_t active_at = 0;  // when it was last seen to do something, ns of CLOCK_MONOTONIC; 0: never yet
    bool shown = false;     // in the charts
    bool fresh = false;     // shown, but without a value yet
    bool retired = false;   // it has been shown, and is no more

    // The agent draws differences to the first value that it gets. One that appears later first sends the total that the
    // agent knows (0 if it knows none), and its own with the next update.
    const Totals& next() const { return fresh ? sent : totals; }
    void updated() {
        if (!std::exchange(fresh, false)) sent = totals;
    }

    // What the agent does not know of it counts for another one.
    void leave_to(Series& other) {
        for (size_t i = 0; i < N; i++) other.totals[i] += totals[i] - sent[i];
        totals = sent;
    }
    // Goes on from what the agent knows of its id.
    void go_on_from(const Totals& known) {
        for (size_t i = 0; i < N; i++) totals[i] += known[i] - sent[i];
        sent = known;
    }
};

// Those whose ids must differ; at most `most` are shown at a time.
template <class T>  // a Series
class SeriesSet {
public:
    explicit SeriesSet(size_t most = SIZE_MAX) : most_(most) {}

    bool is_full() const { return count_ >= most_; }

    // A second one of the same id gets `_2`, behind at most `longest` bytes of it.
    void publish(T& one, const std::string& id, size_t longest) {
        one.id = id;
        for (int n = 2; !ids_.insert(one.id).second; n++) one.id = fmt::format("{}_{}", shortened(id, longest), n);
        if (auto known = known_.find(one.id); known != known_.end()) one.go_on_from(known->second);
        one.shown = one.fresh = true;
        one.retired = false;
        count_++;
    }

    void retire(T& one) {
        one.shown = false;
        one.retired = true;
        count_--;
        if (known_.size() >= most_known) known_.clear();  // the agent takes a total that begins anew for what it is
        known_[one.id] = one.sent;
        retired_ids_.push_back(std::move(one.id));
        one.id.clear();
    }

    // Of this update. When it is over, others may have them.
    const std::vector<std::string>& retired_ids() const { return retired_ids_; }
    void updated() {
        for (const std::string& id : retired_ids_) ids_.erase(id);
        retired_ids_.clear();
    }

private:
    static constexpr size_t most_known = 1000;
    size_t most_, count_ = 0;
    std::set<std::string> ids_;
    std::vector<std::string> retired_ids_;
    std::unordered_map<std::string, typename T::Totals> known_;  // of those that have gone
};
