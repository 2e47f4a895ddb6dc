#pragma once

namespace gw {

/// Gives memory that was freed, and lies in pages of which nothing is in use, back to the system. Takes milliseconds
/// when there is much, and holds up others that allocate meanwhile, so it is done once in five seconds at most in all
/// the process, unless memory is short. False: it was done so shortly before.
enum class Memory { is_there, is_short };
bool give_back_free_memory(Memory memory = Memory::is_there) noexcept;

} // namespace gw
