#!/usr/bin/env bats
# The plugin under the agent that Debian 12 ships: what its API says of our charts and values, and every way to end.
load helpers

has_all_charts() { # NAME NAMING [HOST]
    api "$1" "${3-}api/v1/charts" >charts.json
    python3 "$BATS_TEST_DIRNAME/compare.py" charts.json "${4-$1}/printed" plan "$BATS_TEST_DIRNAME/documented.tsv" "$2"
}

# What an application has done, as the agent adds it up, is within 1 % of what it has made; the last part of an update is
# added with the next one.
adds_up_to() { # WHAT MADE CHART DIMENSION
    api a "api/v1/data?chart=$3&dimensions=$4&after=-600&format=json" |
        jq -e --arg what "$1" --argjson made "$2" '[.data[][1] | values | fabs] | add as $sum |
            if ($sum - $made | fabs) * 100 <= $made then $sum else error("\($what): \($made) made, \($sum) shown") end'
}

@test "classic names: every chart as printed and as documented; an application's values within 1 %" {
    agent a
    printf '[global]\nebpf load mode = return\n' >a/etc/ebpf.conf
    lay_out_cgroups
    listen_in a
    run_agent a
    await "values" collects a ebpf.exit 3
    read -r calls failed bytes < <(does alpha read 9000 "$box")
    local opens
    read -r opens _ < <(does beta openat_fail 9000 "$unit")
    sleep 2
    NETDATA_USER_CONFIG_DIR=$PWD/a/etc "$plugin" --plan --return >plan
    has_all_charts a classic
    await "all reads" adds_up_to "reads" "$calls" apps.vfs_read_call alpha
    await "all bytes read" adds_up_to "bytes read" "$bytes" apps.vfs_read_bytes alpha
    await "all opens" adds_up_to "opens" "$opens" apps.file_open beta
    await "all failed opens" adds_up_to "failed opens" "$opens" apps.file_open_error beta
    await "all bytes read in the container" adds_up_to "bytes read there" "$bytes" cgroup_ebpf_box.vfs_read_bytes vfs_read
    await "all failed opens of the service" adds_up_to "failed opens there" "$opens" services.file_open_error ebpf_unit
}

@test "current names, every two seconds: every chart as printed and as documented, the function listed" {
    agent a $'[plugin:ebpf]\n    update every = 2'
    printf '[global]\nebpf load mode = return\nchart names = current\n' >a/etc/ebpf.conf
    lay_out_cgroups
    listen_in a
    run_agent a
    await "values" collects a system.exit 2
    read -r calls _ < <(does alpha write 9000 "$unit")
    NETDATA_USER_CONFIG_DIR=$PWD/a/etc "$plugin" --plan --return >plan
    has_all_charts a current
    await "all writes" adds_up_to "writes" "$calls" app.alpha_ebpf_call_vfs_write calls
    await "all writes of the service" adds_up_to "writes there" "$calls" systemd_ebpf_unit.vfs_write_call calls
    [[ $(api a api/v1/chart?chart=system.exit | jq .update_every) == 2 ]]
    api a api/v1/info | jq -e '.functions["ebpf-processes"] | (.options | startswith("GLOBAL")) and .timeout == 10 and (.help | length > 10)'
    # A sample each two seconds, as the agent saw them come.
    values a system.exit | head -4 | awk -F, 'NR > 1 && last - $1 != 2 { exit 1 } { last = $1 } END { exit NR != 4 }'
}

# bats test_tags=host
@test "an application that has gone: its charts go, and come back with what was before" {
    agent a
    printf '[global]\nchart names = current\nobsolete after = 10\n' >a/etc/ebpf.conf
    listen_in a
    run_agent a
    local mine=app.alpha_ebpf_call_vfs_read made again
    await "values" collects a system.exit
    lacks_chart a $mine
    read -r made _ < <(does alpha read 9000)
    await "the chart goes" lacks_chart a $mine
    read -r again _ < <(does alpha read 9000)
    has_chart a $mine
    sleep 1
    await "all reads of both lives" adds_up_to "reads of both lives" $((made + again)) $mine calls
}

# bats test_tags=host
@test "[plugin:ebpf] command options reach the plugin" {
    agent a $'[plugin:ebpf]\n    command options = --return --global --filedescriptor'
    run_agent a
    await "values" collects a ebpf.file_error
    lacks_chart a apps.file_open
    lacks_chart a ebpf.exit
    tr '\0' ' ' </proc/"$(the_plugin)"/cmdline | grep -q ' 1 --return --global --filedescriptor $'
}

# bats test_tags=host
@test "nothing to collect: one line that says why, and the agent does not start it again" {
    agent a
    printf '[global]\nbtf path = /nowhere\n' >a/etc/ebpf.conf
    forgiven='no type information|disconnected after 0 .*|plugin called DISABLE|does not generate useful output but it reports success'
    run_agent a
    await "the reason" grep -q 'ERROR: no type information of the kernel at /nowhere' a/log/error.log
    await "no plugin" eval '[[ -z $(ours) ]]'
    sleep 3
    [[ -z $(ours) && $(grep -c 'no type information' a/log/error.log) == 1 ]]
}

