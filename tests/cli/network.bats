#!/usr/bin/env bats
# Who talks to whom: real traffic between network namespaces, what both ends say of it against the charts.
load helpers

# Two hosts and a wire between them: `a` speaks, `b` serves. The addresses are this test's own, and the charts show no
# others, so nothing else that goes on here is in them.
near() { ip netns exec "$a" "$@"; }
far() { ip netns exec "$b" "$@"; }
network() {
    a=ebpf_a_$$ b=ebpf_b_$$
    net=10.$((64 + $$ / 250 % 128)).$(($$ % 250))
    net6=fd77:$(printf %x $(($$ % 65536)))
    near_ip=$net.1 far_ip=$net.2
    ip netns add "$a"
    ip netns add "$b"
    ip -n "$a" link add eth0 type veth peer name eth0 netns "$b"
    local host
    for host in "$a 1" "$b 2"; do
        ip -n "${host% *}" address add "$net.${host#* }/24" dev eth0
        ip -n "${host% *}" address add "$net6::${host#* }/64" dev eth0 nodad
        ip -n "${host% *}" link set eth0 up
        ip -n "${host% *}" link set lo up
    done
    # Names of this test's own; all that runs has its group by a rule, so that none is taken over from a child.
    ln -s /usr/bin/python3 "speak_$$"
    ln -s "$(command -v curl)" "curl_$$"
    printf '%s\n' "speakers: speak_$$ curl_$$" "rest: *" >user/apps_groups.conf
    viewer "ips = $net.0/24 $net6::/64"
}
viewer() { printf '%s\n' "[network viewer]" "$@" >user/ebpf.conf; }

ends=()
teardown() {
    local end
    for end in "${ends[@]}" ${pid-}; do kill -KILL "$end" 2>/dev/null || true; done
    wait "${ends[@]}" ${pid-} 2>/dev/null || true
    for end in ${a-} ${b-}; do ip netns del "$end" 2>/dev/null || true; done
}

await() { # FILE PATTERN
    for _ in {1..300}; do
        ! grep -qsE "$2" "$1" || return 0
        sleep 0.05
    done
    echo "$1 does not say $2:" >&2
    cat "$1" >&2
    return 1
}

# end NAME near|far ROLE ARGUMENTS…: one end of a conversation (traffic.py), in the background.
end() {
    local name=$1 host=$a
    [[ $2 == near ]] || host=$b
    shift 2
    mkfifo "$name.in"
    ip netns exec "$host" "./speak_$$" "$BATS_TEST_DIRNAME/traffic.py" "$@" <>"$name.in" >"$name.said" 2>"$name.err" 3>&- 9>&- &
    ends+=($!)
    await "$name.said" ready
}
say() { # NAME BYTES: and waits until it is done
    local lines
    lines=$(wc -l <"$1.said")
    echo "$2" >"$1.in"
    for _ in {1..600}; do
        (($(wc -l <"$1.said") == lines)) || return 0
        sleep 0.05
    done
    echo "$1 has not sent $2 bytes" >&2
    cat "$1.err" >&2
    return 1
}
said() { # NAME sent|received: in all
    awk -v what="$2" '{ for (i = 1; i < NF; i++) if ($i == what) n = $(i + 1) } END { print n + 0 }' "$1.said"
}

