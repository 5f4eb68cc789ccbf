#pragma once

#include <map>
#include <memory>
#include <string>

#include "api/worker.h"
#include "core/vip/holder.h"
#include "core/vip/prober.h"
#include "io/arp.h"
#include "io/lease_page.h"
#include "io/loop.h"
#include "io/netlink.h"
#include "io/worker_link.h"
#include "vipd/records.h"

namespace ha::vipd {

/// ha-vipd: the holder, between clusterd's orders and the kernel. Without clusterd it goes on
/// holding what was ordered.
class Daemon {
  public:
    Daemon(io::Loop& loop, io::Netlink netlink, Places places = {});
    Result<> start();
    /// After the loop ended: an error if the daemon gave up, so that systemd starts it anew.
    [[nodiscard]] const Result<>& outcome() const { return outcome_; }

  private:
    void on_order(const api::Order& order);
    void hold(const api::HoldAddresses& order);
    bool may_hold(const std::string& module);
    void let_go(const std::string& module);
    void on_change(const io::NetworkChange& change);
    void probe(const api::ProbeAddresses& order);
    void step_prober(const vip::ProbeEvent& event);
    void perform(const vip::ProbeEffect& effect);
    void ask(const vip::Ask& effect);
    void on_claim(int index, const io::ArpClaim& claim);
    Result<> dump();
    void dump_again();
    void step(const vip::Event& event);
    void settle();
    void perform(const vip::Effect& effect);
    void add(const vip::AddAddress& effect);
    void remove(const vip::RemoveAddress& effect);
    void announce(const vip::Announce& effect);
    void tell_conflict(const vip::TellConflict& effect);
    void tell_failure(const vip::ReportFailed& effect);
    io::ArpLink* arp_link(int index);
    void listen_where_wanted();

    io::Loop& loop_;
    Places places_;
    io::Netlink netlink_;
    io::NetworkMonitor monitor_;
    io::WorkerClient clusterd_;
    io::LeaseWatches leases_;
    io::Timer timer_;
    io::Timer probe_timer_;
    io::Timer dump_timer_;
    unsigned failed_dumps_ = 0;  // in a row
    Result<> outcome_;
    vip::Holder holder_;
    vip::Prober prober_;
    std::vector<vip::Event> answers_;  // of the kernel, to what the last step asked of it
    std::vector<vip::ProbeEvent> ask_failures_;
    std::map<int, std::unique_ptr<io::ArpLink>> arp_;
};

}  // namespace ha::vipd
