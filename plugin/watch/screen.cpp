#include "watch/screen.h"
#define NCURSES_NOMACROS
#include <curses.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <term.h>
#include <unistd.h>
#include <algorithm>
#include <clocale>
#include <csignal>
#include "base/words.h"
#undef columns  // term.h makes macros of words
#undef newline
#undef lines
#undef tab

namespace {

enum : short { HeadingColour = 1, FaintColour, AlarmColour };

bool can_be_drawn_on() {
    int error;
    if (!isatty(STDOUT_FILENO) || setupterm(nullptr, STDOUT_FILENO, &error) != OK) return false;
    bool moves_its_cursor = cursor_address != nullptr;
    del_curterm(cur_term);
    return moves_its_cursor;
}

attr_t attributes_of(Screen::Style style) {
    auto colour = [](short pair) { return has_colors() ? static_cast<attr_t>(COLOR_PAIR(pair)) : A_NORMAL; };
    switch (style) {
        case Screen::Style::Title: return A_REVERSE;
        case Screen::Style::Heading: return A_BOLD | colour(HeadingColour);
        case Screen::Style::Faint: return colour(FaintColour);
        case Screen::Style::Alarm: return A_BOLD | colour(AlarmColour);
        case Screen::Style::Plain: break;
    }
    return A_NORMAL;
}

}  // namespace

std::unique_ptr<Screen> Screen::open() {
    if (!can_be_drawn_on()) return nullptr;
    std::setlocale(LC_CTYPE, "");
    std::signal(SIGTSTP, SIG_IGN);  // a stopped plugin counts nothing
    use_env(false);                 // the terminal's own size, whatever LINES and COLUMNS say
    SCREEN* terminal = newterm(nullptr, stdout, stdin);
    return terminal ? std::unique_ptr<Screen>(new Screen(terminal)) : nullptr;
}

Screen::Screen(screen* terminal) : terminal_(terminal) {
    cbreak();  // Ctrl-C stays the signal that it is
    noecho();
    nodelay(stdscr, true);
    curs_set(0);
    if (has_colors() && start_color() == OK && use_default_colors() == OK) {
        init_pair(HeadingColour, COLOR_CYAN, -1);
        init_pair(FaintColour, COLOR_BLUE, -1);
        init_pair(AlarmColour, COLOR_YELLOW, -1);
    }
    resize();
}

Screen::~Screen() {
    endwin();
    delscreen(terminal_);
}

size_t Screen::rows() const { return static_cast<size_t>(getmaxy(stdscr)); }

void Screen::resize() {
    winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
        resizeterm(size.ws_row, size.ws_col);
}

// No more bytes than columns: no character is wider than it is long.
void Screen::put(size_t row, const Line& line) const {
    auto columns = static_cast<size_t>(getmaxx(stdscr));
    std::string text(shortened(line.text, columns));
    if (line.style == Style::Title) text.resize(columns, ' ');
    attrset(static_cast<int>(attributes_of(line.style)));
    mvaddstr(static_cast<int>(row), 0, text.c_str());
}

void Screen::draw(const std::vector<Line>& lines, const Line& bottom) {
    erase();
    size_t last = rows() - 1;
    for (size_t row = 0; row < std::min(lines.size(), last); row++) put(row, lines[row]);
    put(last, bottom);
    refresh();
}

bool Screen::has_seen_key(char wanted) {
    bool seen = false;
    for (int key; (key = getch()) != ERR;) seen |= key == wanted;
    return seen;
}

Needs screen_needs() {
    Needs needs;  // the terminal's modes and size, and nothing that types into it
    for (unsigned long request : {TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ})
        needs.system_calls.push_back({SYS_ioctl, 1, all_bits, request});
    return needs;
}