# The last value of a dimension in the last whole update; `absent` if it has never been there.
value() { # CHART DIMENSION
    awk -v chart="$1" -v dimension="'$2'" '
        $1 == "BEGIN" { open = $2 }
        $1 == "SET" && open == chart && ($2 == dimension || "\047" $2 "\047" == dimension) { last = $4; any = 1 }
        END { print any ? last : "absent" }' now.out
}
sum() { # CHART ENDING: of all dimensions that end so, in the last whole update
    awk -v chart="$1" -v ending="$2\047?$" '
        $1 == "BEGIN" && $2 == chart { open = 1; total = 0; next } $1 == "BEGIN" { open = 0 }
        open && $1 == "SET" && $2 ~ ending { total += $4 }
        END { print total + 0 }' now.out
}
look() { # after so many whole updates more
    local wanted
    wanted=$(($(grep -c '^BEGIN ebpf.inbound_packets' out) + ${1-2} + 1))
    for _ in {1..600}; do
        (($(grep -c '^BEGIN ebpf.inbound_packets' out) < wanted)) || break
        sleep 0.1
    done
    awk '/^BEGIN ebpf.outbound_bytes/ { printf "%s", update; update = "" } { update = update $0 "\n" }' out >now.out
}
# Newer kernels may skip a program while it is preempted, and the plugin says how often, asking at each tenth update. A call
# here moves at most 65,536 bytes.
same() { # WHAT WANTED GOT
    [[ $2 == "$3" ]] && return
    if [[ $3 != absent ]] && (($3 < $2)); then
        look 11
        local missed
        missed=$(value netdata.ebpf_events missed)
        echo "# $1: $2 wanted, $3 shown, $missed calls reported as missed" >&3
        [[ $missed == absent ]] || (($2 - $3 > missed * 65536)) || return 0
    fi
    echo "$1: $2 wanted, $3 shown" >&2
    cat err >&2
    return 1
}
# What the kernel sends when nobody calls any more is seen when the plugin next looks at the connection, within five seconds.
shows() { # CHART DIMENSION WANTED
    for _ in {1..8}; do
        [[ $(value "$1" "$2") != absent ]] || break
        (($(value "$1" "$2") < $3)) || break
        look 0
    done
    same "$1 $2" "$3" "$(value "$1" "$2")"
}
outbound() { # SERVICE:PROTOCOL:HOST SENT RECEIVED
    shows ebpf.outbound_bytes "$1_sent" "$2"
    shows ebpf.outbound_bytes "$1_recv" "$3"
}
inbound() { # SERVICE:PROTOCOL SENT RECEIVED, as the service sees it
    shows ebpf.inbound_bytes "$1_sent" "$2"
    shows ebpf.inbound_bytes "$1_recv" "$3"
}

go() {
    start 1 --net
    wait_for '^END'
}

# Tracepoints do not tell where a datagram of an unconnected socket goes to; functions do.
functions_tell() { "$plugin" --plan 2>/dev/null | grep -E '^socket[_ ]udp_send ' | grep -qE 'trampoline|kprobe'; }
is_mine() { [[ -n ${EBPF_OWN_MACHINE-} ]]; } # nobody else is at work on this machine

@test "HTTP between two hosts: a large file by sendfile and 200 short connections" {
    network
    mkdir www
    head -c 8000000 /dev/urandom >www/large
    head -c 1000 /dev/urandom >www/small
    printf '%s\n' "daemon off; master_process off; user root; pid $PWD/nginx.pid; error_log $PWD/nginx.log; events {}" \
        "http { sendfile on; access_log off; server { listen 80; root $PWD/www; } }" >nginx.conf
    ip netns exec "$b" nginx -p "$PWD" -c "$PWD/nginx.conf" 3>&- 9>&- &
    ends+=($!)
    for _ in {1..100}; do [[ -z $(far ss -Hltn "sport = 80") ]] || break; sleep 0.1; done
    go
    near "./curl_$$" -sS -H 'Connection: close' -w '%{size_request} %{size_header} %{size_download}\n' \
        -o /dev/null "http://$far_ip/large" -o /dev/null "http://$far_ip/small?[1-200]" >curl.said
    look
    local asked answered
    read -r asked answered < <(awk '{ asked += $1; answered += $2 + $3 } END { print asked, answered }' curl.said)
    ((answered > 8200000))
    same "connections" 201 "$(wc -l <curl.said)"
    outbound "http:TCP:$far_ip" "$asked" "$answered"
    inbound http:TCP "$answered" "$asked"
    same "curl's bytes sent" "$asked" "$(value apps.bandwidth_sent speakers)"
    same "curl's bytes received" "$answered" "$(value apps.bandwidth_recv speakers)"
    same "curl's connections" 201 "$(value apps.outbound_conn_v4 speakers)"
    # Each connection has more packets than these: SYN, request and FIN, or SYN, answer and FIN.
    (($(value ebpf.outbound_packets "http:TCP:${far_ip}_sent") >= 3 * 201))
    (($(value ebpf.inbound_packets "http:TCP_recv") >= 3 * 201))
}

