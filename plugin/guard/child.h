// A child with rights of its own, for what the plugin itself must not do or may hang in: it answers typed questions of a fixed
// size, within a time limit. It is forked from a process that has parsed nothing of others and never will: the starter, which
// is forked when the Child is made: make it early, and by the main thread, for all of them end with it. A child that does not
// answer in time is killed; the next question starts another one.
#pragma once
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <type_traits>
#include <vector>
#include "base/owner.h"
#include "guard/needs.h"

using Descriptors = std::vector<Descriptor>;  // open files that go along with a message
constexpr size_t most_descriptors = 8;

// The same without types, see Child.
class ChildProcess {
public:
    struct Role {
        size_t request_bytes, reply_bytes;
        int64_t time_limit;             // for each answer, ns
        std::function<void()> confine;  // in the child, before it reads a request: gives up rights and system calls
        // In the child. What it throws ends the child.
        std::function<void(const void* request, Descriptors, void* reply, Descriptors& with_reply)> serve;
    };
    explicit ChildProcess(Role role);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    int fd() const { return poll_.get(); }
    int64_t due() const { return deadline_; }
    bool is_busy() const { return deadline_ != INT64_MAX; }

    void ask(const void* request, Descriptors with_it);
    enum class Outcome { None, Answered, Failed };
    Outcome advance(void* reply, Descriptors& with_reply);

    static Needs needs();

private:
    void watch(const Descriptor& socket) const;
    void command(char what);
    void send_request();
    bool take_started();
    Outcome fail();

    const Role role_;
    pid_t starter_ = -1;
    Descriptor poll_, control_, child_;  // control_: the starter; child_: the one that runs, if one does
    int starting_ = 0;                   // children that have been asked for and not come yet
    std::vector<char> request_;          // until it has been sent
    Descriptors with_request_;
    int64_t deadline_ = INT64_MAX;
};

template <class Request, class Reply>
requires std::is_trivially_copyable_v<Request> && std::is_trivially_copyable_v<Reply>
class Child {
public:
    using Serve = std::function<void(const Request&, Descriptors, Reply&, Descriptors& with_reply)>;

    // time_limit: for each answer, ns. confine, serve: run in the child, see ChildProcess::Role. Throws if there cannot be
    // one.
    Child(int64_t time_limit, std::function<void()> confine, Serve serve)
        : process_({.request_bytes = sizeof(Request),
                    .reply_bytes = sizeof(Reply),
                    .time_limit = time_limit,
                    .confine = std::move(confine),
                    .serve = [serve = std::move(serve)](const void* bytes, Descriptors with_it, void* answer,
                                                        Descriptors& with_reply) {
                        Request request;
                        Reply reply{};
                        std::memcpy(&request, bytes, sizeof request);
                        serve(request, std::move(with_it), reply, with_reply);
                        std::memcpy(answer, &reply, sizeof reply);
                    }}) {}

    // Never waits. One question at a time: not while it is busy.
    // NOLINTNEXTLINE(performance-unnecessary-value-param): it is moved on
    void ask(const Request& request, Descriptors with_it = {}) { process_.ask(&request, std::move(with_it)); }
    bool is_busy() const { return process_.is_busy(); }

    struct Answer {
        std::optional<Reply> reply;  // nothing: the child was too slow, or died
        Descriptors with_it{};
    };
    // To be called when fd() is readable, and when it is due(). Nothing: not yet. Never waits.
    std::optional<Answer> take() {
        Reply reply;
        Descriptors with_it;
        switch (process_.advance(&reply, with_it)) {
            case ChildProcess::Outcome::Answered: return Answer{reply, std::move(with_it)};
            case ChildProcess::Outcome::Failed: return Answer{};
            case ChildProcess::Outcome::None: break;
        }
        return {};
    }
    int fd() const { return process_.fd(); }        // always the same
    int64_t due() const { return process_.due(); }  // ns of CLOCK_MONOTONIC; INT64_MAX: it is not asked anything

    static Needs needs() { return ChildProcess::needs(); }  // of who asks

private:
    ChildProcess process_;
};
