// The terminal as a screen that is drawn anew with each update; ncurses is known to screen.cpp alone.
#pragma once
#include <memory>
#include <string>
#include <vector>
#include "guard/needs.h"

struct screen;  // of ncurses

class Screen {
public:
    enum class Style { Plain, Title, Heading, Faint, Alarm };
    struct Line {
        std::string text;
        Style style = Style::Plain;
    };

    static std::unique_ptr<Screen> open();  // null where standard output is no terminal that one can draw on
    ~Screen();                              // the terminal is as it was before
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    size_t rows() const;
    void draw(const std::vector<Line>& lines, const Line& bottom);  // what has no room is cut off
    void resize();                                                  // to what the terminal's size is now
    bool has_seen_key(char wanted);                                 // since the last time

private:
    explicit Screen(screen* terminal);
    void put(size_t row, const Line& line) const;

    screen* terminal_;
};

Needs screen_needs();
