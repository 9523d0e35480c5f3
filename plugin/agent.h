// The agent that has started us, by its environment: which words of the protocol it knows.
#pragma once
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
