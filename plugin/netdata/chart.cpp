#include "netdata/chart.h"
#include <fmt/format.h>

void ChartDefinition::print(Writer& out, const char* options) const {
    out << fmt::format("CHART {} '' '{}' '{}' '{}' {} {} {} {} '{}' ebpf.plugin {}\n", id, title, unit.name, family,
                       context, type, priority, update_every, options, module);
}

void ChartDefinition::define(Writer& out) const {
    print(out, "");
    for (const auto& [name, text] : labels) out << fmt::format("CLABEL {} {} 1\n", name, text);
    if (!labels.empty()) out << "CLABEL_COMMIT\n";
}

void ChartDefinition::obsolete(Writer& out) const { print(out, "obsolete"); }

void ChartDefinition::dimension(Writer& out, std::string_view dimension_id, std::string_view name,
                                DimensionOptions options) const {
    out << fmt::format("DIMENSION {} {} {} {} {}{}{}\n", dimension_id, name, options.level ? "absolute" : "incremental",
                       options.multiplier * unit.multiplier, unit.divisor, options.hidden ? " hidden" : "",
                       options.obsolete ? " obsolete" : "");
}
