#include "gateway/config/read.h"
#include "gateway/config/encoding.h"
#include "gateway/config/yaml.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gw::config {

namespace {

constexpr std::size_t most_file_bytes = 16 * 1024 * 1024;
constexpr std::size_t most_bytes_together = 64 * 1024 * 1024;
constexpr std::size_t most_files = 1'000;

struct File {
    std::string text;
    dev_t device = 0;
    ino_t inode = 0;
    std::string wrong; ///< empty: it was read
};

std::string reason(std::string_view verb) { return std::string{verb} + ": " + std::strerror(errno); }

std::string read_all(int file, std::string& text)
{
    char block[64 * 1024];
    for (;;) {
        const auto size = ::read(file, block, sizeof block);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return reason("cannot be read");
        if (size == 0) return {};
        text.append(block, static_cast<std::size_t>(size));
        if (text.size() > most_file_bytes) return "is larger than 16 MiB";
    }
}

/// `any_kind`: the main file may be a pipe (`gatewayctl check <(...)`); an included one that is none would hang us.
File read_file(const std::string& name, bool any_kind)
{
    File file;
    const int opened = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | (any_kind ? 0 : O_NONBLOCK));
    if (opened < 0) {
        file.wrong = reason("cannot be opened");
        return file;
    }
    struct stat about {};
    if (::fstat(opened, &about) != 0)
        file.wrong = reason("cannot be read");
    else if (S_ISDIR(about.st_mode))
        file.wrong = "is a folder";
    else if (!any_kind && !S_ISREG(about.st_mode))
        file.wrong = "is not a regular file";
    else
        file.wrong = read_all(opened, file.text);
    ::close(opened);
    file.device = about.st_dev;
    file.inode = about.st_ino;
    return file;
}

/// The folder of `main_file` with its final slash, as glob(3) takes it literally.
std::string literal_folder(const std::string& main_file)
{
    std::string folder;
    for (const char c : main_file.substr(0, main_file.rfind('/') + 1)) {
        if (std::strchr("\\*?[]", c)) folder += '\\';
        folder += c;
    }
    return folder;
}

/// What fits `pattern`, sorted by bytes whatever the locale.
std::vector<std::string> matching(const std::string& pattern)
{
    glob_t found{};
    std::vector<std::string> names;
    if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0)
        names.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    std::sort(names.begin(), names.end());
    return names;
}

/// The `include` of a main file that can be read so far; what is wrong with the rest, `parse` will tell.
const Node* include_in(const std::variant<Node, Mistake>& document)
{
    const auto* root = std::get_if<Node>(&document);
    const auto* include = root ? root->find("include") : nullptr;
    return include && include->is_scalar() && !include->text.empty() && include->text.find('\0') == std::string::npos
               ? include
               : nullptr;
}

Problems add_included(Sources& sources, const File& main, const Node& include)
{
    const Position where{sources[0].name, include.place.line, include.place.column};
    const bool absolute = include.text.starts_with('/');
    const auto names = matching((absolute ? "" : literal_folder(sources[0].name)) + include.text);
    if (names.empty()) return {{where, "include", "no file fits " + in_quotes(include.text)}};
    if (names.size() > most_files) return {{where, "include", "more than 1000 files fit " + in_quotes(include.text)}};
    Problems problems;
    auto bytes = main.text.size();
    for (const auto& name : names) {
        auto file = read_file(name, false);
        if (file.wrong.empty() && file.device == main.device && file.inode == main.inode)
            continue; // "*.yaml" fits itself
        bytes += file.text.size();
        if (bytes > most_bytes_together) return {{where, "include", "the files are larger than 64 MiB together"}};
        if (!file.wrong.empty()) problems.push_back({where, "include", printable(name) + " " + file.wrong});
        sources.push_back({name, std::move(file.text)});
    }
    return problems;
}

std::variant<Sources, Problems> with_included(File main, const std::string& main_file)
{
    Sources sources{{main_file, main.text}};
    if (main.text.find("include") == std::string::npos) return sources;
    const auto document = parse_yaml(main.text);
    if (const auto* include = include_in(document)) {
        auto problems = add_included(sources, main, *include);
        if (!problems.empty()) return problems;
    }
    return sources;
}

} // namespace

std::variant<Sources, Problems> read_sources(const std::string& main_file)
{
    auto main = read_file(main_file, true);
    if (!main.wrong.empty()) return Problems{{{main_file, 0, 0}, "", main.wrong}};
    return with_included(std::move(main), main_file);
}

std::variant<Sources, Problems> read_sources(const std::string& main_file, std::string main_text)
{
    File main{std::move(main_text), 0, 0, {}};
    if (main.text.size() > most_file_bytes) return Problems{{{main_file, 0, 0}, "", "is larger than 16 MiB"}};
    struct stat about {};
    if (::stat(main_file.c_str(), &about) == 0) {
        main.device = about.st_dev;
        main.inode = about.st_ino;
    }
    return with_included(std::move(main), main_file);
}

} // namespace gw::config
