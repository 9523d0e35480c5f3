#!/usr/bin/env bats
# `--watch`: what a person is shown, on a terminal and elsewhere.
load helpers
python=/usr/bin/python3 # Debian's, which has pyte

# Opens a file over and over, as the application opener.
opens() {
    printf 'opener: opener_%s\n' $$ >user/apps_groups.conf
    ln -s "$python" "opener_$$"
    "./opener_$$" -c 'import os
while True: os.close(os.open("/dev/null", os.O_RDONLY))' 3>&- &
    worker=$!
}
row() { grep -m1 "^$1" screen; } # of the screen that was kept last

teardown() {
    [[ -n ${worker-} ]] || return 0
    kill -KILL "$worker"
    wait "$worker" 2>/dev/null || true
}

@test "in a pipe: lines, with the rates of what is done and who does it" {
    opens
    "$plugin" 1 --watch --return --ticks 2 2>err | cat >out
    [[ $(grep -c '^What programs do with the Linux kernel, ..:..:.., over [0-9.]* s$' out) == 2 ]]
    not grep -q $'[\e\r]' out
    not grep -qE '^(CHART|BEGIN|SET|END)' out
    tail -n +2 out | grep -v '^What' >screen
    # What a loop of opens does is thousands a second, more than anybody by chance.
    [[ $(row 'File opens, closes') =~ ^'File opens, closes '\ +[0-9.]+[kM]/s\ +[0-9.]+k?/s\ +-\ +-\ +(trampoline|kprobe|syscalls|tracepoint) ]]
    [[ $(row '  open ') =~ [0-9.]+[kM]/s ]]
    [[ $(row 'opener ') =~ ^'opener '\ +[0-9.]+[kM]/s ]]
    [[ $(row 'Network: TCP, UDP') =~ [kMG]?B/s ]]
    [[ $(row 'The plugin itself: ') =~ ^'The plugin itself: '[0-9.]+' % of a CPU, '[0-9.]+' MB of memory, '[0-9.]+' MB in the kernel'$ ]]
}

@test "in a pipe: a connection, with who has it and how much it moves" {
    cat >talk.py <<'PYTHON'
import socket, threading, time
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    connection, _ = listener.accept()
    while connection.recv(65536):
        pass
threading.Thread(target=serve, daemon=True).start()
client = socket.create_connection(listener.getsockname())
print(listener.getsockname()[1], flush=True)
while True:
    client.sendall(b"x" * 50_000)
    time.sleep(0.01)
PYTHON
    ln -s "$python" "talk_$$"
    "./talk_$$" talk.py >port 3>&- &
    worker=$!
    while [[ ! -s port ]]; do sleep 0.05; done
    "$plugin" 1 --watch --ticks 3 2>err | cat >screen
    grep -E "^talk_$$ +$(<port)/TCP +0 B/s +[0-9.]+ MB/s  to 127.0.0.1$" screen
    grep -E "^talk_$$ +$(<port)/TCP +[0-9.]+ MB/s +0 B/s  from 127.0.0.1$" screen
    grep -E "^Network: TCP, UDP +[0-9.]+k?/s +- +[0-9.]+ MB/s +[0-9.]+ MB/s " screen
}

# The calls of that row of applications in all updates together, of the file screens; three digits of them are true.
calls_of() {
    awk -v name="$1" '
        function number(text) {
            sub("/s", "", text)
            return text * (text ~ /k$/ ? 1e3 : text ~ /M$/ ? 1e6 : 1)
        }
        /^What programs do/ { seconds = $(NF - 1) }
        /^Top|^Whole/ { in_apps = /^Top app/ }
        in_apps && substr($0, 1, 19) ~ "^" name " *$" { sum += seconds * number(substr($0, 20, 8)) }
        !in_apps && /^(File|Processes|Network)/ && name == "system" { sum += seconds * number(substr($0, 20, 8)) }
        in_apps && /\/s/ && name == "apps" { sum += seconds * number(substr($0, 20, 8)) }
        END { print int(sum) }' screens
}

