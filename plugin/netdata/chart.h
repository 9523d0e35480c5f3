// How the agent is told of charts and their values: every CHART of the plugin is printed here.
#pragma once
#include <string>
#include <utility>
#include <vector>
#include "base/groups.h"
#include "netdata/writer.h"

// Texts are printed as they are: in_quotes() makes those harmless that are not ours.
struct ChartDefinition {
    std::string id, title;
    Unit unit;
    std::string family, context;
    const char* type = "line";
    int priority = 0;
    const char* module = "";
    int update_every = 1;                                       // seconds
    std::vector<std::pair<const char*, std::string>> labels{};  // names, texts

    void define(Writer& out) const;  // its dimensions follow
    void obsolete(Writer& out) const;

    // `level`: the values are what is drawn, not totals whose rate is.
    struct DimensionOptions {
        int multiplier = 1;
        bool level = false, hidden = false, obsolete = false;
    };
    void dimension(Writer& out, std::string_view dimension_id, std::string_view name, DimensionOptions options) const;
    std::string begin() const { return "BEGIN " + id + " "; }

private:
    void print(Writer& out, const char* options) const;
};

// The values of a chart at an update. What is printed often is prepared: ChartDefinition::begin() and set_text().
class ChartUpdate {
public:
    ChartUpdate(Writer& out, std::string_view begin, int64_t elapsed) : out_(out) {
        out_ << begin;
        if (elapsed) out_ << elapsed;
    }
    ~ChartUpdate() { out_ << "\nEND\n"; }
    ChartUpdate(const ChartUpdate&) = delete;
    ChartUpdate& operator=(const ChartUpdate&) = delete;

    void set(std::string_view prepared, int64_t value) { out_ << prepared << value; }
    void set(std::string_view id, std::string_view id_end, int64_t value) {
        out_ << "\nSET '" << id << id_end << "' = " << value;
    }

private:
    Writer& out_;
};
inline std::string set_text(std::string_view id) { return "\nSET " + std::string(id) + " = "; }
