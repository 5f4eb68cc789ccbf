#include "io/http_client.h"

#include <curl/curl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "io/clock.h"

namespace ha::io {
namespace {

constexpr long kMaxConnectionsPerHost = 8;
constexpr long kIdleProbeS = 10;
constexpr long kAuthoritiesCacheS = 60;

/// libcurl counts on being told once, before anything else.
void initialize() {
    static const bool done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    HA_ASSERT(done);
}

std::uint32_t epoll_events(int what) {
    switch (what) {
        case CURL_POLL_IN:
            return EPOLLIN;
        case CURL_POLL_OUT:
            return EPOLLOUT;
        case CURL_POLL_INOUT:
            return EPOLLIN | EPOLLOUT;
        default:
            return 0;
    }
}

int curl_events(std::uint32_t events) {
    int out = 0;
    if (events & (EPOLLIN | EPOLLHUP)) out |= CURL_CSELECT_IN;
    if (events & EPOLLOUT) out |= CURL_CSELECT_OUT;
    if (events & EPOLLERR) out |= CURL_CSELECT_ERR;
    return out;
}

}  // namespace

struct HttpClient::Transfer {
    CURL* easy = nullptr;
    curl_slist* headers = nullptr;
    std::array<char, CURL_ERROR_SIZE> error{};
    Ticket ticket = 0;
    std::size_t limit = 0;
    std::string body;
    std::string reply;
    bool sent = false;
    Handler handler;

    Transfer() = default;
    ~Transfer() {
        curl_easy_cleanup(easy);
        curl_slist_free_all(headers);
    }
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    static std::size_t on_data(const char* data, std::size_t, std::size_t size,
                               void* self) noexcept {
        auto& transfer = *static_cast<Transfer*>(self);
        if (transfer.reply.size() + size > transfer.limit) return 0;  // ends it
        transfer.reply.append(data, size);
        return size;
    }
    /// Before each sending, also when libcurl repeats a request whose kept connection turned out to
    /// be dead: a connection that is then refused does not mean that nothing was sent.
    static int on_sending(void* self, char*, char*, int, int) noexcept {
        static_cast<Transfer*>(self)->sent = true;
        return CURL_PREREQFUNC_OK;
    }
    /// Of a name that is not known. Who cancels a request would wait for the name server.
    static int on_lookup(void*, void*, void*) noexcept { return 1; }
};

HttpClient::HttpClient(Loop& loop, HttpsFiles files, std::size_t limit,
                       const std::vector<std::string>& known)
    : loop_(loop), files_(std::move(files)), limit_(limit), timer_(loop) {
    initialize();
    for (const auto& each : known) {
        known_ = curl_slist_append(static_cast<curl_slist*>(known_), each.c_str());
        HA_ASSERT(known_ != nullptr);
    }
    multi_ = curl_multi_init();
    HA_ASSERT(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, kMaxConnectionsPerHost);
}

HttpClient::~HttpClient() {
    for (auto& [ticket, transfer] : transfers_) curl_multi_remove_handle(multi_, transfer->easy);
    transfers_.clear();
    curl_multi_cleanup(multi_);  // closes the connections, and says so to on_socket
    curl_slist_free_all(static_cast<curl_slist*>(known_));
}

void HttpClient::settle_options(Transfer& transfer, const HttpPost& request) {
    auto set = [&transfer](CURLoption option, auto value) {
        HA_ASSERT(curl_easy_setopt(transfer.easy, option, value) == CURLE_OK);
    };
    auto text = [&set](CURLoption option, const std::string& value) {
        if (!value.empty()) set(option, value.c_str());
    };
    using std::chrono::ceil;
    using std::chrono::milliseconds;
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "https");
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    // Over HTTP/2 all requests would hang on one connection.
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    text(CURLOPT_CAINFO, files_.authorities);
    if (!files_.authorities.empty()) set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
    text(CURLOPT_SSLCERT, files_.certificate);
    text(CURLOPT_SSLKEY, files_.key);
    set(CURLOPT_KEYPASSWD, "");  // nobody is there to be asked for another
    if (known_ != nullptr) {
        set(CURLOPT_RESOLVE, static_cast<curl_slist*>(known_));
        set(CURLOPT_RESOLVER_START_FUNCTION, Transfer::on_lookup);
    }
    set(CURLOPT_CA_CACHE_TIMEOUT, kAuthoritiesCacheS);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_TCP_KEEPIDLE, kIdleProbeS);
    set(CURLOPT_TCP_KEEPINTVL, kIdleProbeS);
    set(CURLOPT_TIMEOUT_MS,
        std::max<long>(1, static_cast<long>(ceil<milliseconds>(request.patience).count())));
    for (const std::string& line :
         {std::string("Content-Type: application/json"), std::string("Expect:"),
          request.authorization.empty() ? "" : "Authorization: " + request.authorization}) {
        if (!line.empty()) transfer.headers = curl_slist_append(transfer.headers, line.c_str());
    }
    set(CURLOPT_HTTPHEADER, transfer.headers);
    set(CURLOPT_POSTFIELDS, transfer.body.c_str());
    set(CURLOPT_POSTFIELDSIZE, static_cast<long>(transfer.body.size()));
    set(CURLOPT_WRITEFUNCTION, Transfer::on_data);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
    set(CURLOPT_PREREQFUNCTION, Transfer::on_sending);
    set(CURLOPT_PREREQDATA, static_cast<void*>(&transfer));
    set(CURLOPT_ERRORBUFFER, transfer.error.data());
    set(CURLOPT_PRIVATE, static_cast<void*>(&transfer));
}

