// Two configurations compared, field by field; a new field fails to compile here until it is named.
#pragma once
#include <gtest/gtest.h>
#include "base/config.h"

inline void expect_same(const Config& got, const Config& wanted) {
    const auto& [update_every, load_mode, chart_names, attach, pid_table_size, connection_table_size, btf_path, apps,
                 cgroups, cgroups_matching, obsolete_after, run_time, cpu_limit, memory_limit, group_on, viewer_program,
                 viewer_enabled, most_dimensions, resolve_hosts, resolve_services, ports, ips, hostnames,
                 service_names] = wanted;
    EXPECT_EQ(got.update_every, update_every);
    EXPECT_EQ(got.load_mode, load_mode);
    EXPECT_EQ(got.chart_names, chart_names);
    EXPECT_EQ(got.attach, attach);
    EXPECT_EQ(got.pid_table_size, pid_table_size);
    EXPECT_EQ(got.connection_table_size, connection_table_size);
    EXPECT_EQ(got.btf_path, btf_path);
    EXPECT_EQ(got.apps, apps);
    EXPECT_EQ(got.cgroups, cgroups);
    EXPECT_EQ(got.cgroups_matching, cgroups_matching);
    EXPECT_EQ(got.obsolete_after, obsolete_after);
    EXPECT_EQ(got.run_time, run_time);
    EXPECT_EQ(got.cpu_limit, cpu_limit);
    EXPECT_EQ(got.memory_limit, memory_limit);
    EXPECT_EQ(got.group_on, group_on);
    EXPECT_EQ(got.viewer_program, viewer_program);
    EXPECT_EQ(got.viewer_enabled, viewer_enabled);
    EXPECT_EQ(got.most_dimensions, most_dimensions);
    EXPECT_EQ(got.resolve_hosts, resolve_hosts);
    EXPECT_EQ(got.resolve_services, resolve_services);
    EXPECT_EQ(got.ports.text, ports.text);
    EXPECT_EQ(got.ips.text, ips.text);
    EXPECT_EQ(got.hostnames.text, hostnames.text);
    EXPECT_EQ(got.service_names, service_names);
}
