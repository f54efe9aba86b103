// Creates certificates for tests: P-256, self-signed or signed by a test authority, with any dates and key usage. Also
// creates revocation lists of such an authority.
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
#include <vector>

namespace pgmpc::test {

// A private directory that the destructor removes with its contents.
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

struct TestCertificate {
  std::string certificate_file, key_file;
};

struct CertificateOptions {
  std::time_t not_before = std::time(nullptr) - 3600;
  std::time_t not_after = std::time(nullptr) + 86400;
  std::string extended_key_usage;           // e.g. "serverAuth"; empty: no such extension
  const TestCertificate* issuer = nullptr;  // nullptr: self-signed
  bool authority = false;                   // may sign certificates and revocation lists
  long serial = 1;
};

using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

inline CertificatePtr read_certificate(const TestCertificate& from) {
  std::unique_ptr<FILE, decltype(&fclose)> file(fopen(from.certificate_file.c_str(), "r"), fclose);
  if (!file) throw std::runtime_error("could not read a test certificate");
  return {PEM_read_X509(file.get(), nullptr, nullptr, nullptr), X509_free};
}
inline KeyPtr read_key(const TestCertificate& from) {
  std::unique_ptr<FILE, decltype(&fclose)> file(fopen(from.key_file.c_str(), "r"), fclose);
  if (!file) throw std::runtime_error("could not read a test key");
  return {PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
}
inline void add_extension(X509* to, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  X509_add_ext(to, extension, -1);
  X509_EXTENSION_free(extension);
}

// Writes DIRECTORY/NAME.crt and DIRECTORY/NAME.key.
inline TestCertificate make_certificate(const TemporaryDirectory& directory, const std::string& name,
                                        const CertificateOptions& options = {}) {
  KeyPtr key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  CertificatePtr certificate(X509_new(), X509_free);
  KeyPtr signer = options.issuer != nullptr ? read_key(*options.issuer) : KeyPtr(nullptr, EVP_PKEY_free);
  CertificatePtr issuer =
      options.issuer != nullptr ? read_certificate(*options.issuer) : CertificatePtr(nullptr, X509_free);
  X509* x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), options.serial);
  ASN1_TIME_set(X509_getm_notBefore(x), options.not_before);
  ASN1_TIME_set(X509_getm_notAfter(x), options.not_after);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer.get() : x));
  X509_set_pubkey(x, key.get());
  if (!options.extended_key_usage.empty()) add_extension(x, NID_ext_key_usage, options.extended_key_usage);
  if (options.authority) {
    add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(x, NID_key_usage, "critical,keyCertSign,cRLSign");
  }
  if (X509_sign(x, signer ? signer.get() : key.get(), EVP_sha256()) == 0)
    throw std::runtime_error("could not sign a test certificate");
  TestCertificate out{directory.file(name + ".crt"), directory.file(name + ".key")};
  std::unique_ptr<FILE, decltype(&fclose)> crt(fopen(out.certificate_file.c_str(), "w"), fclose);
  std::unique_ptr<FILE, decltype(&fclose)> pem(fopen(out.key_file.c_str(), "w"), fclose);
  if (!crt || !pem || PEM_write_X509(crt.get(), x) != 1 ||
      PEM_write_PrivateKey(pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    throw std::runtime_error("could not write a test certificate");
  chmod(out.key_file.c_str(), 0600);
  return out;
}

// Writes DIRECTORY/NAME: the authority's revocation list with the given serial numbers, valid until the given time.
inline std::string make_revocation_list(const TemporaryDirectory& directory, const std::string& name,
                                        const TestCertificate& authority, const std::vector<long>& serials,
                                        std::time_t until = std::time(nullptr) + 3600) {
  std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> list(X509_CRL_new(), X509_CRL_free);
  X509_CRL_set_version(list.get(), 1);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(read_certificate(authority).get()));
  std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> time(ASN1_TIME_set(nullptr, std::time(nullptr) - 7200),
                                                             ASN1_TIME_free);
  X509_CRL_set1_lastUpdate(list.get(), time.get());
  for (long serial : serials) {
    X509_REVOKED* entry = X509_REVOKED_new();
    std::unique_ptr<ASN1_INTEGER, decltype(&ASN1_INTEGER_free)> number(ASN1_INTEGER_new(), ASN1_INTEGER_free);
    ASN1_INTEGER_set(number.get(), serial);
    X509_REVOKED_set_serialNumber(entry, number.get());
    X509_REVOKED_set_revocationDate(entry, time.get());
    X509_CRL_add0_revoked(list.get(), entry);
  }
  ASN1_TIME_set(time.get(), until);
  X509_CRL_set1_nextUpdate(list.get(), time.get());
  KeyPtr key = read_key(authority);
  std::string path = directory.file(name);
  std::unique_ptr<FILE, decltype(&fclose)> file(fopen(path.c_str(), "w"), fclose);
  if (X509_CRL_sign(list.get(), key.get(), EVP_sha256()) == 0 || !file ||
      PEM_write_X509_CRL(file.get(), list.get()) != 1)
    throw std::runtime_error("could not write a revocation list");
  return path;
}

}  // namespace pgmpc::test
