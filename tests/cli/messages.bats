#!/usr/bin/env bats
# What the plugin says of errors is explained in TROUBLESHOOTING.md.

# The messages in the source, each with what it is known by: its first piece of two words or more. What has none only
# puts others together.
messages() {
    perl -0777 -ne '
        my $start = qr/(?:log\(Severity::(?:Warning|Error),|\bError\(|\bleft_out\(|\bcomplain\(|complaints\.\w+_back\()
                       \s*(?:line,\s*)?(?:fmt::format\(\s*)?|\b(?:nothing|no_memory)\ =\s*/x;
        while (/$start((?:"(?:[^"\\]|\\.)*"\s*)+)/g) {
            my $text = join "", $1 =~ /"((?:[^"\\]|\\.)*)"/g;
            for (split /\{[^}]*\}|[`:;()]/, $text) {
                next unless /^\W*(\w.*\w\s.*\w)\W*$/;
                print "$1\t$text\n";
                last;
            }
        }' "$BATS_TEST_DIRNAME"/../../plugin/{,*/}*.cpp
}

@test "every message is explained" {
    cd "$BATS_TEST_TMPDIR"
    messages >all
    (($(wc -l <all) > 50)) # else they are not found any more
    while IFS=$'\t' read -r piece message; do
        grep -qF -- "$piece" "$BATS_TEST_DIRNAME/../../TROUBLESHOOTING.md" || echo "TROUBLESHOOTING.md does not know: $message"
    done <all >unknown
    cat unknown
    [[ ! -s unknown ]]
}
