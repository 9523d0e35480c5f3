#include "who/process_table.h"
#include <algorithm>
#include "netdata/function_table.h"
#include "who/processes.h"

const char process_table_help[] = "What each process does with the kernel: calls, errors and bytes a second";

std::string process_table(const Processes& processes, const CounterSet& counted, double seconds, int update_every) {
    auto rows = processes.rows();
    auto users = user_names();
    std::vector<int> counters;
    for (int c = 0; c < COUNTERS; c++)
        if (counted[static_cast<size_t>(c)]) counters.push_back(c);
    std::vector<double> most(counters.size());

    Json data = Json::array();
    for (const Processes::Row& row : rows) {
        std::optional<unsigned> uid = processes.user(row.process.tgid);
        std::string command = processes.command(row.process.tgid);
        Json cells = {row.process.tgid,
                      row.process.comm,
                      command.empty() ? row.process.comm : command,
                      uid ? user_name(users, *uid) : "",
                      row.app.name,
                      processes.cgroup_name(row.process)};
        for (size_t i = 0; i < counters.size(); i++) {
            double rate = static_cast<double>(row.counts[static_cast<size_t>(counters[i])]) / seconds;
            most[i] = std::max(most[i], rate);
            cells.push_back(rate);
        }
        data.push_back(std::move(cells));
    }

    Columns columns;
    columns.number("PID", "PID")["unique_key"] = true;
    columns.text("Name", "Name")["sticky"] = true;
    Json& command = columns.text("Command", "Command line");
    command["visible"] = false;
    command["full_width"] = true;
    columns.text("User", "User");
    columns.text("Application", "Application");
    columns.text("Cgroup", "Container or service");
    std::vector<std::string> calls, bytes, errors;
    for (size_t i = 0; i < counters.size(); i++) {
        const std::string& name = counter_name(counters[i]);
        bool is_bytes = name.find("bytes") != std::string::npos, is_error = name.find("errors") != std::string::npos;
        columns.bar(name, name, is_bytes ? "bytes/s" : "calls/s", most[i], 2)["visible"] = !is_error;
        (is_bytes ? bytes : is_error ? errors : calls).push_back(name);
    }
    return text_of(table(table_head(process_table_help, update_every), std::move(data), columns,
                         {.sort = counters.empty() ? "PID" : counter_name(counters[0]),
                          .charts = {{"Calls", calls}, {"Bytes", bytes}, {"Errors", errors}},
                          .group_by = {"Application", "Cgroup", "User", "Name"}}));
}
