// The agent that has started us, by its environment: which words of the protocol it knows.
#pragma once
#include <optional>
#include <string>

struct Agent {
    Agent();                                     // by the environment
    explicit Agent(const std::string& version);  // NETDATA_VERSION; "" if there is no agent

    bool labels;         // CLABEL: since 1.32. By hand: yes
    bool functions;      // FUNCTION: since 1.37. By hand: nobody calls
    bool function_tags;  // since 2.0, with more about each
    bool self_charts = true;

    // The line that registers a function of the host, in the words of that agent.
    std::string function_line(const std::string& name, const std::string& help) const;
};

struct FunctionCall {
    std::string transaction;  // for the answer
    std::string name;         // of the function
    bool info = false;        // what it is is asked for, not its table
};

// The agent's line that calls a function: FUNCTION transaction timeout "name arguments" …. Nothing if it is none.
std::optional<FunctionCall> parse_function_call(const std::string& line);
