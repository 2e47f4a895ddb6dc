#include "gateway/keeper/saving.h"

#include "gateway/base/log.h"
#include "gateway/config/read.h"

#include <algorithm>
#include <filesystem>

namespace gw::keeper {

namespace {

constexpr std::size_t most_file_bytes = 16 * 1024 * 1024;

bool on_disk(const config::Source& source)
{
    const auto text = read_whole(source.name, most_file_bytes);
    return text && *text == source.text;
}

/// What somebody wrote into a file and never put in force would be lost. As well as can be: a full disk must not keep
/// anybody from making it better.
StagedFile copy_of_unknown(const History& history, const config::Source& file)
{
    const auto text = read_whole(file.name, most_file_bytes);
    if (!text) return {};
    for (const auto& entry : history.entries())
        for (const auto& source : entry.sources)
            if (source.name == file.name && source.text == *text) return {};
    const auto copy = history.folder() + "/overwritten." + std::filesystem::path{file.name}.filename().string();
    auto staged = StagedFile::write(copy, *text);
    log::warning("what was in " + file.name + " and was never in force " +
                 (staged ? "is kept in " + copy : "cannot be kept: " + staged.error().what));
    return staged ? std::move(*staged) : StagedFile{};
}

} // namespace

Result<Saving> stage(const History* history, Stored entry, const config::Sources& files)
{
    Saving saving;
    if (history != nullptr) {
        const auto newest = history->newest();
        if (newest && same_sources(newest->sources, entry.sources)) {
            saving.number = newest->number;
        } else {
            auto staged = history->stage(entry);
            if (!staged) return staged.error();
            saving.number = entry.number;
            saving.files.push_back(std::move(*staged));
        }
    }
    for (const auto& file : files) {
        if (history != nullptr) saving.files.push_back(copy_of_unknown(*history, file));
        auto staged = StagedFile::write_over(file.name, file.text);
        if (!staged) return staged.error();
        saving.files.push_back(std::move(*staged));
    }
    return saving;
}

Result<> publish(const History* history, Saving saving)
{
    for (auto& file : saving.files) {
        const auto published = file.publish();
        if (!published) return published.error();
    }
    if (history != nullptr) history->prune();
    return {};
}

Result<> save(const History* history, Stored& entry, const config::Sources& files)
{
    auto staged = stage(history, entry, files);
    if (!staged) return staged.error();
    entry.number = staged->number;
    return publish(history, std::move(*staged));
}

config::Sources differing_from_disk(const config::Sources& sources)
{
    config::Sources differing;
    std::copy_if(sources.begin(), sources.end(), std::back_inserter(differing),
                 [](const auto& source) { return !on_disk(source); });
    return differing;
}

std::string unwanted_includes(const config::Sources& sources)
{
    const auto read = config::read_sources(sources[0].name, sources[0].text);
    const auto* found = std::get_if<config::Sources>(&read);
    if (found == nullptr) return {}; // nothing fits now: the files will be written
    std::string unwanted;
    for (const auto& file : *found) {
        const bool wanted =
            std::any_of(sources.begin(), sources.end(), [&](const auto& source) { return source.name == file.name; });
        if (!wanted) unwanted += (unwanted.empty() ? "" : ", ") + file.name;
    }
    return unwanted;
}

} // namespace gw::keeper
