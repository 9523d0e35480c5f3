// Texts taken apart: the words of a line, and the files of /etc that are tables of words.
#pragma once
#include <string>
#include <string_view>
#include <vector>

std::vector<std::string_view> split_words(std::string_view text);

// The lines of a table that hold something, each as its words; # begins a comment.
std::vector<std::vector<std::string_view>> split_table(std::string_view text);

// A whole file; throws if it cannot be read.
std::string read_table(const std::string& file);

// The beginning of a text, not cut off within a character of UTF-8.
std::string_view shortened(std::string_view text, size_t most);

std::string lower(std::string_view text);
