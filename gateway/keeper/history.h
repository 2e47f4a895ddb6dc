#pragma once

#include "gateway/keeper/staged_file.h"
#include "gateway/keeper/stored.h"

#include <optional>
#include <string>
#include <vector>

namespace gw::keeper {

/// The state directory: the configurations that were in force, which of them is known to be good, and what is on trial.
/// Survives crashes and power cuts: each file is whole or as before. Every call blocks until the disk has done its
/// part.
///
///     history/000012   what was in force, newest number last
///     good             the number of the last one that served well
///     pending          in force on trial, until it is confirmed
///     unconfirmed      was on trial, and went back
///     overwritten.NAME was in a configuration file, never in force, when that was written over
///     starting         is being started with; its number: how often in a row
class History {
public:
    static constexpr std::size_t kept_entries = 10;

    /// Something beside the history.
    enum class Slot { pending, unconfirmed, starting };

    /// Makes the directory when it is not there. Errors: `system`, `denied`.
    static Result<History> open(std::string folder);

    /// Newest first. What cannot be read is left out, with a line in the log.
    std::vector<Stored> entries() const;
    std::optional<Stored> newest() const;
    /// Writes the next entry, not yet counted until published; sets its number. Errors: of StagedFile.
    Result<StagedFile> stage(Stored& stored) const;
    /// After publishing: drops the oldest beyond `kept_entries`, never the good one.
    void prune() const;

    /// Errors: of StagedFile.
    Result<> mark_good(std::uint64_t number) const;
    std::optional<Stored> good() const;

    Result<> keep(Slot slot, const Stored& stored) const;
    std::optional<Stored> kept(Slot slot) const;
    void forget(Slot slot) const;

    const std::string& folder() const { return folder_; }

private:
    explicit History(std::string folder) : folder_(std::move(folder)) {}
    std::string entry_path(std::uint64_t number) const;
    std::string slot_path(Slot slot) const;
    std::vector<std::uint64_t> numbers() const; // ascending
    std::optional<Stored> read(const std::string& path) const;
    std::uint64_t good_number() const;

    std::string folder_;
};

} // namespace gw::keeper
