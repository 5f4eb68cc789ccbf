#include "clusterd/bus_face.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "api/bus.h"
#include "io/clock.h"
#include "io/yaml_config.h"
#include "unit/clusterd/fake_commands.h"

// The face over a private connection, without a bus daemon. The client is a thread of its own with
// blocking calls; the face lives in the test's loop.

namespace ha::clusterd {
namespace {

constexpr const char* kModulePath = "/org/hamirror/module/web_2dshop";

struct Call {
    std::string error;  // name; empty: it was answered
    std::string text;   // of the error, or the first string of the answer
};

class Client {
  public:
    explicit Client(int fd) {
        sd_bus_new(&bus_);
        sd_bus_set_fd(bus_, fd, fd);
        EXPECT_GE(sd_bus_start(bus_), 0);
    }
    ~Client() { sd_bus_close_unref(bus_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    template <typename... Arguments>
    Call call(const char* path, const char* interface, const char* member, const char* types,
              Arguments... arguments) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message* reply = nullptr;
        Call result;
        const int code = sd_bus_call_method(bus_, api::bus::kName, path, interface, member, &error,
                                            &reply, types, arguments...);
        if (code < 0) {
            result = {error.name != nullptr ? error.name : "errno " + std::to_string(-code),
                      error.message != nullptr ? error.message : ""};
        } else if (sd_bus_message_has_signature(reply, "s") > 0) {
            const char* text = nullptr;
            sd_bus_message_read(reply, "s", &text);
            result.text = text;
        }
        sd_bus_error_free(&error);
        sd_bus_message_unref(reply);
        return result;
    }
    std::string property(const char* path, const char* interface, const char* name) {
        char* text = nullptr;
        sd_bus_get_property_string(bus_, api::bus::kName, path, interface, name, nullptr, &text);
        std::string result = text != nullptr ? text : "?";
        std::free(text);
        return result;
    }
    /// The next signal, as PATH MEMBER [names of changed properties], or "timeout".
    std::string signal() {
        std::string seen;
        sd_bus_slot* slot = nullptr;
        sd_bus_add_match(bus_, &slot, "type='signal'", on_signal, &seen);
        const auto limit = io::boot_now() + 3s;
        while (seen.empty() && io::boot_now() < limit) {
            if (sd_bus_process(bus_, nullptr) == 0) sd_bus_wait(bus_, 100'000);
        }
        sd_bus_slot_unref(slot);
        return seen.empty() ? "timeout" : seen;
    }

  private:
    static int on_signal(sd_bus_message* message, void* seen, sd_bus_error*) {
        auto& text = *static_cast<std::string*>(seen);
        if (!text.empty()) return 0;
        text = std::string(sd_bus_message_get_path(message)) + " " +
               sd_bus_message_get_member(message);
        const char* interface = nullptr;
        if (sd_bus_message_is_signal(message, nullptr, "PropertiesChanged") == 0) return 0;
        sd_bus_message_read(message, "s", &interface);
        sd_bus_message_enter_container(message, 'a', "{sv}");
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
            const char* name = nullptr;
            sd_bus_message_read(message, "s", &name);
            text += std::string(" ") + name;
            sd_bus_message_skip(message, "v");
            sd_bus_message_exit_container(message);
        }
        return 0;
    }

    sd_bus* bus_ = nullptr;
};

class BusFaceTest : public testing::Test {
  protected:
    io::Loop loop_;
    io::Timer limit_{loop_};
    FakeCommands commands_;
    bool privileged_ = true;
    int opened_ = 0;
    int client_fd_ = -1;

