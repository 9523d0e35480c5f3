// Texts taken apart: the words of a line, and the files of /etc that are tables of words.
#pragma once
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

std::vector<std::string_view> split_words(std::string_view text, std::string_view separators = " \t\r\n\v\f");

// The lines of a table that hold something, each as its words; # begins a comment.
std::vector<std::vector<std::string_view>> split_table(std::string_view text);

// A whole file; throws if it cannot be read, is of another kind or is longer than that.
std::string read_file(const std::string& file, int64_t most_bytes = INT64_MAX);

// The number that the whole text is, if it is one in these bounds.
template <class T>
std::optional<T> parse_number(std::string_view text, T least, T most) {
    T number{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) return {};
    return number;
}

std::string environment(const char* name);  // "" if it is not set

// The beginning of a text, not cut off within a character of UTF-8.
std::string_view shortened(std::string_view text, size_t most);

std::string lower(std::string_view text);
