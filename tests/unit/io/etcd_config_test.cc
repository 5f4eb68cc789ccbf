#include "io/etcd_config.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <filesystem>
#include <fstream>
#include <memory>

namespace ha::io {
namespace {

namespace fs = std::filesystem;

class EtcdFiles : public testing::Test {
  protected:
    EtcdFiles() {
        std::string pattern = testing::TempDir() + "/etcd-files.XXXXXX";
        base_ = ::mkdtemp(pattern.data());
        for (const std::string name : {"one", "other"}) {
            shell(
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                "-subj /O=x -keyout " +
                name + ".key -out " + name + ".pem && chmod 600 " + name + ".key");
        }
        write("password", "open sesame\n");
        etcd_.ca = base_ + "/other.pem";
        etcd_.certificate = base_ + "/one.pem";
        etcd_.key = base_ + "/one.key";
        etcd_.user = "hamirror";
        etcd_.password_file = base_ + "/password";
    }
    ~EtcdFiles() override { fs::remove_all(base_); }

    void shell(const std::string& line) {
        ASSERT_EQ(std::system(("cd " + base_ + " && (" + line + ") >>log 2>&1").c_str()), 0)
            << line;
    }
    void write(const std::string& name, const std::string& text) {
        std::ofstream(base_ + "/" + name) << text;
        fs::permissions(base_ + "/" + name, fs::perms::owner_read | fs::perms::owner_write);
    }
    /// openssl(1) signs nothing that has expired.
    void age(const std::string& name) {
        std::unique_ptr<FILE, int (*)(FILE*)> key_file(
            std::fopen((base_ + "/" + name + ".key").c_str(), "r"), std::fclose);
        std::unique_ptr<FILE, int (*)(FILE*)> file(
            std::fopen((base_ + "/" + name + ".pem").c_str(), "r+"), std::fclose);
        std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
            PEM_read_PrivateKey(key_file.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
        std::unique_ptr<X509, void (*)(X509*)> own(
            PEM_read_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
        X509_gmtime_adj(X509_getm_notAfter(own.get()), -60);
        ASSERT_GT(X509_sign(own.get(), key.get(), EVP_sha256()), 0);
        std::rewind(file.get());
        ASSERT_EQ(PEM_write_X509(file.get(), own.get()), 1);
    }
    /// What is said of these files, without the directory.
    std::string wrong() {
        auto checked = check_etcd_files(etcd_);
        if (checked) return "";
        std::string text = checked.error().text;
        for (auto at = text.find(base_); at != std::string::npos; at = text.find(base_)) {
            text.erase(at, base_.size() + 1);
        }
        return text;
    }

    std::string base_;
    config::EtcdConfig etcd_;
};

TEST_F(EtcdFiles, GoodOnesAreGood) {
    EXPECT_EQ(wrong(), "");
    EXPECT_EQ(read_password(etcd_.password_file).value(), "open sesame");
    EXPECT_EQ(etcd_cluster_text(0xab), "00000000000000ab");
}

TEST_F(EtcdFiles, EachThatIsMissingIsNamed) {
    for (auto* file : {&etcd_.ca, &etcd_.certificate, &etcd_.key, &etcd_.password_file}) {
        const auto good = *file;
        *file = base_ + "/nowhere";
        EXPECT_EQ(wrong(), "nowhere: No such file or directory");
        *file = base_;
        EXPECT_EQ(check_etcd_files(etcd_).error().text, base_ + ": it is no plain file");
        *file = good;
    }
    shell("mkfifo pipe");
    etcd_.password_file = base_ + "/pipe";
    EXPECT_EQ(wrong(), "pipe: it is no plain file") << "and nobody waits for a writer";
}

TEST_F(EtcdFiles, WhatIsSecretIsNotForEverybody) {
    shell("chmod 644 one.key");
    EXPECT_EQ(wrong(), "one.key: everybody may read or change it; chmod o= one.key");
    shell("chmod 640 one.key; chmod 602 password");
    EXPECT_EQ(wrong(), "password: everybody may read or change it; chmod o= password");
}

TEST_F(EtcdFiles, EachIsWhatItIsSaidToBe) {
    const auto good = etcd_;
    write("empty", "");
    etcd_.ca = base_ + "/empty";
    EXPECT_EQ(wrong(), "empty: it holds no certificate in PEM");
    etcd_ = good;
    etcd_.certificate = base_ + "/one.key";
    EXPECT_EQ(wrong(), "one.key: it holds no certificate in PEM");
    etcd_ = good;
    shell("chmod 600 one.pem");
    etcd_.key = base_ + "/one.pem";
    EXPECT_EQ(wrong(), "one.pem: it holds no private key in PEM without a passphrase");
    etcd_.key = base_ + "/locked.key";
    shell("openssl ec -in one.key -aes256 -passout pass:secret -out locked.key");
    EXPECT_EQ(wrong(), "locked.key: it holds no private key in PEM without a passphrase");
    etcd_.key = base_ + "/other.key";
    EXPECT_EQ(wrong(), "other.key: it is not the key of the certificate in one.pem");
    etcd_ = good;
    age("one");
    EXPECT_EQ(wrong(), "one.pem: the certificate has expired");
    etcd_ = good;
    write("big", std::string((1U << 20) + 1, 'x'));
    etcd_.ca = base_ + "/big";
    EXPECT_EQ(wrong(), "big: it is over 1048576 bytes");
}

TEST_F(EtcdFiles, APasswordIsOneLine) {
    const auto of = [this](const std::string& text) {
        write("password", text);
        return read_password(etcd_.password_file).value_or("refused");
    };
    EXPECT_EQ(of("x"), "x");
    EXPECT_EQ(of(" x \n"), " x ");
    EXPECT_EQ(of(std::string(1024, 'x') + "\n"), std::string(1024, 'x'));
    for (const auto& bad : {std::string(), std::string("\n"), std::string("a\nb\n"),
                            std::string(1025, 'x'), std::string(4096, 'x')}) {
        EXPECT_EQ(of(bad), "refused") << bad.size();
    }
}

TEST(EtcdConfig, ARecordHasNoNameToBeLookedUp) {
    config::WitnessConfig witness;
    witness.addresses = {"10.0.9.9", "10.0.8.9"};
    witness.store = {1, 2};
    witness.etcd.emplace();
    witness.etcd->endpoints = {"https://etcd1:2379", "https://10.0.8.9:2380"};
    witness.etcd->cluster = "cdf818194e3a8c32";
    const auto record = etcd_record_of(witness);
    EXPECT_EQ(record.known,
              (std::vector<std::string>{"etcd1:2379:10.0.9.9", "10.0.8.9:2380:10.0.8.9"}));
    EXPECT_EQ(record.cluster, 0xcdf818194e3a8c32U);
    EXPECT_EQ(etcd_cluster_text(record.cluster), witness.etcd->cluster);
    EXPECT_EQ(record.store.own_key(), "/hamirror/00000000000000010000000000000002/store");
}

}  // namespace
}  // namespace ha::io
