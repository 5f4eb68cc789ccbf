#include "io/lease_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "io/clock.h"
#include "io/fd.h"
#include "io/gate_file.h"
#include "io/text_file.h"

namespace ha::io {
namespace {

/// Changes with the layout of the page.
constexpr std::uint64_t kFormat = 0x68616c6561736531;  // "halease1"

Error page_error(const std::string& path) {
    const int code = errno;
    return Error{"cannot use " + path + ": " + std::strerror(code), code};
}

}  // namespace

Result<LeasePage::Page*> LeasePage::map(int fd, const std::string& path) {
    if (::ftruncate(fd, sizeof(Page)) != 0) return tl::unexpected(page_error(path));
    void* memory = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return tl::unexpected(page_error(path));
    return static_cast<Page*>(memory);  // all zero, if it is new, is a lease
}

Result<std::shared_ptr<LeasePage>> LeasePage::open(const std::string& module,
                                                   const std::string& directory) {
    if (!is_module_name(module)) return fail("'" + module + "' is no module's name");
    auto made = make_directory(directory, 0700);
    if (!made) return tl::unexpected(made.error());
    const std::string path = directory + "/" + module;
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return tl::unexpected(page_error(path));
    auto page = map(fd.get(), path);
    if (!page) return tl::unexpected(page.error());
    std::uint64_t none = 0;
    std::atomic_ref<std::uint64_t> format((*page)->format);
    if (!format.compare_exchange_strong(none, kFormat) && none != kFormat) {
        ::munmap(*page, sizeof(Page));
        if (::unlink(path.c_str()) != 0) return tl::unexpected(page_error(path));
        return open(module, directory);
    }
    return std::shared_ptr<LeasePage>(new LeasePage(*page));
}

LeasePage::~LeasePage() {
    ::munmap(page_, sizeof(Page));
}

bool LeaseWatch::look() {
    const auto expiry = lease().expiry();
    if (!expiry) {
        timer_.cancel();
        return false;
    }
    if (lease().expired(boot_now())) {
        timer_.cancel();
        return true;
    }
    timer_.arm(*expiry, [this] { on_time(); });
    return false;
}

void LeaseWatch::on_time() {
    if (look()) on_expired_();
}

Result<bool> LeaseWatches::look(const std::string& module) {
    auto& watch = watches_[module];
    if (!watch) {
        auto page = LeasePage::open(module, directory_);
        if (!page) return tl::unexpected(page.error());
        watch = std::make_unique<LeaseWatch>(loop_, *page, [this, module] { on_expired_(module); });
    }
    return watch->look();
}

}  // namespace ha::io
