#pragma once

#include <string>
#include <vector>

namespace gw {

/// A place in a configuration file. Lines and columns count from 1; 0: not from a file.
struct Position {
    std::string file;
    int line = 0;
    int column = 0;

    std::string text() const; ///< "gateway.yaml:12:5", or "default" when not from a file
};

/// One thing wrong with a configuration, said to a person.
struct Problem {
    Position where;
    std::string path; ///< "routes[2].host"
    std::string what; ///< what is wrong and what to write instead
};
using Problems = std::vector<Problem>;

} // namespace gw
