// All that counts and prints in this run.
#pragma once
#include "netdata/collector.h"
#include "who/app_rules.h"

// Makes it, in the order in which it folds and prints: the one place that knows who there is. watch: for a person, not
// for the agent. `running` is kept by reference; rules: of applications.
void add_collectors(const Running& running, bool watch, AppRules rules);
