#!/bin/bash
# clang-tidy over whole rooms: lint-tidy.sh BUILD [ROOM…], a room being a folder of sources. Most of what a file takes goes into
# the headers of others, through which every check looks again. So the files of a room are included into one, as in a "unity
# build", two rooms at a time. What is in the unnamed namespaces of a room must therefore have different names.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$1 work=$1/tidy
shift
rooms=("$@")
((${#rooms[@]})) || mapfile -t rooms < <(git ls-files 'plugin/*.cpp' 'tests/unit/*.cpp' 'tests/protocol/*.cpp' | xargs wc -l |
    awk '$2 != "total" { sub("/[^/]*$", "", $2); n[$2] += $1 } END { for (room in n) print n[room], room }' | sort -nr | cut -d' ' -f2)

rm -rf "$work"
mkdir -p "$work" || exit 1
for room in "${rooms[@]}"; do
    mapfile -t files < <(git ls-files "$room/*.cpp" | grep -x "$room/[^/]*")
    {
        # Tests have few names, and the same ones: each gets a namespace, once all headers have been included outside.
        [[ $room != tests/unit ]] || grep -hE '^#include' "${files[@]}" | sort -u
        for file in "${files[@]}"; do
            [[ $room != tests/unit ]] || echo "namespace $(basename "$file" .cpp) {"
            echo "#include \"$PWD/$file\" // NOLINT"
            [[ $room != tests/unit ]] || echo "}"
        done
    } >"$work/${room//\//-}.cpp"
    # Compiled as its last file is; in plugin/ that is main.cpp.
    jq --arg last "$PWD/${files[-1]}" --arg all "$PWD/$work/${room//\//-}.cpp" --arg room "$PWD/$room" \
        '.[] | select(.file == $last) | .command |= sub($last; $all) | .command += " -I" + $room | .file = $all' "$build/compile_commands.json"
done | jq -s . >"$work/compile_commands.json"

# The analysis of paths is of the plugin's files one by one: in a room it would follow calls from file to file, for twice the
# time. It passes over the tests, which run under the sanitizers. What shadows a name is the compiler's to say, of each file.
{
    for room in "${rooms[@]}"; do printf '%s\0' "--checks=-clang-analyzer-* --extra-arg=-Wno-shadow -p $work $work/${room//\//-}.cpp"; done
    for room in "${rooms[@]}"; do
        [[ $room == tests/* ]] || git ls-files "$room/*.cpp" | grep -x "$room/[^/]*" |
            xargs printf -- "--checks=-*,clang-analyzer-* -p $build %s\0"
    done
} | xargs -0 -P 2 -I WHAT bash -c "set -f; clang-tidy --quiet '--warnings-as-errors=*' WHAT"
