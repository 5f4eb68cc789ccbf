#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/loop.h"

namespace ha::io {

/// Files in PEM. Read again for each connection, so that they can be renewed under us.
struct HttpsFiles {
    std::string authorities;  // whose servers are trusted; empty: the system's
    std::string certificate;  // ours; empty: none
    std::string key;
};

struct HttpPost {
    std::string url;  // https only
    std::string body;
    std::string authorization;  // empty: none
    Duration patience;          // to the end of the answer; at least 1 ms
};

struct HttpReply {
    /// Some of the request may have reached the server. False: surely nothing.
    bool sent = false;
    bool timed_out = false;  // patience was over
    int status = 0;          // 0: no whole answer
    std::string body;        // at most the limit
    std::string trouble;     // of status 0: for people
};

/// JSON by HTTP/1.1 over TLS, with libcurl's multi interface on our loop. Connections are kept for
/// the next request; a request never waits behind another one on the same connection. No proxies,
/// no redirections. Loop's thread.
class HttpClient {
  public:
    /// May post and cancel, not destroy the client.
    using Handler = std::function<void(const HttpReply&)>;
    using Ticket = std::uint64_t;

    /// A longer answer than `limit` bytes is none. `known`: "HOST:PORT:ADDRESS" of every server
    /// that will be asked; name servers are then never asked, so nothing waits for them. Without it
    /// each host has to be a numeric address.
    HttpClient(Loop& loop, HttpsFiles files, std::size_t limit,
               const std::vector<std::string>& known = {});
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Answered once, never from within the call, unless cancelled. Sent from within the call if a
    /// connection is there.
    Ticket post(const HttpPost& request, Handler handler);
    /// Returns HttpReply::sent.
    bool cancel(Ticket ticket);

  private:
    struct Transfer;

    void settle_options(Transfer& transfer, const HttpPost& request);
    void act(int socket, int events);
    void finish();
    static int on_socket(void* easy, int socket, int what, void* self, void*) noexcept;
    static int on_timer(void* multi, long timeout_ms, void* self) noexcept;

    Loop& loop_;
    HttpsFiles files_;
    std::size_t limit_;
    void* multi_;            // a CURLM
    void* known_ = nullptr;  // a curl_slist
    Timer timer_;
    std::map<int, std::unique_ptr<Watch>> watches_;
    Ticket last_ = 0;
    std::map<Ticket, std::unique_ptr<Transfer>> transfers_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ha::io
