#include "check/expectations.h"
#include <fmt/format.h>
#include <algorithm>
#include <stdexcept>

extern "C" {
extern const char expected_tsv[], expected_tsv_end[];
}

namespace {

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + separator.size());
    }
}

[[noreturn]] void reject(std::string_view what, std::string_view text) {
    throw std::invalid_argument(fmt::format("there is no {} `{}`", what, text));
}

int counter_named(std::string_view name) {
    for (int c = 0; c < COUNTERS; c++)
        if (counter_name(c) == name) return c;
    reject("counter", name);
}

int hook_named(std::string_view name) {
    for (int id = 0; id < HOOKS; id++)
        if (hook_ref(id).name() == name) return id;
    reject("hook", name);
}

Amount amount_named(std::string_view name) {
    constexpr std::string_view names[] = {"calls", "failed", "bytes", "none", "any"};
    const auto* found = std::find(std::begin(names), std::end(names), name);
    if (found == std::end(names)) reject("amount", name);
    return static_cast<Amount>(found - names);
}

CounterSet& property_named(std::string_view name, Expectations& all) {
    if (name == "others") return all.others;
    if (name == "lossy") return all.lossy;
    if (name == "late") return all.late;
    reject("property", name);
}

void read_row(const std::vector<std::string_view>& fields, Expectations& all) {
    if (fields.size() < 2 || fields.size() > 4)
        throw std::invalid_argument("it has not two, three or four fields with tabs between them");
    int counter = counter_named(fields[0]);
    if (fields.size() == 2) {
        if (fields[1] == "ends")
            all.ends = counter;
        else
            property_named(fields[1], all)[static_cast<size_t>(counter)] = true;
        return;
    }
    Expectation row{{}, counter, amount_named(fields[1])};
    if (fields.size() == 4) {
        if (fields[3] == "syscalls" || fields[3] == "not syscalls")
            row.by_syscalls = fields[3] == "syscalls";
        else
            row.hook = hook_named(fields[3]);
    }
    for (std::string_view operation : split(fields[2], ", ")) {
        row.operation = operation;
        all.rows.push_back(row);
    }
}

}  // namespace

bool Expectations::can_try(int counter) const {
    return std::any_of(rows.begin(), rows.end(), [counter](const Expectation& e) {
        return e.counter == counter && e.amount != Amount::None && e.amount != Amount::Any;
    });
}

Expectations read_expectations(std::string_view table) {
    Expectations all;
    int number = 0;
    for (std::string_view line : split(table, "\n")) {
        number++;
        if (line.empty() || line[0] == '#') continue;
        try {
            read_row(split(line, "\t"), all);
        } catch (const std::invalid_argument& wrong) {
            throw std::invalid_argument(fmt::format("expected.tsv, line {}: {}", number, wrong.what()));
        }
    }
    return all;
}

std::string_view expected_table() { return {expected_tsv, static_cast<size_t>(expected_tsv_end - expected_tsv)}; }