HttpClient::Ticket HttpClient::post(const HttpPost& request, Handler handler) {
    auto transfer = std::make_unique<Transfer>();
    transfer->easy = curl_easy_init();
    HA_ASSERT(transfer->easy != nullptr);
    transfer->ticket = ++last_;
    transfer->limit = limit_;
    transfer->body = request.body;
    transfer->handler = std::move(handler);
    settle_options(*transfer, request);
    HA_ASSERT(curl_multi_add_handle(multi_, transfer->easy) == CURLM_OK);
    const Ticket ticket = transfer->ticket;
    transfers_.emplace(ticket, std::move(transfer));
    // It leaves now; what ends at once is told later.
    int running = 0;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
    loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired()) finish();
    });
    return ticket;
}

bool HttpClient::cancel(Ticket ticket) {
    auto found = transfers_.find(ticket);
    if (found == transfers_.end()) return false;
    auto transfer = std::move(found->second);
    transfers_.erase(found);
    curl_multi_remove_handle(multi_, transfer->easy);
    return transfer->sent;
}

// ---- libcurl and the loop

void HttpClient::act(int socket, int events) {
    int running = 0;
    curl_multi_socket_action(multi_, socket, events, &running);
    finish();
}

void HttpClient::finish() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const CURLcode result = message->data.result;
        CURL* easy = message->easy_handle;
        void* self = nullptr;
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        auto found = transfers_.find(static_cast<Transfer*>(self)->ticket);
        HA_ASSERT(found != transfers_.end());
        auto transfer = std::move(found->second);
        transfers_.erase(found);
        curl_multi_remove_handle(multi_, easy);
        HttpReply reply;
        reply.sent = transfer->sent;
        if (result == CURLE_OK) {
            reply.status = static_cast<int>(status);
            reply.body = std::move(transfer->reply);
        } else {
            reply.timed_out = result == CURLE_OPERATION_TIMEDOUT;
            reply.trouble =
                transfer->error[0] != '\0' ? transfer->error.data() : curl_easy_strerror(result);
        }
        transfer->handler(reply);
    }
}

int HttpClient::on_socket(void*, int socket, int what, void* self, void*) noexcept {
    auto& client = *static_cast<HttpClient*>(self);
    if (what == CURL_POLL_REMOVE) {
        client.watches_.erase(socket);
        return 0;
    }
    auto& watch = client.watches_[socket];
    if (watch) {
        watch->change(epoll_events(what));
        return 0;
    }
    watch = std::make_unique<Watch>(client.loop_);
    auto started = watch->start(socket, epoll_events(what), [&client, socket](auto events) {
        client.act(socket, curl_events(events));
    });
    if (started) return 0;
    client.watches_.erase(socket);
    return -1;
}

int HttpClient::on_timer(void*, long timeout_ms, void* self) noexcept {
    auto& client = *static_cast<HttpClient*>(self);
    if (timeout_ms < 0) {
        client.timer_.cancel();
        return 0;
    }
    client.timer_.arm(boot_now() + std::chrono::milliseconds(timeout_ms),
                      [&client] { client.act(CURL_SOCKET_TIMEOUT, 0); });
    return 0;
}

}  // namespace ha::io
