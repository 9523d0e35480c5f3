#include "base/patterns.h"

bool matches_wild(std::string_view pattern, std::string_view text) {
    size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*')
            star = p++, from = t;
        else if (p < pattern.size() && pattern[p] == text[t])
            p++, t++;
        else if (star != std::string_view::npos)
            p = star + 1, t = ++from;
        else
            return false;
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}
