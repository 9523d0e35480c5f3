// Patterns of names.
#pragma once
#include <string_view>

// Whether `*` in the pattern, for any run of bytes, makes it the text.
bool matches_wild(std::string_view pattern, std::string_view text);
