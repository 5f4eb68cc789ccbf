#include "replicatord/fuse/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace ha::replicatord::fuse {

Result<SharedMemory> SharedMemory::create(const std::string& name, std::size_t size) {
    SharedMemory out;
    out.fd_ = io::Fd(::memfd_create(name.c_str(), MFD_CLOEXEC));
    if (!out.fd_ || ::ftruncate(out.fd_.get(), static_cast<off_t>(size)) != 0)
        return fail(std::string("cannot make shared memory: ") + std::strerror(errno), errno);
    void* data =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, out.fd_.get(), 0);
    if (data == MAP_FAILED)
        return fail(std::string("cannot map shared memory: ") + std::strerror(errno), errno);
    out.data_ = static_cast<std::byte*>(data);
    out.size_ = size;
    return out;
}

SharedMemory::~SharedMemory() {
    if (data_ != nullptr) ::munmap(data_, size_);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : fd_(std::move(other.fd_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

}  // namespace ha::replicatord::fuse
