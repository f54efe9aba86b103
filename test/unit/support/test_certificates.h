// What: certificates for tests, made on the spot: self-signed P-256, with any dates and key usage.
#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace pgmpc::test {

// A private directory that goes away with its owner.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pgmpcXXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct CertificateOptions {
  std::time_t not_before = std::time(nullptr) - 3600;
  std::time_t not_after = std::time(nullptr) + 86400;
  std::string extended_key_usage;  // e.g. "serverAuth"; empty: no such extension
};

struct TestCertificate {
  std::string certificate_file, key_file;
};

// Writes DIRECTORY/NAME.crt and NAME.key.
inline TestCertificate make_certificate(const TemporaryDirectory& directory, const std::string& name,
                                        const CertificateOptions& options = {}) {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  X509* x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  ASN1_TIME_set(X509_getm_notBefore(x), options.not_before);
  ASN1_TIME_set(X509_getm_notAfter(x), options.not_after);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(x));
  X509_set_pubkey(x, key.get());
  if (!options.extended_key_usage.empty()) {
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_ext_key_usage, options.extended_key_usage.c_str());
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
  }
  if (X509_sign(x, key.get(), EVP_sha256()) == 0) throw std::runtime_error("could not sign a test certificate");
  TestCertificate out{directory.file(name + ".crt"), directory.file(name + ".key")};
  std::unique_ptr<FILE, decltype(&fclose)> crt(fopen(out.certificate_file.c_str(), "w"), fclose);
  std::unique_ptr<FILE, decltype(&fclose)> pem(fopen(out.key_file.c_str(), "w"), fclose);
  if (!crt || !pem || PEM_write_X509(crt.get(), x) != 1 ||
      PEM_write_PrivateKey(pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    throw std::runtime_error("could not write a test certificate");
  chmod(out.key_file.c_str(), 0600);
  return out;
}

}  // namespace pgmpc::test
