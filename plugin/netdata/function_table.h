// Tables as the agent's Functions want them (JSON): what ours have in common.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

using Json = nlohmann::ordered_json;

// Columns in the order of the cells. What is answered is the new one, to be refined before the next is made.
class Columns {
public:
    Json& text(const std::string& id, const std::string& name);
    Json& number(const std::string& id, const std::string& name);  // one that is nobody's sum: an id, a port
    Json& bar(const std::string& id, const std::string& name, const char* units, double most, int decimals = 0);
    Json& duration(const std::string& id, const std::string& name, double most);  // of seconds
    const Json& all() const { return columns_; }

private:
    Json& add(const std::string& id, Json column);
    Json columns_ = Json::object();
};

struct TableView {
    std::string sort;                                                      // the column
    std::vector<std::pair<std::string, std::vector<std::string>>> charts;  // of columns; those without any are left out
    std::vector<std::string> group_by;                                     // columns; the charts begin with the first
};

Json table_head(const std::string& help, int update_every);  // the answer to `info`, and the begin of every other
Json table(Json head, Json rows, const Columns& columns, const TableView& view);
std::string text_of(const Json& json);

// What is answered instead when something is wrong with the call.
std::string function_error(int status, const std::string& message);

std::map<unsigned, std::string> user_names();
std::string user_name(const std::map<unsigned, std::string>& names, unsigned uid);
