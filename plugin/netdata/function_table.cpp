#include "netdata/function_table.h"
#include <pwd.h>
#include <ctime>
#include <memory>

namespace {

Json column(const std::string& name, const char* type, const char* look, const char* transform, int decimals) {
    return {{"index", 0},
            {"unique_key", false},
            {"name", name},
            {"visible", true},
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

}  // namespace

Json& Columns::add(const std::string& id, Json column) {
    column["index"] = columns_.size();
    return columns_[id] = std::move(column);
}

Json& Columns::text(const std::string& id, const std::string& name) {
    Json& c = add(id, column(name, "string", "value", "none", 0));
    c["filter"] = "multiselect";
    return c;
}

Json& Columns::number(const std::string& id, const std::string& name) {
    return add(id, column(name, "integer", "value", "none", 0));
}

Json& Columns::bar(const std::string& id, const std::string& name, const char* units, double most, int decimals) {
    Json& c = add(id, column(name, "bar-with-integer", "bar", "number", decimals));
    c["units"] = units;
    c["value_options"]["units"] = units;
    c["max"] = most;
    c["sort"] = "descending";
    c["summary"] = "sum";
    return c;
}

Json& Columns::duration(const std::string& id, const std::string& name, double most) {
    Json& c = add(id, column(name, "duration", "bar", "duration", 0));
    c["units"] = "seconds";
    c["value_options"]["units"] = "seconds";
    c["max"] = most;
    c["summary"] = "max";
    return c;
}

Json table_head(const std::string& help, int update_every) {
    return {{"status", 200},
            {"type", "table"},
            {"has_history", false},
            {"update_every", update_every},
            {"help", help},
            {"accepted_params", {"info"}},
            {"required_params", Json::array()}};
}

Json table(Json head, Json rows, const Columns& columns, const TableView& view) {
    head["data"] = std::move(rows);
    head["columns"] = columns.all();
    head["default_sort_column"] = view.sort;
    head["charts"] = Json::object();
    head["default_charts"] = Json::array();
    for (const auto& [name, of] : view.charts) {
        if (of.empty()) continue;
        head["charts"][name] = {{"name", name}, {"type", "stacked-bar"}, {"columns", of}};
        head["default_charts"].push_back({name, view.group_by.front()});
    }
    for (const std::string& by : view.group_by)
        head["group_by"][by] = {{"name", columns.all()[by]["name"]}, {"columns", {by}}};
    head["expires"] = time(nullptr) + head["update_every"].get<int>();
    return head;
}

std::string text_of(const Json& json) {  // a name may hold bytes that are no UTF-8
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string function_error(int status, const std::string& message) {
    return text_of({{"status", status}, {"errorMessage", message}});
}

// From the file alone: a name service on the network could keep us waiting.
std::map<unsigned, std::string> user_names() {
    std::map<unsigned, std::string> names;
    std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/etc/passwd", "re"), fclose);
    while (passwd* user = file ? fgetpwent(file.get()) : nullptr) names.emplace(user->pw_uid, user->pw_name);
    return names;
}

std::string user_name(const std::map<unsigned, std::string>& names, unsigned uid) {
    auto found = names.find(uid);
    return found == names.end() ? std::to_string(uid) : found->second;
}