@test "bulk both ways, shown while the connection lives" {
    network
    end server far serve tcp "$far_ip" 8201
    end sink far swallow tcp "$far_ip" 8202
    go
    end client near talk tcp "$far_ip" 8201
    end shouter near shout tcp "$far_ip" 8202
    for bytes in 50000 1 70000; do say client $bytes; done
    say shouter 20000000
    look
    outbound "8201:TCP:$far_ip" 120001 120001
    inbound 8201:TCP 120001 120001
    same "connections still open" 2 "$(near ss -Htn state established dst "$far_ip" | wc -l)"
    outbound "8202:TCP:$far_ip" 20000000 0
    inbound 8202:TCP 0 20000000
    same "sent by the application" $((20000000 + 2 * 120001)) "$(value apps.bandwidth_sent speakers)"
    same "received by the application" $((20000000 + 2 * 120001)) "$(value apps.bandwidth_recv speakers)"
    same "bytes of all applications" "$(sum apps.bandwidth_sent '')" \
        $(($(value ebpf.tcp_bandwidth tcp_sendmsg) + $(value ebpf.udp_bandwidth udp_sendmsg)))
    ! is_mine || same "bytes of the system" $((20000000 + 2 * 120001)) "$(value ebpf.tcp_bandwidth tcp_sendmsg)"
}

@test "UDP: an echo, by connected and by unconnected sockets, and who is a service" {
    network
    viewer "ips = $net.0/24 $net6::/64" "[service name]" "5353 = names"
    end server far serve udp "$far_ip" 5353
    go
    end connected near talk udp "$far_ip" 5353
    end free near talk udp-unconnected "$far_ip" 5353
    for bytes in 100 0 1400 7; do say connected $bytes; done
    for bytes in 3000 11; do say free $bytes; done
    look
    local other=0 told=0
    # Elsewhere on this machine somebody may have sent to nobody knows where too.
    if functions_tell; then told=3011; else other=3011; fi
    outbound "names:UDP:$far_ip" $((1507 + told)) $((1507 + told))
    ! is_mine || same "to who knows where" $other "$(value ebpf.outbound_bytes other:ALL:other_sent)"
    (($(value ebpf.outbound_bytes other:ALL:other_sent) >= other))
    inbound names:UDP 4518 4518
    same "datagrams to the service" 6 "$(value ebpf.inbound_packets names:UDP_recv)"
    same "its answers" 6 "$(value ebpf.inbound_packets names:UDP_sent)"
    same "sent by the application" $((2 * 4518)) "$(value apps.bandwidth_sent speakers)"
    same "received by the application" $((2 * 4518)) "$(value apps.bandwidth_recv speakers)"
    same "its sends" 12 "$(value apps.bandwidth_udp_send speakers)"
}

