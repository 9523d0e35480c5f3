#!/usr/bin/env bats
# The rules that Debian's Netdata brings, and what its own apps.plugin makes of them: ours must agree.
# bats file_tags=alone
load helpers

# Unpacked, not installed: the packages would start their services.
setup_file() {
    export packages=$BATS_FILE_TMPDIR/packages
    mkdir "$packages"
    cd "$packages"
    local wanted=(netdata-core nginx redis-server redis-tools liblzf1 libjemalloc2)
    apt-get download "${wanted[@]}" >&2 || { apt-get update -qq && apt-get download "${wanted[@]}"; } >&2
    for package in *.deb; do dpkg-deb -x "$package" "$packages"; done
}

# It ends when its input does: when it has said what we ask for.
run_apps_plugin() {
    : >apps.out
    for _ in {1..100}; do
        ! grep -A1000 '^BEGIN apps.processes' apps.out | grep -q '^END' || break
        sleep 0.1
    done | "$packages/usr/lib/netdata/plugins.d/apps.plugin" 1 >>apps.out 2>apps.err || true
}

started=()
teardown() {
    local process
    for process in "${started[@]}" "${pid-}"; do [[ -z $process ]] || kill "$process" 2>/dev/null || true; done
    speaks_the_protocol
}

@test "Debian's apps_groups.conf is read without a complaint, and groups as apps.plugin does" {
    export NETDATA_STOCK_CONFIG_DIR=$packages/usr/lib/netdata/conf.d NETDATA_VERSION=v1.37.1
    local libraries=$packages/usr/lib/x86_64-linux-gnu
    mkdir -p nginx/logs
    cat >nginx/conf <<END
daemon off;
pid $PWD/nginx/pid;
worker_processes 2;
error_log $PWD/nginx/error;
events {}
http {
    access_log off;
    client_body_temp_path $PWD/nginx/a;
    proxy_temp_path $PWD/nginx/b;
    fastcgi_temp_path $PWD/nginx/c;
    uwsgi_temp_path $PWD/nginx/d;
    scgi_temp_path $PWD/nginx/e;
    server { listen unix:$PWD/nginx/socket; }
}
END
    # Children of process 1, as services are: what starts them here would pass its group on.
    LD_LIBRARY_PATH=$libraries setsid -f "$packages/usr/sbin/nginx" -p "$PWD/nginx" -c "$PWD/nginx/conf" 3>&-
    LD_LIBRARY_PATH=$libraries setsid -f "$packages/usr/bin/redis-server" --port 0 --unixsocket "$PWD/redis.socket" --save '' --pidfile "$PWD/redis.pid" --daemonize no >redis.log 2>&1 3>&-
    setsid -f bash -c 'echo $$ >bash.pid; while :; do sleep 1; done' 3>&-
    for _ in {1..100}; do [[ ! -s nginx/pid || ! -S redis.socket || ! -s bash.pid ]] || break; sleep 0.1; done
    local redis
    redis=$(pgrep -f "redis-server.*$PWD/redis.socket" || pgrep -n redis-server)
    started=("$(<nginx/pid)" "$redis" "$(<bash.pid)")

    run_apps_plugin
    start 1
    wait_for '^FUNCTION GLOBAL'
    echo 'FUNCTION t 10 "ebpf-processes"' >&9
    wait_for '^FUNCTION_RESULT_END'
    grep -v apps_groups err || true
    not grep -q 'WARNING: .*apps_groups.conf' err

    sed -n '/^FUNCTION_RESULT_BEGIN t /,/^FUNCTION_RESULT_END/p' out | sed '1d;$d' >table.json
    python3 - "${started[@]}" <<'END'
import json, sys, re
table = json.load(open("table.json"))
at = {name: column["index"] for name, column in table["columns"].items()}
ours = {}
for row in table["data"]:
    ours.setdefault(row[at["Application"]], []).append(row[at["Name"]])
theirs, chart = {}, None
for line in open("apps.out"):
    words = line.replace("'", "").replace('"', "").split()
    if words[:1] == ["BEGIN"]: chart = words[1]
    if words[:1] == ["SET"] and chart == "apps.processes": theirs[words[1]] = int(words[-1])
groups = {row[at["PID"]]: row[at["Application"]] for row in table["data"]}
nginx, redis, bash = (groups[int(pid)] for pid in sys.argv[1:])
print(nginx, redis, bash, theirs, {k: len(v) for k, v in ours.items()})
assert theirs, "apps.plugin said nothing"
for group, names in (((nginx), "nginx"), ((redis), "redis-server")):
    mine = ours[group]
    assert theirs[group] == len(mine), (group, theirs[group], mine)
assert (nginx, redis, bash) == ("httpd", "nosql", "other"), (nginx, redis, bash)
workers = open(f"/proc/{sys.argv[1]}/task/{sys.argv[1]}/children").read().split()
assert len(workers) == 2 and all(groups[int(pid)] == nginx for pid in workers), workers
for group, n in theirs.items():
    # The kernel's workers come and go between the one look and the other.
    if n and group in ("kernel", "ksmd", "khugepaged"): assert abs(n - len(ours[group])) <= n // 10, (group, n, len(ours[group]))
END
}

# Debian's rules do not name it, so it gets one.
@test "a bash and what it has started are grouped as apps.plugin does" {
    export NETDATA_STOCK_CONFIG_DIR=$packages/usr/lib/netdata/conf.d NETDATA_VERSION=v1.37.1
    { echo "shell: bash_of_te*"; cat "$NETDATA_STOCK_CONFIG_DIR/apps_groups.conf"; } >user/apps_groups.conf
    cp /bin/bash bash_of_test
    cp /bin/sleep waits
    setsid -f ./bash_of_test -c 'echo $$ >bash.pid; ./waits 1000 & ./waits 1000; :' 3>&-
    for _ in {1..100}; do [[ ! -s bash.pid || $(pgrep -c -P "$(<bash.pid)") != 2 ]] || break; sleep 0.1; done
    started=("$(<bash.pid)")
    mapfile -t -O 1 started < <(pgrep -P "${started[0]}")
    run_apps_plugin
    [[ $(awk -F"[ ']+" '/^BEGIN/ { at = $2 == "apps.processes" } at && $2 == "shell" { n = $NF } END { print n }' apps.out) == 3 ]]
    start 1
    wait_for '^FUNCTION GLOBAL'
    echo 'FUNCTION t 10 "ebpf-processes"' >&9
    wait_for '^FUNCTION_RESULT_END'
    [[ $(sed -n '/^FUNCTION_RESULT_BEGIN/,$p' out | grep -oE '\[[0-9]+,"(bash_of_test|waits)","[^"]*","root","shell"' | wc -l) == 3 ]]
}
