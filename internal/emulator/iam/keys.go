package iam

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// googleTokenURI is where Google exchanges tokens.
const googleTokenURI = "https://oauth2.googleapis.com/token"

// accountKey is a key of a service account; its private half was handed out
// once and is not kept.
type accountKey struct {
	ID       string
	Email    string
	Created  time.Time
	Public   []byte // PKCS #1
	Disabled bool
}

// SetTokenURI tells where this cloud exchanges the tokens of service-account
// keys, such as http://127.0.0.1:8080/token; keys made from then on name it.
func (a *Authority) SetTokenURI(uri string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokenURI = uri
}

func (a *Authority) readKeys(tx *store.Tx) error {
	var failed error
	tx.Scan(tableKeys, "", func(id string, v []byte) bool {
		var k accountKey
		if err := json.Unmarshal(v, &k); err != nil {
			failed = fmt.Errorf("key %s is damaged: %w", id, err)
			return false
		}
		a.keys[id] = k
		return true
	})
	return failed
}

// addKey makes a key and returns it with the credentials file of Google's
// client libraries.
func (a *Authority) addKey(s *adminpb.ServiceAccount) (accountKey, []byte, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return accountKey{}, nil, fmt.Errorf("make a key of %s: %w", s.Email, err)
	}
	k := accountKey{
		ID:      keyID(&private.PublicKey),
		Email:   s.Email,
		Created: time.Now().UTC(),
		Public:  x509.MarshalPKCS1PublicKey(&private.PublicKey),
	}
	if err := a.storeKey(k); err != nil {
		return accountKey{}, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return accountKey{}, nil, fmt.Errorf("encode a key of %s: %w", s.Email, err)
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	file, err := json.MarshalIndent(map[string]string{
		"type":                        "service_account",
		"project_id":                  a.project,
		"private_key_id":              k.ID,
		"private_key":                 string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email":                s.Email,
		"client_id":                   s.UniqueId,
		"auth_uri":                    "https://accounts.google.com/o/oauth2/auth",
		"token_uri":                   a.tokenURI,
		"auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
		"universe_domain":             "googleapis.com",
	}, "", "  ")
	return k, file, err
}

func (a *Authority) storeKey(k accountKey) error {
	err := a.db.Update(func(tx *store.Tx) error { return tx.PutJSON(tableKeys, k.ID, k) })
	if err != nil {
		return fmt.Errorf("store key %s: %w", k.ID, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[k.ID] = k
	return nil
}

func (a *Authority) removeKey(id string) error {
	err := a.db.Update(func(tx *store.Tx) error { return tx.Delete(tableKeys, id) })
	if err != nil {
		return fmt.Errorf("delete key %s: %w", id, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.keys, id)
	return nil
}

// key finds a key of an account by its id.
func (a *Authority) key(email, id string) (accountKey, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	k, ok := a.keys[id]
	if !ok || k.Email != email {
		return accountKey{}, status.Errorf(codes.NotFound, "Service account key %s does not exist.", id)
	}
	return k, nil
}

// keyClaims are the claims of a JWT that a service account signs itself: an
// assertion for the token endpoint, or an access token.
type keyClaims struct {
	jwt.RegisteredClaims
	Scope          string `json:"scope"`
	TargetAudience string `json:"target_audience"`
}

// verifyKeyJWT checks a JWT signed with a service account's key: signature,
// issuer, a life of at most an hour and, unless nil, the audience.
func (a *Authority) verifyKeyJWT(token string, audiences []string) (accountKey, keyClaims, error) {
	var key accountKey
	var claims keyClaims
	if len(token) > maxJWT {
		return key, claims, errors.New("the token is too long")
	}
	options := []jwt.ParserOption{jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithLeeway(10 * time.Second)}
	if audiences != nil {
		options = append(options, jwt.WithAudience(audiences...))
	}
	_, err := jwt.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		var err error
		if key, err = a.key(claims.Issuer, id); err != nil {
			return nil, err
		}
		if key.Disabled {
			return nil, errors.New("the key is disabled")
		}
		return x509.ParsePKCS1PublicKey(key.Public)
	}, options...)
	if err != nil {
		return key, claims, fmt.Errorf("invalid JWT: %w", err)
	}
	if claims.IssuedAt == nil || claims.ExpiresAt.Sub(claims.IssuedAt.Time) > tokenLife+time.Minute {
		return key, claims, errors.New("invalid JWT: it must live for at most one hour and say when it was issued (iat)")
	}
	return key, claims, nil
}

// sign signs bytes with this authority's key, which stands for the key that
// Google holds for each service account.
func (a *Authority) sign(data []byte) (keyName string, signature []byte, err error) {
	key, err := a.signKey()
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(data)
	signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", nil, fmt.Errorf("sign: %w", err)
	}
	return keyID(&key.PublicKey), signature, nil
}