ipv6() { # WAY: of attaching
    network
    printf '%s\n' "[global]" "attach = $1" >>user/ebpf.conf
    end tcp far serve tcp "$net6::2" 8101
    end udp far serve udp "$net6::2" 8102
    end mapped far serve tcp "::ffff:$far_ip" 8103
    end mapped_udp far serve udp "::ffff:$far_ip" 8104
    go
    end tcp6 near talk tcp "$net6::2" 8101
    end udp6 near talk udp "$net6::2" 8102
    end tcp46 near talk tcp "::ffff:$far_ip" 8103
    end udp46 near talk udp "::ffff:$far_ip" 8104
    say tcp6 12345
    say udp6 678
    say tcp46 910
    say udp46 111
    look
    outbound "8101:TCP:[$net6::2]" 12345 12345
    inbound 8101:TCP 12345 12345
    outbound "8102:UDP:[$net6::2]" 678 678
    inbound 8102:UDP 678 678
    outbound "8103:TCP:$far_ip" 910 910
    inbound 8103:TCP 910 910
    outbound "8104:UDP:$far_ip" 111 111
    inbound 8104:UDP 111 111
    same "connections by IPv6" 1 "$(value apps.outbound_conn_v6 speakers)"
    same "connections by IPv4" 1 "$(value apps.outbound_conn_v4 speakers)"
}
@test "IPv6 by TCP and UDP, and IPv4 by sockets of IPv6" { ipv6 auto; }

# One function is called inside the other there, and a program each sees their calls and their returns.
@test "IPv6, and IPv4 by sockets of IPv6, by probes where the kernel has them" {
    way=syscalls
    ! "$plugin" --plan --attach probe 2>/dev/null | grep -q ' kprobe' || way=probe
    ipv6 $way
}

@test "connections that have ended before the last read leave no row, and no line but the service's" {
    network
    cat >server.py <<'PYTHON'
import socket, sys
listener = socket.create_server((sys.argv[1], 8206))
print("ready", flush=True)
for _ in range(60):
    connection, _ = listener.accept()
    connection.recv(100)
    connection.sendall(b"x" * 70)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(100):  # its end comes after that of the connection
        pass
    connection.recv(1)
    connection.close()
PYTHON
    cat >client.py <<'PYTHON'
import socket, sys
for _ in range(60):
    connection = socket.create_connection((sys.argv[1], 8206))
    connection.sendall(b"y" * 30)
    while connection.recv(100):
        pass
    connection.close()
PYTHON
    far "./speak_$$" server.py "$far_ip" >server.said 3>&- 9>&- &
    ends+=($!)
    await server.said ready
    go
    near "./speak_$$" client.py "$far_ip"
    look
    outbound "8206:TCP:$far_ip" 1800 4200
    inbound 8206:TCP 4200 1800
    not grep -q "TCP:${near_ip}_" now.out
    ! is_mine || (($(value netdata.ebpf_connections "all") == 4096 && $(value netdata.ebpf_connections used) <= 4))
}

retransmitted() { near cat /proc/net/snmp | awk '$1 == "Tcp:" { for (i = 1; i <= NF; i++) if ($i == "RetransSegs") at = i; n = $at } END { print n }'; }

@test "a lossy wire: each retransmit, to whom and by which application" {
    network
    # A fifth is lost: by the wire where the kernel can, else where the far end takes it from the wire.
    near tc qdisc add dev eth0 root netem loss 20% 2>/dev/null || far nft -f - <<'NFT'
        table netdev lossy {
            chain in { type filter hook ingress device eth0 priority 0; numgen random mod 5 0 drop; }
        }
NFT
    end sink far swallow tcp "$far_ip" 8203
    go
    end shouter near shout tcp "$far_ip" 8203
    for _ in {1..20}; do say shouter 30000; done
    # Until all has arrived.
    for _ in {1..300}; do [[ $(near ss -Htn dst "$far_ip" | awk '{ print $3 }') != 0 ]] || break; sleep 0.1; done
    local before now
    before=$(retransmitted)
    look
    now=$(retransmitted)
    same "retransmits while looking" "$before" "$now"
    ((now > 0))
    same "retransmitted to it" "$now" "$(value ebpf.outbound_retransmit "8203:TCP:$far_ip")"
    same "by the application" "$now" "$(value apps.bandwidth_tcp_retransmit speakers)"
    if is_mine; then
        same "of the system" "$now" "$(value ebpf.tcp_retransmit tcp_retransmit_skb)"
    fi
    outbound "8203:TCP:$far_ip" 600000 0
    inbound 8203:TCP 0 600000
}

