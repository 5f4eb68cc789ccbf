#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "io/fd.h"

namespace ha::replicatord::fuse {

/// Zeroed memory in a memfd: what the kernel's FUSE client relies on lives in it, so that a
/// successor of this process that inherits the descriptor can go on. Pages cost nothing until they
/// are touched. (Processes that lock their memory must use MCL_ONFAULT.)
class SharedMemory {
  public:
    static Result<SharedMemory> create(const std::string& name, std::size_t size);
    SharedMemory() = default;
    ~SharedMemory();
    SharedMemory(SharedMemory&& other) noexcept;
    SharedMemory& operator=(SharedMemory&& other) noexcept;

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] std::byte* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    io::Fd fd_;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace ha::replicatord::fuse
