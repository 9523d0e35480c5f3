// The agent that has started us, by its environment: which words of the protocol it knows.
#pragma once
#include <optional>
#include <string>

class Agent {
public:
    Agent();                                    // by the environment
    explicit Agent(const std::string& version)  // NETDATA_VERSION; "" if there is no agent
        : Agent(version, true) {}

    bool labels() const { return labels_; }        // CLABEL: since 1.32. By hand: yes
    bool functions() const { return functions_; }  // FUNCTION: since 1.37. By hand: nobody calls
    bool self_charts() const { return self_charts_; }

    // The line that registers a function of the host, in the words of that agent.
    std::string function_line(const std::string& name, const std::string& help) const;

private:
    Agent(const std::string& version, bool self_charts);

    bool labels_, functions_, function_tags_, self_charts_;
};

struct FunctionCall {
    std::string transaction;  // for the answer
    std::string name;         // of the function
    bool info = false;        // what it is is asked for, not its table
};

// The agent's line that calls a function: FUNCTION transaction timeout "name arguments" …. Nothing if it is none.
std::optional<FunctionCall> parse_function_call(const std::string& line);
