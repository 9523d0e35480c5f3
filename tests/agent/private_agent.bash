# An agent of one's own, that of Debian: not installed, which would start it, but unpacked in the folder AGENT, and run as
# often as one likes on ports of the loopback. Used by the tests here and by tools/demo.sh --agent; `plugin` is what it runs.

unpack_agent() {
    [[ ! -d $AGENT/usr/share/netdata/web ]] || return 0
    mkdir -p "$AGENT"
    chmod 755 "$AGENT"
    (
        cd "$AGENT" || return 1
        wanted=(netdata-core netdata-web libcap2 libjson-c5 liblz4-1 libmnl0 libssl3 libuuid1 libuv1 zlib1g)
        apt-get download "${wanted[@]}" >&2 || { apt-get update -qq && apt-get download "${wanted[@]}"; } >&2
        for package in *.deb; do dpkg-deb -x "$package" . || return 1; done
    )
}

a_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# lay_out NAME [LINES OF netdata.conf]: an agent in the folder NAME.
lay_out() {
    local at=$PWD/$1
    mkdir -p "$at"/{etc,cache,lib,log,lock,plugins/real}
    port[$1]=$(a_port)
    cat >"$at/etc/netdata.conf" <<END
[global]
    run as user = root
    hostname = $1
[directories]
    config = $at/etc
    stock config = $AGENT/usr/lib/netdata/conf.d
    cache = $at/cache
    lib = $at/lib
    home = $at/lib
    lock = $at/lock
    log = $at/log
    plugins = "$at/plugins"
    web = $AGENT/usr/share/netdata/web
[db]
    mode = ram
    retention = 1200
    update every = 1
[web]
    bind to = 127.0.0.1
    default port = ${port[$1]}
[health]
    enabled = no
[registry]
    enabled = no
    registry to announce = http://127.0.0.1:${port[$1]}
[plugins]
    enable running new plugins = no
    ebpf = yes
    proc = no
    diskspace = no
    cgroups = no
    tc = no
    idlejitter = no
    timex = no
    statsd = no
    netdata monitoring = no
${2-}
END
    # The stock one asks addresses of clouds. Without the system's name a streaming child crashes.
    cat >"$at/plugins/system-info.sh" <<'END'
#!/bin/sh
. /etc/os-release
printf 'NETDATA_HOST_OS_NAME=%s\nNETDATA_HOST_OS_ID=%s\nNETDATA_HOST_OS_VERSION=%s\n' "$NAME" "$ID" "$VERSION"
printf 'NETDATA_SYSTEM_KERNEL_NAME=%s\nNETDATA_SYSTEM_KERNEL_VERSION=%s\n' "$(uname -s)" "$(uname -r)"
END
    chmod 755 "$at/plugins/system-info.sh"
    cp "${plugin:?}" "$at/plugins/real/ebpf.plugin"
    ln -s real/ebpf.plugin "$at/plugins/ebpf.plugin"
}

declare -gA port running
run_agent() { # NAME
    LD_LIBRARY_PATH=$(echo "$AGENT"/{lib,usr/lib}/*-linux-gnu | tr ' ' :) \
        "$AGENT/usr/sbin/netdata" -D -c "$PWD/$1/etc/netdata.conf" </dev/null >>"$1/console" 2>&1 3>&- &
    # shellcheck disable=SC2034 # those who source this use it
    running[$1]=$!
    agents+=($!)
    await "$1 answers" curl -fsS -o /dev/null "http://127.0.0.1:${port[$1]}/api/v1/info"
}

# Until the command succeeds, at most a minute.
await() { # WHAT COMMAND…
    local what=$1 until=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < until)) || { echo "not within a minute: $what" >&2; tail -20 ./*/log/error.log >&2; return 1; }
        sleep 0.1
    done
}

# A browser without a window at a menu of that agent's dashboard, of which it draws what its window has room for. It looks
# for nothing outside this machine.
browse() { # NAME MENU OPTION…: --dump-dom or --screenshot=FILE, --window-size=…
    timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync --user-data-dir="$PWD/browser" \
        --host-resolver-rules="MAP * ~NOTFOUND, EXCLUDE 127.0.0.1" --virtual-time-budget=20000 "${@:3}" \
        "http://127.0.0.1:${port[$1]}/#menu_$2;theme=white;after=-60;before=0" 2>browser.err
}

api() { # NAME CALL: the answer of that agent
    curl -fsS "http://127.0.0.1:${port[$1]}/$2"
}