@test "connections that were there before: what they move from then on" {
    network
    end server far serve tcp "$far_ip" 8204
    end udp far serve udp "$far_ip" 8205
    end old near talk tcp "$far_ip" 8204
    end older near talk tcp "$far_ip" 8204
    end datagrams near talk udp "$far_ip" 8205
    say old 1000000
    say older 300
    say datagrams 500
    go
    look 1
    say old 777
    say datagrams 55
    end new near talk tcp "$far_ip" 8204
    say new 20
    look
    outbound "8204:TCP:$far_ip" 797 797
    inbound 8204:TCP 797 797
    outbound "8205:UDP:$far_ip" 55 55
    inbound 8205:UDP 55 55
}

# bats test_tags=host
@test "names: of services and hosts, shown and asked for; ports and addresses that are not" {
    network
    # The names come from /etc/hosts, of which the plugin gets one of its own.
    printf '%s\n' "127.0.0.1 localhost" "$far_ip web.test" "$net.3 hidden.test" >hosts
    printf '%s\n' '#!/bin/sh' "exec unshare --mount sh -c 'mount --bind hosts /etc/hosts && exec \"\$@\"' - '$plugin' \"\$@\"" >in_hosts
    chmod +x in_hosts
    far ip address add "$net.3/24" dev eth0
    viewer "ips = $net.0/24" "ports = 8300-8309 !8303 https" "resolve hostname ips = yes" "hostnames = !hidden.*" \
        "[service name]" "8301 = Foo"
    local port
    for port in 8301 8302 8303 8310 443; do end "on_$port" far serve tcp 0.0.0.0 $port; done
    plugin=./in_hosts go
    for port in 8301 8302 8303 8310 443; do
        end "to_$port" near talk tcp "$far_ip" $port
        say "to_$port" $port
    done
    end to_hidden near talk tcp "$net.3" 8302
    say to_hidden 10
    look 3
    outbound "Foo:TCP:$far_ip" 8301 8301
    outbound "8302:TCP:$far_ip" 8302 8302
    outbound "https:TCP:$far_ip" 443 443
    inbound Foo:TCP 8301 8301
    inbound 8302:TCP 8312 8312
    inbound https:TCP 443 443
    not grep -qE "(8303|8310):TCP|:TCP:$net.3" now.out
    grep -qE "^DIMENSION '?Foo:TCP:${far_ip}_sent'? '?Foo:TCP:web.test_sent'? incremental -1 1" out
    grep -qE "^DIMENSION '?https:TCP:${far_ip}_recv'? '?https:TCP:web.test_recv'? incremental 1 1" out
    not grep -q hidden.test out
}

# bats test_tags=host
@test "shown if nothing is set: private networks, without this machine itself" {
    network
    : >user/ebpf.conf
    far ip address add 203.0.113.7/32 dev eth0
    near ip route add 203.0.113.7 via "$far_ip"
    local port=$((20000 + $$ % 10000 * 2))
    end server far serve tcp 0.0.0.0 $port
    end self near serve tcp 127.0.0.1 $((port + 1))
    go
    end private near talk tcp "$far_ip" $port
    end public near talk tcp 203.0.113.7 $port
    end loop near talk tcp 127.0.0.1 $((port + 1))
    say private 100
    say public 1000
    say loop 10000
    look
    outbound "$port:TCP:$far_ip" 100 100
    not grep -qE ":TCP:(203\.0\.113\.7|127\.0\.0\.1)_|'$((port + 1)):" now.out
    same "sent by the application all the same" $((2 * 11100)) "$(value apps.bandwidth_sent speakers)"
}

