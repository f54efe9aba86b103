// Loads X.509 certificates and private keys of parties.
//
// Terms
// A fingerprint is the lower-case hex SHA-256 of the certificate's DER. It identifies a party. An identity is this
// node's own certificate with its private key.
//
// Security
// The key of an Identity always matches its certificate. It comes from a file that other users cannot read. Errors name
// the file and the cause, never key material.
#pragma once
#include <openssl/ssl.h>

#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace pgmpc {

struct Certificate {
  std::string fingerprint;
  std::string subject;  // RFC 2253
  std::time_t not_before = 0, not_after = 0;
  bool for_client = false, for_server = false;  // what its (extended) key usage allows
  std::string weakness;                         // short RSA key, SHA-1 or MD5 signature, no subjectAltName; often empty
};

// Parses the first certificate of a PEM text of at most 1 MB. Error(invalid_text).
Certificate parse_certificate(std::string_view pem);
Certificate describe_certificate(X509* certificate);
std::string certificate_fingerprint(X509* certificate);
std::string utc_date(std::time_t time);  // 2026-01-31

struct OpenSslFree {
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(X509_STORE* p) const { X509_STORE_free(p); }
  void operator()(X509_STORE_CTX* p) const { X509_STORE_CTX_free(p); }
};
template <typename T>
using OpenSslPtr = std::unique_ptr<T, OpenSslFree>;

// Returns the oldest error of OpenSSL's queue as text, "unknown cause" when there is none. Empties the queue.
std::string openssl_cause();

class Identity {
 public:
  // Loads PEM files. Error(configuration): a file cannot be read or parsed, the key does not match the certificate, has
  // a pass phrase, or is accessible to other users.
  static std::shared_ptr<const Identity> load(const std::string& certificate_file, const std::string& key_file);

  const Certificate& certificate() const noexcept { return description_; }
  X509* x509() const noexcept { return certificate_.get(); }
  // Sets certificate, chain and key in the context. Error(configuration).
  void use_in(SSL_CTX* context) const;

 private:
  Identity() = default;
  OpenSslPtr<X509> certificate_;
  std::vector<OpenSslPtr<X509>> chain_;  // further certificates of the file, sent to peers that check a ca_file
  OpenSslPtr<EVP_PKEY> key_;
  Certificate description_;
};

}  // namespace pgmpc
