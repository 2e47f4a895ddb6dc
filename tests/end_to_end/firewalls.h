#pragma once

#include "tests/support/lab.h"

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>

namespace gw::lab {

// The firewall managers of others, as Debian ships them.

/// Why these programs cannot be run; empty: they can.
inline std::string why_not_installed(std::initializer_list<const char*> programs)
{
    for (const std::string program : programs)
        if (run({"sh", "-c", "command -v " + program}).exit_code != 0) return program + " is not installed";
    return "";
}

/// Room for programs that take the whole host for theirs. The network is that of `where`; what they have below /etc,
/// /run, /tmp and /var/log belongs to the test; of the kernel's settings they can change those of that network
/// namespace. All of it lasts as long as this.
class SealedHost {
public:
    explicit SealedHost(const Namespace& where) : where_(where)
    {
        for (const char* each :
             {"etc/default", "etc/alternatives", "etc/firewalld", "etc/ufw", "var/log", "run", "tmp"})
            std::filesystem::create_directories(folder_.path(each));
        for (const char* each : {"default", "alternatives"})
            has(std::string("etc/") + each, std::string("/etc/") + each);
    }
    /// A folder gets what is in another.
    void has(std::string_view folder, const std::string& from) const
    {
        run_well({"cp", "-a", from + "/.", folder_.path(folder)});
    }
    /// What `file` ("etc/ufw/before.rules") is in there.
    std::string path(std::string_view file) const { return folder_.path(file); }
    void write(std::string_view file, std::string_view text) const
    {
        std::filesystem::create_directories(std::filesystem::path(path(file)).parent_path());
        folder_.write(file, text);
    }

    Output runs(Command command) const { return run(inside(std::move(command)), place()); }
    /// Fails the test when the program fails.
    std::string runs_well(Command command) const { return run_well(inside(std::move(command)), place()); }
    std::unique_ptr<Process> starts(Command command) const
    {
        return std::make_unique<Process>(inside(std::move(command)), place());
    }

private:
    Command inside(Command command) const
    {
        // /tmp comes last: the folders of this test are below it.
        static constexpr auto enter = R"(set -e
            mount --bind /proc/sys /proc/sys
            mount -o remount,bind,ro /proc/sys
            mount --bind /proc/sys/net /proc/sys/net
            mount -o remount,bind,rw /proc/sys/net
            for each in etc/default etc/alternatives etc/firewalld etc/ufw var/log run tmp; do
                [ ! -d "/$each" ] || mount --bind "$0/$each" "/$each"
            done
            exec "$@")";
        command.insert(command.begin(), {"unshare", "--mount", "sh", "-c", enter, folder_.path()});
        return command;
    }
    Process::Place place() const { return where_.place(); }

    const Namespace& where_;
    Folder folder_;
};

/// firewalld and a message bus of its own. Clients are in its zone "internal", servers in "external"; a policy lets
/// everything from the one to the other through, and nothing back. What is for the host itself from clients: SSH, and
/// HTTP with `http`.
class Firewalld {
public:
    static std::string why_not() { return why_not_installed({"firewalld", "firewall-cmd", "dbus-daemon"}); }

    Firewalld(const Namespace& where, bool http) : host_(where)
    {
        const std::string allowed = http ? "<service name=\"http\"/>" : "";
        host_.write("etc/firewalld/zones/internal.xml", "<zone><service name=\"ssh\"/>" + allowed + zone_of("inside"));
        host_.write("etc/firewalld/zones/external.xml", "<zone>" + zone_of("outside"));
        host_.write("etc/firewalld/policies/through.xml",
                    "<policy target=\"ACCEPT\" priority=\"-1\"><ingress-zone name=\"internal\"/><egress-zone "
                    "name=\"external\"/></policy>");
        host_.write("etc/firewalld/firewalld.conf", ""); // as Debian's, where all is as it is without
        // Nobody asks who may ask: there is nobody else.
        host_.write("run/bus.conf", "<busconfig><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</"
                                    "auth><policy context=\"default\"><allow send_destination=\"*\"/><allow "
                                    "own=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>");
        std::filesystem::create_directories(host_.path("run/dbus"));
        bus_ = host_.starts({"dbus-daemon", "--config-file=/run/bus.conf", "--nofork", "--nopidfile"});
        EXPECT_TRUE(eventually([this] { return std::filesystem::exists(host_.path("run/dbus/system_bus_socket")); }))
            << bus_->err();
    }
    /// Instead of nft. Before it starts.
    void uses_iptables() const { host_.write("etc/firewalld/firewalld.conf", "FirewallBackend=iptables\n"); }
    /// Waits until its rules are there.
    void starts()
    {
        process_ = host_.starts({"firewalld", "--nofork", "--nopid"});
        EXPECT_TRUE(eventually([this] { return is_active() || !process_->running(); }));
        EXPECT_TRUE(process_->running()) << process_->err() << read_file(host_.path("var/log/firewalld"));
    }
    void stops()
    {
        process_->signal(SIGTERM);
        EXPECT_EQ(process_->wait().exit_code, 0);
    }
    void does(Command words) const
    {
        words.insert(words.begin(), "firewall-cmd");
        host_.runs_well(std::move(words));
    }

private:
    static std::string zone_of(const std::string& interface)
    {
        return "<interface name=\"" + interface + "\"/></zone>";
    }
    bool is_active() const { return host_.runs({"firewall-cmd", "--state"}).exit_code == 0; }

    SealedHost host_;
    std::unique_ptr<Process> bus_;
    std::unique_ptr<Process> process_;
};

/// ufw with either form of iptables ("nft", "legacy") and the rules it comes with.
class Ufw {
public:
    static std::string why_not() { return why_not_installed({"ufw"}); }

    Ufw(const Namespace& where, const std::string& iptables) : host_(where)
    {
        host_.has("etc/ufw", "/etc/ufw");
        host_.has("etc/ufw", "/usr/share/ufw/iptables");
        host_.write("etc/ufw/ufw.conf", "ENABLED=no\nLOGLEVEL=low\n");
        for (const std::string family : {"iptables", "ip6tables"})
            for (const std::string verb : {"", "-save", "-restore"}) {
                const auto link = host_.path("etc/alternatives/" + family + verb);
                std::filesystem::remove(link);
                std::filesystem::create_symlink("/usr/sbin/" + family + '-' + iptables + verb, link);
            }
    }
    void does(Command words) const
    {
        words.insert(words.begin(), "ufw");
        host_.runs_well(std::move(words));
    }
    const SealedHost& host() const { return host_; }

private:
    SealedHost host_;
};

} // namespace gw::lab
