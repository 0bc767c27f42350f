package gateway

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Files of the certificate authority in the data directory.
const (
	caFile     = "ca.pem"        // its certificate
	caKeyFile  = "ca-key.pem"    // its private key
	bundleFile = "ca-bundle.pem" // its certificate with the system's roots
)

// interceptable are the domains that the authority can vouch for: whoever
// trusts it trusts it for nothing else.
var interceptable = []string{"googleapis.com", "run.app", "accounts.google.com", "metadata.google.internal"}

// maxLeaves bounds the certificates that are kept.
const maxLeaves = 1000

// authority is the certificate authority of the proxy.
type authority struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	bundle string // path

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by host
}

// openAuthority loads the authority in dir, or makes one, and writes the bundle.
func openAuthority(dir string) (*authority, error) {
	a := &authority{bundle: filepath.Join(dir, bundleFile), leaves: map[string]*tls.Certificate{}}
	err := a.load(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && time.Until(a.cert.NotAfter) < 30*24*time.Hour {
		err = a.create(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority of the proxy: %w", err)
	}
	return a, a.writeBundle()
}

func (a *authority) load(dir string) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, caFile), filepath.Join(dir, caKeyFile))
	if err != nil {
		return err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("%s is not an ECDSA key; remove it, and a new one is made", caKeyFile)
	}
	a.cert, a.key = pair.Leaf, key
	return nil
}

func (a *authority) create(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:                serial(),
		Subject:                     pkix.Name{CommonName: "Kakehi embedded cloud"},
		NotBefore:                   time.Now().Add(-time.Hour),
		NotAfter:                    time.Now().AddDate(5, 0, 0),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true,
		KeyUsage:                    x509.KeyUsageCertSign,
		PermittedDNSDomains:         interceptable,
		PermittedDNSDomainsCritical: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, caKeyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, caFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return err
	}
	a.key = key
	a.cert, err = x509.ParseCertificate(der)
	return err
}

// systemRoots are where systems keep the roots that they trust.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine
	"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora
	"/etc/ssl/ca-bundle.pem",             // openSUSE
	"/etc/ssl/cert.pem",                  // macOS
}

// writeBundle writes the system's roots with our certificate, for programs that
// take one file of roots.
func (a *authority) writeBundle() error {
	var b bytes.Buffer
	for _, file := range systemRoots {
		data, err := os.ReadFile(file)
		if err == nil {
			b.Write(append(bytes.TrimSpace(data), '\n'))
			break
		}
	}
	b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
	if err := os.WriteFile(a.bundle, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the bundle of root certificates: %w", err)
	}
	return nil
}

// leaf returns the certificate of a host.
func (a *authority) leaf(host string) (*tls.Certificate, error) {
	if host == "" {
		return nil, errors.New("the client names no server (SNI)")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[host]; c != nil && time.Until(c.Leaf.NotAfter) > time.Hour {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(0, 0, 30),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", host, err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if len(a.leaves) >= maxLeaves {
		clear(a.leaves)
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: parsed}
	a.leaves[host] = c
	return c, nil
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return n
}
