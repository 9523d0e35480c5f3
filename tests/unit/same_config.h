// Two configurations compared, field by field; a new field fails to compile here until it is named.
#pragma once
#include <gtest/gtest.h>
#include "config.h"

inline void expect_same(const Config& got, const Config& wanted) {
    const auto& [update_every, load_mode, chart_names, attach, pid_table_size, btf_path, apps, cgroups,
                 cgroups_matching, obsolete_after, run_time, group_on] = wanted;
    EXPECT_EQ(got.update_every, update_every);
    EXPECT_EQ(got.load_mode, load_mode);
    EXPECT_EQ(got.chart_names, chart_names);
    EXPECT_EQ(got.attach, attach);
    EXPECT_EQ(got.pid_table_size, pid_table_size);
    EXPECT_EQ(got.btf_path, btf_path);
    EXPECT_EQ(got.apps, apps);
    EXPECT_EQ(got.cgroups, cgroups);
    EXPECT_EQ(got.cgroups_matching, cgroups_matching);
    EXPECT_EQ(got.obsolete_after, obsolete_after);
    EXPECT_EQ(got.run_time, run_time);
    EXPECT_EQ(got.group_on, group_on);
}
