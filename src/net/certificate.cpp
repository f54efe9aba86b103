// Implements loading and description of certificates and keys with OpenSSL.
#include "net/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace pgmpc {

namespace {
constexpr std::size_t kMaxPem = 1u << 20;

[[noreturn]] void bad_file(const std::string& what, const std::string& file, const std::string& cause,
                           const std::string& hint = {}) {
  throw Error(ErrorCode::configuration, "could not load " + what + " file \"" + file + "\"", cause, hint);
}

OpenSslPtr<BIO> open_file(const std::string& what, const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) bad_file(what, file, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) bad_file(what, file, "not a regular file");
  if (static_cast<std::size_t>(info.st_size) > kMaxPem) bad_file(what, file, "larger than 1 MB");
  OpenSslPtr<BIO> bio(BIO_new_file(file.c_str(), "r"));
  ERR_clear_error();
  if (!bio) bad_file(what, file, errno != 0 ? std::strerror(errno) : "could not be opened");
  return bio;
}

// The rule of PostgreSQL's ssl_key_file: private to its owner, or owned by root and readable by a group.
void check_key_mode(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) bad_file("private key", file, std::strerror(errno));
  mode_t forbidden = info.st_uid == 0 ? (S_IWGRP | S_IXGRP | S_IRWXO) : (S_IRWXG | S_IRWXO);
  if ((info.st_mode & forbidden) != 0)
    bad_file("private key", file, "the file has group or world access", "chmod 600, or 640 if root owns it");
}

std::time_t time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return timegm(&parts);
}

std::string subject_of(X509* certificate) {
  OpenSslPtr<BIO> bio(BIO_new(BIO_s_mem()));
  if (!bio || X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0) return {};
  char* data = nullptr;
  long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

// Lists what makes some TLS libraries and policies refuse a certificate. Pinning does not depend on it.
std::string weakness_of(X509* certificate) {
  std::string found;
  const auto add = [&](const std::string& what) { found += (found.empty() ? "" : ", ") + what; };
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < 2048)
    add("RSA key of " + std::to_string(EVP_PKEY_get_bits(key)) + " bits");
  int digest = NID_undef;
  if (X509_get_signature_info(certificate, &digest, nullptr, nullptr, nullptr) == 1 &&
      (digest == NID_sha1 || digest == NID_md5))
    add(std::string("signature with ") + (digest == NID_sha1 ? "SHA-1" : "MD5"));
  if (X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) < 0) add("no subjectAltName");
  return found;
}

// A key file with a pass phrase must fail instead of prompting on the server's terminal.
int no_passphrase(char*, int, int, void*) { return -1; }
}  // namespace

std::string openssl_cause() {
  unsigned long code = ERR_get_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  std::string text = reason != nullptr ? reason : "unknown cause";
  ERR_clear_error();
  return text;
}

std::string utc_date(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts));
}

std::string certificate_fingerprint(X509* certificate) {
  std::uint8_t hash[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), hash, &size) != 1)
    throw Error(ErrorCode::internal, "could not hash a certificate", openssl_cause());
  return to_hex({hash, size});
}

Certificate describe_certificate(X509* certificate) {
  Certificate out;
  out.fingerprint = certificate_fingerprint(certificate);
  out.subject = subject_of(certificate);
  out.not_before = time_of(X509_get0_notBefore(certificate));
  out.not_after = time_of(X509_get0_notAfter(certificate));
  out.for_client = X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 0) == 1;
  out.for_server = X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0) == 1;
  out.weakness = weakness_of(certificate);
  ERR_clear_error();
  return out;
}

Certificate parse_certificate(std::string_view pem) {
  if (pem.size() > kMaxPem)
    throw Error(ErrorCode::invalid_text, "certificate is too long", std::to_string(pem.size()) + " bytes, at most 1 MB",
                "pass the one certificate of the peer, in PEM");
  OpenSslPtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) throw Error(ErrorCode::out_of_memory, "out of memory");
  OpenSslPtr<X509> certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
  if (!certificate)
    throw Error(ErrorCode::invalid_text, "certificate is not valid PEM", openssl_cause(),
                "pass the text from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----");
  ERR_clear_error();
  return describe_certificate(certificate.get());
}

std::shared_ptr<const Identity> Identity::load(const std::string& certificate_file, const std::string& key_file) {
  std::shared_ptr<Identity> identity(new Identity);
  auto bio = open_file("certificate", certificate_file);
  identity->certificate_.reset(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
  if (!identity->certificate_) bad_file("certificate", certificate_file, openssl_cause());
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr))
    identity->chain_.emplace_back(next);
  ERR_clear_error();

  check_key_mode(key_file);
  auto key_bio = open_file("private key", key_file);
  identity->key_.reset(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_passphrase, nullptr));
  if (!identity->key_) bad_file("private key", key_file, openssl_cause(), "the key must not have a pass phrase");
  if (X509_check_private_key(identity->certificate_.get(), identity->key_.get()) != 1) {
    ERR_clear_error();
    bad_file("private key", key_file, "the key does not belong to certificate \"" + certificate_file + "\"");
  }
  identity->description_ = describe_certificate(identity->certificate_.get());
  return identity;
}

void Identity::use_in(SSL_CTX* context) const {
  bool ok =
      SSL_CTX_use_certificate(context, certificate_.get()) == 1 && SSL_CTX_use_PrivateKey(context, key_.get()) == 1;
  for (const auto& extra : chain_) ok = ok && SSL_CTX_add1_chain_cert(context, extra.get()) == 1;
  if (!ok) throw Error(ErrorCode::configuration, "could not use the node's certificate", openssl_cause());
}

}  // namespace pgmpc
