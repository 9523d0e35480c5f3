// The Functions that the agent may call: their register, the agent's lines on standard input, and the answers.
#pragma once
#include <unistd.h>
#include <functional>
#include <string>
#include <vector>
#include "netdata/agent.h"
#include "netdata/collector.h"

struct Function {
    std::string help;
    std::function<void()> ask;  // somebody has called; Functions::answer() is to follow, which need not be at once
};

class Functions : public Collector {
public:
    Functions(const Agent& agent, int update_every);

    void offer(const std::string& name, Function function);
    void withdraw(Writer& out, const std::string& name, const std::string& why);  // whoever waits is told why
    void answer(Writer& out, const std::string& name, const std::string& body,
                int status = 200);  // the same to all who wait

    void begin(Writer& out) override;
    int fd() const override { return is_called_ ? STDIN_FILENO : -1; }
    Then readable(Writer& out, uint32_t events) override;

private:
    struct Offered {
        std::string name;
        Function function;
        std::vector<std::string> waiting;  // transactions
    };

    Offered* find(const std::string& name);
    void obey(Writer& out, std::string line);
    void reply(Writer& out, const std::string& transaction, int status, const std::string& body) const;

    const Agent agent_;
    const int update_every_;
    const bool is_called_;  // standard input is a pipe
    std::vector<Offered> offered_;
    std::string line_;         // as much of it as has come
    bool in_payload_ = false;  // of a call
    bool end_ = false;
};
