// The Function `ebpf-processes`: the processes with the rates of their counts, as a table for the agent's "Top".
#pragma once
#include <string>
#include "base/groups.h"

class Processes;

extern const char process_table_help[];

// The body of the answer, as the agent's functions want it (JSON). seconds: since when the counts have been gathered.
std::string process_table(const Processes& processes, const CounterSet& counted, double seconds, int update_every);
