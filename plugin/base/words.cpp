#include "base/words.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include "base/error.h"
#include "base/owner.h"

std::vector<std::string_view> split_words(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> words;
    for (size_t from = text.find_first_not_of(separators); from != std::string_view::npos;) {
        size_t end = std::min(text.find_first_of(separators, from), text.size());
        words.push_back(text.substr(from, end - from));
        from = text.find_first_not_of(separators, end);
    }
    return words;
}

std::vector<std::vector<std::string_view>> split_table(std::string_view text) {
    std::vector<std::vector<std::string_view>> lines;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (auto words = split_words(line.substr(0, line.find('#'))); !words.empty()) lines.push_back(std::move(words));
    }
    return lines;
}

std::string read_file(const std::string& file, int64_t most_bytes) {
    // What is looked at is what is read, whoever may exchange it; a pipe is not waited for, and what grows has an end too.
    Descriptor in(check(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK), "read {}", file));
    struct stat about;
    check(fstat(in.get(), &about), "read {}", file);
    if (!S_ISREG(about.st_mode)) throw Error(fmt::format("read {}: it is not a file", file));
    std::string text;
    char part[1 << 14];
    while (ssize_t n = check(read(in.get(), part, sizeof part), "read {}", file)) {
        text.append(part, static_cast<size_t>(n));
        if (static_cast<int64_t>(text.size()) > most_bytes)
            throw Error(fmt::format("read {}: it is larger than {} MiB", file, most_bytes >> 20));
    }
    return text;
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::string lower(std::string_view text) {
    std::string small(text);
    std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return std::tolower(c); });
    return small;
}

std::string_view shortened(std::string_view text, size_t most) {
    if (text.size() <= most) return text;
    while (most && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) most--;
    return text.substr(0, most);
}
