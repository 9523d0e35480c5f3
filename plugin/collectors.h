// All that counts and prints in this run.
#pragma once
#include "base/config.h"
#include "netdata/collector.h"
#include "who/app_rules.h"

// Makes it, in the order in which it folds and prints: the one place that knows who there is. watch: for a person, not for
// the agent. rules: of applications.
void add_collectors(Collectors& all, const Config& config, Programs& programs, int update_every, bool watch,
                    AppRules rules);
