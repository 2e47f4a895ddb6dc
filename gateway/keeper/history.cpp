#include "gateway/keeper/history.h"

#include "gateway/base/log.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace gw::keeper {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_stored_bytes = 80 * 1024 * 1024; // above what a configuration may have with its includes

std::uint64_t number_in(std::string_view text)
{
    if (text.ends_with('\n')) text.remove_suffix(1);
    std::uint64_t number = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
    return wrong == std::errc{} && end == text.data() + text.size() ? number : 0;
}

Error unusable(const std::string& folder, const std::string& why)
{
    return {Fault::system, Side::gateway, "the state directory " + folder + " cannot be used: " + why, {}};
}

} // namespace

Result<History> History::open(std::string folder)
{
    std::error_code failed;
    const auto entries = fs::path{folder} / "history";
    const bool made = fs::create_directories(entries, failed);
    if (failed) return unusable(folder, failed.message());
    // It holds configurations, which may name what is not for everybody.
    if (made) ::chmod(entries.c_str(), 0700);
    if (::access(entries.c_str(), R_OK | W_OK | X_OK) != 0 || ::access(folder.c_str(), R_OK | W_OK | X_OK) != 0)
        return unusable(folder, "no permission to write there");
    return History{std::move(folder)};
}

std::string History::entry_path(std::uint64_t number) const
{
    char name[32];
    std::snprintf(name, sizeof name, "%06llu", static_cast<unsigned long long>(number));
    return folder_ + "/history/" + name;
}

std::string History::slot_path(Slot slot) const
{
    constexpr const char* names[] = {"pending", "unconfirmed", "starting"};
    return folder_ + '/' + names[static_cast<int>(slot)];
}

std::vector<std::uint64_t> History::numbers() const
{
    std::vector<std::uint64_t> found;
    std::error_code failed;
    for (const auto& file : fs::directory_iterator(fs::path{folder_} / "history", failed))
        if (const auto number = number_in(file.path().filename().string())) found.push_back(number);
    std::sort(found.begin(), found.end());
    return found;
}

std::optional<Stored> History::read(const std::string& path) const
{
    const auto text = read_whole(path, most_stored_bytes);
    if (!text) {
        if (text.error().cause != boost::system::errc::no_such_file_or_directory)
            log::warning("state directory: " + describe(text.error()));
        return std::nullopt;
    }
    auto stored = decode_stored(*text);
    if (stored) return std::move(*stored);
    log::warning("state directory: " + path + ": " + stored.error().what + "; it is left out");
    return std::nullopt;
}

std::vector<Stored> History::entries() const
{
    std::vector<Stored> found;
    for (const auto number : numbers())
        if (auto stored = read(entry_path(number))) found.push_back(std::move(*stored));
    std::reverse(found.begin(), found.end());
    return found;
}

std::optional<Stored> History::newest() const
{
    const auto all = numbers();
    return all.empty() ? std::nullopt : read(entry_path(all.back()));
}

Result<StagedFile> History::stage(Stored& stored) const
{
    const auto before = numbers();
    stored.number = before.empty() ? 1 : before.back() + 1;
    return StagedFile::write(entry_path(stored.number), encode_stored(stored));
}

void History::prune() const
{
    const auto good = good_number();
    const auto all = numbers();
    for (std::size_t i = 0; i + kept_entries < all.size(); ++i)
        if (all[i] != good) ::unlink(entry_path(all[i]).c_str());
}

std::uint64_t History::good_number() const
{
    const auto text = read_whole(folder_ + "/good", 64);
    return text ? number_in(*text) : 0;
}

Result<> History::mark_good(std::uint64_t number) const
{
    if (good_number() == number) return {};
    auto staged = StagedFile::write(folder_ + "/good", std::to_string(number) + '\n');
    if (!staged) return staged.error();
    return staged->publish();
}

std::optional<Stored> History::good() const
{
    const auto number = good_number();
    return number == 0 ? std::nullopt : read(entry_path(number));
}

Result<> History::keep(Slot slot, const Stored& stored) const
{
    auto staged = StagedFile::write(slot_path(slot), encode_stored(stored));
    if (!staged) return staged.error();
    return staged->publish();
}

std::optional<Stored> History::kept(Slot slot) const { return read(slot_path(slot)); }

void History::forget(Slot slot) const
{
    if (::unlink(slot_path(slot).c_str()) != 0) return;
    const auto synced = sync_folder(folder_);
    if (!synced) log::warning("state directory: " + describe(synced.error()));
}

} // namespace gw::keeper
