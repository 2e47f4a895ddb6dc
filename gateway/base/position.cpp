#include "gateway/base/position.h"

namespace gw {

std::string Position::text() const
{
    if (line == 0) return file.empty() ? "default" : file;
    return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

} // namespace gw