# bats test_tags=host
@test "no room for more dimensions: the rest is other, and nothing is missing" {
    network
    viewer "ips = $net.0/24" "maximum dimensions = 6"
    local port total=0
    for port in 8401 8402 8403 8404 8405; do end "on_$port" far serve tcp "$far_ip" $port; done
    go
    for port in 8401 8402 8403 8404 8405; do
        end "to_$port" near talk tcp "$far_ip" $port
        say "to_$port" $port
        total=$((total + port))
    done
    look
    # Three and `other`.
    same "destinations" 4 "$(awk '/^BEGIN/ { open = $2 == "ebpf.outbound_bytes" } open && /_sent/ { print $2 }' now.out | sort -u | wc -l)"
    same "sent in all, by the services" $total "$(sum ebpf.inbound_bytes _sent)"
    same "received in all, by the services" $total "$(sum ebpf.inbound_bytes _recv)"
    # Elsewhere on this machine somebody may have sent to nobody knows where.
    local sent
    sent=$(sum ebpf.outbound_bytes _sent)
    ! is_mine || same "sent in all, by who asked" $total "$sent"
    ((sent >= total))
    # Whichever were first to be seen have a dimension of their own.
    local shown
    shown=$(for port in 8401 8402 8403 8404 8405; do value ebpf.inbound_bytes "$port:TCP_recv"; done | grep -v absent | paste -sd+)
    same "other" $((total - (shown))) "$(value ebpf.inbound_bytes other:ALL_recv)"
}

@test "the function ebpf-connections, while the connections live" {
    network
    export NETDATA_VERSION=v1.37.1
    end server far serve tcp "$far_ip" 8501
    local server=${ends[-1]}
    go
    grep -q '^FUNCTION GLOBAL "ebpf-connections" ' out
    end client near talk tcp "$far_ip" 8501
    local client=${ends[-1]}
    say client 4321
    look 1
    printf 'FUNCTION tx1 10 "ebpf-connections"\n' >&9
    wait_for '^FUNCTION_RESULT_BEGIN tx1 200 application/json [0-9]+$'
    look 0
    sed -n '/^FUNCTION_RESULT_BEGIN tx1/,/^FUNCTION_RESULT_END/p' out | sed '1d;$d' >table.json
    /usr/bin/python3 - "$near_ip" "$far_ip" "$client" "$server" "speak_$$" <<'END'
import json, sys

near, far, client, server, process = sys.argv[1:]
table = json.load(open("table.json"))
assert table["status"] == 200 and table["type"] == "table", table
index = {name: column["index"] for name, column in table["columns"].items()}
rows = [{name: row[at] for name, at in index.items()} for row in table["data"]]
assert len({row["Connection"] for row in rows}) == len(rows), "the first column is the key"
rows = [row for row in rows if 8501 in (row["LocalPort"], row["RemotePort"])
        and {row["LocalAddress"], row["RemoteAddress"]} & {near, far}]
told = {row["Direction"]: row for row in rows}
assert len(rows) == 3 and set(told) == {"outbound", "inbound", "listening"}, rows

def same(row, **wanted):
    for name, value in wanted.items():
        assert row[name] == value, (name, value, row)

both = {"Protocol": "TCP", "Service": "8501", "Process": process, "User": "root", "Application": "speakers"}
moved = {"BytesSent": 4321, "BytesReceived": 4321, "Retransmits": 0, "State": "established"}
same(told["outbound"], **both, **moved, LocalAddress=near, RemoteAddress=far, RemotePort=8501, PID=int(client))
same(told["inbound"], **both, **moved, LocalAddress=far, LocalPort=8501, RemoteAddress=near, PID=int(server))
same(told["listening"], **both, State="listening", LocalAddress=far, LocalPort=8501, PID=int(server))
assert told["outbound"]["LocalPort"] == told["inbound"]["RemotePort"]
assert told["outbound"]["Namespace"] != told["inbound"]["Namespace"]
for row in told["outbound"], told["inbound"]:
    assert 0 < row["RTT"] < 10000 and 0 <= row["Age"] < 60 and row["PacketsSent"] >= 2, row
END
}
