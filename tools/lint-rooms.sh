#!/bin/bash
# The rooms of plugin/, lowest first: a file includes from its own room and from those below. Says which includes do not.
set -euo pipefail
cd "$(dirname "$0")/.."
rooms=(base guard bpf netdata who net watch check)

declare -A floor
for at in "${!rooms[@]}"; do floor[${rooms[at]}]=$at; done
wrong=0
while IFS=: read -r file line include; do
    room=$(cut -d/ -f2 <<<"$file") of=${include%%/*}
    [[ $file == plugin/*/* ]] || room=plugin
    [[ $include == */* ]] || of=plugin
    if [[ $room != plugin && -z ${floor[$room]-} ]]; then
        echo "$file: the room $room has no place in the order of $0"
        wrong=1
    elif [[ $of != plugin && -z ${floor[$of]-} ]]; then
        continue # a header of the programs in the kernel, or none of ours
    elif [[ $room != plugin && ( $of == plugin || ${floor[$of]} -gt ${floor[$room]} ) ]]; then
        [[ $of == plugin && -e charts/$include ]] && continue
        echo "$file:$line: $room lies below $of and does not include from it: $include"
        wrong=1
    fi
done < <(git grep -n --untracked '^#include "' -- 'plugin/*.h' 'plugin/*.cpp' | sed 's/#include "\(.*\)".*/\1/')
exit $wrong