@test "what no rule names is shown by the names of its processes, also of those that have long ended" {
    echo "opener: opener_$$" >user/apps_groups.conf
    ln -s /bin/cat "brief_$$"
    ln -s /bin/cat $'od\e[31md\n'
    local files=() updates
    for _ in {1..100}; do files+=(/etc/hostname); done
    "$plugin" 1 --watch --ticks 60 >screens 2>err 3>&- &
    worker=$!
    for _ in {1..200}; do ! grep -q ^Top screens || break; sleep 0.05; done
    for _ in {1..20}; do "./brief_$$" "${files[@]}" >/dev/null; done
    $'./od\e[31md\n' "${files[@]}" >/dev/null
    updates=$(grep -c ^What screens)
    for _ in {1..200}; do (($(grep -c ^What screens) < updates + 3)) || break; sleep 0.05; done
    kill "$worker"
    wait "$worker"
    worker=
    cat screens
    # For each file it is opened, read, written and closed: 20 times 400, and what a start takes.
    local brief apps system
    brief=$(calls_of "brief_$$") apps=$(calls_of apps) system=$(calls_of system)
    echo "$brief calls of brief, $apps of the applications, $system of the system"
    ((brief > 7600 && brief < 13000))
    (($(calls_of 'od_[[]31md_') > 380))
    # Nothing is shown twice.
    ((apps < system * 11 / 10))
    not grep -qE $'^other |[\e\r]' screens
}

@test "only the groups that are named are shown" {
    "$plugin" 1 --watch --once --process 2>err | cat >screen
    grep -q '^Processes, threads ' screen
    not grep -qE '^(File|Network|Top connections)' screen
}

@test "on a terminal: it fits, follows the terminal's size, and q ends it" {
    opens
    "$python" "$BATS_TEST_DIRNAME/terminal.py" q "" "$plugin" 1 --watch --return >seen
    cat seen
    grep -q '^status 0 coloured True$' seen
    # Each row is where it was put: none was too long for its line.
    sed -n '/^--- 80x24/,/^--- 60x15/p' seen | sed '1d;$d' >screen
    [[ $(wc -l <screen) == 24 && $(sed -n 2p screen) == "Whole system "*"counted by" ]]
    [[ $(sed -n 6p screen) == "Network: TCP, UDP "* && $(sed -n 8p screen) == "Top applications "* ]]
    [[ $(row 'opener ') =~ [kM]/s && $(sed -n 23p screen) == "The plugin itself: "* && $(sed -n 24p screen) == "q ends it" ]]
    sed -n '/^--- 60x15/,/^--- after/p' seen | sed '1d;$d' >screen
    [[ $(wc -l <screen) == 15 && $(wc -L <screen) -le 60 && $(sed -n 1p screen) =~ ^"What programs do with the Linux kernel, "..:..:..", over "[0-9.]+" s"$ ]]
    [[ $(sed -n 2p screen) == "Whole system "* && $(sed -n 8p screen) == "Top applications "* && $(sed -n 15p screen) == "q ends it" ]]
}

@test "on a terminal: Ctrl-C ends it too" {
    "$python" "$BATS_TEST_DIRNAME/terminal.py" '\x03' "" "$plugin" 1 --watch >seen
    grep -q '^status 0 ' seen
}

@test "on a terminal: the last message is on the bottom line, and all are there after the end" {
    # One that comes when the screen stands already.
    "$python" "$BATS_TEST_DIRNAME/terminal.py" q "runs unconfined" strace -f --seccomp-bpf -qq -o /dev/null -e trace=seccomp -e inject=seccomp:error=EINVAL \
        "$plugin" 1 --watch >seen
    cat seen
    sed -n '/^--- 80x24/,/^--- 60x15/p' seen | sed '1d;$d' >screen
    [[ $(sed -n 1p screen) == "What programs do"* && $(sed -n 24p screen) == *"WARNING: the plugin runs unconfined:"* ]]
    [[ $(grep -c WARNING screen) == 1 ]]
    sed -n '/^--- after/,$p' seen >screen
    paste -sd '' screen | grep -q 'WARNING: the plugin runs unconfined:.*CONFIG_SECCOMP_FILTER'
    grep -q '^status 0 ' seen
}

@test "TERM=dumb, or none: lines" {
    for term in dumb ""; do
        TERM=$term script -qec "$plugin 1 --watch --once 2>err" /dev/null </dev/null >screen
        not grep -q $'\e' screen
        grep -q '^Whole system ' screen
    done
}

@test "without rights: what to do, and no DISABLE for a person" {
    chmod 755 . user
    cp "$plugin" plugin
    run -1 setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --inh-caps=-all ./plugin --watch
    [[ $output == *"setcap"* && $output != *DISABLE* ]]
}