    BusFace::Options options() {
        BusFace::Options options;
        options.open = [this] { return open(); };
        options.may_change = [this](sd_bus_message*) { return privileged_; };
        options.retry = 10ms;
        options.coalesce = 10ms;
        return options;
    }
    Result<io::SdBus> open() {
        int ends[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
        sd_bus* bus = nullptr;
        sd_id128_t id{};
        sd_id128_randomize(&id);
        sd_bus_new(&bus);
        sd_bus_set_fd(bus, ends[0], ends[0]);
        sd_bus_set_server(bus, 1, id);
        EXPECT_GE(sd_bus_start(bus), 0);
        client_fd_ = ends[1];
        return io::SdBus(bus);
    }
    /// Runs `play` as a client of `face` while the loop turns.
    void with_client(BusFace& face, const std::function<void(Client&)>& play) {
        face.start();
        std::thread thread([&] {
            {
                Client client(client_fd_);
                play(client);
            }
            loop_.post([this] { loop_.stop(); });
        });
        limit_.arm(io::boot_now() + 20s, [this] {
            ADD_FAILURE() << "not done after 20 s";
            loop_.stop();
        });
        ASSERT_TRUE(loop_.run());
        thread.join();
    }
    /// In the loop's thread.
    void change(BusFace& face, std::function<void()> change) {
        loop_.post([&face, change = std::move(change)] {
            change();
            face.changed();
        });
    }
};

/// The <interface> of `name`, without comments, one element a line, no indentation.
std::string interface_xml(std::string xml, const std::string& name) {
    for (auto at = xml.find("<!--"); at != std::string::npos; at = xml.find("<!--")) {
        xml.erase(at, xml.find("-->", at) + 3 - at);
    }
    const auto begin = xml.find("<interface name=\"" + name + "\"");
    if (begin == std::string::npos) return "no interface " + name;
    std::istringstream lines(xml.substr(begin, xml.find("</interface>", begin) - begin));
    std::string result;
    for (std::string line; std::getline(lines, line);) {
        const auto first = line.find_first_not_of(' ');
        if (first != std::string::npos) result += line.substr(first) + "\n";
    }
    return result;
}

std::string reference(const std::string& name) {
    std::ifstream file(std::string(HAMIRROR_SOURCE_DIR) + "/dbus/" + name + ".xml");
    std::stringstream text;
    text << file.rdbuf();
    return interface_xml(text.str(), name);
}

TEST_F(BusFaceTest, IsWhatTheIntrospectionFilesSay) {
    BusFace face(loop_, commands_, options());
    with_client(face, [&](Client& client) {
        for (auto [path, name] : {std::pair{api::bus::kClusterPath, api::bus::kCluster},
                                  std::pair{"/org/hamirror/node/node1", api::bus::kNode},
                                  std::pair{kModulePath, api::bus::kModule}}) {
            auto xml = client.call(path, "org.freedesktop.DBus.Introspectable", "Introspect", "");
            EXPECT_EQ(interface_xml(xml.text, name), reference(name));
        }
        auto root = client.call(api::bus::kModulePrefix, "org.freedesktop.DBus.Introspectable",
                                "Introspect", "");
        EXPECT_NE(root.text.find("<node name=\"web_2dshop\"/>"), std::string::npos) << root.text;
    });
}

TEST_F(BusFaceTest, ShowsEverybodyTheView) {
    privileged_ = false;
    BusFace face(loop_, commands_, options());
    with_client(face, [&](Client& client) {
        auto status = client.call(api::bus::kClusterPath, api::bus::kCluster, "Status", "");
        EXPECT_EQ(status.text.substr(0, 16), R"({"node":"node2",)");
        EXPECT_EQ(client.property(api::bus::kClusterPath, api::bus::kCluster, "Peer"), "node1");
        EXPECT_EQ(client.property(kModulePath, api::bus::kModule, "State"), "secondary");
        EXPECT_EQ(client.property(kModulePath, api::bus::kModule, "PeerState"), "primary");
        EXPECT_EQ(client.property(kModulePath, api::bus::kCluster, "Node"), "?");
    });
}

TEST_F(BusFaceTest, OrdersReachTheDaemon) {
    constexpr const char* kShown = "00000000000000000000000000000006";
    BusFace face(loop_, commands_, options());
    commands_.answer = "the plan";
    with_client(face, [&](Client& client) {
        EXPECT_EQ(client.call(kModulePath, api::bus::kModule, "Start", "b", 1).error, "");
        EXPECT_EQ(client.call(kModulePath, api::bus::kModule, "Force", "ssb", kShown, "", 0).error,
                  "");
        EXPECT_EQ(client.call(kModulePath, api::bus::kModule, "Force", "ssb", kShown, "7", 0).error,
                  "org.hamirror.Error.Invalid");
        EXPECT_EQ(client.call(kModulePath, api::bus::kModule, "Stop", "b", 0).error, "");
        EXPECT_EQ(client.call(kModulePath, api::bus::kModule, "Swap", "").error, "");
        EXPECT_EQ(client.call(kModulePath, api::bus::kModule, "SwapTo", "s", "node1").error, "");
        EXPECT_EQ(client.call(kModulePath, api::bus::kModule, "Restart", "").error, "");
        EXPECT_EQ(client.call(kModulePath, api::bus::kModule, "SetFailover", "b", 0).error, "");
        EXPECT_EQ(client.call(kModulePath, api::bus::kModule, "SetAtBoot", "b", 1).error, "");
        auto plan = client.call(api::bus::kClusterPath, api::bus::kCluster, "Apply", "ssbb",
                                "module: x", "x.yaml", 0, 1);
        EXPECT_EQ(plan.text, "the plan");
    });
    EXPECT_EQ(
        commands_.orders,
        (std::vector<std::string>{"start web-shop as-source", "start web-shop forced, shown 06 00",
                                  "stop web-shop", "swap web-shop", "swap web-shop to node1",
                                  "restart web-shop", "failover web-shop off", "enable web-shop",
                                  "apply module: x x.yaml without-peer"}));
}

TEST_F(BusFaceTest, AWitnessIsReadBeforeTheDaemonIsAsked) {
    BusFace face(loop_, commands_, options());
    commands_.answer = "done";
    with_client(face, [&](Client& client) {
        const auto set = [&](const std::string& yaml) {
            return client.call(api::bus::kClusterPath, api::bus::kCluster, "SetWitness", "s",
                               yaml.c_str());
        };
        const config::WitnessConfig witness{{"10.0.9.9"}, 7401, std::string(64, 'b'), Id128{0, 1}};
        EXPECT_EQ(set(io::render(witness)).text, "done");
        EXPECT_EQ(set("").text, "done");
        auto wrong = set("addresses: [10.0.9.9]\nkey: x\n");
        EXPECT_EQ(wrong.error, "org.hamirror.Error.Invalid");
        EXPECT_EQ(wrong.text, "witness:1:1: key \"store\" is missing in a witness\n");
        EXPECT_EQ(set(std::string(io::kMaxWitnessText + 1, '#')).error,
                  "org.hamirror.Error.Invalid");
        privileged_ = false;
        EXPECT_EQ(set("").error, api::bus::kAccessDenied);
        EXPECT_EQ(set("wrong").error, api::bus::kAccessDenied);
    });
    EXPECT_EQ(commands_.orders,
              (std::vector<std::string>{"set-witness 10.0.9.9", "set-witness none"}));
}

TEST_F(BusFaceTest, RefusalsAreTypedErrors) {
    BusFace face(loop_, commands_, options());
    commands_.answer = tl::unexpected(CommandError{"peer-not-ready", "node1 is not ready."});
    with_client(face, [&](Client& client) {
        auto refused = client.call(kModulePath, api::bus::kModule, "Swap", "");
        EXPECT_EQ(refused.error, "org.hamirror.Error.PeerNotReady");
        EXPECT_EQ(refused.text, "node1 is not ready.");
        auto unknown = client.call("/org/hamirror/module/x", api::bus::kModule, "Swap", "");
        EXPECT_EQ(unknown.error, "org.freedesktop.DBus.Error.UnknownObject");
    });
}

TEST_F(BusFaceTest, OnlyThePrivilegedGiveOrders) {
    privileged_ = false;
    BusFace face(loop_, commands_, options());
    with_client(face, [&](Client& client) {
        for (const char* member : {"Start", "Stop", "SetFailover", "SetAtBoot"}) {
            EXPECT_EQ(client.call(kModulePath, api::bus::kModule, member, "b", 0).error,
                      api::bus::kAccessDenied);
        }
        for (const char* member : {"Swap", "Restart"}) {
            EXPECT_EQ(client.call(kModulePath, api::bus::kModule, member, "").error,
                      api::bus::kAccessDenied);
        }
        EXPECT_EQ(client.call(kModulePath, api::bus::kModule, "SwapTo", "s", "node1").error,
                  api::bus::kAccessDenied);
        EXPECT_EQ(
            client.call(api::bus::kClusterPath, api::bus::kCluster, "Apply", "ssbb", "", "", 1, 0)
                .error,
            api::bus::kAccessDenied);
    });
    EXPECT_TRUE(commands_.orders.empty());
}

TEST_F(BusFaceTest, SignalsNameWhatChangedAndNothingElse) {
    BusFace face(loop_, commands_, options());
    with_client(face, [&](Client& client) {
        client.call(api::bus::kClusterPath, api::bus::kCluster, "Status", "");
        change(face, [&] { commands_.shown.modules[0].nodes[1].readiness = "ready"; });
        change(face, [&] { commands_.shown.modules[0].nodes[1].in_sync = true; });
        EXPECT_EQ(client.signal(),
                  std::string(kModulePath) + " PropertiesChanged Readiness InSync");
        EXPECT_EQ(client.signal(), "/org/hamirror/cluster Changed");
        change(face, [&] { commands_.shown.modules.push_back(FakeCommands::module("db")); });
        EXPECT_EQ(client.signal(), "/org/hamirror InterfacesAdded");
        EXPECT_EQ(client.signal(), "/org/hamirror/cluster Changed");
        change(face, [&] { commands_.shown.modules.pop_back(); });
        EXPECT_EQ(client.signal(), "/org/hamirror InterfacesRemoved");
        EXPECT_EQ(client.signal(), "/org/hamirror/cluster Changed");
    });
}

TEST_F(BusFaceTest, TheLastChangeIsSaidBeforeItLeaves) {
    auto slow = options();
    slow.coalesce = 1h;
    BusFace face(loop_, commands_, slow);
    with_client(face, [&](Client& client) {
        client.call(api::bus::kClusterPath, api::bus::kCluster, "Status", "");
        change(face, [&] { commands_.shown.modules[0].nodes[1].readiness = "ready"; });
        EXPECT_EQ(client.signal(), std::string(kModulePath) + " PropertiesChanged Readiness");
        EXPECT_EQ(client.signal(), "/org/hamirror/cluster Changed");
        loop_.post([&] {
            commands_.shown.modules[0].nodes[1].in_sync = true;
            face.changed();
            face.stop();
        });
        EXPECT_EQ(client.signal(), std::string(kModulePath) + " PropertiesChanged InSync");
        EXPECT_EQ(client.signal(), "/org/hamirror/cluster Changed");
    });
}

TEST_F(BusFaceTest, ComesBackWhenTheBusDoes) {
    auto with_outage = options();
    std::optional<BusFace> face;
    with_outage.open = [&]() -> Result<io::SdBus> {
        if (++opened_ == 2) return fail("no bus");
        if (opened_ == 3) {
            loop_.post([&] {
                face->stop();
                loop_.stop();
            });
        }
        return open();
    };
    face.emplace(loop_, commands_, with_outage);
    face->start();
    const int fd = client_fd_;
    std::thread thread([fd] {
        Client client(fd);
        client.call(api::bus::kClusterPath, api::bus::kCluster, "Status", "");
    });
    limit_.arm(io::boot_now() + 5s, [this] { loop_.stop(); });
    ASSERT_TRUE(loop_.run());
    thread.join();
    EXPECT_EQ(opened_, 3);
    close(client_fd_);
}

}  // namespace
}  // namespace ha::clusterd
