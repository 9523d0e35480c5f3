#include "process_table.h"
#include <pwd.h>
#include <algorithm>
#include <ctime>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include "processes.h"

using Json = nlohmann::ordered_json;

const char process_table_help[] = "What each process does with the kernel: calls, errors and bytes a second";

namespace {

// From the file alone: a name service on the network could keep us waiting.
std::map<unsigned, std::string> user_names() {
    std::map<unsigned, std::string> names;
    std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/etc/passwd", "re"), fclose);
    while (passwd* user = file ? fgetpwent(file.get()) : nullptr) names.emplace(user->pw_uid, user->pw_name);
    return names;
}

Json head(int update_every) {
    return {{"status", 200},
            {"type", "table"},
            {"has_history", false},
            {"update_every", update_every},
            {"help", process_table_help},
            {"accepted_params", {"info"}},
            {"required_params", Json::array()}};
}

struct Columns {
    Json columns = Json::object();
    int count = 0;

    void text(const char* id, const char* name, bool visible = true, bool sticky = false, bool wide = false) {
        Json c = column(name, visible, "string", "value", "none", 0);
        c["sticky"] = sticky;
        c["full_width"] = wide;
        c["filter"] = "multiselect";
        columns[id] = std::move(c);
    }
    void number(const char* id, const char* name, bool key) {
        Json c = column(name, true, "integer", "value", "none", 0);
        c["unique_key"] = key;
        columns[id] = std::move(c);
    }
    void rate(const std::string& name, const char* units, double most, bool visible) {
        Json c = column(name, visible, "bar-with-integer", "bar", "number", 2);
        c["units"] = units;
        c["value_options"]["units"] = units;
        c["max"] = most;
        c["sort"] = "descending";
        c["summary"] = "sum";
        columns[name] = std::move(c);
    }

private:
    Json column(const std::string& name, bool visible, const char* type, const char* look, const char* transform,
                int decimals) {
        return {{"index", count++},
                {"unique_key", false},
                {"name", name},
                {"visible", visible},
                {"type", type},
                {"visualization", look},
                {"value_options", {{"transform", transform}, {"decimal_points", decimals}}},
                {"sort", "ascending"},
                {"sortable", true},
                {"sticky", false},
                {"summary", "count"},
                {"filter", "range"},
                {"full_width", false},
                {"wrap", false},
                {"default_expanded_filter", false}};
    }
};

std::string text_of(const Json& json) {  // a name may hold bytes that are no UTF-8
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

const std::string& counter_name(int counter) {
    static const auto names = [] {
        std::array<std::string, COUNTERS> all;
        for (const Group& group : groups)
            for (const Hook& hook : group.hooks) {
                auto at = static_cast<size_t>(group.first_counter) + static_cast<size_t>(hook.first);
                for (auto [sort, count] :
                     {std::pair{"calls", hook.kind.calls}, {"errors", hook.kind.errors}, {"bytes", hook.kind.bytes}})
                    for (int i = 0; i < count; i++) {
                        std::string& name = all[at++];
                        if (!name.empty()) continue;  // a further path to the same counter
                        name = std::string(group.name) + " " + hook.name + " " + sort;
                        if (count > 1) name += " " + std::to_string(i + 1);
                    }
            }
        return all;
    }();
    return names[static_cast<size_t>(counter)];
}

std::string process_table(const Processes& processes, const CounterSet& counted, double seconds, int update_every) {
    auto rows = processes.rows();
    auto users = user_names();
    std::vector<int> counters;
    for (int c = 0; c < COUNTERS; c++)
        if (counted[static_cast<size_t>(c)]) counters.push_back(c);
    std::vector<double> most(counters.size());

    Json data = Json::array();
    for (const Processes::Row& row : rows) {
        std::optional<unsigned> uid = processes.user(row.process);
        auto user = uid ? users.find(*uid) : users.end();
        std::string command = processes.command(row.process);
        Json cells = {row.process.tgid,
                      row.process.comm,
                      command.empty() ? row.process.comm : command,
                      !uid                  ? ""
                      : user == users.end() ? std::to_string(*uid)
                                            : user->second,
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
    columns.number("PID", "PID", true);
    columns.text("Name", "Name", true, true);
    columns.text("Command", "Command line", false, false, true);
    columns.text("User", "User");
    columns.text("Application", "Application");
    columns.text("Cgroup", "Container or service");
    Json calls = Json::array(), bytes = Json::array(), errors = Json::array();
    for (size_t i = 0; i < counters.size(); i++) {
        const std::string& name = counter_name(counters[i]);
        bool is_bytes = name.find("bytes") != std::string::npos, is_error = name.find("errors") != std::string::npos;
        columns.rate(name, is_bytes ? "bytes/s" : "calls/s", most[i], !is_error);
        (is_bytes ? bytes : is_error ? errors : calls).push_back(name);
    }

    Json table = head(update_every);
    table["data"] = std::move(data);
    table["columns"] = std::move(columns.columns);
    table["default_sort_column"] = counters.empty() ? "PID" : counter_name(counters[0]);
    table["charts"] = Json::object();
    table["default_charts"] = Json::array();
    for (auto [name, list] : {std::pair{"Calls", &calls}, {"Bytes", &bytes}, {"Errors", &errors}})
        if (!list->empty()) {
            table["charts"][name] = {{"name", name}, {"type", "stacked-bar"}, {"columns", *list}};
            table["default_charts"].push_back({name, "Application"});
        }
    for (const char* by : {"Application", "Cgroup", "User", "Name"})
        table["group_by"][by] = {{"name", by}, {"columns", {by}}};
    table["expires"] = time(nullptr) + update_every;
    return text_of(table);
}

std::string process_table_info(int update_every) { return text_of(head(update_every)); }

std::string function_error(int status, const std::string& message) {
    return text_of({{"status", status}, {"errorMessage", message}});
}