@test "SIGKILL: this agent disables the plugin; started again, it finds a clean state" {
    agent a
    forgiven='read failed: end of file|child pid [0-9]+ killed by signal 9|Disabling|disconnected after'
    run_agent a
    await "values" collects a ebpf.exit
    kill -KILL "$(the_plugin)"
    await "the agent's notice" grep -qi disabling a/log/error.log
    sleep 2
    [[ -z $(ours) ]]
    kill -TERM "${running[a]}"
    wait "${running[a]}"
    run_agent a
    await "values" collects a ebpf.exit
}

@test "the agent ends by SIGTERM: so does the plugin, within 2 s" {
    agent a
    run_agent a
    await "values" collects a ebpf.exit
    local pid
    pid=$(the_plugin)
    kill -TERM "${running[a]}"
    wait "${running[a]}"
    gone_within_2s "$pid"
}

@test "the agent crashes: so ends the plugin, within 2 s, and the next agent finds nothing of it" {
    agent a
    run_agent a
    await "values" collects a ebpf.exit
    local pid
    pid=$(the_plugin)
    kill -KILL "${running[a]}"
    gone_within_2s "$pid"
    wait "${running[a]}" || true
    run_agent a
    await "values" collects a ebpf.exit
    [[ $(the_plugin) != "$pid" ]]
}

# bats test_tags=host
@test "an agent that stands still for half a minute, with 1,000 charts: the pipe fills, nothing of the totals is lost" {
    agent a
    printf '[global]\nchart names = current\n' >a/etc/ebpf.conf
    for n in {1..60}; do
        echo "many$n: many$n" >>a/etc/apps_groups.conf
        ln -s "$(command -v sleep)" "many$n"
        "./many$n" 300 3>&- &
        started+=($!)
    done
    listen_in a
    run_agent a
    await "1,000 charts" eval '(($(api a api/v1/charts | jq ".charts | length") > 1000))'
    await "values" collects a system.exit 3
    kill -STOP "${running[a]}"
    read -r calls _ < <(does alpha read 9000)
    sleep 24 # and 6 before
    kill -CONT "${running[a]}"
    read -r more _ < <(does alpha read 9000)
    await "values" collects a system.exit 12
    # What came while nobody read is one jump in the totals that were read, whatever the agent makes of it.
    awk -v made=$((calls + more)) '/^BEGIN/ { chart = $2 } /^SET calls/ && chart == "app.alpha_ebpf_call_vfs_read" { last = $4 } END { exit last < made }' a/printed
}

# bats test_tags=own_machine
@test "the clock is set back by an hour and forward by a day under the agent: values go on, within 1 %" {
    agent a
    listen_in a
    run_agent a
    await "values" collects a ebpf.exit 3
    local by calls
    for by in -3600.4 86400.2; do
        date -s "@$(date +%s.%N | awk -v by=$by '{ printf "%.3f", $1 + by }')"
        read -r calls _ < <(does alpha read 9000)
        await "all reads after the clock was set by $by s" adds_up_to "reads" "$calls" apps.vfs_read_call alpha
    done
}

# bats test_tags=host
@test "a parent: charts, labels and values of the child are the same there" {
    agent parent
    sed -i 's/ebpf = yes/ebpf = no/' parent/etc/netdata.conf
    cat >parent/etc/stream.conf <<'END'
[11111111-2222-3333-4444-555555555555]
    enabled = yes
    allow from = localhost
    default memory mode = ram
    health enabled by default = no
END
    agent child
    cat >child/etc/stream.conf <<END
[stream]
    enabled = yes
    destination = tcp:127.0.0.1:${port[parent]}
    api key = 11111111-2222-3333-4444-555555555555
    reconnect delay seconds = 1
END
    printf '[global]\nebpf load mode = return\nchart names = current\n' >child/etc/ebpf.conf
    lay_out_cgroups
    listen_in child
    forgiven='STREAM'
    run_agent parent
    run_agent child
    await "the child at the parent" api parent host/child/api/v1/info
    await "values" collects child system.exit 3
    read -r calls _ < <(does alpha read 9000)
    NETDATA_USER_CONFIG_DIR=$PWD/child/etc "$plugin" --plan --return >plan
    has_all_charts parent current host/child/ child
    api parent "host/child/api/v1/data?chart=app.alpha_ebpf_call_vfs_read&after=-60&format=json" |
        jq -e --argjson made "$calls" '[.data[][1] | values] | add | . - $made | fabs * 100 <= $made'
}

# bats test_tags=host
@test "a function is called through a parent: a table of all processes, an answer to every call" {
    local at
    at=$(a_port)
    agent child
    cat >child/etc/stream.conf <<END
[stream]
    enabled = yes
    destination = tcp:127.0.0.1:$at
    api key = 11111111-2222-3333-4444-555555555555
    reconnect delay seconds = 1
END
    listen_in child
    forgiven='STREAM'
    python3 "$BATS_TEST_DIRNAME/parent.py" "$at" streamed ebpf-processes "ebpf-processes info" ebpf-nonsense >results 2>parent.err 3>&- &
    local parent=$!
    started+=("$parent")
    run_agent child
    wait "$parent" || { cat parent.err; false; }
    grep -q '^CHART "ebpf.exit"' streamed
    [[ $(jq -c .status results | tr '\n' ' ') == "200 200 404 " ]]
    sed -n 1p results | jq -e --argjson me "$BASHPID" '.type == "application/json" and (.body | length > 15000) and
        (.body | fromjson | .columns.PID.index as $pid | any(.data[]; .[$pid] == 1))'
    sed -n 2p results | jq -e '.body | fromjson | has("data") | not'
}
